"""The vault: whatever the backend is, one thread talks to it, with a time limit.

Its methods block, and are called from the authorizing thread, never from the event loop. `change`
is the only way to write: it reads, lets the caller decide, and writes, under a lock between
processes, so that a newer secret is never overwritten with an older one. Where several hosts share
the store, it compares instead: if another one has written meanwhile, it begins anew.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, KeyringLocked, PasswordDeleteError

from graphrelay.oauth.vault.choice import Choice, Surroundings, choose
from graphrelay.oauth.vault.lock import locked
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.sealed import Overtaken, SealedSecrets
from graphrelay.oauth.vault.values import SERVICE, BackendName, VaultPlace
from graphrelay.threads import Worker

T = TypeVar("T")
KEY_CHECK = "graphrelay key"
"""The service of the secret by which a shared vault recognizes its key."""
TRIES = 5
"""How often a change is tried that another relay gets ahead of."""


@dataclass(frozen=True, slots=True)
class Put:
    """Store this in place of any other."""

    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete it."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave it as it is."""


Decision = Put | Remove | Keep


class Vault:
    """Named secrets. Every method raises `VaultFailure` and nothing else."""

    def __init__(
        self,
        choice: Callable[[], Choice],
        lock_file: Path,
        timeout: timedelta = timedelta(seconds=20),
    ) -> None:
        self._choice = choice
        self._chosen: Choice | None = None
        self._lock_file = lock_file
        self._timeout = timeout
        self._worker = Worker("vault")

    def read(self, name: str) -> str | None:
        """The secret, or `None` where there is none."""
        return self._do(lambda backend: backend.get_password(SERVICE, name))

    def change(self, name: str, decide: Callable[[str | None], Decision]) -> Decision:
        """Read, decide and write as one step. Returns the decision."""

        def work(backend: KeyringBackend) -> Decision:
            with locked(self._lock_file):
                for _ in range(TRIES):
                    try:
                        decision = decide(backend.get_password(SERVICE, name))
                        _apply(backend, name, decision)
                    except Overtaken:
                        continue
                    return decision
            raise VaultFailure(
                f"Secret {name!r} is changed by other relays all the time.", "Try it again."
            )

        return self._do(work)

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """While it lasts, no other relay that shares the vault is in its own turn for the secret.
        For a limited time: who holds it must compare before it writes, as `change` does. Waits in
        the caller's thread."""
        backend = self._do(lambda backend: backend)
        if isinstance(backend, SealedSecrets):
            with backend.store.turn(SERVICE, name):
                yield
        else:
            yield

    def names(self, configured: Iterable[str] = ()) -> tuple[str, ...]:
        """The names of the secrets. A desktop keyring is only asked for those of `configured`."""

        def work(backend: KeyringBackend) -> tuple[str, ...]:
            if isinstance(backend, SealedSecrets):
                return tuple(backend.names(SERVICE))
            wanted = sorted(set(configured))
            return tuple(n for n in wanted if backend.get_password(SERVICE, n) is not None)

        return self._do(work)

    def rotate(self) -> int:
        """Change the key of the encrypted secrets. Returns the number of secrets."""

        def work(backend: KeyringBackend) -> int:
            if not isinstance(backend, SealedSecrets):
                raise VaultFailure(
                    "This keyring has a key of its own, which graphrelay cannot change.",
                    "Change the password of the keyring instead.",
                )
            with locked(self._lock_file):
                try:
                    return backend.rotate(SERVICE, KEY_CHECK)
                except Overtaken as problem:
                    raise VaultFailure(
                        "Another relay changed a secret meanwhile; both keys are still needed.",
                        "Run it again.",
                    ) from problem

        return self._do(work)

    def place(self) -> VaultPlace:
        """Which backend is used, and why."""
        return self._do(lambda _: self._opened().place)

    def chosen(self) -> VaultPlace | None:
        """The same, if one has been opened. Asks nothing."""
        return self._chosen.place if self._chosen else None

    def become(self, other: "Vault") -> "Vault":
        """Become what `other` is. Returns what this was, to be closed."""
        there = other._do(lambda _: other._opened())
        here = self._do(lambda _: self._opened())

        def work(_: KeyringBackend) -> None:
            self._chosen, self._choice = there, lambda: there

        self._do(work)
        return Vault(lambda: here, self._lock_file, self._timeout)

    def describe(self) -> str:
        """Which backend, and why; or what is wrong with it."""
        try:
            return str(self.place())
        except VaultFailure as failure:
            return failure.reason

    def close(self) -> None:
        """End the thread."""
        self._worker.close()

    def _do(self, work: Callable[[KeyringBackend], T]) -> T:
        try:
            return self._worker.call(lambda: self._translated(work), self._timeout)
        except TimeoutError as problem:
            seconds = round(self._timeout.total_seconds())
            raise VaultFailure(
                f"The vault did not answer within {seconds} s; it may be waiting for a password.",
                "Unlock the keyring, or use encrypted files "
                '(backend = "file" in the [vault] section).',
            ) from problem

    def _opened(self) -> Choice:
        """In the vault's thread."""
        if self._chosen is None:
            self._chosen = self._choice()
        return self._chosen

    def _translated(self, work: Callable[[KeyringBackend], T]) -> T:
        """In the vault's thread: keyring's exceptions end here."""
        try:
            return work(self._opened().backend)
        except KeyringLocked as problem:
            raise VaultFailure(
                "The keyring is locked.",
                "Unlock it in the desktop session of the user that graphrelay runs as, "
                'or set backend = "file" in the [vault] section.',
            ) from problem
        except VaultFailure:
            raise
        except Exception as problem:  # Backends raise what they like (D-Bus, ctypes).
            raise _backend_failure(problem) from problem


def _backend_failure(problem: Exception) -> VaultFailure:
    text = str(problem) if isinstance(problem, KeyringError) else type(problem).__name__
    return VaultFailure(
        f"The keyring failed: {text}",
        'Check that it works for the user that graphrelay runs as, or set backend = "file" '
        "in the [vault] section.",
    )


def _apply(backend: KeyringBackend, name: str, decision: Decision) -> None:
    match decision:
        case Put(secret):
            backend.set_password(SERVICE, name, secret)
        case Remove():
            try:
                backend.delete_password(SERVICE, name)
            except PasswordDeleteError:
                if backend.get_password(SERVICE, name) is not None:
                    raise
        case Keep():
            pass


def open_vault(
    state_directory: Path,
    backend: BackendName = "auto",
    around: Surroundings | None = None,
    timeout: timedelta = timedelta(seconds=20),
    why: str = "configured",
) -> Vault:
    """A vault for the relay with this state directory. Nothing is touched before it is used.
    `status` gives `why` as the reason for a backend that `auto` did not choose."""
    here = around or Surroundings.of_this_process(state_directory)
    return Vault(lambda: choose(backend, here, why), state_directory / "vault.lock", timeout)
