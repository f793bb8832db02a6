"""The tables of the configuration: what is accepted, and what is refused with an explanation."""

from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.alerts.command import Command
from graphrelay.alerts.webhook import Webhook
from graphrelay.config import ConfigError, Settings, load
from graphrelay.daemon import wiring

BASE = """
[accounts.a]
scenario = "user"
tenant = "contoso.onmicrosoft.com"
client_id = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"
username = "wp@contoso.com"
"""


def loaded(directory: Path, text: str) -> Settings:
    file = directory / "config.toml"
    file.write_text(BASE + text, encoding="utf-8")
    return load(file)


def test_webhooks_and_a_command_are_read(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """
[alerts]
repeat_after = "2h"
command = ["/usr/local/bin/notify", "--urgent"]
[[alerts.webhooks]]
name = "operators"
url = "https://hooks.slack.com/services/T0/B0/geheim"
shape = "slack"
[[alerts.webhooks]]
url_file = "/run/secret"
header = "X-Key"
header_value = "geheim"
""",
    )
    slack, generic, command = wiring.channels(settings.alerts)
    assert isinstance(slack, Webhook)
    assert (slack.name, slack.shape) == ("webhook operators", "slack")
    assert isinstance(generic, Webhook)
    assert generic.header == "X-Key"
    assert command == Command(("/usr/local/bin/notify", "--urgent"))
    assert wiring.thresholds(settings.alerts).repeat_after == timedelta(hours=2)
    assert "geheim" not in repr(settings)
    assert "geheim" not in repr((slack, generic))


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ('url = "http://hooks.example/geheim"', "url", "must begin with https://"),
        ('url = "geheim"', "url", "must have the form https://"),
        ('shape = "slack"', "url", "exactly one is needed of url, url_file"),
        ('url = "https://x/geheim"\nurl_file = "/x"', "url", "exactly one"),
        ('url = "https://x/geheim"\nshape = "irc"', "shape", "'generic', 'slack'"),
        ('url = "https://x/geheim"\nheader = "a: b"', "header", "pattern"),
        ('url = "https://x/geheim"\nheader_value = "geheim\\r\\nx"', "header_value", "printable"),
        (
            'url = "https://x/"\nheader_value = "geheim"\nheader_value_file = "/x"',
            "header_value_file",
            "not together",
        ),
    ],
)
def test_an_invalid_webhook_is_refused_without_showing_its_secret(
    tmp_path: Path, text: str, key: str, said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, f"[[alerts.webhooks]]\n{text}\n")
    (problem,) = refused.value.problems
    assert problem.key == f"alerts.webhooks[0].{key}"
    assert said in problem.text
    assert problem.place.line > 6
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('command = ["notify"]', "the absolute path of the program"),
        ('command = ["/bin/x", "a\\u0000b"]', "holds a NUL"),
        ('repeat_after = "1min"', '"10min" or more'),
        ('proxy = "socks5://x"', "http://host:port"),
        ("failures_per_hour = 0", "greater than or equal to 1"),
        ('[spool]\nrequest_limit = "0"', 'request_limit: must be "1s" or more'),
    ],
)
def test_other_mistakes_are_reported(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, f"[alerts]\n{text}\n")
    assert said in str(refused.value)
