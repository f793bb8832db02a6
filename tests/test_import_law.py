"""Who may import whom.

    model, clock ← journal, mime ← smtp, spool, oauth, graph (strangers) ← relay ← control
        ← console, doctor, guide (strangers) ← daemon ← cli
                          ← alerts (a stranger to relay, too) ←

and the sandbox stands apart, but for one module that shows HTML; as does sendmail, which shares one
module of mime. Within relay, the
wings look one way as well:

    policy, outgoing ← reports ← deliver ← queue ← accept

Reads the import statements, so a lazy import counts as well.
"""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "graphrelay"
BASE = frozenset(
    {
        "__init__",
        "model",
        "clock",
        "journal",
        "mime",
        "threads",
        "durations",
        "files",
        "file_access",
        "toml_file",
        "memory",
        "retry_after",
        "assumptions",
        "mail_html",
        "task_group",
    }
)
ROOMS = frozenset({"smtp", "spool", "oauth", "graph"})
MAY_IMPORT = {
    "__init__": frozenset[str](),
    "clock": frozenset({"__init__"}),
    "model": frozenset({"__init__", "model"}),
    "journal": BASE,
    "mime": frozenset({"__init__", "model", "mime"}),
    "threads": BASE,
    "durations": frozenset(),
    "files": frozenset(),
    "file_access": frozenset(),
    "toml_file": frozenset(),
    "memory": frozenset(),
    "retry_after": frozenset({"__init__"}),
    "assumptions": frozenset(),
    "mail_html": frozenset(),
    "task_group": frozenset(),
    **{room: BASE | {room} for room in ROOMS},
    "drop": BASE | {"smtp", "drop"},
    "alerts": BASE | {"alerts"},
    "relay": BASE | ROOMS | {"relay"},
    "config": BASE | ROOMS | {"alerts", "config"},
    "control": BASE | ROOMS | {"alerts", "relay", "control"},
    "console": BASE | ROOMS | {"relay", "control", "console"},
    "doctor": BASE | ROOMS | {"relay", "control", "doctor"},
    "daemon": BASE
    | ROOMS
    | {"alerts", "drop", "relay", "control", "config", "console", "doctor", "guide", "daemon"},
    "guide": BASE | ROOMS | {"config", "control", "guide"},
    "sendmail": frozenset({"__init__", "sendmail", "mime"}),
    "sandbox": frozenset({"__init__", "sandbox", "mail_html"}),
}
EVERYTHING = frozenset({"cli", "__main__"})


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [node.module or ""]
            if node.module == "graphrelay":
                names = [f"graphrelay.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            first, _, rest = name.partition(".")
            if first == "graphrelay":
                room = rest.split(".")[0]
                known = (ROOT / room).is_dir() or (ROOT / f"{room}.py").exists()
                rooms.add(room if room and known else "__init__")
    return rooms


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_module_imports_only_what_its_room_may(path: Path) -> None:
    room = room_of(path)
    if room in EVERYTHING:
        return
    assert imported_rooms(path) <= MAY_IMPORT[room]


SHARED = ROOT / "mime" / "address_tokens.py"


def test_sendmail_shares_one_module_with_the_relay_that_imports_next_to_nothing() -> None:
    """It starts in 30 ms."""
    shared = set().union(*map(imported_modules, (ROOT / "sendmail").glob("*.py")))
    assert {path for path in shared if path.parent != ROOT / "sendmail"} == {SHARED}
    tree = ast.parse(SHARED.read_text(encoding="utf-8"))
    imported = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imported] == ["import re"]


WINGS = ("policy", "outgoing", "reports", "deliver", "queue", "accept")
"""From the bottom up; the first two are strangers to each other."""


def imported_wings(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".")
            if parts[:2] == ["graphrelay", "relay"]:
                found |= {parts[2]} if parts[2:] else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_of_relay_imports_only_those_below(wing: str) -> None:
    below = set(WINGS[: WINGS.index(wing) + 1]) - ({"policy"} if wing == "outgoing" else set())
    for path in sorted((ROOT / "relay" / wing).rglob("*.py")):
        assert imported_wings(path) <= below, path


def test_every_folder_of_relay_is_a_wing() -> None:
    assert {p.parent.name for p in (ROOT / "relay").glob("*/__init__.py")} == set(WINGS)


def imported_modules(path: Path) -> set[Path]:
    """Files of the package that a module imports, inside of functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("graphrelay"):
            package = ROOT.parent.joinpath(*(node.module or "").split("."))
            for alias in node.names:
                for place in (package / f"{alias.name}.py", package / alias.name / "__init__.py"):
                    if place.exists():
                        found.add(place)
                        break
                else:
                    module = package.with_suffix(".py")
                    found.add(module if module.exists() else package / "__init__.py")
    return found


def test_no_module_imports_itself_by_way_of_others() -> None:
    arrows = {path: imported_modules(path) for path in ROOT.rglob("*.py")}
    TopologicalSorter(arrows).prepare()  # raises CycleError, which names the circle


def test_the_law_sees_a_breach(tmp_path: Path) -> None:
    module = tmp_path / "breach.py"
    module.write_text("def f() -> None:\n    from graphrelay.spool import Spool\n")
    assert imported_rooms(module) == {"spool"}
    module.write_text("from graphrelay import model, oauth\n")
    assert imported_rooms(module) == {"model", "oauth"}
