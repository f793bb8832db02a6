"""One refresh: from what the vault holds to a token that may be used. Runs in the authorizing
thread, and does not decide when.

    load ──▶ good enough? ──▶ Granted
             else, in turn with other relays:
             load again ──▶ changed meanwhile? ──▶ Granted
                            else ask Entra ──▶ store, if it is still the same ──▶ Granted

An application needs nobody: where the vault holds nothing for its configuration, its credential is
its authorization, unless it was withdrawn by hand.

The vault is read at the start and compared at the end, under its lock. Where another process has
renewed, replaced or deleted the authorization meanwhile, that stands, and the refresh is done once
more from the start. Refresh tokens roll, so where relays share the vault, one at a time renews an
account. An answer that could not be stored is stored before anything else is asked.
"""

from datetime import datetime

from graphrelay.oauth.answers import EntraFailure, RefreshResult, Unauthorized, VaultProblem
from graphrelay.oauth.authorization import (
    AccessToken,
    Approved,
    Authorization,
    Binding,
    SignedIn,
    Unreadable,
    Withdrawn,
    from_text,
    renewed,
    to_text,
    without_refresh_token,
)
from graphrelay.oauth.entra.grants import Grants
from graphrelay.oauth.entra.responses import TokenResponse
from graphrelay.oauth.scenario import Account, Application
from graphrelay.oauth.tokens.cached import granted_of
from graphrelay.oauth.tokens.credential_expiry import credential_ends_at
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.vault import Decision, Keep, Put, Remove, Vault


class _Overtaken(Exception):  # noqa: N818 (a condition, not a programming error)
    """Another process changed the authorization meanwhile."""


class Renewal:
    """Reads, refreshes and writes one account's authorization."""

    def __init__(self, account: Account, binding: Binding, grants: Grants, vault: Vault) -> None:
        self._account = account
        self._binding = binding
        self._grants = grants
        self._vault = vault
        self._unsaved: tuple[str, TokenResponse] | None = None
        """What Entra answered and could not be stored, and the text in the vault to replace."""

    def refresh(
        self,
        unwanted: AccessToken | None,
        beyond: datetime,
        *,
        always: bool = False,
        challenge: str = "",
    ) -> RefreshResult:
        """A token that lasts beyond this moment and is not the unwanted one; with `always`, one
        that Entra issues now. `challenge` is a claims challenge of Graph's (JSON)."""
        try:
            return self._refresh(unwanted, beyond, always, challenge)
        except _Overtaken:
            pass
        except VaultFailure as failure:
            return RefreshResult(failure.problem)
        try:
            return self._refresh(unwanted, beyond, False, challenge)
        except _Overtaken:
            reason = "The authorization keeps being changed by another process."
            return RefreshResult(
                VaultProblem(reason=reason, remedy="Run one graphrelay at a time.")
            )
        except VaultFailure as failure:
            return RefreshResult(failure.problem)

    def load(self) -> "Authorization | Unauthorized | VaultProblem":
        """The authorization in the vault, if it is for this configuration; without its refresh
        token."""
        try:
            found = self._load(self._vault.read(self._account.name))
        except VaultFailure as failure:
            return failure.problem
        return found if isinstance(found, Unauthorized) else without_refresh_token(found)

    def replace(self, authorization: Authorization) -> VaultProblem | None:
        """Store it in place of any other. Until it is stored, the old one is whole."""
        return self._change(Put(to_text(authorization)))

    def revoke(self, now: datetime) -> VaultProblem | None:
        """Remove it. Since the configuration of an application would authorize it again, the vault
        keeps that it was withdrawn."""
        withdrawn = Put(to_text(Withdrawn(withdrawn_at=now)))
        return self._change(withdrawn if self._is_application else Remove())

    def credential_ends_at(self) -> datetime | None:
        """When the application's credential expires, if it is known."""
        return credential_ends_at(self._account)

    def _change(self, decision: Decision) -> VaultProblem | None:
        try:
            self._vault.change(self._account.name, lambda _: decision)
        except VaultFailure as failure:
            return failure.problem
        return None

    def _refresh(
        self, unwanted: AccessToken | None, beyond: datetime, always: bool, challenge: str
    ) -> RefreshResult:
        name = self._account.name
        if self._unsaved is not None:
            with self._vault.turn(name):  # which was kept until now
                self._save()
        text = self._vault.read(name)
        if self._needs_nobody(text):
            return self._approve(text, challenge)
        found = self._load(text)
        if isinstance(found, Unauthorized):
            return RefreshResult(found)
        if not always and found.access.expires_at > beyond and found.access != unwanted:
            return _granted(found)
        with self._vault.turn(name):
            now = self._vault.read(name)
            asks = now == text or bool(challenge)
            answer = self._ask_and_store(now, challenge) if asks else None
        if answer is not None:
            return answer
        if asks:
            raise _Overtaken
        # Another relay renewed or replaced it meanwhile: that is as new as an answer of our own.
        newer = self._load(now)
        return RefreshResult(newer) if isinstance(newer, Unauthorized) else _granted(newer)

    def _ask_and_store(self, text: str | None, challenge: str) -> RefreshResult | None:
        """`None` where another process changed the authorization meanwhile."""
        found = self._load(text)
        if isinstance(found, Unauthorized) or text is None:
            return None
        response = self._ask(found, challenge)
        if not isinstance(response, TokenResponse):
            unchanged = self._vault.read(self._account.name) == text
            return RefreshResult(response) if unchanged else None
        self._unsaved = text, response
        stored = self._save()
        return _granted(stored) if stored else None

    @property
    def _is_application(self) -> bool:
        return isinstance(self._account.scenario, Application)

    def _needs_nobody(self, text: str | None) -> bool:
        """Whether this is an application that the vault holds nothing for, or only what was given
        for another configuration."""
        if not self._is_application or text is None:
            return self._is_application
        try:
            found = from_text(text)
        except Unreadable:
            return False  # of a later version, perhaps that it was withdrawn
        return not isinstance(found, Withdrawn) and found.binding != self._binding

    def _approve(self, text: str | None, challenge: str) -> RefreshResult:
        """The first token of an application."""
        response = self._grants.by_credential(challenge)
        if not isinstance(response, TokenResponse):
            if self._vault.read(self._account.name) != text:
                raise _Overtaken
            return RefreshResult(response)
        approved = Approved(
            authorized_at=response.access.obtained_at,
            authorized_by="the configuration",
            binding=self._binding,
            access=response.access,
        )

        def decide(now: str | None) -> Decision:
            return Put(to_text(approved)) if now == text else Keep()

        if isinstance(self._vault.change(self._account.name, decide), Keep):
            raise _Overtaken
        return _granted(approved)

    def _ask(self, found: Authorization, challenge: str) -> TokenResponse | EntraFailure:
        if isinstance(found, SignedIn):
            return self._grants.refresh(
                found.signed_in.refresh_token, found.access.scopes, challenge
            )
        return self._grants.by_credential(challenge)

    def _save(self) -> Authorization | None:
        """Store what Entra answered, unless the vault holds something else by now. What could not
        be stored stays for the next time."""
        if self._unsaved is None:
            return None
        before, response = self._unsaved
        after = list[Authorization]()

        def decide(now: str | None) -> Decision:
            found = self._load(now)
            if now != before or isinstance(found, Unauthorized):
                return Keep()
            after[:] = [renewed(found, response.access, response.refresh_token)]
            return Put(to_text(after[0]))

        decision = self._vault.change(self._account.name, decide)
        self._unsaved = None
        return after[0] if isinstance(decision, Put) else None

    def _load(self, text: str | None) -> "Authorization | Unauthorized":
        remedy = f"Run: graphrelay authorize {self._account.name}"
        if text is None:
            reason = f"Account {self._account.name!r} has not been authorized."
            return Unauthorized(reason=reason, remedy=remedy)
        try:
            found = from_text(text)
        except Unreadable as problem:
            reason = f"The stored authorization cannot be read: {problem}."
            return Unauthorized(reason=reason, remedy=remedy)
        if isinstance(found, Withdrawn):
            when = found.withdrawn_at.date()
            reason = f"The authorization of account {self._account.name!r} was revoked on {when}."
            return Unauthorized(reason=reason, remedy=remedy)
        if changed := found.binding.differences(self._binding):
            what = ", ".join(changed)
            reason = f"Account {self._account.name!r} was authorized with another {what}."
            return Unauthorized(reason=reason, remedy=remedy)
        return found


def _granted(found: Authorization) -> RefreshResult:
    return RefreshResult(granted_of(found.access), without_refresh_token(found))
