"""`graphrelay doctor`: what a person reads, the file, the exit status."""

import json
import stat
from pathlib import Path

from graphrelay.doctor.checks import CHECKS
from tests.doctor.practice import TO, Practice, only, practice, strict
from tests.e2e.commands import Ended, graphrelay


async def doctor(here: Practice, *arguments: str, answer: str = "", keep: set[str]) -> Ended:
    skip = [part for name in sorted(only(*keep).skip) for part in ("--skip", name)]
    file = here.world.config.parent / "seen.json"
    more = ("--output", str(file), *skip, *arguments)
    return await graphrelay(here.world.config, "doctor", "website", "--to", TO, *more,
                            answer=answer)  # fmt: skip


def written(here: Practice) -> Path:
    return here.world.config.parent / "seen.json"


async def test_it_asks_shows_progress_and_ends_with_a_table_and_a_file(tmp_path: Path) -> None:
    async with practice(tmp_path, strict(ids_survive_sending=True)) as here:
        shown = await doctor(here, answer="yes\n", keep={"clock", "draft-id"})
        assert (shown.code, shown.err) == (1, "")
        assert "It will send 1 messages to website@contoso.com" in shown.out
        assert "Begin? [yes/no]" in shown.out
        assert "[2/2] draft-id: sends a draft and looks at its immutable id …" in shown.out
        assert "Cleaned up: 2 messages were deleted." in shown.out
        assert "fine       clock            right" in shown.out
        assert "different  draft-id         it survives" in shown.out
        assert "assumed          a draft's immutable id does not survive sending" in shown.out
        assert "what changes     a lost answer is settled by the id" in shown.out
        assert f"All answers, redacted: {written(here)}" in shown.out
        assert stat.S_IMODE(written(here).stat().st_mode) == 0o600
        text = written(here).read_text("utf-8")
        file = json.loads(text)
    assert file["format"] == 1
    assert file["well"] is False
    assert len(file["left_out"]) == len(CHECKS) - 2
    assert {one["check"] for one in file["findings"]} == {check.name for check in CHECKS}
    assert {one["check"] for one in file["exchanges"]} == {"clock", "draft-id", "cleaning up"}
    assert "contoso" not in text


async def test_all_as_assumed_ends_with_zero(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        shown = await doctor(here, "--yes", "--json", keep={"clock", "redirect"})
        assert shown.code == 0, shown
        assert shown.events[-1]["kind"] == "end"
        assert json.loads(written(here).read_text())["well"] is True


async def test_whoever_declines_sends_nothing_and_gets_no_file(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        shown = await doctor(here, answer="no\n", keep={"path-own"})
        assert shown.code == 1
        assert "Nothing was sent." in shown.out
        assert not written(here).exists()
        assert here.world.cloud.mailboxes.submitted == []


async def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        written(here).write_text("mine")
        shown = await doctor(here, "--yes", keep={"path-own"})
        assert shown.code == 1
        assert "File exists" in shown.err
        assert written(here).read_text() == "mine"
        assert here.world.cloud.mailboxes.submitted == []
