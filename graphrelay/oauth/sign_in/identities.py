"""Who a person is, by signing in with Microsoft in the tenant of an account.

    begin ─▶ url ─▶ user signs in ─▶ redirect ─▶ identify ─▶ Person

What is always true here: a `Person` is a user of exactly the account's tenant (`tid`), named by the
object id (`oid`), by an ID token for the account's application (`aud`). A user name can be given to
somebody else, and users of other tenants may have any; tenant and object id together never change
their meaning (https://learn.microsoft.com/entra/identity-platform/claims-validation). Nothing is
stored, and no permission is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from graphrelay.oauth.answers import EntraUnreachable, TokenRefused
from graphrelay.oauth.entra.responses import CodeRequest, Identity
from graphrelay.oauth.scenario import Account
from graphrelay.oauth.sign_in.authorizer import username_of
from graphrelay.oauth.tokens.manager import TokenManager


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the account's tenant."""

    object_id: str
    """In lower case."""
    username: str
    """The user principal name at this moment."""


@dataclass(frozen=True, slots=True)
class Unidentified:
    """Nobody is known; `reason` is a sentence."""

    reason: str


class Identities:
    """Signs people in by the app registrations of the configured accounts."""

    def __init__(self, tokens: TokenManager) -> None:
        self._tokens = tokens

    async def begin(self, account: str, redirect_uri: str) -> CodeRequest | Unidentified:
        """Where to send the browser, which comes back to `redirect_uri`."""
        found = self._found(account)
        if found is None:
            return _gone(account)
        request = await self._tokens.ask(found, lambda of: of.begin_identity(redirect_uri))
        return request if isinstance(request, CodeRequest) else _failed(request)

    async def identify(
        self, account: str, request: CodeRequest, answer: Mapping[str, str]
    ) -> Person | Unidentified:
        """Who has signed in. The caller has compared the `state` of the answer."""
        found = self._found(account)
        if found is None:
            return _gone(account)
        if not answer.get("code"):
            return Unidentified(f"Microsoft answered: {answer.get('error') or 'nothing'}")
        identity = await self._tokens.ask(found, lambda of: of.identify(request, answer))
        return _person(found, identity) if isinstance(identity, Identity) else _failed(identity)

    def _found(self, account: str) -> Account | None:
        return next((one for one in self._tokens.accounts if one.name == account), None)


def _person(account: Account, identity: Identity) -> Person | Unidentified:
    claims = identity.claims
    if claims.get("aud") != account.client_id:
        return Unidentified("The ID token was issued to another application.")
    tenant = str(claims.get("tid") or "").lower()
    if not tenant or tenant != identity.tenant_id:
        return Unidentified(f"The ID token is of another tenant ({tenant or 'none is named'}).")
    object_id = str(claims.get("oid") or "").lower()
    if not object_id:
        return Unidentified("The ID token names no object id.")
    return Person(object_id, username_of(claims))


def _failed(failure: TokenRefused | EntraUnreachable) -> Unidentified:
    match failure:
        case TokenRefused(description=description, error=error):
            return Unidentified(f"Microsoft refused: {description or error}")
        case EntraUnreachable(reason=reason):
            return Unidentified(reason)


def _gone(account: str) -> Unidentified:
    return Unidentified(f'No account is named "{account}" any more.')
