import json
from datetime import UTC, datetime

from graphrelay.sandbox.entra.errors import Refused, error_answer

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def body_of(refused: Refused) -> dict[str, object]:
    answer = error_answer(refused, "https://localhost:1", NOW, "correlation")
    assert isinstance(answer.text, str)
    body: dict[str, object] = json.loads(answer.text)
    return body


def test_places_are_filled_in() -> None:
    description = str(body_of(Refused(700016, app="a-1", tenant="Contoso"))["error_description"])
    assert "identifier 'a-1' was not found in the directory 'Contoso'" in description


def test_suberror_and_claims_stand_there_only_where_they_mean_something() -> None:
    assert "suberror" not in body_of(Refused(70000))
    assert body_of(Refused(65001))["suberror"] == "consent_required"
    assert "claims" not in body_of(Refused(65001))
    assert json.loads(str(body_of(Refused(50076))["claims"])).keys() == {"access_token"}
