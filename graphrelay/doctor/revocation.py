"""The answers to a revoked session. The user revokes it; the account needs `authorize`
afterwards."""

from datetime import timedelta

from graphrelay.doctor.examination import Examination
from graphrelay.doctor.finding import Different, Finding, LeftOut, judged
from graphrelay.graph.http.answer import HttpAnswer, claims_challenge
from graphrelay.oauth.answers import TokenRefused
from graphrelay.oauth.scenario import Application

PATIENCE = timedelta(minutes=15)
"""Microsoft's limit for an event to reach Graph
(https://learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation)."""
LOOK_EVERY = timedelta(seconds=15)
GIVEN = "revoked"
"""The question that the person answers when it is done."""


async def revoked(of: Examination) -> Finding:
    """The token that is in use, and then the refresh token."""
    if isinstance(of.account.scenario, Application):
        return LeftOut("an application has no session")
    if not of.wish.revoke or of.put_question is None:
        return LeftOut("only with --revoke")
    token = await of.token()
    if (await of.put_question(GIVEN)).lower() != "yes":
        return LeftOut("nothing was revoked")
    answer = await _refused(of, token)
    status = await of.reach.tokens.status(of.account.name)
    verdict = status.verdict
    error = verdict.error if isinstance(verdict, TokenRefused) else status.word
    if answer is None:
        return Different(f"the old token still works after 15 minutes; Entra: {error}")
    challenged = claims_challenge(answer.headers) is not None
    lines = answer.headers.get("www-authenticate", "").lower().count("realm=")
    seen = (
        f"Graph: HTTP {answer.status}, {'with' if challenged else 'without'} a claims challenge"
        f"{f' in one of {lines} challenges' if lines > 1 else ''}; Entra: {error}"
    )
    return judged(challenged and error == "invalid_grant", seen)


async def _refused(of: Examination, token: str) -> HttpAnswer | None:
    """Graph's first 401 to this token."""
    url = f"{of.reach.graph_url}/v1.0{of.box}/mailFolders/inbox"
    until = of.clock.monotonic() + PATIENCE
    while True:
        answer = await of.bare("GET", url, {"Authorization": f"Bearer {token}"})
        if isinstance(answer, HttpAnswer) and answer.status == 401:
            return answer
        if of.clock.monotonic() >= until:
            return None
        await of.clock.sleep(LOOK_EVERY)
