"""TokenManager: the one owner of authorizations while the relay runs.

    token() ──▶ in memory and good for 5 minutes more? ──▶ Granted, at once, without a thread
                else one flight for all who ask:
                    vault ──▶ Entra ──▶ vault ──▶ memory        (one thread, in this order)

What always holds:
- What Entra rolled is in the vault before the access token is used. Whoever asked may be gone by
  then; the flight goes on without them.
- The scenario picks the grant. No failure of one ever leads to another.
- A token that is still good is used as long as it lasts, whatever happens to its successor.
- Two clocks must agree that a token is good: wall time may jump, monotonic time stops in sleep.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from functools import partial
from typing import TypeVar

from graphrelay.clock import Clock
from graphrelay.journal import Journal
from graphrelay.oauth.answers import (
    Granted,
    NotGranted,
    Refused,
    TokenAnswer,
    Unauthorized,
    Unreachable,
    VaultProblem,
)
from graphrelay.oauth.authorization import AccessToken, Authorization, Binding
from graphrelay.oauth.cloud import Cloud
from graphrelay.oauth.entra.grants import Grants
from graphrelay.oauth.entra.msal_http import Http
from graphrelay.oauth.scenario import Account
from graphrelay.oauth.tokens.cached import LAST_USE, MARGIN, Held
from graphrelay.oauth.tokens.credential_expiry import credential_ends_at, ends_soon
from graphrelay.oauth.tokens.renewal import Flown, Renewal
from graphrelay.oauth.tokens.status import Status, status_of, too_broad
from graphrelay.oauth.vault import Vault
from graphrelay.oauth.worker import Worker

T = TypeVar("T")

TICK = timedelta(minutes=1)
"""How often `run` looks whether anything is due."""
WARNED_EVERY = timedelta(days=1)
PATIENCE = timedelta(minutes=5)
"""For one flight, with those before it. Nothing stops the thread where it waits for a file on a
dead disk, or for the next octet of an answer; but those who ask are told."""
LOOK_AGAIN: dict[type[NotGranted], timedelta] = {
    # How long `run` waits before it asks again by itself. Lanes ask at their own pace.
    Unreachable: TICK,
    Unauthorized: TICK,  # Only the vault is read: another process may have authorized.
    VaultProblem: timedelta(minutes=10),  # A locked keyring may show a prompt each time.
    Refused: timedelta(minutes=30),
}


class Purpose(Enum):
    """Why a token is asked for."""

    USE = "a message waits"
    REJECTED = "Graph refused the last one"
    AHEAD = "the last one is half used up"
    PROOF = "somebody wants to know whether Entra still says yes"


class AccountChanged(Exception):  # noqa: N818 (a condition that has an answer, not a failure)
    """The account that somebody authorizes is not configured like that any more. The text is for
    people."""


@dataclass(slots=True)
class _State:
    """What is known of one account. Owned by TokenManager, touched in the event loop only."""

    account: Account
    grants: Grants
    renewal: Renewal
    held: Held | None = None
    rejected: AccessToken | None = field(default=None, repr=False)
    """What Graph refused: not taken from the vault again."""
    flight: "asyncio.Future[Flown] | None" = None
    trouble: NotGranted | None = None
    look_again: timedelta = timedelta(0)
    """When `run` asks again after trouble (monotonic)."""
    silent_until: timedelta = timedelta(0)
    """Until then Entra asked to be left alone (monotonic)."""
    revision: int = 0


class TokenManager:
    """Hands out access tokens and keeps them fresh. Lives in one event loop."""

    def __init__(
        self,
        accounts: Iterable[Account],
        cloud: Cloud,
        vault: Vault,
        http: Http,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._cloud, self._vault, self._http = cloud, vault, http
        self._clock, self._journal = clock, journal
        self._worker = Worker("authorization")
        self._listeners: list[Callable[[str], None]] = []
        self._states = {account.name: self._new_state(account) for account in accounts}

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts as configured."""
        return tuple(state.account for state in self._states.values())

    @property
    def cloud(self) -> Cloud:
        return self._cloud

    @property
    def clock(self) -> Clock:
        return self._clock

    async def reconfigure(self, accounts: Iterable[Account]) -> None:
        """Take another list of accounts. Those that stay the same keep their tokens, and one that
        changed is as if it were new: its authorization is looked at anew."""
        old = self._states
        self._states = {
            account.name: old[account.name]
            if account.name in old and old[account.name].account == account
            else self._new_state(account)
            for account in accounts
        }
        kept = {id(state) for state in self._states.values()}
        await self._close(state.grants for state in old.values() if id(state) not in kept)

    # Asking ----------------------------------------------------------------------------------

    async def token(self, account: str, *, fresh: bool = False, challenge: str = "") -> TokenAnswer:
        """An access token, or why there is none. `fresh`: the last one was refused by Graph, and
        `challenge` is what the next must say besides (JSON), where Graph asked for something."""
        state = self._states.get(account)
        if state is None:
            return _not_configured(account)
        if fresh or challenge:
            return await self._renewed(state, Purpose.REJECTED, challenge)
        return self._good(state, MARGIN) or await self._renewed(state, Purpose.USE)

    def revision(self, account: str) -> int:
        """Grows each time that an authorization is stored, deleted, or works again."""
        state = self._states.get(account)
        return state.revision if state else 0

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Call back with the account's name when `revision` grows, so that lanes can resume."""
        self._listeners.append(callback)

    async def run(self) -> None:
        """Keep every authorization fresh until cancelled: access tokens well before they end, and
        with them the refresh tokens, which lapse after 90 days without use."""
        warn_at = self._clock.monotonic()
        while True:
            warns = self._clock.monotonic() >= warn_at
            if warns:
                warn_at = self._clock.monotonic() + WARNED_EVERY
            for state in tuple(self._states.values()):
                await self._look_after(state, warns=warns)
            await self._clock.sleep(TICK)

    async def _look_after(self, state: _State, *, warns: bool) -> None:
        try:
            if self._due(state):
                await self._renewed(state, Purpose.AHEAD)
            if warns:
                await self._warn(state)
        except Exception as error:  # a mistake of ours, which must stop neither mail nor others
            # Its kind alone: the text may quote what is secret.
            reason = type(error).__name__
            self._journal.error("authorization-broke", account=state.account.name, reason=reason)

    async def _warn(self, state: _State) -> None:
        """Tell of what works today and should not stay as it is."""
        account = state.account
        ends_at = await self._in_thread(partial(credential_ends_at, account))
        if ends := ends_soon(account, ends_at, self._clock.now()):
            self._journal.warning(
                "credential-ends", account=account.name, reason=ends.reason, remedy=ends.remedy
            )
        if state.held and (broad := too_broad(account, state.held.access.scopes)):
            self._journal.warning(
                "too-broad", account=account.name, roles=broad.roles, remedy=broad.remedy
            )

    # Authorizing -----------------------------------------------------------------------------

    async def ask(self, account: Account, work: Callable[[Grants], T]) -> T:
        """Do something with an account's grants in the authorizing thread. Raises
        `AccountChanged`."""
        grants = self._state_of(account).grants
        return await asyncio.wrap_future(self._worker.submit(lambda: work(grants)))

    async def adopt(self, account: Account, authorization: Authorization) -> VaultProblem | None:
        """Store an authorization in place of any older one, and use it from now on. Raises
        `AccountChanged`: what was given for one user or client is never used for another."""
        state = self._state_of(account)
        problem = await self._in_thread(lambda: state.renewal.replace(authorization))
        if problem is None:
            self._forget(state)
            self._hold(state, authorization.access)
            self._journal.notice("authorized", account=account.name, by=authorization.authorized_by)
            self._changed(state)
        return problem

    async def revoke(self, account: str) -> VaultProblem | None:
        """Delete the authorization. Nothing is sent with it from now on."""
        state = self._states.get(account)
        if state is None:
            return None
        problem = await self._in_thread(state.renewal.delete)
        if problem is None:
            self._forget(state)
            self._journal.notice("revoked", account=account)
            self._changed(state)
        return problem

    async def status(self, account: str, *, prove: bool = True) -> Status:
        """What an authorization is worth: with `prove`, by asking Entra for a new token."""
        state = self._states.get(account)
        where = await self._vault.describe()
        if state is None:
            return Status(account, "", _not_configured(account), None, where)
        answer = await self._renewed(state, Purpose.PROOF) if prove else await self.token(account)
        found = await self._in_thread(state.renewal.load)
        ends_at = await self._in_thread(lambda: credential_ends_at(state.account))
        return status_of(state.account, answer, found, where, ends_at, self._clock.now())

    async def with_vault(self, work: Callable[[Vault], T]) -> T:
        """Do something with the vault itself, while nobody renews. Raises `VaultFailure`."""
        return await self._in_thread(lambda: work(self._vault))

    async def aclose(self) -> None:
        """Close the connections, after whatever is in flight."""
        await self._close(state.grants for state in self._states.values())
        self._worker.close()

    def _state_of(self, account: Account) -> _State:
        """As it was when somebody began to authorize it; a reload may have come in between."""
        state = self._states.get(account.name)
        bound = Binding.of(account, self._cloud)
        if state is None or bound.differences(Binding.of(state.account, self._cloud)):
            raise AccountChanged(
                f"Account {account.name!r} was changed or removed in the configuration meanwhile, "
                "so nothing was stored. If it is still there, run: "
                f"graphrelay authorize {account.name}"
            )
        return state

    # Flights ---------------------------------------------------------------------------------

    async def _renewed(self, state: _State, purpose: Purpose, challenge: str = "") -> TokenAnswer:
        """Join the flight that is under way, or start one."""
        answer: TokenAnswer
        if state.flight is None and (silent := self._asked_to_be_silent(state)):
            answer = silent
        else:
            state.flight = state.flight or self._depart(state, purpose, challenge)
            answer = await self._landed(state, state.flight)
        if isinstance(answer, Granted) or purpose in (Purpose.REJECTED, Purpose.PROOF):
            return answer
        return self._good(state, LAST_USE) or answer

    def _depart(self, state: _State, purpose: Purpose, challenge: str) -> "asyncio.Future[Flown]":
        held = state.held.access if state.held else None
        if purpose is Purpose.REJECTED:
            state.rejected = held
        # Whatever is in memory was found wanting, or nobody would ask: the vault's must be newer.
        unwanted = held or state.rejected
        always = purpose in (Purpose.REJECTED, Purpose.PROOF)
        beyond = self._clock.now() + MARGIN
        flight = self._worker.submit(
            lambda: state.renewal.fly(unwanted, beyond, always=always, challenge=challenge)
        )
        landing = asyncio.wrap_future(flight)
        landing.add_done_callback(lambda done: self._land(state, done))
        return landing

    async def _landed(self, state: _State, flight: "asyncio.Future[Flown]") -> TokenAnswer:
        """The flight's answer, if it comes in time; the flight goes on in any case."""
        await asyncio.wait({flight}, timeout=PATIENCE.total_seconds())
        if flight.done():
            return flight.result().answer
        name, minutes = state.account.name, PATIENCE // timedelta(minutes=1)
        late = Unreachable(
            reason=f"Asking for account {name!r} has taken {minutes} minutes so far."
        )
        if self._states.get(name) is state:
            self._landed_badly(state, late)
        return late

    def _land(self, state: _State, flight: "asyncio.Future[Flown]") -> None:
        state.flight = None
        if flight.cancelled() or flight.exception() is not None:
            return  # Whoever waits is told.
        if self._states.get(state.account.name) is not state:
            return  # Reconfigured meanwhile.
        flown = flight.result()
        if isinstance(flown.answer, Granted) and flown.access is not None:
            self._landed_well(state, flown.access)
        elif not isinstance(flown.answer, Granted):
            self._landed_badly(state, flown.answer)

    def _landed_well(self, state: _State, access: AccessToken) -> None:
        self._hold(state, access)
        if state.trouble is not None:
            state.trouble = None
            self._journal.notice("authorization-works", account=state.account.name)
            self._changed(state)

    def _landed_badly(self, state: _State, trouble: NotGranted) -> None:
        now = self._clock.monotonic()
        state.look_again = now + LOOK_AGAIN[type(trouble)]
        if isinstance(trouble, Unreachable) and trouble.retry_after is not None:
            state.silent_until = now + trouble.retry_after
        if isinstance(trouble, Unauthorized) or _refused_twice(state, trouble):
            state.held = None
        if _class(trouble) != _class(state.trouble):
            self._report(state.account.name, trouble)
        state.trouble = trouble

    # What is in memory -----------------------------------------------------------------------

    def _good(self, state: _State, spare: timedelta) -> Granted | None:
        """The hot path: called for every message."""
        held = state.held
        if held is not None and held.lasts(spare, self._clock.now(), self._clock.monotonic()):
            return held.granted
        return None

    def _hold(self, state: _State, access: AccessToken) -> None:
        state.held = Held.of(access, self._clock.now(), self._clock.monotonic())
        state.rejected = None
        state.look_again = state.silent_until = timedelta(0)

    def _forget(self, state: _State) -> None:
        state.held = state.rejected = state.trouble = None
        state.look_again = state.silent_until = timedelta(0)

    def _due(self, state: _State) -> bool:
        now = self._clock.monotonic()
        if state.flight is not None or now < state.look_again:
            return False
        return state.held is None or state.held.is_due(self._clock.now(), now)

    def _asked_to_be_silent(self, state: _State) -> Unreachable | None:
        left = state.silent_until - self._clock.monotonic()
        if left <= timedelta(0) or not isinstance(state.trouble, Unreachable):
            return None
        return Unreachable(reason=state.trouble.reason, retry_after=left)

    def _changed(self, state: _State) -> None:
        state.revision += 1
        for callback in self._listeners:
            callback(state.account.name)

    def _report(self, account: str, trouble: NotGranted) -> None:
        match trouble:
            case Unreachable(reason=reason):
                self._journal.warning("authorization-unreachable", account=account, reason=reason)
            case Unauthorized(reason=reason, remedy=remedy):
                self._journal.warning("unauthorized", account=account, reason=reason, remedy=remedy)
            case VaultProblem(reason=reason, remedy=remedy):
                self._journal.error("vault-problem", account=account, reason=reason, remedy=remedy)
            case Refused():
                self._journal.error(
                    "authorization-refused",
                    account=account,
                    error=trouble.error,
                    suberror=trouble.suberror or None,
                    kind=trouble.kind,
                    reason=trouble.description,
                    remedy=trouble.remedy,
                )

    async def _close(self, grants: Iterable[Grants]) -> None:
        """After whatever is in flight. Where the thread never comes back, they close with it, and
        the next reload is heard all the same."""
        closing = [asyncio.wrap_future(self._worker.submit(one.close)) for one in grants]
        if closing:
            done, _ = await asyncio.wait(closing, timeout=PATIENCE.total_seconds())
            for one in done:
                one.result()

    # The thread ------------------------------------------------------------------------------

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._worker.submit(work))

    def _new_state(self, account: Account) -> _State:
        grants = Grants(account, self._cloud, self._http, self._clock)
        binding = Binding.of(account, self._cloud)
        return _State(account, grants, Renewal(account, binding, grants, self._vault))


def _refused_twice(state: _State, trouble: NotGranted) -> bool:
    """Graph refused the token, and Entra gives no other: it is of no use to anybody."""
    held = state.held.access if state.held else None
    return isinstance(trouble, Refused) and held is not None and state.rejected == held


def _class(trouble: NotGranted | None) -> tuple[str, str]:
    """What makes a trouble another one, worth a line in the journal."""
    return type(trouble).__name__, trouble.kind if isinstance(trouble, Refused) else ""


def _not_configured(account: str) -> Unauthorized:
    return Unauthorized(
        reason=f"Account {account!r} is not configured any more.",
        remedy=f"Add [accounts.{account}] to the configuration again, or delete its mail.",
    )
