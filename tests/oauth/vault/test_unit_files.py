"""The unit's files, read where systemd cannot be asked."""

from pathlib import Path

from graphrelay.oauth.vault import unit_files


def test_a_unit_and_its_drop_ins_name_credentials_and_state(tmp_path: Path) -> None:
    etc, lib = tmp_path / "etc", tmp_path / "lib"
    for folder in (etc / "graphrelay.service.d", lib):
        folder.mkdir(parents=True)
    (lib / "graphrelay.service").write_text(
        "[Service]\nStateDirectory=graphrelay\nLoadCredential=vault.key:/etc/key\n"
    )
    (etc / "graphrelay.service.d" / "more.conf").write_text(
        "[Service]\n# LoadCredential=no\nSetCredential=secret:x\n[Unit]\nLoadCredential=no\n"
    )
    assert unit_files.read((etc, lib)) == (("vault.key", "secret"), ("graphrelay",))


def test_without_a_unit_there_is_nothing(tmp_path: Path) -> None:
    assert unit_files.read((tmp_path,)) == ((), ())
