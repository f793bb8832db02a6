<?php // Sends the letter that stands as JSON on standard input, with Debian's Symfony Mailer.
use Symfony\Component\Mailer\{Mailer, Transport};
use Symfony\Component\Mime\{Address, Email};

require '/usr/share/php/Symfony/Component/Mailer/autoload.php';
$letter = json_decode(stream_get_contents(STDIN), true, flags: JSON_THROW_ON_ERROR);
$mail = (new Email())
    ->from(new Address($letter['from'], $letter['name']))
    ->to(...(array) $letter['to'])
    ->cc(...(array) $letter['cc'])
    ->bcc(...(array) $letter['bcc'])
    ->subject($letter['subject'])
    ->text($letter['text']);
if ($letter['html']) {
    $mail->html($letter['html']);
}
if ($letter['scan']) {
    $mail->attach(base64_decode($letter['scan']), 'scan.bin', 'application/octet-stream');
}
(new Mailer(Transport::fromDsn($argv[1])))->send($mail);
