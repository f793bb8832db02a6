"""The service's unit, asked of systemd; a stand-in answers for it on a bus of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from graphrelay.oauth.vault.unit import ServiceUnit, service_unit
from tests.bus import Properties, systemd_in
from tests.tools import needs

NOTHING: Properties = {
    "StateDirectory": ("as", []),
    "LoadCredential": ("a(ss)", []),
    "SetCredential": ("a(say)", []),
    "LoadCredentialEncrypted": ("a(ss)", []),
    "SetCredentialEncrypted": ("a(say)", []),
}
"""As systemd answers for a unit that there is not."""
KEY = [("vault.key", "/etc/graphrelay/vault.key")]

Systemd = Callable[[Properties], None]


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    """The system's manager, with this unit."""
    needs("busctl")
    with ExitStack() as stack:

        def start(unit: Properties) -> None:
            address = stack.enter_context(systemd_in(tmp_path, unit))
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)

        yield start


def test_without_a_unit_nothing_is_handed_over(systemd: Systemd) -> None:
    systemd(NOTHING)
    assert service_unit() == ServiceUnit()


def test_credentials_are_named_and_state_directories_found(systemd: Systemd) -> None:
    relay_key = ("relay.key", "/etc/ssl/relay.key")
    systemd(
        {
            **NOTHING,
            "StateDirectory": ("as", ["graphrelay", "other"]),
            "LoadCredential": ("a(ss)", [*KEY, relay_key]),
        }
    )
    unit = service_unit()
    assert unit.credentials == ("vault.key", "relay.key")
    assert unit.state_directories == (Path("/var/lib/graphrelay"), Path("/var/lib/other"))
    assert unit.keeps_its_state_in(Path("/var/lib/graphrelay/"))
    assert not unit.keeps_its_state_in(Path("/var/lib"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LoadCredential", ("a(ss)", KEY)),
        ("LoadCredentialEncrypted", ("a(ss)", KEY)),
        ("SetCredential", ("a(say)", [("vault.key", b"\x00\xff")])),
        ("SetCredentialEncrypted", ("a(say)", [("vault.key", b"Whxqht+dQJax1aZeCGLxm")])),
    ],
)
def test_each_of_systemds_ways_to_hand_over_counts(
    systemd: Systemd, name: str, value: tuple[str, object]
) -> None:
    systemd({**NOTHING, name: value})
    assert service_unit().gives("vault.key")


def test_a_systemd_that_has_no_encrypted_credentials_is_understood(systemd: Systemd) -> None:
    """Debian 11's: the properties are those of a newer one."""
    systemd({"StateDirectory": ("as", ["graphrelay"]), "LoadCredential": ("a(ss)", KEY)})
    assert service_unit() == ServiceUnit(("vault.key",), (Path("/var/lib/graphrelay"),))


def test_a_systemd_that_has_no_credentials_hands_none_over(systemd: Systemd) -> None:
    systemd({"StateDirectory": ("as", ["graphrelay"])})
    assert service_unit() == ServiceUnit((), (Path("/var/lib/graphrelay"),))


def test_where_systemd_does_not_run_nothing_is_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")
    assert service_unit() == ServiceUnit()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert service_unit() == ServiceUnit()
