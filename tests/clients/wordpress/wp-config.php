<?php // The settings of the test's own site; where things are comes from the environment.
define('DB_NAME', 'wordpress');
define('DB_USER', 'wordpress');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:' . getenv('SITE_DATABASE_SOCKET'));
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
define('WP_SITEURL', 'http://shop.contoso.com');
define('WP_HOME', 'http://shop.contoso.com');
define('WP_CONTENT_DIR', getenv('SITE_CONTENT'));
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('DISABLE_WP_CRON', true);
define('WP_DEBUG', true);
define('ABSPATH', getenv('SITE_WORDPRESS') . '/');
$table_prefix = 'wp_';
$_SERVER['HTTP_HOST'] = $_SERVER['SERVER_NAME'] = 'shop.contoso.com';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
require ABSPATH . 'wp-settings.php';
