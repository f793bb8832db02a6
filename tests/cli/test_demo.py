"""`graphrelay demo`, as a person uses it: it starts, shows how to send and what arrives, and ends
cleanly."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.tools import ROOT, needs

WAYS = ("curl", "Python", "PHP")


@dataclass(slots=True)
class Demo:
    """A running demo and what it printed before it waited."""

    process: "subprocess.Popen[str]"
    printed: str

    def command(self, way: str) -> str:
        """The shell command that it suggests, on however many lines."""
        found = re.search(rf"(?ms)^  {way} +(.*?)\n\n", self.printed)
        assert found, self.printed
        return re.sub(r"(?m)^ {12}", "", found[1])

    def until(self, event: str) -> str:
        """Its next line that begins with `event`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(event):
                return line
        raise AssertionError(f"the demo ended without {event}")

    def arrived(self) -> list[dict[str, object]]:
        found = re.search(r"http://localhost:(\d+)", self.printed)
        assert found
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/api/messages") as answer:
            messages: list[dict[str, object]] = json.load(answer)["messages"]
        return messages


@contextmanager
def demo_of(*program: str | Path, cwd: Path = ROOT) -> Iterator[Demo]:
    """On ports that are free."""
    command = [*program, "demo", "--smtp-port", "0", "--page-port", "0", "--console-port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment.pop("GRAPHRELAY_CONSOLE__ADDRESS", None)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        cwd=cwd,
    ) as process:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if "Ctrl-C ends the demo" in line:
                break
        try:
            yield Demo(process, printed)
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture
def demo() -> Iterator[Demo]:
    with demo_of(sys.executable, "-m", "graphrelay") as demo:
        yield demo


def test_the_account_is_authorized_by_itself_with_an_authorization_code(demo: Demo) -> None:
    assert "authorized  wp@contoso.com by authorization code with PKCE" in demo.printed


@pytest.mark.parametrize("way", WAYS)
def test_what_it_says_about_sending_works_when_typed_in(demo: Demo, way: str) -> None:
    if way != "Python":
        needs(way.lower())
    subprocess.run(["bash", "-c", demo.command(way)], check=True, timeout=30)
    assert "alice@contoso.com" in demo.until("accepted")
    assert demo.until("attempt")
    assert "202" in demo.until("relayed")
    (message,) = demo.arrived()
    assert message["subject"] == f"Hello from {way}"


def test_its_link_to_the_console_leads_to_a_button_that_signs_in(demo: Demo) -> None:
    found = re.search(r"http://127\.0\.0\.1:\d+/enter/\S+", demo.printed)
    assert found
    with urllib.request.urlopen(found[0]) as answer:
        assert "signs in <bdi>the demo</bdi> as operator" in answer.read().decode()


def test_its_console_sets_up_an_account_with_the_answers_that_it_prints(demo: Demo) -> None:
    base, link = re.search(r"(http://127\.0\.0\.1:\d+)(/enter/\S+)", demo.printed).groups()  # type: ignore[union-attr]
    client = re.search(r"a person +client id (\S+), user (\S+),", demo.printed)
    assert client
    with httpx.Client(base_url=base, trust_env=False, timeout=60) as console:
        token = {"token": token_of(console.get(link).text)}
        assert console.post(link, data=token).status_code == 303
        answers = {
            "scenario": "user",
            "account": "second",
            "tenant": "contoso.onmicrosoft.com",
            "username": client[2],
            "client_id": client[1],
            "act": "write",
            "token": token_of(console.get("/setup").text),
        }
        written = console.post("/setup", data=answers)
        assert written.headers["location"] == "/accounts#second"
        page = console.get("/accounts").text
        assert page.count("<article") == 2
        assert '"/accounts/second/authorize"' in page


def token_of(page: str) -> str:
    found = re.search(r'name="token" value="(\w+)"', page)
    assert found
    return found[1]


def test_ctrl_c_ends_it_cleanly(demo: Demo) -> None:
    demo.process.send_signal(signal.SIGINT)
    output, _ = demo.process.communicate(timeout=30)
    assert demo.process.returncode == 0
    assert output.splitlines()[-1] == "the demo has ended; nothing is left on this machine"


def test_a_port_in_use_is_a_sentence_that_says_which_option_to_use(demo: Demo) -> None:
    found = re.search(r"accepts mail on 127\.0\.0\.1:(\d+)", demo.printed)
    assert found
    second = subprocess.run(
        [sys.executable, "-m", "graphrelay", "demo", "--smtp-port", found[1], "--page-port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "in use" in second.stderr
    assert "--smtp-port" in second.stderr
    assert "Traceback" not in second.stderr


def test_output_that_nobody_takes_is_not_blamed_on_the_ports() -> None:
    command = f"{sys.executable} -m graphrelay demo --smtp-port 0 --page-port 0 --console-port 0"
    ended = subprocess.run(
        ["bash", "-c", f"{command} >/dev/full"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    said = "graphrelay: the output could not be written: No space left on device\n"
    assert ended.stderr == said


def test_make_passes_the_ports_on() -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "demo", "PORT=2600", "PAGE=8100"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "graphrelay demo --smtp-port 2600 --page-port 8100" in shown.stdout
