"""The verb `set-up`: checks the answers for one account more, and writes its file.

    set-up {answers, write} ──▶ a process of its own (account_setup_process) ──▶ answered
                                                                 ──▶ written ──▶ reload ──▶ reloaded
                                                                 ──▶ paste, where it may not write

A process of its own, since what checks a configuration takes memory that is needed for nothing else
(reading.py). One runs at a time.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from graphrelay.control.verb import Asker, Output, Verb, VerbError
from graphrelay.control.verbs.reload import InForce, NotInForce, ReloadRequests

_PROGRAM = """import sys
path, sys.path[:] = sys.argv[1], sys.argv[2:]
from graphrelay.daemon.account_setup_process import main
main(path)"""
PATIENCE = 60.0
"""Seconds in which the process has to end."""


class AccountSetup:
    """For the configuration in `config`, which a reload puts in effect."""

    def __init__(self, config: Path, reloads: ReloadRequests) -> None:
        self._config = config
        self._reloads = reloads
        self._one_at_a_time = asyncio.Lock()

    def table(self) -> dict[str, Verb]:
        return {"set-up": self._set_up}

    async def _set_up(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        answers = arguments.get("answers") or {}
        if not isinstance(answers, dict):
            raise VerbError("answers must be a table")
        asked = {
            "answers": {str(key): str(value) for key, value in answers.items()},
            "write": bool(arguments.get("write")),
        }
        async with self._one_at_a_time:
            for output in await self._answered(asked):
                yield output
                if output["kind"] == "written":
                    yield await self._reloaded(output)

    async def _answered(self, asked: Mapping[str, Any]) -> list[Output]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-c", _PROGRAM, str(self._config), *sys.path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                said, _ = await process.communicate(json.dumps(asked).encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise VerbError(f"the process that checks the answers ended with {process.returncode}")
        found: list[Output] = json.loads(said)
        if found and found[0]["kind"] == "unusable":
            problems = "\n".join(found[0]["problems"])
            raise VerbError(f"The configuration has mistakes; correct them first.\n{problems}")
        return found

    async def _reloaded(self, written: Output) -> Output:
        """After a refusal nothing of it stays."""
        match await self._reloads.result():
            case InForce(doubts, _):
                return {"kind": "reloaded", "warnings": list(doubts)}
            case NotInForce(problems):
                for file in written["files"]:
                    await asyncio.to_thread(Path(file).unlink, missing_ok=True)
                raise VerbError("\n".join((*problems, "The account was not added.")))
