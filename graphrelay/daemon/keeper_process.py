"""What runs in the process that keeps the authorizations (keeper_apart.py)."""

import os
import pickle
import signal
import sys
from dataclasses import replace
from ssl import SSLContext
from typing import Any

from graphrelay import __version__
from graphrelay.clock import Clock, SystemClock
from graphrelay.daemon.keeper_apart import (
    OTHER_VERSION,
    Answer,
    Asked,
    Broke,
    KeeperSettings,
    Returned,
    Unable,
    VaultFailed,
)
from graphrelay.graph.tls import CertificatesUnreadable, client_context
from graphrelay.memory import disable_core_dumps
from graphrelay.oauth.entra.msal_http import Http
from graphrelay.oauth.scenario import Account
from graphrelay.oauth.tokens.keeper import KeptAccount
from graphrelay.oauth.tokens.keeper_here import KeeperHere
from graphrelay.oauth.vault.choice import Surroundings
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.shared import SecretTable, open_shared_vault
from graphrelay.oauth.vault.values import Chosen
from graphrelay.oauth.vault.vault import Vault, open_vault
from graphrelay.threads import NoThread


def keeper_here(settings: KeeperSettings, tls: SSLContext, clock: Clock) -> KeeperHere:
    """With a vault of this host alone. Nothing of it is touched before it is used."""
    here = _surroundings(settings)
    vault = open_vault(settings.state_directory, settings.vault_backend, here, why=settings.why)
    return _keeper(settings, vault, here, tls, clock)


def shared_keeper(
    settings: KeeperSettings, table: SecretTable, tls: SSLContext, clock: Clock
) -> KeeperHere:
    """With the vault that several relays share. Nothing of it is touched before it is used."""
    here = _surroundings(settings)
    vault = open_shared_vault(settings.state_directory, table, here)
    return _keeper(settings, vault, here, tls, clock)


def main(version: str) -> None:
    """Answer what comes by standard input to standard output, until there is nothing more."""
    if version != __version__:
        sys.exit(OTHER_VERSION)
    disable_core_dumps()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the relay ends it, when it needs nothing more
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints is no answer
    questions = sys.stdin.buffer
    try:
        desk = _Desk(pickle.load(questions))  # noqa: S301 (from ourselves)
        while True:
            pickle.dump(desk.answer(pickle.load(questions)), answers)  # noqa: S301
            answers.flush()
    except (EOFError, BrokenPipeError):  # the relay has ended it, or has ended
        os._exit(0)  # without a traceback about what nobody reads any more


def _surroundings(settings: KeeperSettings) -> Surroundings:
    here = Surroundings.of_this_process(settings.state_directory)
    return replace(here, is_the_service=settings.is_the_service)


def _keeper(
    settings: KeeperSettings, vault: Vault, here: Surroundings, tls: SSLContext, clock: Clock
) -> KeeperHere:
    def another(backend: Chosen) -> Vault:
        return open_vault(settings.state_directory, backend, here, why="moved there")

    return KeeperHere(settings.token_cloud, vault, Http(tls, settings.proxy_url), clock, another)


class _Desk:
    """Answers, one after the other."""

    def __init__(self, settings: KeeperSettings) -> None:
        self._settings = settings
        self._keeper: KeeperHere | None = None
        self._kept: dict[Account, KeptAccount] = {}

    def answer(self, asked: Asked) -> Answer:
        try:
            keeper = self._keeper = self._keeper or self._opened()
            value = self._called(keeper, asked)
        except VaultFailure as failure:
            return VaultFailed(failure.reason, failure.remedy, failure.passes)
        except (CertificatesUnreadable, NoThread) as error:
            return Unable(str(error))
        except MemoryError:
            return Unable("no memory is left for the process that keeps the authorizations")
        except Exception as error:  # for the caller; its text may quote a secret
            return Broke(type(error).__name__)
        return Returned(value, keeper.vault.chosen())

    def _opened(self) -> KeeperHere:
        return keeper_here(self._settings, client_context(self._settings.ca_file), SystemClock())

    def _called(self, keeper: KeeperHere, asked: Asked) -> Any:
        on: Any
        match asked.part, asked.account:
            case "grants", Account() as account:
                on = self._of(keeper, account).grants
            case "renewal", Account() as account:
                on = self._of(keeper, account).renewal
            case "vault", _:
                on = keeper.vault
            case _:
                on = self
        return getattr(on, asked.method)(*asked.args, **asked.kwargs)

    def _of(self, keeper: KeeperHere, account: Account) -> KeptAccount:
        if account not in self._kept:
            self._kept[account] = keeper.of(account)
        return self._kept[account]

    def forget(self, account: Account) -> None:
        if account in self._kept:
            self._kept.pop(account).grants.close()
