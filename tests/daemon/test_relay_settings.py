"""The values that a relay runs on."""

import pickle
from pathlib import Path

from graphrelay.config import load
from graphrelay.daemon.wiring import wired
from tests.cli.test_commands import configured


def test_they_survive_the_way_from_one_process_to_another(tmp_path: Path) -> None:
    settings = wired(load(Path(configured(tmp_path))))
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_their_repr_holds_no_secret(tmp_path: Path) -> None:
    path = Path(configured(tmp_path))
    text = path.read_text(encoding="utf-8")
    proxy = 'proxy = "http://user:pass-of-the-proxy@proxy.contoso.com:8080"'
    path.write_text(text.replace("[cloud]", f"[cloud]\n{proxy}"), encoding="utf-8")
    shown = repr(wired(load(path)))
    assert "pass-of-the-proxy" not in shown
