"""Where faults strike, how often, and how they are sent as JSON."""

import asyncio
import dataclasses
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.sandbox.entra import EntraError
from graphrelay.sandbox.faults import (
    KINDS,
    Answer,
    BadFaultError,
    CutAfter,
    CutBefore,
    Delay,
    ExtraHeaders,
    Fault,
    Faults,
    Stall,
    from_json,
    to_json,
)


def strokes(faults: Faults, requests: int, path: str = "/v1.0/me/sendMail") -> list[bool]:
    return [faults.take(CutAfter, method="POST", path=path) is not None for _ in range(requests)]


def test_a_fault_strikes_until_it_is_switched_off() -> None:
    faults = Faults()
    cut = CutAfter()
    faults.on(cut)
    assert strokes(faults, 3) == [True, True, True]
    faults.off(cut)
    assert strokes(faults, 1) == [False]


def test_a_fault_strikes_as_often_as_it_says() -> None:
    faults = Faults()
    faults.on(CutAfter(times=2))
    assert strokes(faults, 4) == [True, True, False, False]
    assert faults.active() == ()


def test_a_fault_may_strike_at_each_nth_request() -> None:
    faults = Faults()
    faults.on(CutAfter(every=3, times=2))
    assert strokes(faults, 9) == [False, False, True, False, False, True, False, False, False]


def test_only_requests_that_match_count() -> None:
    faults = Faults()
    faults.on(CutAfter(path="/v1.0/me/", method="POST", every=2))
    assert strokes(faults, 1) == [False]
    assert strokes(faults, 3, path="/v1.0/users/x/sendMail") == [False] * 3
    assert faults.take(CutAfter, method="GET", path="/v1.0/me/messages") is None
    assert strokes(faults, 1) == [True]


@pytest.mark.parametrize(
    ("part", "path", "strikes"),
    [
        ("graph", "/v1.0/me/sendMail", True),
        ("graph", "/common/oauth2/v2.0/token", False),
        ("entra", "/common/oauth2/v2.0/token", True),
        ("imds", "/metadata/identity/oauth2/token", True),
        ("entra", "/metadata/identity/oauth2/token", False),
        ("", "/anything", True),
    ],
)
def test_a_fault_may_be_limited_to_a_part_of_the_cloud(part: str, path: str, strikes: bool) -> None:
    faults = Faults()
    faults.on(CutAfter(part=part))
    assert strokes(faults, 1, path) == [strikes]


def test_a_mailbox_is_known_by_all_its_names() -> None:
    faults = Faults()
    faults.on(CutAfter(mailbox="Info@Contoso.com"))
    assert faults.take(CutAfter, mailbox=("oid", "info@contoso.com"))
    assert not faults.take(CutAfter, mailbox=("wp@contoso.com",))
    assert not faults.take(CutAfter)


def test_kinds_do_not_disturb_each_other() -> None:
    faults = Faults()
    faults.on(CutAfter(times=1), CutBefore(times=1))
    assert faults.take(CutBefore)
    assert faults.take(CutAfter)
    assert not faults


def test_a_kind_decides_by_its_own_fields_before_it_counts() -> None:
    faults = Faults()
    faults.on(EntraError(aadsts=90033, times=1))
    assert faults.take(EntraError, where=lambda fault: fault.aadsts == 1) is None
    assert faults.take(EntraError, where=lambda fault: fault.aadsts == 90033)


async def test_who_stalls_goes_on_when_the_fault_is_off() -> None:
    faults = Faults()
    stall, other = Stall(), CutAfter()
    faults.on(stall, other)
    waiting = asyncio.ensure_future(faults.while_on(stall))
    faults.off(other)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    faults.clear()
    await waiting


# JSON --------------------------------------------------------------------------------------------

common = {
    "times": st.none() | st.integers(0, 9),
    "every": st.integers(1, 9),
    "method": st.sampled_from(["", "POST"]),
    "path": st.text(max_size=9),
    "part": st.sampled_from(["", "entra", "graph"]),
    "mailbox": st.text(max_size=9),
}
headers = st.lists(st.tuples(st.text(), st.text()), max_size=3).map(tuple)


@given(
    st.builds(CutAfter, **common)
    | st.builds(Delay, seconds=st.floats(0, 9), **common)
    | st.builds(ExtraHeaders, headers=headers, **common)
    | st.builds(Answer, status=st.integers(200, 599), body=st.text(), headers=headers, **common)
    | st.builds(EntraError, aadsts=st.integers(0, 999_999_999), suberror=st.text(), **common)
)
def test_a_fault_goes_to_json_and_back(fault: Fault) -> None:
    assert from_json(json.loads(json.dumps(to_json(fault)))) == fault


def test_only_what_differs_is_written() -> None:
    assert to_json(Answer(status=503, times=2)) == {"kind": "answer", "status": 503, "times": 2}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_known_by_its_name(kind: str) -> None:
    with pytest.raises(BadFaultError, match=kind):
        from_json({"kind": kind, "no-such-field": 1})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("cut-after", "a fault is an object"),
        ({}, "kind: one of answer"),
        ({"kind": "nonsense"}, "kind: one of answer"),
        ({"kind": "cut-after", "colour": "red"}, "cut-after has no colour; it has"),
        ({"kind": "delay"}, "delay: .*seconds"),
        ({"kind": "delay", "seconds": "long"}, "seconds: 'long' is not float"),
        ({"kind": "cut-after", "times": True}, "times: True is not"),
        ({"kind": "extra-headers", "headers": [["only-a-name"]]}, "headers: "),
        ({"kind": "extra-headers", "headers": 1}, "headers: 1 is not"),
    ],
)
def test_what_is_no_fault_is_reported_why(value: object, message: str) -> None:
    with pytest.raises(BadFaultError, match=message):
        from_json(value)


PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"
ROW = re.compile(r"^\| `([\w-]+)` \|([^|]*)\|", re.MULTILINE)


def test_the_page_has_every_kind_with_its_fields_and_no_other() -> None:
    page = PAGE.read_text("utf-8").split("## Faults")[1]
    common, *tables = page.split("\n### ")
    everywhere = {field.name for field in dataclasses.fields(Fault)}
    assert {name for name, _ in ROW.findall(common)} == everywhere
    written = {
        kind: set(re.findall(r"`(\w+)`", fields))
        for table in tables
        for kind, fields in ROW.findall(table)
    }
    assert written == {
        kind: {field.name for field in dataclasses.fields(cls)} - everywhere
        for kind, cls in KINDS.items()
    }


def test_a_fault_that_the_page_shows_is_one() -> None:
    (shown,) = re.findall(r"'(\{\"faults\": \[\{.*?\}\]\})'", PAGE.read_text("utf-8"))
    (fault,) = json.loads(shown)["faults"]
    assert to_json(from_json(fault)) | fault == to_json(from_json(fault))
