"""Nothing secret reaches a log, the journal, an exception or a repr, whatever goes wrong."""

import asyncio
import json
import logging
import secrets
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.journal import json_line, text_line
from graphrelay.oauth.answers import TokenRefused
from graphrelay.oauth.authorization import Authorization, SignedIn, Withdrawn, from_text
from graphrelay.oauth.scenario import AnyUser, Certificate, ClientSecret, SecretText
from graphrelay.oauth.sign_in.authorizer import Authorizer, Pending, PendingDevice
from graphrelay.oauth.tokens.manager import TokenManager
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.vault import Put, Vault
from graphrelay.sandbox.directory import CLIENT_SECRET
from graphrelay.sandbox.entra.aadsts import KNOWN
from graphrelay.sandbox.entra.faults import EntraError
from graphrelay.sandbox.faults import Answer, AnswerAfter, CutAfter, CutBefore
from graphrelay.sandbox.visitor import Visitor
from tests.oauth.conftest import DAEMON, WEBSITE, World, stored
from tests.oauth.entra.test_credentials import KEY, pem_key

PASSPHRASE = "a-passphrase-of-the-pfx"


@dataclass
class Ears:
    """Everything that can be read, and everything that must not be in it."""

    heard: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def hear(self, thing: object) -> None:
        self.heard += [repr(thing), str(thing)]
        if isinstance(thing, BaseException):
            self.heard.append("".join(traceback.format_exception(thing)))

    def learn(self, authorization: Authorization) -> None:
        self.secrets.add(authorization.access.text)
        if isinstance(authorization, SignedIn):
            self.secrets.add(authorization.signed_in.refresh_token)

    def leaks(self) -> list[str]:
        """The beginnings of secrets that leaked."""
        everything = "\n".join(self.heard)
        return [secret[:12] for secret in self.secrets if secret and secret in everything]


class _Listener(logging.Handler):
    def __init__(self, ears: Ears) -> None:
        super().__init__(logging.DEBUG)
        self._ears = ears
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._ears.heard.append(self.format(record))


@pytest.fixture
def ears() -> Iterator[Ears]:
    """Captures every logger at its most verbose level."""
    ears, root = Ears(), logging.getLogger()
    listener, level = _Listener(ears), root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    yield ears
    root.removeHandler(listener)
    root.setLevel(level)


def learn_all(ears: Ears, world: World, vault: Vault, *names: str) -> None:
    ears.secrets |= set(world.cloud.tokens._issued)
    ears.secrets |= {CLIENT_SECRET, PASSPHRASE, (world.state_directory / "vault.key").read_text()}
    for name in names:
        if text := vault.read(name):
            found = from_text(text)
            assert not isinstance(found, Withdrawn)
            ears.learn(found)


def listen_to(ears: Ears, world: World, manager: TokenManager) -> None:
    ears.heard += [text_line(entry) + json_line(entry) for entry in world.entries]
    ears.hear(manager._states)
    ears.hear(vars(manager))


FAILURES = [
    *(EntraError(aadsts=number) for number in sorted(KNOWN)),
    CutBefore(part="entra"),
    CutAfter(part="entra"),
    *(Answer(status=status, body="<html>no</html>", part="entra") for status in (200, 404, 502)),
    Answer(status=200, body="[]", part="entra"),
    Answer(status=200, body="{}", part="entra"),
    AnswerAfter(status=500, body="oops", part="entra"),
]


async def test_every_failure_keeps_every_secret(world: World, ears: Ears) -> None:
    vault = world.vault()
    manager = world.manager(WEBSITE, DAEMON, vault=vault)
    await world.authorize(manager, WEBSITE)
    await world.authorize(manager, DAEMON)
    for failure in FAILURES:
        world.cloud.faults.on(failure)
        for name in ("website", "daemon"):
            ears.hear(await manager.token(name, fresh=True))
            ears.hear(await manager.status(name))
        learn_all(ears, world, vault, "website", "daemon")
        world.cloud.faults.off(failure)
        await world.clock.advance(timedelta(minutes=1))
    listen_to(ears, world, manager)
    assert len(ears.secrets) > 10
    assert any("graphrelay authorize" in heard for heard in ears.heard)
    assert ears.leaks() == []


async def test_an_answer_that_quotes_the_request_is_not_passed_on(world: World) -> None:
    vault = world.vault()
    manager = world.manager(WEBSITE, DAEMON, vault=vault)
    await world.authorize(manager, WEBSITE)
    await world.authorize(manager, DAEMON)
    for name in ("website", "daemon"):
        authorization = stored(vault, name)
        sent = CLIENT_SECRET
        if isinstance(authorization, SignedIn):
            sent = authorization.signed_in.refresh_token
        body = json.dumps({"error": "invalid_grant", "error_description": f"Bad: {sent}."})
        fault = Answer(status=400, body=body, part="entra", times=1)
        world.cloud.faults.on(fault)
        answer = await manager.token(name, fresh=True)
        assert isinstance(answer, TokenRefused)
        assert answer.description == "Bad: …."


async def test_sign_ins_keep_their_secrets(world: World, ears: Ears) -> None:
    vault = world.vault()
    manager = world.manager(WEBSITE, vault=vault)
    authorizer = Authorizer(manager)
    for failure in (None, EntraError(aadsts=53003, times=1), CutBefore(part="entra", times=1)):
        pending = await authorizer.begin(WEBSITE, "http://localhost:1")
        assert isinstance(pending, Pending)
        ears.hear(pending)
        async with Visitor(world.cloud.ca_file) as visitor:
            back = await visitor.sign_in(pending.authorization_url, "wp@contoso.com")
        flow = pending.request.flow
        ears.secrets |= {flow["code_verifier"], flow["nonce"], flow["state"]}
        ears.secrets.add(back.split("code=")[1].split("&")[0])
        if failure:
            world.cloud.faults.on(failure)
        ears.hear(await authorizer.complete(pending, back, "root"))
        ears.hear(await authorizer.complete(pending, "?state=x&code=y", "root"))
    device = await authorizer.begin_device(WEBSITE)
    assert isinstance(device, PendingDevice)
    ears.hear(device)
    ears.hear(await authorizer.poll(device, "root"))
    ears.secrets.add(str(device.request.flow["device_code"]))
    learn_all(ears, world, vault, "website")
    listen_to(ears, world, manager)
    # The address of a sandbox page contains them, but the relay does not log pages: only its own
    # output counts.
    assert ears.leaks() == []


async def test_credentials_that_cannot_be_used_are_not_quoted(
    world: World, ears: Ears, tmp_path: Path
) -> None:
    pem = pem_key(KEY, PASSPHRASE.encode())
    (tmp_path / "broken.pem").write_bytes(pem[:-40])
    vault = world.vault()
    for credential in (
        ClientSecret(SecretText(CLIENT_SECRET + "x")),
        Certificate(tmp_path / "broken.pem", passphrase=SecretText(PASSPHRASE)),
    ):
        account = replace(DAEMON, scenario=AnyUser(credential))
        manager = world.manager(account, vault=vault)
        ears.hear(account)
        ears.hear(await world.authorize(manager, account))
        listen_to(ears, world, manager)
    ears.secrets |= {CLIENT_SECRET, PASSPHRASE, *pem.decode().splitlines()[2:6]}
    assert ears.leaks() == []


async def test_a_failing_vault_quotes_nothing(world: World, ears: Ears) -> None:
    vault = world.vault()
    manager = world.manager(WEBSITE, vault=vault)
    await world.authorize(manager)
    learn_all(ears, world, vault, "website")
    for damage in (b"", b"GRV1", b"\x00" * 400):
        for file in (world.state_directory / "vault").iterdir():
            file.write_bytes(damage)
        ears.hear(await world.manager(WEBSITE, vault=vault).status("website"))
        try:
            await asyncio.to_thread(vault.read, "website")
        except VaultFailure as failure:
            ears.hear(failure)
            ears.hear(failure.problem)
    vault.change("other", lambda _: Put("{}"))
    (world.state_directory / "vault.lock").unlink()
    (world.state_directory / "vault.lock").mkdir()
    newer = secrets.token_hex()  # A literal would be found in this test's own source line.
    try:
        vault.change("website", lambda _: Put(newer))
    except VaultFailure as failure:
        ears.hear(failure)
    ears.secrets.add(newer)
    assert ears.leaks() == []
