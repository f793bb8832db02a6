"""What the service's unit says, read as systemd reads it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.oauth.vault.unit import ServiceUnit, _settings_in, service_unit

UNIT = """
[Unit]
Description=LoadCredential=not.this:one
[Service]
StateDirectory=graphrelay other
#LoadCredential=vault.key:/commented/out
LoadCredential=relay.key:/etc/ssl/relay.key
[Install]
SetCredential=nor.this:one
"""


def directories(folder: Path, **files: str) -> tuple[Path, ...]:
    """`etc` and `lib`; a file is named `etc_unit`, or `lib_10` for a drop-in."""
    for name, text in files.items():
        place, _, kind = name.partition("_")
        file = "graphrelay.service" if kind == "unit" else f"graphrelay.service.d/{kind}.conf"
        path = folder / place / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder / "etc", folder / "lib"


def test_without_a_unit_nothing_is_handed_over(tmp_path: Path) -> None:
    assert service_unit((tmp_path,)) == ServiceUnit()


def test_only_what_the_service_section_says_counts(tmp_path: Path) -> None:
    unit = service_unit(directories(tmp_path, etc_unit=UNIT))
    assert unit.credentials == ("relay.key",)
    assert unit.state_directories == (Path("/var/lib/graphrelay"), Path("/var/lib/other"))
    assert unit.keeps_its_state_in(Path("/var/lib/graphrelay/"))
    assert not unit.gives("vault.key")


@pytest.mark.parametrize(
    "line",
    [
        "LoadCredential=vault.key:/etc/graphrelay/vault.key",
        "LoadCredential = vault.key",
        "LoadCredentialEncrypted=vault.key:/etc/graphrelay/vault.key.cred",
        "SetCredentialEncrypted=vault.key: \\\n  Whxqht+dQJax1aZeCGLxm\\\n  AAAADAAAA",
    ],
)
def test_a_drop_in_hands_over_in_any_of_systemds_ways(tmp_path: Path, line: str) -> None:
    drop_in = f"[Service]\n{line}\n"
    unit = service_unit(directories(tmp_path, lib_unit=UNIT, etc_override=drop_in))
    assert unit.gives("vault.key")
    assert unit.gives("relay.key")


def test_what_may_be_missing_is_not_relied_on(tmp_path: Path) -> None:
    drop_in = "[Service]\nImportCredential=vault.key\n"
    assert not service_unit(directories(tmp_path, etc_override=drop_in)).gives("vault.key")


def test_an_empty_assignment_begins_anew(tmp_path: Path) -> None:
    first = "[Service]\nLoadCredential=vault.key:/a\n"
    second = "[Service]\nLoadCredential=\nStateDirectory=\nStateDirectory=mail\n"
    unit = service_unit(directories(tmp_path, lib_unit=UNIT, lib_10=first, etc_20=second))
    assert unit == ServiceUnit((), (Path("/var/lib/mail"),))


def test_the_administrators_files_come_before_the_distributions(tmp_path: Path) -> None:
    ours, theirs = "[Service]\nLoadCredential=a:/a\n", "[Service]\nLoadCredential=b:/b\n"
    where = directories(tmp_path, etc_unit=ours, lib_unit=theirs, etc_10=ours, lib_10=theirs)
    assert service_unit(where).credentials == ("a", "a")


@given(st.binary(max_size=200))
def test_any_text_is_tolerated(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    path = tmp_path_factory.mktemp("unit") / "x.conf"
    path.write_bytes(b"[Service]\n" + octets)
    for key, value in _settings_in(path):
        assert isinstance(key + value, str)
