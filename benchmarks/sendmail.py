"""How long a program waits for `sendmail`: from its start to its exit status.

The relay is running (the message is on its disk when sendmail ends) or not (the message is synced
in the drop folder). For comparison: a Python that does nothing, which no Python program can beat,
and msmtp, which is written in C and stores nothing. The program is installed as pip installs it,
compiled, in an environment of its own: a developer's environment starts twice as slowly.
"""

import compileall
import shutil
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.processes import cpu_of_children
from benchmarks.servers import Cloud, relay

LETTER = b"To: anna@example.org\nSubject: x\n\n" + b"a line of a small message\n" * 150
CALLS = 50
SCRIPT = """#!{python}
import re
import sys
from graphrelay.sendmail import main
if __name__ == "__main__":
    sys.argv[0] = re.sub(r"(-script\\.pyw|\\.exe)?$", "", sys.argv[0])
    sys.exit(main())
"""
"""What pip writes for an entry point (its older, slower form)."""


def sendmail(of: Cloud, folder: Path, runs: int) -> None:
    """Milliseconds from start to end, and of CPU, for a message of 4 kB."""
    program = _installed(folder / "installed")
    python = program.with_name("python")
    socket, drop = folder / "smtp.sock", folder / "drop"
    drop.mkdir()
    here = {"GRAPHRELAY_SOCKET": f"unix:{socket}", "GRAPHRELAY_DROP": str(drop)}
    words = ("-t", "-i", "-f", "wp@contoso.com")
    extra = f'\n[[smtp.listeners]]\naddress = "unix:{socket}"\n'
    print("| | ms | CPU ms |\n| --- | ---: | ---: |")
    with relay(of, folder / "relay", authorized=False, extra=extra) as server:
        rows: dict[str, Callable[[], None]] = {
            "python -c pass": lambda: _call({}, python, "-c", "pass"),
            "graphrelay-sendmail, relay there": lambda: _call(here, program, *words),
        }
        if msmtp := shutil.which("msmtp"):
            options = (f"--port={server.port}", "--host=127.0.0.1", "--from=wp@contoso.com", "-t")
            rows["msmtp, relay there"] = lambda: _call({}, msmtp, *options)
        away = here | {"GRAPHRELAY_SOCKET": f"unix:{folder}/none"}
        rows["graphrelay-sendmail, relay away"] = lambda: _call(away, program, *words)
        for name, (wall, cpu) in _measured(rows, runs * CALLS // 5).items():
            print(f"| {name} | {wall:.1f} | {cpu:.1f} |", flush=True)


def _measured(rows: Mapping[str, Callable[[], None]], calls: int) -> dict[str, tuple[float, float]]:
    """The medians; the programs take turns, so that a busy moment of the machine affects all of
    them."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    for _ in range(calls):
        for name, call in rows.items():
            before, began = cpu_of_children(), time.perf_counter()
            call()
            wall, cpu = time.perf_counter() - began, cpu_of_children() - before
            found[name].append((wall * 1000, cpu * 1000))
    return {
        name: (statistics.median(wall), statistics.median(cpu))
        for name, pairs in found.items()
        for wall, cpu in [zip(*pairs, strict=True)]
    }


def _call(environment: Mapping[str, str], *command: str | Path) -> None:
    subprocess.run(command, input=LETTER, env=dict(environment), check=True)


def _installed(folder: Path) -> Path:
    """The package in an environment of its own."""
    venv.create(folder, symlinks=True)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    package = folder / "lib" / version / "site-packages" / "graphrelay"
    source = Path(__file__).parents[1] / "graphrelay"
    shutil.copytree(source / "sendmail", package / "sendmail")
    shutil.copy(source / "__init__.py", package)
    compileall.compile_dir(package, quiet=1)
    program = folder / "bin" / "graphrelay-sendmail"
    program.write_text(SCRIPT.format(python=folder / "bin" / "python"), encoding="utf-8")
    program.chmod(0o755)
    return program
