"""The Zabbix template in docs/monitoring: as Zabbix's own importer takes it, and about metrics that
there are."""

import re
import subprocess
from pathlib import Path

from tests.console.metrics.test_rules import MONITORING, exposition
from tests.tools import needs

TEMPLATE = MONITORING / "zabbix.yaml"
HERE = Path(__file__).parent


def imported(template: Path) -> list[str]:
    """What Zabbix's frontend has against it; the last line is how much was read."""
    needs("php-bcmath")
    done = subprocess.run(
        [needs("php"), HERE / "zabbix.php", needs("zabbix").parents[1], template],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def test_zabbix_has_nothing_against_the_template() -> None:
    text = TEMPLATE.read_text("utf-8")
    read = len(re.findall(r"type: PROMETHEUS_PATTERN| expression: ", text))
    assert read > 20
    assert imported(TEMPLATE) == [str(read)]


def test_a_template_with_a_mistake_is_found(tmp_path: Path) -> None:
    text = TEMPLATE.read_text("utf-8")
    for right, wrong, said in (
        ("value_type: FLOAT", "value_typ: FLOAT", "unexpected tag"),
        (",5m)>", ",5m>", "no expression"),
        ('{state="held"}', '{state="held"', "no pattern"),
        ("type: DEPENDENT", "type: DEPENDANT", "unexpected constant"),
    ):
        changed = tmp_path / "zabbix.yaml"
        changed.write_text(text.replace(right, wrong), "utf-8")
        assert said in imported(changed)[0]


def test_it_asks_for_metrics_that_there_are() -> None:
    text = TEMPLATE.read_text("utf-8")
    samples = set(re.findall(r"(?m)^(\w+)[ {]", exposition()))
    asked = set(re.findall(r"(?:graphrelay|process)_\w+", text))
    assert len(asked) > 15
    assert asked - samples == set()
    labels = {
        name: set(re.findall(r'(\w+)="', line))
        for line in exposition().splitlines()
        for name in re.findall(r"^(\w+)\{", line)
    }
    for name, chosen in re.findall(r"- '(\w+)\{(.*)\}'", text):
        assert set(re.findall(r'(\w+)="', chosen)) <= labels[name], name


def test_its_triggers_are_about_its_items() -> None:
    text = TEMPLATE.read_text("utf-8")
    keys = set(re.findall(r"(?m)^ +key: '?([^'\n]*)'?$", text))
    used = set(re.findall(r"/graphrelay by HTTP/(graphrelay[a-z._]*(?:\[[^\]]*\])?)", text))
    assert used
    assert used <= keys


def test_every_part_has_an_id_of_its_own() -> None:
    ids = re.findall(r"uuid: (\w+)", TEMPLATE.read_text("utf-8"))
    assert len(ids) == len(set(ids)) > 30
    assert all(re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", one) for one in ids)
