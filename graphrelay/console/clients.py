"""How programs are configured to use a listener: what to enter, and where."""

from dataclasses import dataclass
from pathlib import Path

from graphrelay.smtp.access.listener import Listener, TcpEndpoint, UnixEndpoint, endpoint

_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 (compared with)
SENDMAIL = Path("/run/graphrelay/smtp.sock")
"""Where graphrelay-sendmail submits mail."""
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
                    Guide("git", "git config --global sendemail.sendmailCmd graphrelay-sendmail"),
                )
            return (Guide("Programs that speak SMTP over a Unix socket", str(path)),)
    return ()


def _tcp(host: str, port: int, listener: Listener) -> list[Guide]:
    login = "no user name" if listener.auth == "off" else "user name and password of [[smtp.users]]"
    secure = {"off": "", "starttls": "tls", "implicit": "ssl"}[listener.tls]
    return [
        Guide(
            "Printer, scanner, NAS, Zabbix, ERP",
            f"SMTP server {host}, port {port}, encryption {_TLS[listener.tls]}, {login}",
        ),
        Guide(
            "WordPress (WP Mail SMTP, wp-config.php)",
            "define('WPMS_ON', true);\n"
            "define('WPMS_MAILER', 'smtp');\n"
            f"define('WPMS_SMTP_HOST', '{host}');\n"
            f"define('WPMS_SMTP_PORT', {port});\n"
            f"define('WPMS_SSL', '{secure}');\n"
            f"define('WPMS_SMTP_AUTH', {'false' if listener.auth == 'off' else 'true'});\n"
            "define('WPMS_SMTP_AUTOTLS', false);",
        ),
        Guide(
            "msmtp (cron, scripts)",
            f"account default\nhost {host}\nport {port}\n"
            f"tls {'off' if listener.tls == 'off' else 'on'}\n"
            f"tls_starttls {'on' if listener.tls == 'starttls' else 'off'}\n"
            f"auth {'off' if listener.auth == 'off' else 'on'}",
        ),
    ]
