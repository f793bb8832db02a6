"""Every module has its tests at the mirrored path: graphrelay/a/b.py in tests/a/test_b.py.

python -m tests.test_layout         lists the modules that have none
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
TYPES_ALONE = "types without behaviour"
PAGES = "a part of the pages, which are asked for and attacked as a whole"
CONTRACT = "a statement of an engine, which carries out a verb of the spool's contract"
COPIES = "one side of a copy, which is made from either engine to the other"

ELSEWHERE = {
    "__main__.py": ("cli/test_commands.py", "runs the program as `python -m graphrelay`"),
    "sendmail/__main__.py": ("drop/test_relay.py", "runs `python -m graphrelay.sendmail`"),
    "console/app.py": ("console/test_guard.py", PAGES),
    "console/desk.py": ("console/test_guard.py", PAGES),
    "console/options.py": ("console/test_guard.py", PAGES),
    "console/pages/accounts.py": ("console/test_guard.py", PAGES),
    "console/pages/dialog.py": ("console/test_guard.py", PAGES),
    "console/pages/events.py": ("console/test_guard.py", PAGES),
    "console/pages/log.py": ("console/test_guard.py", PAGES),
    "console/pages/message.py": ("console/test_guard.py", PAGES),
    "console/pages/overview.py": ("console/test_guard.py", PAGES),
    "console/pages/queue.py": ("console/test_guard.py", PAGES),
    "console/pages/settings.py": ("console/test_guard.py", PAGES),
    "console/pages/sign_in.py": ("console/test_guard.py", PAGES),
    "console/pages/static.py": ("console/test_guard.py", PAGES),
    "console/render.py": ("console/test_guard.py", PAGES),
    "doctor/check.py": ("doctor/test_checks.py", TYPES_ALONE),
    "doctor/finding.py": ("doctor/test_visit.py", TYPES_ALONE),
    "model/attempt.py": ("spool/contract/test_mail.py", TYPES_ALONE),
    "model/reception.py": ("smtp/reception.py", "a protocol, and the reception of the tests"),
    "daemon/keeper_process.py": ("daemon/test_keeper_apart.py", "the other side of it"),
    "oauth/entra/key_pair.py": ("oauth/entra/test_credentials.py", "a kind of credential"),
    "oauth/entra/responses.py": ("oauth/entra/test_grants.py", TYPES_ALONE),
    "oauth/entra/secret_files.py": ("oauth/entra/test_credentials.py", "what credentials are in"),
    "oauth/tokens/keeper.py": ("oauth/tokens/test_manager.py", "a protocol"),
    "oauth/tokens/keeper_here.py": ("oauth/tokens/test_manager.py", "under every TokenManager"),
    "oauth/vault/admin.py": ("control/verbs/test_vault.py", "what the verbs do"),
    "oauth/vault/values.py": ("oauth/vault/test_choice.py", TYPES_ALONE),
    "relay/policy/reporting.py": ("relay/reports/test_reporter.py", TYPES_ALONE),
    "relay/deliver/result.py": ("relay/deliver/test_courier.py", TYPES_ALONE),
    "spool/contract.py": ("spool/contract/test_mail.py", "a protocol, and the tests of engines"),
    "spool/changes.py": ("spool/contract/test_changes.py", TYPES_ALONE),
    "spool/queries.py": ("spool/contract/test_queries.py", TYPES_ALONE),
    "spool/verbs.py": ("spool/contract/test_changes.py", "what both engines do to the queue"),
    "daemon/spool_copy.py": ("spool/test_copying.py", COPIES),
    "spool/postgres/rows.py": ("spool/test_copying.py", COPIES),
    "spool/sqlite/rows.py": ("spool/test_copying.py", COPIES),
    "spool/postgres/statements/attempts.py": ("spool/contract/test_mail.py", CONTRACT),
    "spool/postgres/statements/changes.py": ("spool/contract/test_changes.py", CONTRACT),
    "spool/postgres/statements/divide.py": ("spool/contract/test_divide.py", CONTRACT),
    "spool/postgres/statements/drafts.py": ("spool/contract/test_drafts.py", CONTRACT),
    "spool/postgres/statements/due.py": ("spool/contract/test_take.py", CONTRACT),
    "spool/postgres/statements/history.py": ("spool/contract/test_queries.py", CONTRACT),
    "spool/postgres/statements/ndrs.py": ("spool/contract/test_ndrs.py", CONTRACT),
    "spool/postgres/statements/put.py": ("spool/contract/test_mail.py", CONTRACT),
    "spool/postgres/statements/queries.py": ("spool/contract/test_queries.py", CONTRACT),
    "spool/postgres/statements/refusals.py": ("spool/contract/test_refusals.py", CONTRACT),
    "spool/sqlite/statements/admin.py": ("spool/contract/test_changes.py", CONTRACT),
    "spool/sqlite/statements/attempts.py": ("spool/contract/test_mail.py", CONTRACT),
    "spool/sqlite/statements/begin_reading.py": ("spool/contract/test_begin_reading.py", CONTRACT),
    "spool/sqlite/statements/change_plan.py": ("spool/contract/test_move.py", CONTRACT),
    "spool/sqlite/statements/conditions.py": ("spool/contract/test_queries.py", CONTRACT),
    "spool/sqlite/statements/history.py": ("spool/contract/test_queries.py", CONTRACT),
    "spool/sqlite/statements/ndrs.py": ("spool/contract/test_ndrs.py", CONTRACT),
    "spool/sqlite/statements/refusals.py": ("spool/contract/test_refusals.py", CONTRACT),
}
"""The modules whose tests are elsewhere, below tests/: where, and why."""


def modules() -> list[str]:
    """All modules below graphrelay/, without `__init__.py` files that define nothing."""
    found = [path.relative_to(ROOT / "graphrelay") for path in (ROOT / "graphrelay").rglob("*.py")]
    return sorted(str(path) for path in found if path.name != "__init__.py" or _defines(path))


def _defines(path: Path) -> bool:
    tree = ast.parse((ROOT / "graphrelay" / path).read_text(encoding="utf-8"))
    kinds = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
    return any(isinstance(node, kinds) for node in tree.body)


def mirrored(module: str) -> list[Path]:
    """Where its tests may be; those of a package beside those of its modules."""
    path = Path(module)
    if path.name == "__init__.py":
        inside = sorted((ROOT / "tests" / path.parent).glob("test_*.py"))
        return [ROOT / "tests" / path.parent.parent / f"test_{path.parent.name}.py", *inside]
    return [ROOT / "tests" / path.parent / f"test_{path.name}"]


def without_tests() -> list[str]:
    return [name for name in modules() if not any(file.exists() for file in mirrored(name))]


def test_every_module_has_its_tests_at_the_mirrored_path() -> None:
    assert set(without_tests()) <= ELSEWHERE.keys()


def test_an_exception_names_a_module_and_tests_that_there_are() -> None:
    assert ELSEWHERE.keys() <= set(modules())
    assert [file for file, _ in ELSEWHERE.values() if not (ROOT / "tests" / file).exists()] == []


if __name__ == "__main__":
    print(*(name for name in without_tests() if name not in ELSEWHERE), sep="\n")
