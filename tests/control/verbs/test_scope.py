"""What follows from what Graph answers about a mailbox outside a scope."""

import json
from email import message_from_bytes

import pytest

from graphrelay.control.verbs.scope import WITHOUT_RECIPIENTS, ProbeAnswer, Reach, proof, reach_of
from graphrelay.graph.http.answer import HttpAnswer
from graphrelay.graph.session import GraphReply
from graphrelay.model import Delayed, Uncertain
from graphrelay.oauth.scenario import Account, ClientSecret, ScopedUsers, SecretText

ACCOUNT = Account(
    "alerts",
    "contoso.com",
    "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d",
    ScopedUsers(ClientSecret(SecretText("s"))),
    ("info@contoso.com",),
)


def answer(status: int, code: str = "") -> HttpAnswer:
    body = json.dumps({"error": {"code": code, "message": "whatever"}}) if code else ""
    return HttpAnswer(status, {}, body.encode())


def test_the_message_names_nobody_who_could_receive_it() -> None:
    message = message_from_bytes(WITHOUT_RECIPIENTS)
    for name in ("To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"):
        assert message[name] is None
    assert b"@" not in WITHOUT_RECIPIENTS


@pytest.mark.parametrize(
    ("status", "code", "reach"),
    [
        (403, "ErrorAccessDenied", Reach.DENIED),
        (403, "ErrorSendAsDenied", Reach.REACHED),
        (403, "SomethingNew", Reach.UNCLEAR),
        (403, "", Reach.UNCLEAR),  # a proxy's, perhaps
        (400, "ErrorInvalidRecipients", Reach.REACHED),
        (400, "SomethingNew", Reach.REACHED),
        (400, "", Reach.UNCLEAR),
        (202, "", Reach.REACHED),
        (404, "ErrorInvalidUser", Reach.NOBODY),
        (404, "", Reach.UNCLEAR),
        (401, "InvalidAuthenticationToken", Reach.UNCLEAR),
        (429, "ApplicationThrottled", Reach.UNCLEAR),
        (500, "ErrorInternalServerError", Reach.UNCLEAR),
        (503, "", Reach.UNCLEAR),
    ],
)
def test_an_answer_means_how_far_the_request_came(status: int, code: str, reach: Reach) -> None:
    reply = GraphReply(Delayed(status="4.3.0", reason="does not matter here"), answer(status, code))
    found = reach_of("a@contoso.com", reply)
    assert found == ProbeAnswer("a@contoso.com", reach, f"HTTP {status} {code}".strip())


@pytest.mark.parametrize(
    "outcome", [Delayed(status="4.4.1", reason="unreachable"), Uncertain(reason="cut")]
)
def test_no_answer_is_none(outcome: Delayed | Uncertain) -> None:
    found = reach_of("a@contoso.com", GraphReply(outcome))
    assert found == ProbeAnswer("a@contoso.com", Reach.UNCLEAR, outcome.reason)


@pytest.mark.parametrize("outside", Reach)
@pytest.mark.parametrize("inside", [*Reach, None])
def test_only_a_refusal_that_others_do_not_get_is_a_proof(
    outside: Reach, inside: Reach | None
) -> None:
    found = proof(
        ACCOUNT,
        ProbeAnswer("a@contoso.com", outside, "HTTP"),
        ProbeAnswer("info@contoso.com", inside, "HTTP") if inside else None,
    )
    assert found.holds is (outside is Reach.DENIED and inside in (Reach.REACHED, None))
    assert found.reason
    assert bool(found.remedy) is not found.holds
