"""TokenManager: the one owner of authorizations while the relay runs.

    token() ──▶ cached and good for 5 minutes more? ──▶ Granted, at once, without a thread
                else one refresh for all who ask:
                    vault ──▶ Entra ──▶ vault ──▶ cache         (one thread, in this order)

What always holds:
- A new refresh token is in the vault before the access token that came with it is used. The
  callers may be gone by then; the refresh goes on without them.
- The scenario picks the grant. No failure of one ever leads to another.
- A token that is still good is used as long as it lasts, whatever happens to its successor.
- Two clocks must agree that a token is good: wall time may jump, monotonic time stops in sleep.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from graphrelay.clock import Clock
from graphrelay.journal import Journal, events
from graphrelay.model import Delayed, Lane, Paused
from graphrelay.oauth.answers import (
    EntraUnreachable,
    Granted,
    NotGranted,
    RefreshResult,
    TokenAnswer,
    TokenRefused,
    Unauthorized,
    VaultProblem,
    outcome_without_token,
)
from graphrelay.oauth.authorization import (
    AccessToken,
    Authorization,
    Binding,
    without_refresh_token,
)
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.scenario import Account, AccountOptions
from graphrelay.oauth.tokens.cached import LAST_USE, MARGIN, CachedToken
from graphrelay.oauth.tokens.credential_expiry import ends_soon
from graphrelay.oauth.tokens.keeper import Keeper, KeeperBroke
from graphrelay.oauth.tokens.status import Status, status_of, too_broad
from graphrelay.threads import NoThread, Worker

if TYPE_CHECKING:
    from graphrelay.oauth.entra.grants import Grants
    from graphrelay.oauth.tokens.renewal import Renewal
    from graphrelay.oauth.vault.admin import VaultAdmin

T = TypeVar("T")

TICK = timedelta(minutes=1)
"""How often `run` checks whether anything is due."""
WARNED_EVERY = timedelta(days=1)
PATIENCE = timedelta(minutes=5)
"""How long callers wait for one refresh, and those queued before it. Nothing stops the thread
where it waits for a file on a dead disk, or for the next octet of an answer; but callers get an
answer. In real time, as the work of the thread is."""
CLOSES_WITHIN = timedelta(seconds=50)
"""The same for `aclose`: with `delivery.shutdown_grace` less than the 90 s that systemd waits."""
FOLLOW_AGAIN = timedelta(seconds=1)
LOOK_AGAIN: dict[type[NotGranted], timedelta] = {
    # How long `run` waits before it asks again. Lanes ask on their own schedule.
    EntraUnreachable: TICK,
    Unauthorized: timedelta(minutes=5),  # Another process may have authorized.
    VaultProblem: timedelta(minutes=10),  # A locked keyring may show a prompt each time.
    TokenRefused: timedelta(minutes=30),
}
_SHORT = EntraUnreachable(reason="no memory is left to renew the authorization")


class Purpose(Enum):
    """Why a token is asked for."""

    USE = "a message is waiting"
    REJECTED = "Graph rejected the last one"
    AHEAD = "half of the life of the last one is over"
    PROOF = "status checks whether Entra still grants one"


class AccountChanged(Exception):  # noqa: N818 (a condition that has an answer, not a failure)
    """The account that is being authorized was changed in the configuration meanwhile. The text is
    for people."""


@dataclass(slots=True)
class _State:
    """What is known of one account. Owned by TokenManager, touched in the event loop only."""

    account: Account
    grants: "Grants"
    renewal: "Renewal"
    cached: CachedToken | None = None
    rejected: AccessToken | None = field(default=None, repr=False)
    """What Graph rejected: not taken from the vault again."""
    refresh: "asyncio.Future[RefreshResult] | None" = None
    """The one under way."""
    failure: NotGranted | None = None
    look_again: timedelta = timedelta(0)
    """When `run` tries again after a failure (monotonic)."""
    found: Authorization | None = field(default=None, repr=False)
    """What the cached token comes from; without its refresh token."""
    ends_at: datetime | None = None
    """When the application's credential expires, as of the last look at it."""
    silent_until: timedelta = timedelta(0)
    """Entra is not asked before then: its Retry-After (monotonic)."""
    revision: int = 0

    @property
    def given(self) -> str:
        """The id of the authorization that the cached token comes from."""
        return self.found.id if self.found else ""


class TokenManager:
    """Hands out access tokens and keeps them fresh. Lives in one event loop."""

    def __init__(
        self,
        accounts: Iterable[Account],
        cloud: TokenCloud,
        keeper: Keeper,
        clock: Clock,
        journal: Journal,
        patience: timedelta = PATIENCE,
    ) -> None:
        self._patience = patience
        self._cloud, self._keeper = cloud, keeper
        self._clock, self._journal = clock, journal
        self._worker = Worker("authorization")
        self._listeners: list[Callable[[str], None]] = []
        self._changed_elsewhere: set[str] = set()
        self._look = asyncio.Event()
        self._busy = False
        """Whether a person has asked for something since the last look at all accounts, and may
        ask for more."""
        self._states = {account.name: self._new_state(account) for account in accounts}

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts as configured."""
        return tuple(state.account for state in self._states.values())

    def options(self, account: str) -> AccountOptions:
        """What the account does besides; nothing, where it is not configured any more."""
        state = self._states.get(account)
        return state.account.options if state else AccountOptions()

    def user_of(self, lane: Lane) -> str | None:
        """By what Graph finds its mailbox; `None` for that of the user who signed in."""
        state = self._states.get(lane.account)
        return state.account.user_of(lane.mailbox) if state else lane.mailbox

    @property
    def cloud(self) -> TokenCloud:
        return self._cloud

    @property
    def clock(self) -> Clock:
        return self._clock

    async def reconfigure(self, accounts: Iterable[Account]) -> None:
        """Take another list of accounts. Those that stay the same keep their tokens; one that
        changed is treated as new, and its authorization is read again."""
        old = self._states
        self._states = {
            account.name: old[account.name]
            if account.name in old and old[account.name].account == account
            else self._new_state(account)
            for account in accounts
        }
        kept = {id(state) for state in self._states.values()}
        closes = [one.grants.close for one in old.values() if id(one) not in kept]
        await self._close(self._patience, *closes)

    # Asking ----------------------------------------------------------------------------------

    async def token(self, account: str, *, fresh: bool = False, challenge: str = "") -> TokenAnswer:
        """An access token, or why there is none. `fresh`: Graph rejected the last one; `challenge`
        is the claims challenge (JSON) that came with that, if any."""
        state = self._states.get(account)
        if state is None:
            return _not_configured(account)
        if fresh or challenge:
            return await self._refreshed(state, Purpose.REJECTED, challenge)
        return self._good(state, MARGIN) or await self._refreshed(state, Purpose.USE)

    async def bearer_token(
        self, account: str, *, refused: str = "", challenge: str = ""
    ) -> str | Paused | Delayed:
        """A token for requests to Graph, or the outcome that they have without one.

        `refused`: the one that Graph refused; another is asked for, unless that has been done
        meanwhile. `challenge`: what it must contain (JSON), where Graph asked for something.
        """
        answer = await self.token(account) if not challenge else None
        if answer is None or (isinstance(answer, Granted) and answer.access_token == refused):
            answer = await self.token(account, fresh=True, challenge=challenge)
        if isinstance(answer, Granted):
            return answer.access_token
        return outcome_without_token(account, answer)

    def revision(self, account: str) -> int:
        """Grows each time that an authorization is stored, deleted, or works again."""
        state = self._states.get(account)
        return state.revision if state else 0

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Call back with the account's name when `revision` grows, so that lanes can resume."""
        self._listeners.append(callback)

    async def run(self) -> None:
        """Keep every authorization fresh until cancelled: access tokens are renewed well before
        they expire, and so are the refresh tokens, which expire after 90 days without use."""
        warn_at = self._clock.monotonic()
        while True:
            warns = self._clock.monotonic() >= warn_at
            if warns:
                warn_at = self._clock.monotonic() + WARNED_EVERY
            for state in tuple(self._states.values()):
                await self._look_after(state, warns=warns)
            self._rest()
            await self._clock.sleep(TICK)

    def changed_elsewhere(self, account: str) -> None:
        """A relay that shares the vault may have authorized, revoked or renewed the account."""
        self._changed_elsewhere.add(account)
        self._look.set()

    async def follow(self) -> None:
        """Follow what other relays do to the vault; never returns."""
        while True:
            await self._look.wait()
            self._look.clear()
            names, self._changed_elsewhere = self._changed_elsewhere, set()
            for state in [state for name, state in self._states.items() if name in names]:
                try:
                    await self._follow(state)
                except Exception as error:  # A bug must stop neither mail nor the other accounts.
                    reason = _kind(error)
                    self._journal.write(
                        events.AuthorizationBroke(account=state.account.name, reason=reason)
                    )

    async def _follow(self, state: _State) -> None:
        found = await self._in_thread(state.renewal.load)
        account = state.account.name
        match found:
            case VaultProblem(passes=True):
                await self._clock.sleep(FOLLOW_AGAIN)
                self.changed_elsewhere(account)
            case VaultProblem():
                self._note_failure(state, found)
            case Unauthorized():
                if state.given:
                    self._forget(state)
                    self._journal.write(events.Revoked(account=account))
                    self._changed(state)
            case _ if found.id != state.given or state.failure is not None:
                anew = found.id != state.given and (
                    state.given or isinstance(state.failure, Unauthorized)
                )
                waits = state.failure is not None
                self._forget(state)
                if anew:
                    by = found.authorized_by
                    self._journal.write(events.Authorized(account=account, by=by))
                elif waits:
                    self._journal.write(events.AuthorizationWorks(account=account))
                if anew or waits:
                    self._changed(state)

    async def _look_after(self, state: _State, *, warns: bool) -> None:
        try:
            if self._due(state):
                await self._refreshed(state, Purpose.AHEAD)
            if warns:
                await self._warn(state)
        except MemoryError:  # it is looked after again in a minute
            self._report(state.account.name, _SHORT)
        except Exception as error:  # A bug must stop neither mail nor the other accounts.
            reason = _kind(error)
            self._journal.write(
                events.AuthorizationBroke(account=state.account.name, reason=reason)
            )

    def _rest(self) -> None:
        """Until the next look, unless what failed is tried again then, or somebody is at work. What
        keeps the vault stays while it cannot be used: an answer of Entra's may wait to be stored,
        or a keyring for its password."""
        busy, self._busy = self._busy, False
        failed = [one for one in self._states.values() if one.failure is not None]
        if not busy and not any(
            self._due(one, TICK) or isinstance(one.failure, VaultProblem) for one in failed
        ):
            with contextlib.suppress(NoThread):  # then none works, either
                self._worker.submit(self._keeper.rest)

    async def _warn(self, state: _State) -> None:
        """Log what works today and needs attention."""
        account = state.account
        ends_at = state.ends_at = await self._in_thread(state.renewal.credential_ends_at)
        if ends := ends_soon(account, ends_at, self._clock.now()):
            self._journal.write(
                events.CredentialEnds(account=account.name, reason=ends.reason, remedy=ends.remedy)
            )
        if state.cached and (broad := too_broad(account, state.cached.access.scopes)):
            self._journal.write(
                events.TooBroad(account=account.name, roles=broad.roles, remedy=broad.remedy)
            )

    # Authorizing -----------------------------------------------------------------------------

    async def ask(self, account: Account, work: Callable[["Grants"], T]) -> T:
        """Call `work` with the account's grants, in the authorizing thread. Raises
        `AccountChanged`."""
        grants = self._state_of(account).grants
        self._busy = True
        return await asyncio.wrap_future(self._worker.submit(lambda: work(grants)))

    async def adopt(self, account: Account, authorization: Authorization) -> VaultProblem | None:
        """Store an authorization in place of any older one, and use it from now on. Raises
        `AccountChanged`: an authorization for one user or client is never used for another."""
        state = self._state_of(account)
        problem = await self._in_thread(lambda: state.renewal.replace(authorization))
        if problem is None:
            self._forget(state)
            self._cache(state, without_refresh_token(authorization))
            self._journal.write(
                events.Authorized(account=account.name, by=authorization.authorized_by)
            )
            self._changed(state)
        return problem

    async def revoke(self, account: str) -> VaultProblem | None:
        """Delete the authorization. The account's mail waits from now on, until somebody
        authorizes it, an application's too."""
        state = self._states.get(account)
        if state is None:
            return None
        problem = await self._in_thread(partial(state.renewal.revoke, self._clock.now()))
        if problem is None:
            self._forget(state)
            self._journal.write(events.Revoked(account=account))
            self._changed(state)
        return problem

    async def status(self, account: str, *, prove: bool = True) -> Status:
        """Whether an authorization works: with `prove`, by asking Entra for a new token."""
        state = self._states.get(account)
        if state is None:
            where = await self._in_thread(self._keeper.vault.describe)
            return Status(account, "", _not_configured(account), None, where)
        answer = await self._refreshed(state, Purpose.PROOF) if prove else await self.token(account)
        self._busy = self._busy or prove or not isinstance(answer, Granted)
        found: Authorization | Unauthorized | VaultProblem
        if isinstance(answer, Granted) and state.found:
            found = state.found
        else:
            found = await self._in_thread(state.renewal.load)
        where = await self._in_thread(self._keeper.vault.describe)
        if prove or state.ends_at is None:
            state.ends_at = await self._in_thread(state.renewal.credential_ends_at)
        return status_of(state.account, answer, found, where, state.ends_at, self._clock.now())

    async def with_vault(self, work: Callable[["VaultAdmin"], T]) -> T:
        """Call `work` with the vault, while nothing is renewed. Raises `VaultFailure`."""
        self._busy = True
        return await self._in_thread(lambda: work(self._keeper.vault))

    async def aclose(self) -> None:
        """Close the connections, after any refresh under way."""
        grants = (state.grants.close for state in self._states.values())
        await self._close(min(self._patience, CLOSES_WITHIN), *grants, self._keeper.close)
        self._worker.close()

    def _state_of(self, account: Account) -> _State:
        """As it was when authorizing it began; a reload may have come in between."""
        state = self._states.get(account.name)
        bound = Binding.of(account, self._cloud)
        if state is None or bound.differences(Binding.of(state.account, self._cloud)):
            raise AccountChanged(
                f"Account {account.name!r} was changed or removed in the configuration meanwhile, "
                "so nothing was stored. If it is still there, run: "
                f"graphrelay authorize {account.name}"
            )
        return state

    # Refreshing ------------------------------------------------------------------------------

    async def _refreshed(self, state: _State, purpose: Purpose, challenge: str = "") -> TokenAnswer:
        """Wait for the refresh that is under way, or start one."""
        answer: TokenAnswer
        if state.refresh is None and (silent := self._asked_to_be_silent(state)):
            answer = silent
        else:
            state.refresh = state.refresh or self._refresh(state, purpose, challenge)
            answer = await self._result(state, state.refresh)
        if isinstance(answer, Granted) or purpose in (Purpose.REJECTED, Purpose.PROOF):
            return answer
        return self._good(state, LAST_USE) or answer

    def _refresh(
        self, state: _State, purpose: Purpose, challenge: str
    ) -> "asyncio.Future[RefreshResult]":
        """Start one in the thread."""
        cached = state.cached.access if state.cached else None
        if purpose is Purpose.REJECTED:
            state.rejected = cached
        # The cached token will not do, or nothing would be refreshed: the vault's must be newer.
        unwanted = cached or state.rejected
        always = purpose in (Purpose.REJECTED, Purpose.PROOF)
        beyond = self._clock.now() + MARGIN
        renew = partial(state.renewal.refresh, always=always, challenge=challenge)
        job = self._worker.submit(lambda: _unless_short(lambda: renew(unwanted, beyond)))
        refresh = asyncio.wrap_future(job)
        refresh.add_done_callback(lambda done: self._finish(state, done))
        return refresh

    async def _result(self, state: _State, refresh: "asyncio.Future[RefreshResult]") -> TokenAnswer:
        """The refresh's answer, if it comes in time; the refresh goes on in any case."""
        await asyncio.wait({refresh}, timeout=self._patience.total_seconds())
        if refresh.done():
            return refresh.result().answer
        name, minutes = state.account.name, self._patience // timedelta(minutes=1)
        late = EntraUnreachable(
            reason=f"The token request of account {name!r} has taken {minutes} minutes so far."
        )
        if self._states.get(name) is state:
            self._note_failure(state, late)
        return late

    def _finish(self, state: _State, refresh: "asyncio.Future[RefreshResult]") -> None:
        state.refresh = None
        if refresh.cancelled() or refresh.exception() is not None:
            return  # The callers see it.
        if self._states.get(state.account.name) is not state:
            return  # Reconfigured meanwhile.
        result = refresh.result()
        if not isinstance(result.answer, Granted):
            self._note_failure(state, result.answer)
        elif result.found is not None:
            self._note_success(state, result.found)

    def _note_success(self, state: _State, found: Authorization) -> None:
        self._cache(state, found)
        if state.failure is not None:
            state.failure = None
            self._journal.write(events.AuthorizationWorks(account=state.account.name))
            self._changed(state)

    def _note_failure(self, state: _State, failure: NotGranted) -> None:
        now = self._clock.monotonic()
        passes = isinstance(failure, VaultProblem) and failure.passes
        state.look_again = now + (TICK if passes else LOOK_AGAIN[type(failure)])
        if isinstance(failure, EntraUnreachable) and failure.retry_after is not None:
            state.silent_until = now + failure.retry_after
        if isinstance(failure, Unauthorized) or _refused_twice(state, failure):
            state.cached = None
        if _class(failure) != _class(state.failure) and not passes:
            self._report(state.account.name, failure)
        state.failure = failure

    # The cache -------------------------------------------------------------------------------

    def _good(self, state: _State, spare: timedelta) -> Granted | None:
        """The hot path: called for every message."""
        cached = state.cached
        if cached is not None and cached.lasts(spare, self._clock.now(), self._clock.monotonic()):
            return cached.granted
        return None

    def _cache(self, state: _State, found: Authorization) -> None:
        state.cached = CachedToken.of(found.access, self._clock.now(), self._clock.monotonic())
        state.found = found
        state.rejected = None
        state.look_again = state.silent_until = timedelta(0)

    def _forget(self, state: _State) -> None:
        state.cached = state.rejected = state.failure = state.found = state.ends_at = None
        state.look_again = state.silent_until = timedelta(0)

    def _due(self, state: _State, ahead: timedelta = timedelta(0)) -> bool:
        """Whether `run` asks for a token then."""
        now = self._clock.monotonic() + ahead
        if state.refresh is not None or now < state.look_again:
            return False
        return state.cached is None or state.cached.is_due(self._clock.now() + ahead, now)

    def _asked_to_be_silent(self, state: _State) -> EntraUnreachable | None:
        left = state.silent_until - self._clock.monotonic()
        if left <= timedelta(0) or not isinstance(state.failure, EntraUnreachable):
            return None
        return EntraUnreachable(reason=state.failure.reason, retry_after=left)

    def _changed(self, state: _State) -> None:
        state.revision += 1
        for callback in self._listeners:
            callback(state.account.name)

    def _report(self, account: str, failure: NotGranted) -> None:
        match failure:
            case EntraUnreachable(reason=reason):
                self._journal.write(events.AuthorizationUnreachable(account=account, reason=reason))
            case Unauthorized(reason=reason, remedy=remedy):
                self._journal.write(
                    events.Unauthorized(account=account, reason=reason, remedy=remedy)
                )
            case VaultProblem(reason=reason, remedy=remedy):
                self._journal.write(
                    events.VaultProblem(account=account, reason=reason, remedy=remedy)
                )
            case TokenRefused():
                self._journal.write(
                    events.AuthorizationRefused(
                        account=account,
                        error=failure.error,
                        suberror=failure.suberror or None,
                        kind=failure.kind,
                        reason=failure.description,
                        remedy=failure.remedy,
                    )
                )

    async def _close(self, patience: timedelta, *closes: Callable[[], None]) -> None:
        """After any refresh under way. Where the thread hangs, they stay open with it, and a later
        reload or stop is still carried out."""
        closing = [asyncio.wrap_future(self._worker.submit(close)) for close in closes]
        if closing:
            done, _ = await asyncio.wait(closing, timeout=patience.total_seconds())
            for one in done:
                one.result()

    # The thread ------------------------------------------------------------------------------

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._worker.submit(work))

    def _new_state(self, account: Account) -> _State:
        kept = self._keeper.of(account)
        return _State(account, kept.grants, kept.renewal)


def _refused_twice(state: _State, failure: NotGranted) -> bool:
    """Graph rejected the token and Entra grants no other, so the cached one is of no use."""
    cached = state.cached.access if state.cached else None
    return isinstance(failure, TokenRefused) and cached is not None and state.rejected == cached


def _unless_short(renew: Callable[[], RefreshResult]) -> RefreshResult:
    """What it comes to, also where there is no memory for it."""
    try:
        return renew()
    except MemoryError:
        return RefreshResult(_SHORT)


def _kind(error: Exception) -> str:
    """Only its type: the text may quote a secret."""
    return str(error) if isinstance(error, KeeperBroke) else type(error).__name__


def _class(failure: NotGranted | None) -> tuple[str, str]:
    """What a failure must differ in to be logged again."""
    return type(failure).__name__, failure.kind if isinstance(failure, TokenRefused) else ""


def _not_configured(account: str) -> Unauthorized:
    return Unauthorized(
        reason=f"Account {account!r} is not configured any more.",
        remedy=f"Add [accounts.{account}] to the configuration again, or delete its mail.",
    )
