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
foreach ((array) $letter['to'] as $address) {
    $mail->addAddress($address, 'Anna Müller');
}
array_map([$mail, 'addCC'], (array) $letter['cc']);
array_map([$mail, 'addBCC'], (array) $letter['bcc']);
$mail->Subject = $letter['subject'];
if ($letter['html']) {
    $mail->isHTML();
    $mail->Body = $letter['html'];
    $mail->AltBody = $letter['text'];
} else {
    $mail->Body = $letter['text'];
}
if ($letter['scan']) {
    $mail->addStringAttachment(base64_decode($letter['scan']), 'scan.bin');
}
$mail->send();
