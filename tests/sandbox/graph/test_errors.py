import json
from datetime import UTC, datetime

from graphrelay.sandbox.graph.errors import GraphError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_status_and_text_come_from_the_catalogue() -> None:
    error = GraphError("ErrorSendAsDenied")
    assert error.status == 403
    assert error.text is not None
    assert error.text.endswith(", Cannot submit message.")


def test_an_unknown_code_is_a_bad_request_of_that_name() -> None:
    assert (GraphError("ErrorNew").status, GraphError("ErrorNew").text) == (400, "ErrorNew")


def test_429_has_the_documents_inner_error() -> None:
    body = json.loads(GraphError("TooManyRequests").body("r", "c", NOW))
    assert body == {
        "error": {
            "code": "TooManyRequests",
            "message": "Please retry again later.",
            "innerError": {
                "code": "429",
                "date": "2026-11-23T12:00:00",
                "message": "Please retry after",
                "request-id": "r",
                "client-request-id": "c",
                "status": "429",
            },
        }
    }
