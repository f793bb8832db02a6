"""How programs are configured to use a listener."""

from graphrelay.console.clients import guides
from graphrelay.smtp.access.listener import Listener


def said(listener: Listener) -> str:
    return "\n".join(guide.text for guide in guides(listener, "relay.test"))


def test_a_listener_with_tls_and_logins_says_so_to_each_program() -> None:
    text = said(Listener(address="0.0.0.0:587", tls="starttls", auth="required"))
    assert (
        "SMTP server: relay.test\nPort: 587\nEncryption: STARTTLS\nAuthentication: a name" in text
    )
    assert "Connection security: STARTTLS\nAuthentication: Username and password" in text
    assert "MAILER_DSN=smtp://NAME:PASSWORD@relay.test:587\n" in text
    assert "$mail->SMTPSecure = 'tls';" in text
    assert "define('WPMS_SSL', 'tls');" in text
    assert "define('WPMS_SMTP_AUTH', true);" in text
    assert "tls_starttls on" in text


def test_a_listener_on_loopback_is_named_by_its_address() -> None:
    text = said(Listener(address="127.0.0.1:2525"))
    assert "Host: 127.0.0.1\nPort: 2525\nEncryption: none\nUser: none" in text
    assert "MAILER_DSN=smtp://127.0.0.1:2525?auto_tls=false" in text
    assert "define('WPMS_SSL', '');" in text
    assert "auth off" in text
    assert "smtps://[::1]:465" in said(Listener(address="[::1]:465", tls="implicit"))


def test_the_socket_of_sendmail_is_for_local_programs() -> None:
    assert "sendmail_path" in said(Listener(address="unix:/run/graphrelay/smtp.sock"))
    assert said(Listener(address="unix:/srv/other.sock")) == "/srv/other.sock"
    assert guides(Listener(address="systemd:smtp"), "relay.test") == ()
