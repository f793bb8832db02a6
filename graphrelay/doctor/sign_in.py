"""Signing in: redirect URIs, and what a token answer says."""

from urllib.parse import urlencode

from graphrelay.doctor.examination import CannotTell, Examination, said
from graphrelay.doctor.finding import AsAssumed, Finding, LeftOut, judged
from graphrelay.graph.http.answer import HttpAnswer
from graphrelay.oauth.scenario import Application

_PORT = 49_152
"""Entra takes any with `http://localhost`; nothing listens there, and no browser goes there."""


async def redirect(of: Examination) -> Finding:
    """Both forms in an authorization request with `prompt=none`, which never shows a page: Entra
    redirects to a valid URI with an error, and never to an invalid one."""
    if isinstance(of.account.scenario, Application):
        return LeftOut("nobody signs in to an application")
    plain, slash = [await _is_valid(of, f"http://localhost:{_PORT}{end}") for end in ("", "/")]
    seen = "both are valid"
    if not (plain and slash):
        seen = f"without a slash {_word(plain)}, with one {_word(slash)}"
    return judged(plain and slash, seen)


def _word(valid: bool) -> str:
    return "valid" if valid else "refused"


async def _is_valid(of: Examination, uri: str) -> bool:
    cloud = of.reach.cloud
    query = {
        "client_id": of.account.client_id,
        "response_type": "code",
        "response_mode": "query",
        "redirect_uri": uri,
        "scope": cloud.scope("Mail.Send"),
        "state": of.run,
        "prompt": "none",
        # RFC 7636 appendix B; no code is ever redeemed
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }
    authority = cloud.authority(of.account.authority_tenant)
    url = f"{authority}/oauth2/v2.0/authorize?{urlencode(query)}"
    answer = await of.bare("GET", url, {"Accept": "text/html"})
    if not isinstance(answer, HttpAnswer) or answer.status >= 500:
        raise CannotTell(f"Entra ID gave no answer: {said(answer)}")
    return answer.headers.get("location", "").startswith(uri.rstrip("/") + "/?")


async def token(of: Examination) -> Finding:
    """As `status` shows it, from a token that Entra has just issued."""
    evidence = of.status.evidence
    if not of.status.is_well or evidence is None:
        reason = getattr(of.status.verdict, "reason", "") or getattr(
            of.status.verdict, "remedy", ""
        )
        return judged(False, f"{of.status.word} {reason}".strip())
    granted = ", ".join(evidence.granted) or "nothing that the token names"
    return judged(True, f"{of.status.word}: {granted}")


async def token_answer(of: Examination) -> Finding:
    """The names in the raw answer, beside what the relay read from it."""
    members = await of.reach.tokens.ask(of.account, lambda grants: grants.last_answer())
    if not members:
        raise CannotTell("what Entra answered last is not known any more; run it again")
    of.record.note(token_answer=dict(members))
    scope = members.get("scope")
    if scope is None:
        return AsAssumed(f"no scope in the answer, which has {', '.join(sorted(members))}")
    names = str(scope).split()
    if not names:
        raise CannotTell("the answer names no scope")
    resource = f"{of.reach.cloud.resource}/"
    others = [name for name in names if "/" in name.removeprefix(resource)]
    shown = ", ".join(others or names)
    return judged(not others, f"{shown}; read as {', '.join(_read(of))}")


def _read(of: Examination) -> tuple[str, ...]:
    return of.status.evidence.granted if of.status.evidence else ()
