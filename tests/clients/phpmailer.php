<?php // Sends the letter that stands as JSON on standard input, with Debian's PHPMailer.
use PHPMailer\PHPMailer\PHPMailer;

foreach (['Exception', 'PHPMailer', 'SMTP'] as $part) {
    require '/usr/share/php/libphp-phpmailer/src/' . $part . '.php';
}
$letter = json_decode(stream_get_contents(STDIN), true, flags: JSON_THROW_ON_ERROR);
$mail = new PHPMailer(true);
$mail->isSMTP();
$mail->Host = $letter['host'];
$mail->Port = $letter['port'];
$mail->CharSet = PHPMailer::CHARSET_UTF8;
$mail->setFrom($letter['from'], $letter['name']);
$mail->addAddress($letter['to'], 'Anna Müller');
$mail->addCC($letter['cc']);
$mail->addBCC($letter['bcc']);
$mail->Subject = $letter['subject'];
$mail->isHTML();
$mail->Body = $letter['html'];
$mail->AltBody = $letter['text'];
$mail->addStringAttachment(base64_decode($letter['scan']), 'scan.bin');
$mail->send();
