"""Advice that fits the machine."""

from pathlib import Path

import pytest

from graphrelay.cli import machine

USUAL = machine.USUAL_CONFIG


def test_only_an_unusual_configuration_is_named() -> None:
    assert machine.program(USUAL) == "graphrelay"
    assert machine.program(Path("/a b.toml")) == "graphrelay --config '/a b.toml'"


def test_where_systemd_runs_and_the_unit_is_installed_systemctl_starts_the_relay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = tmp_path / "graphrelay.service"
    monkeypatch.setattr(machine, "_BOOTED", tmp_path)
    monkeypatch.setattr(machine, "_UNITS", (unit,))
    assert machine.start(USUAL) == "graphrelay serve"
    unit.touch()
    assert machine.start(USUAL) == "sudo systemctl start graphrelay"
    assert machine.start(USUAL, at_boot=True) == "sudo systemctl enable --now graphrelay"


def test_an_installed_unit_is_no_use_without_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_BOOTED", tmp_path / "not-there")
    monkeypatch.setattr(machine, "_UNITS", (tmp_path,))
    assert machine.start(USUAL) == "graphrelay serve"
