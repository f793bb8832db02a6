"""The container image: built from a base that mmdebstrap makes, since a test fetches none, and run
with a read-only root, as its own user, configured by the environment alone.
"""

import json
import os
import shutil
import smtplib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tools import ROOT, machine_cannot, needs_root

NAME = f"graphrelay-test-{os.getpid()}"
PAGE, CLOUD = 18026, 18444
ACCOUNT = "GRAPHRELAY_ACCOUNTS__MAIL__"
# runc knows all kinds of control groups, crun not the mixed one; limits that root may lower
# everywhere, since not every machine lets root raise them.
RUNTIME = ["--runtime=runc"] if shutil.which("runc") else []
LIMITS = ["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"]
pytestmark = pytest.mark.timeout(1800)


def podman(*arguments: str | Path, check: bool = True) -> str:
    """What it said."""
    done = subprocess.run(
        ["podman", *RUNTIME, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("podman") is None:
        pytest.skip("podman is missing (Debian: podman, runc)")
    needs_root()
    folder = tmp_path_factory.mktemp("base")
    subprocess.run([ROOT / "scripts/minimal-debian", "bookworm", folder / "base"], check=True)
    subprocess.run(["tar", "-C", folder / "base", "-cf", folder / "base.tar", "."], check=True)
    base = f"localhost/{NAME}-base"
    podman("import", folder / "base.tar", base)
    tried = podman("run", "--rm", *LIMITS, "--network=host", base, "true", check=False)
    if tried:
        podman("rmi", "--force", base, check=False)
        machine_cannot("namespaces", tried)
    build = ["build", "--format=docker", "--isolation=chroot", "--network=host"]
    for one in ("PIP_CERT", "SSL_CERT_FILE"):
        if value := os.environ.get(one):
            build.append(f"--env={one}={value}")
    try:
        podman(
            *build,
            f"--build-arg=BASE={base}",
            "-f",
            ROOT / "packaging/Containerfile",
            "-t",
            f"localhost/{NAME}",
            ROOT,
        )
        yield f"localhost/{NAME}"
    finally:
        podman("rmi", "--force", f"localhost/{NAME}", base, check=False)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The sandbox beside it, and what it wrote for a relay."""
    folder = tmp_path_factory.mktemp("cloud")
    command = [sys.executable, "-m", "graphrelay", "sandbox", f"--directory={folder}"]
    with subprocess.Popen([*command, f"--port={CLOUD}", f"--page-port={PAGE}"]) as process:
        config = folder / "config.toml"
        until(lambda: config.exists() and "vault" in config.read_text())
        lines = (line.split(" = ", 1) for line in config.read_text().splitlines() if " = " in line)
        yield {key: json.loads(value) for key, value in lines if not value.startswith("[")}
        process.terminate()


def until(true: Callable[[], bool]) -> None:
    """Within two minutes."""
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(scope="module")
def container(image: str, cloud: dict[str, str]) -> Iterator[str]:
    settings = {
        "GRAPHRELAY_CLOUD__NAME": "custom",
        "GRAPHRELAY_CLOUD__LOGIN_URL": cloud["login_url"],
        "GRAPHRELAY_CLOUD__GRAPH_URL": cloud["graph_url"],
        "GRAPHRELAY_CLOUD__CA_FILE": "/ca.pem",
        f"{ACCOUNT}SCENARIO": "any-user",
        f"{ACCOUNT}TENANT": cloud["tenant"],
        f"{ACCOUNT}CLIENT_ID": cloud["client_id"],
        f"{ACCOUNT}CLIENT_SECRET": cloud["client_secret"],
        f"{ACCOUNT}MAILBOXES": '["wp@contoso.com", "*@contoso.com"]',
    }
    os.chmod(cloud["ca_file"], 0o644)  # noqa: PTH101
    environment = [f"--env={key}={value}" for key, value in settings.items()]
    name = f"{NAME}-run"
    volumes = [f"--volume={cloud['ca_file']}:/ca.pem:ro", f"--volume={NAME}:/var/lib/graphrelay"]
    podman(
        *("run", "--detach", "--name", name, *LIMITS, "--read-only", "--network=host"),
        *(*volumes, *environment, image),
    )
    try:
        until(lambda: "listening" in podman("logs", name))
        yield name
    finally:
        podman("rm", "--force", "--time=5", name, check=False)
        podman("volume", "rm", NAME, check=False)


def test_it_runs_as_its_own_user(container: str) -> None:
    assert podman("exec", container, "id", "-un") == "graphrelay"
    assert "Read-only file system" in podman("exec", container, "touch", "/x", check=False) or (
        "Permission denied" in podman("exec", container, "touch", "/opt/x", check=False)
    )


def test_it_is_healthy(container: str) -> None:
    assert podman("healthcheck", "run", container) == ""


def test_mail_arrives(container: str) -> None:
    podman("exec", container, "graphrelay", "authorize", "mail")
    with smtplib.SMTP("127.0.0.1", 2525) as smtp:
        smtp.sendmail("wp@contoso.com", ["a@b.example"], "Subject: contained\n\nHello")

    def arrived() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{PAGE}/api/messages") as answer:
            return any(one["subject"] == "contained" for one in json.load(answer)["messages"])

    until(arrived)


def test_queue_and_log_outlive_the_container(container: str) -> None:
    podman("restart", "--time=10", container)
    until(lambda: podman("logs", container).count("listening") > 1)
    assert "contoso.com" in podman("exec", container, "graphrelay", "log")


def test_a_stop_ends_it_in_order(container: str) -> None:
    podman("stop", "--time=20", container)
    assert podman("inspect", "--format={{.State.ExitCode}}", container) == "0"
