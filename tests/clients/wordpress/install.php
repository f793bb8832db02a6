<?php // What the famous five minutes do, without the browser.
define('WP_INSTALLING', true);
function wp_new_blog_notification() {} // sends the password by mail, before any test has a relay
require __DIR__ . '/wp-config.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
$site = wp_install('Käthes Laden', 'owner', 'alice@contoso.com', false, '', 'unused');
exit(empty($site['user_id']) ? 1 : 0);
