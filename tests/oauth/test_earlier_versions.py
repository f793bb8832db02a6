"""What earlier versions wrote into the vault is read by this one.

Each pair of files below was written by the version that it is named after, with the key that is
given here; this version took no part in it.
"""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from graphrelay.oauth.authorization import (
    AccessToken,
    Approved,
    Binding,
    SignedIn,
    User,
    from_text,
    to_text,
)
from graphrelay.oauth.vault.vault import Vault, open_vault
from tests.oauth.conftest import files_only

KEY = bytes(range(32))
AT = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
AUTHORITY = "https://login.microsoftonline.com/contoso.com"

VERSION_0_1 = {
    "website": (
        "R1JWMWeLEObSmM4L1FpDNCZnkjD+3Gx9TKt0XyJYjMdGzwAQO6R+4yPyyv+2l3VX0YCDSL5j4oB5JQCMWbwI"
        "kVz1RLl+/qER4OxhELOqqCrLZTV5RdrW22elLxGUiZ5Q9DdEOY4HOyneg4FW5TShRzh+7i9kWVJ5EDdJ5Qys"
        "SpqyONvY3s/6UUFjWsKJxERREKI+GGWy5B7YSEeXkobHUylQZxnEacUnM3jr+YxWjAqxFDrrHVRIU609ZtPM"
        "NOieaUFW9OCCEeJH/HrkccEf62YYYSVp+f2uRr6ymd3eUrk2VXLxdxJKk3akyjE+25Lkftkd3UBLj1C6b+3U"
        "Cx8Lc7XpmEB1RJPpuRK8C5ab0WOZdaHiySZiXmnoRjH0QRWrv5yRF8/arkFdOdTY9u3P/7LD0OqJNtDLW4eE"
        "vveM7nFBrEBryy/Wjf4PbNH+czx6zgrYnbzRZcJXVrWrcUCKDBrUUZntvKcw9E5p/fURhdyF5ql1R28B6eV2"
        "3gAz/miXd3tt9f4nkFJwXGII9KBYHeRAadCaRMx4UTWicz7kGxj5IuMfhaHQMaWvrf1UlvY0M2/smyEWpAKU"
        "TPMXagRrQFqMA87Yq3simxIy4jUe9K6SoZ7qwPRqFwcYQAojDIemzSGUkADxOwSGBFG/ConMJmZ/99y3HsMw"
        "2yfdEx3UsEFzOlHaBYR/STbFypBj4Dt3SIUL/ndVUvuokQxSmj3Ep9J1CcMG7Z6Z++n8M+pYQIuq10/laxS7"
        "ankUew9vgEX58VYVWshI1G49G3je+LB70XTuB6kNbRPGmWgcB6oKhtUt8DvJVsg="
    ),
    "daemon": (
        "R1JWMWeLEObSmM4LjTMs56sdG+5mho0TcAz+GudRUOG2xJFRPLXlDp3EaKu5dns01gSksqUxXW0p/JxVegrS"
        "SxEKVFhfmtUUr0kc81LUKveydMiwcfhxCFseqGy+8SdoiQQEZPsHIP3y+gHsxwEOfNADYo5tY86Q6wHSZj8A"
        "bnEMtclhqqBhMz1aQ8r/qg3kuY7/UD4ojpZ8bvorM51L3RPu9ZngE93vnmtszqyJcxfmIkPhm+dy55D1FN+l"
        "Ru4J/6JjCiLK5neUMbIPgGlmFUcDPkBFC/SBrYaxKNkZ2thBbha+ylDNYjDxUxnFbvSkAF22BamAd9oOEopj"
        "rSQKFube8+3SbYnuMasM1J0qniKlmWB6nYkiiS8E1QtQjM+pBCVCzG9yLw58jEBwwDqz8ylY1rnjww7y0Q6w"
        "QVS8qu1RgOterhoHwTEFo3BTX0QvJ0pVvXuujiadPUYOCmVHGnrlbK6BWHzKWz2u+xg+fcbRJImLsDZ/CK9A"
        "DivYkalscITf34JZyBDEJgBmi5OMnI5uR7nqZdKdPYie/7s3wPJoaN8ULuoBIqaJfNIoL4QJnv8Xh6kc7++6"
        "gUh88GCd3wCf+trgo7pXRzv7gTDO"
    ),
}

WEBSITE = SignedIn(
    id="00112233445566aa",
    authorized_at=AT - timedelta(days=3),
    authorized_by="root",
    binding=Binding("user", AUTHORITY, "21da9660-10d7-55c7-8672-6922c755dac2", "wp@contoso.com"),
    signed_in=User(
        username="WP@contoso.com",
        tenant_id="0f9e35db-544f-4f60-bdcc-5ea416e6dc70",
        refresh_token="a-refresh-token",
    ),
    access=AccessToken(
        text="an-access-token",
        obtained_at=AT,
        expires_at=AT + timedelta(seconds=3599),
        scopes=("Mail.Send", "User.Read"),
    ),
)
DAEMON = Approved(
    id="8899aabbccddeeff",
    authorized_at=AT,
    authorized_by="admin ü",
    binding=Binding("any-user", AUTHORITY, "a51a7683-aefb-537e-8add-a0730c0ebbe0", ""),
    access=AccessToken(
        text="an-access-token",
        obtained_at=AT,
        expires_at=AT + timedelta(seconds=3599),
        scopes=(),
    ),
)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """The state directory of a relay that was updated."""
    (tmp_path / "vault").mkdir(mode=0o700)
    (tmp_path / "vault.key").write_bytes(base64.b64encode(KEY) + b"\n")
    (tmp_path / "vault.key").chmod(0o600)
    for name, octets in VERSION_0_1.items():
        (tmp_path / "vault" / f"graphrelay+{name}.secret").write_bytes(base64.b64decode(octets))
    vault = open_vault(tmp_path, "auto", files_only(tmp_path))
    yield vault
    vault.close()


@pytest.mark.parametrize(("name", "authorization"), [("website", WEBSITE), ("daemon", DAEMON)])
def test_an_authorization_of_version_0_1_is_read(
    vault: Vault, name: str, authorization: SignedIn | Approved
) -> None:
    assert from_text(vault.read(name) or "") == authorization


def test_what_is_written_now_has_the_parts_that_version_0_1_reads(vault: Vault) -> None:
    """So the version before this one can be put back. It reads times in ISO 8601 with `Z` too."""
    for name, authorization in (("website", WEBSITE), ("daemon", DAEMON)):
        now = json.loads(to_text(authorization).replace('Z"', '+00:00"'))
        assert now == json.loads(vault.read(name) or "")
