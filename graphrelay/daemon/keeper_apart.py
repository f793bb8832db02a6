"""Authorizations are kept by a process of its own, which ends when there is nothing to do.

    TokenManager ── thread ──▶ KeeperApart ── pickle ──▶ keeper_process: KeeperHere ──▶ vault, Entra

What that needs (msal, httpx, keyring, cryptography) takes 15 MB, a fifth of what the relay had, for
a second in an hour. Memory that Python has once used it does not give back, so nothing of that is
imported here.

The child is this program, with the same rights, environment and credentials: what it answers is
trusted as this process is. Where it ends without an answer, nothing has been refused: it is tried
again, in another one. It finishes what it has begun when this process ends before it, so that what
Entra has answered is stored.
"""

import contextlib
import pickle
import select
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from graphrelay import __version__
from graphrelay.oauth.answers import EntraUnreachable, RefreshResult, VaultProblem
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.scenario import Account, Application, Certificate
from graphrelay.oauth.tokens.credential_expiry import credential_ends_at
from graphrelay.oauth.tokens.keeper import KeeperBroke, KeptAccount
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.values import BackendName, VaultPlace

if TYPE_CHECKING:
    from graphrelay.oauth.entra.grants import Grants
    from graphrelay.oauth.tokens.renewal import Renewal
    from graphrelay.oauth.vault.admin import VaultAdmin

OTHER_VERSION = 3
"""The exit status of a process of another version."""
BROKEN = 1
"""Python's, where an exception ended it."""
ENDS_WITHIN = 10.0
"""Seconds, when it has nothing to do."""
ANSWERS_WITHIN = timedelta(minutes=5)
"""One that does not is ended. What it asks of Entra and of the vault has limits of its own."""
_PROGRAM = """import sys
version, sys.path[:] = sys.argv[1], sys.argv[2:]
from graphrelay.daemon.keeper_process import main
main(version)"""

Part = Literal["grants", "renewal", "vault", "keeper"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperSettings:
    """What the process needs to keep authorizations."""

    state_directory: Path
    token_cloud: TokenCloud
    ca_file: Path | None
    proxy_url: str | None = field(repr=False)
    vault_backend: BackendName
    why: str = "configured"
    """Why that backend, where it is not chosen by the machine."""
    is_the_service: bool
    """Whether this process is the service that systemd started."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A method to call, of the part that is concerned with the account."""

    part: Part
    method: str
    account: Account | None = None
    args: tuple[Any, ...] = field(default=(), repr=False)
    kwargs: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Returned:
    """What it returned, and the vault that is open by now."""

    value: Any = field(repr=False)
    place: VaultPlace | None


@dataclass(frozen=True, slots=True)
class VaultFailed:
    """It raised this `VaultFailure`."""

    reason: str
    remedy: str
    passes: bool


@dataclass(frozen=True, slots=True)
class Unable:
    """It could not begin; `reason` is for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broke:
    """It raised another exception, of this type."""

    kind: str


Answer = Returned | VaultFailed | Unable | Broke


class KeeperLost(Exception):  # noqa: N818 (a condition, reported to the admin)
    """There was no answer; the text says why."""


class KeeperApart:
    """A Keeper."""

    def __init__(self, settings: KeeperSettings) -> None:
        self._settings = settings
        self._process: _Process | None = None
        self._place: VaultPlace | None = None

    @property
    def vault(self) -> "VaultAdmin":
        return cast("VaultAdmin", _VaultApart(self))

    def of(self, account: Account) -> KeptAccount:
        return KeptAccount(
            cast("Grants", _GrantsApart(self, account)),
            cast("Renewal", _RenewalApart(self, account)),
        )

    @property
    def place(self) -> VaultPlace | None:
        """The vault, once it has been opened."""
        return self._place

    def ask(self, asked: Asked) -> Any:
        """What the method returns. Raises `KeeperLost`, `KeeperBroke`, `VaultFailure`."""
        try:
            process = self._process = self._running() or _Process(self._settings)
            answer = process.ask(asked)
        except (OSError, EOFError, MemoryError, pickle.UnpicklingError) as error:
            raise KeeperLost(self._lost(error)) from error
        except Exception:
            self.close()  # half a question or half an answer may be left
            raise
        match answer:
            case Returned(value, place):
                self._note(place)
                return value
            case VaultFailed(reason, remedy, passes):
                raise VaultFailure(reason, remedy, passes=passes)
            case Unable(reason):
                raise KeeperLost(reason)
            case Broke(kind):
                raise KeeperBroke(kind)

    def forget(self, account: Account) -> None:
        """What the process has for an account that is not configured any more."""
        if self._running():
            with contextlib.suppress(KeeperLost):  # then it has nothing any more
                self.ask(Asked("keeper", "forget", args=(account,)))

    def rest(self) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            process, self._process = self._process, None
            process.end()

    def _running(self) -> "_Process | None":
        """The process, unless it was killed while it had nothing to do."""
        if self._process is not None and self._process.has_ended:
            self.close()
        return self._process

    def _note(self, place: VaultPlace | None) -> None:
        """The next process takes the same vault: what the machine is may look different by then, as
        when a desktop's keyring does not answer for a moment."""
        if place is not None and place != self._place and place.name != "database":
            self._settings = replace(self._settings, vault_backend=place.name, why=place.why)
            self._place = place

    def _lost(self, error: BaseException) -> str:
        process, self._process = self._process, None
        if process is None:
            what = str(error) or type(error).__name__
            return f"no process could be started to keep the authorizations: {what}"
        if isinstance(error, TimeoutError):
            process.kill()
        status = process.end()
        match error:
            case TimeoutError():
                minutes = ANSWERS_WITHIN // timedelta(minutes=1)
                return f"the process that keeps the authorizations was silent for {minutes} minutes"
            case MemoryError():
                return "no memory is left for what the process that keeps the authorizations says"
        if status == OTHER_VERSION:
            return "graphrelay was upgraded while this relay runs; restart it"
        if status == BROKEN:
            return (
                "the process that keeps the authorizations broke, and the log has its traceback; "
                "if graphrelay or Python was upgraded while this relay runs, restart it"
            )
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return f"the process that keeps the authorizations ended with {how}"


class _Process:
    """One that runs, and answers one question after the other."""

    def __init__(self, settings: KeeperSettings) -> None:
        """Raises `OSError`."""
        command = [sys.executable, "-P", "-c", _PROGRAM, __version__, *sys.path]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # a terminal's ^C is for the relay, also while this one starts
        )
        self._questions = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        self._arriving = select.poll()  # select() has no descriptors beyond 1,023
        self._arriving.register(self._answers, select.POLLIN)
        self._first: tuple[KeeperSettings, ...] = (settings,)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def ask(self, asked: Asked) -> Answer:
        """Raises `OSError`, `EOFError`, `pickle.UnpicklingError`; `TimeoutError` where it gives no
        answer."""
        for one in (*self._first, asked):
            pickle.dump(one, self._questions)
        self._first = ()
        self._questions.flush()
        if not self._arriving.poll(ANSWERS_WITHIN / timedelta(milliseconds=1)):
            raise TimeoutError
        answer: Answer = pickle.load(self._answers)  # noqa: S301 (from ourselves)
        return answer

    def end(self) -> int:
        """Let it end, or end it. Returns its exit status, as `subprocess` has it."""
        with contextlib.suppress(OSError):  # what it was not able to read any more
            self._questions.close()
        try:
            return self._process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()
        finally:
            self._answers.close()

    def kill(self) -> None:
        self._process.kill()


class _Remote:
    """Stands for an object in the process: each method that it does not have is called there."""

    def __init__(self, keeper: KeeperApart, part: Part, account: Account | None = None) -> None:
        self._keeper, self._part, self._account = keeper, part, account

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return self._keeper.ask(Asked(self._part, method, self._account, args, kwargs))
            except KeeperLost as lost:
                return self._without(method, str(lost))

        return call

    def _without(self, method: str, reason: str) -> Any:
        """What a call comes to that has no answer."""
        raise NotImplementedError


class _GrantsApart(_Remote):
    """`Grants`."""

    def __init__(self, keeper: KeeperApart, account: Account) -> None:
        super().__init__(keeper, "grants", account)
        self._of = account

    def close(self) -> None:
        self._keeper.forget(self._of)

    def _without(self, method: str, reason: str) -> Any:
        return {} if method == "last_answer" else EntraUnreachable(reason=reason)


class _RenewalApart(_Remote):
    """`Renewal`."""

    def __init__(self, keeper: KeeperApart, account: Account) -> None:
        super().__init__(keeper, "renewal", account)
        self._of = account

    def credential_ends_at(self) -> datetime | None:
        """No process is needed but to read a certificate."""
        scenario = self._of.scenario
        if isinstance(scenario, Application) and isinstance(scenario.credential, Certificate):
            return cast("datetime | None", self.__getattr__("credential_ends_at")())
        return credential_ends_at(self._of)

    def _without(self, method: str, reason: str) -> Any:
        match method:
            case "refresh":
                return RefreshResult(EntraUnreachable(reason=reason))
            case "credential_ends_at":
                return None
        return VaultProblem(reason=f"{reason}.", remedy="Run it again.", passes=True)


class _VaultApart(_Remote):
    """`VaultAdmin`."""

    def __init__(self, keeper: KeeperApart) -> None:
        super().__init__(keeper, "vault")

    def describe(self) -> str:
        """No process is needed once the vault has been opened."""
        place = self._keeper.place
        return str(place) if place else str(self.__getattr__("describe")())

    def _without(self, method: str, reason: str) -> Any:
        if method == "describe":
            return reason
        raise VaultFailure(f"{reason}.", "Run it again.", passes=True)
