<?php // Calls a function of WordPress: {"call": "wp_mail", "with": [...]} on standard input.
require __DIR__ . '/wp-config.php';
add_action('wp_mail_failed', function (WP_Error $error) {
    echo $error->get_error_message(), "\n";
});
$wanted = json_decode(stream_get_contents(STDIN), true, flags: JSON_THROW_ON_ERROR);
exit(call_user_func_array($wanted['call'], $wanted['with']) === true ? 0 : 1);
