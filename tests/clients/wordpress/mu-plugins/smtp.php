<?php // What site owners paste to send through SMTP; without a port, WordPress goes on using mail().
add_action('phpmailer_init', function ($mailer) {
    if (getenv('SITE_SMTP_PORT')) {
        $mailer->isSMTP();
        $mailer->Host = getenv('SITE_SMTP_HOST');
        $mailer->Port = (int) getenv('SITE_SMTP_PORT');
        $mailer->SMTPAuth = false;
        $mailer->SMTPAutoTLS = false;
    }
});
