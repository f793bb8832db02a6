"""The process that checks and writes an account."""

import io
import json
from pathlib import Path

import pytest

from graphrelay.daemon.account_setup_process import main
from tests.guide.test_account import COMPLETE


def test_it_answers_what_comes_by_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("", "utf-8")
    asked = json.dumps({"answers": COMPLETE, "write": True})
    monkeypatch.setattr("sys.stdin", io.StringIO(asked))
    monkeypatch.setattr("graphrelay.daemon.account_setup_process.disable_core_dumps", lambda: None)
    main(str(config))
    kinds = [one["kind"] for one in json.loads(capsys.readouterr().out)]
    assert kinds == ["answered", "written"]
