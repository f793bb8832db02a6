"""How programs are configured to use a listener: what to enter, and where."""

from dataclasses import dataclass
from pathlib import Path

from graphrelay.smtp.access.listener import Listener, TcpEndpoint, UnixEndpoint, endpoint

_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 (compared with)
SENDMAIL = Path("/run/graphrelay/smtp.sock")
"""Where graphrelay-sendmail submits mail."""
_ZABBIX = {"off": "None", "starttls": "STARTTLS", "implicit": "SSL/TLS"}
_TLS = {"off": "none", "starttls": "STARTTLS", "implicit": "SSL/TLS"}


@dataclass(frozen=True, slots=True)
class Guide:
    """For one kind of program."""

    program: str
    text: str


def guides(listener: Listener, host: str) -> tuple[Guide, ...]:
    """For the programs that can use the listener; `host` is this machine's name."""
    match endpoint(listener.address):
        case TcpEndpoint(name, port):
            return tuple(_tcp(host if name in _ANY else name, port, listener))
        case UnixEndpoint(path):
            if path == SENDMAIL:
                return (
                    Guide("PHP's mail() (php.ini)", 'sendmail_path = "graphrelay-sendmail -t -i"'),
                    Guide("cron (crontab)", "MAILTO=you@example.org"),
                    Guide("git", "git config --global sendemail.sendmailCmd graphrelay-sendmail"),
                )
            return (Guide("Programs that speak SMTP over a Unix socket", str(path)),)
    return ()


def _tcp(host: str, port: int, listener: Listener) -> list[Guide]:
    needs_login = listener.auth != "off"
    login = "a name and password of [[smtp.users]]" if needs_login else "none"
    secure = {"off": "", "starttls": "tls", "implicit": "ssl"}[listener.tls]
    bare = f"[{host}]" if ":" in host else host
    return [
        Guide(
            "Printer, scanner, NAS",
            f"SMTP server: {host}\nPort: {port}\nEncryption: {_TLS[listener.tls]}\n"
            f"Authentication: {login}",
        ),
        Guide(
            "ERP and other software that asks for an SMTP server",
            f"Host: {host}\nPort: {port}\nEncryption: {_TLS[listener.tls]}\nUser: {login}\n"
            "Sender: an address of one of the accounts",
        ),
        Guide(
            "Zabbix (Alerts, Media types, Email)",
            f"SMTP server: {host}\nSMTP server port: {port}\n"
            f"Connection security: {_ZABBIX[listener.tls]}\n"
            f"Authentication: {'Username and password' if needs_login else 'None'}",
        ),
        Guide(
            "WordPress (WP Mail SMTP, wp-config.php)",
            "define('WPMS_ON', true);\n"
            "define('WPMS_MAILER', 'smtp');\n"
            f"define('WPMS_SMTP_HOST', '{host}');\n"
            f"define('WPMS_SMTP_PORT', {port});\n"
            f"define('WPMS_SSL', '{secure}');\n"
            f"define('WPMS_SMTP_AUTH', {'true' if needs_login else 'false'});\n"
            "define('WPMS_SMTP_AUTOTLS', false);",
        ),
        Guide(
            "PHP (PHPMailer)",
            "$mail->isSMTP();\n"
            f"$mail->Host = '{host}';\n"
            f"$mail->Port = {port};\n"
            f"$mail->SMTPSecure = '{secure}';\n"
            f"$mail->SMTPAuth = {'true' if needs_login else 'false'};\n"
            "$mail->SMTPAutoTLS = false;",
        ),
        Guide("PHP (Symfony Mailer)", f"MAILER_DSN={_dsn(bare, port, listener)}"),
        Guide(
            "msmtp (cron, scripts)",
            f"account default\nhost {host}\nport {port}\n"
            f"tls {'off' if listener.tls == 'off' else 'on'}\n"
            f"tls_starttls {'on' if listener.tls == 'starttls' else 'off'}\n"
            f"auth {'on' if needs_login else 'off'}",
        ),
    ]


def _dsn(host: str, port: int, listener: Listener) -> str:
    scheme = "smtps" if listener.tls == "implicit" else "smtp"
    login = "" if listener.auth == "off" else "NAME:PASSWORD@"
    return f"{scheme}://{login}{host}:{port}{'?auto_tls=false' if listener.tls == 'off' else ''}"
