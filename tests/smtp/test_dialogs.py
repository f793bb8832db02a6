"""Every conversation in tests/dialogs/ takes place as it is written there."""

from pathlib import Path

import pytest

from tests.smtp.conftest import Certificates
from tests.smtp.dialog import FOLDER, load, play
from tests.smtp.reception import serving

FILES = sorted(FOLDER.glob("*.txt"))


def test_there_are_dialogs() -> None:
    assert len(FILES) > 20


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_dialog(path: Path, certificates: Certificates) -> None:
    dialog = load(path)
    async with serving(
        dialog.listener(certificates.file), reception=dialog.reception(), logins=dialog.logins()
    ) as house:
        await play(dialog, house, certificates.trust)
