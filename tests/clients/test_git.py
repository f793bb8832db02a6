"""git send-email, which announces EHLO with a name of its own and sends patches byte for byte."""

from pathlib import Path

from tests.clients import letter
from tests.clients.arrivals import Relay
from tests.clients.programs import run
from tests.tools import needs


async def test_a_patch_series_arrives_unchanged(relay: Relay, tmp_path: Path) -> None:
    needs("git-send-email")
    env = letter.environment(tmp_path) | {
        "GIT_AUTHOR_NAME": "Jörg",
        "GIT_AUTHOR_EMAIL": letter.SENDER,
        "GIT_COMMITTER_NAME": "Jörg",
        "GIT_COMMITTER_EMAIL": letter.SENDER,
    }
    tree = tmp_path / "tree"
    tree.mkdir()
    await run("git", "init", "--quiet", tree, env=env)
    for number in (1, 2):
        (tree / "file").write_text(f"line {number}\n.\nÜber\n")
        await run("git", "add", "file", env=env, cwd=tree)
        await run("git", "commit", "--quiet", "-m", f"Change number {number}", env=env, cwd=tree)
    await run(
        *("git", "send-email", "--root", "--from", letter.SENDER),
        *("--to", letter.TO, "--cc", letter.CC, "--bcc", letter.BCC, "--confirm=never"),
        *("--smtp-server", relay.smtp_host, "--smtp-server-port", str(relay.smtp_port)),
        *("--suppress-cc=all", "--transfer-encoding=8bit"),
        env=env,
        cwd=tree,
    )
    arrivals = sorted(await relay.arrived(2), key=lambda arrival: arrival.subject)
    assert [arrival.recipients for arrival in arrivals] == [letter.EVERYBODY] * 2
    assert [a.subject for a in arrivals] == [f"[PATCH {n}/2] Change number {n}" for n in (1, 2)]
    assert "\n+line 1\n+.\n+Über\n" in arrivals[0].text
    assert not any(letter.BCC.encode() in arrival.raw for arrival in arrivals)
