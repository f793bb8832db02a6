"""Values survive storage, and new code reads old text."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.model import (
    Address,
    Answer,
    Delayed,
    Envelope,
    Failed,
    Lane,
    Origin,
    Outcome,
    Paused,
    Plan,
    Relayed,
    Trouble,
    Uncertain,
)
from graphrelay.spool.codec import Codec, microseconds, moment
from graphrelay.spool.sqlite.database.text import restored, storable

text = st.text(st.characters(), max_size=20)
"""Lone surrogates among it: octets that were no UTF-8."""
spans = st.timedeltas(timedelta(0), timedelta(days=9000))
answers = st.builds(
    Answer,
    http_status=st.none() | st.integers(100, 599),
    code=text,
    message=text,
    request_id=text,
    client_request_id=text,
)
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Relayed, answer=answers),
    st.builds(Delayed, status=text, reason=text, retry_after=st.none() | spans, answer=answers),
    st.builds(Failed, status=text, reason=text, answer=answers),
    st.builds(Uncertain, reason=text, retry_after=st.none() | spans, answer=answers),
    st.builds(
        Paused,
        trouble=st.sampled_from(Trouble),
        status=text,
        reason=text,
        remedy=text,
        retry_after=st.none() | spans,
        answer=answers,
    ),
)
addresses = st.builds(Address, text, text)
envelopes = st.builds(Envelope, st.none() | addresses, st.lists(addresses, max_size=4).map(tuple))


@given(outcomes)
def test_every_outcome_comes_back_the_same(outcome: Outcome) -> None:
    codec: Codec[Outcome] = Codec(Outcome)
    assert codec.value(codec.text(outcome)) == outcome


@given(envelopes)
def test_every_envelope_comes_back_the_same(envelope: Envelope) -> None:
    codec: Codec[Envelope] = Codec(Envelope)
    assert codec.value(codec.text(envelope)) == envelope


@given(envelopes)
def test_what_is_kept_is_ascii_whatever_is_in_it(envelope: Envelope) -> None:
    assert Codec[Envelope](Envelope).text(envelope).isascii()


def test_a_plan_and_an_origin_come_back_the_same() -> None:
    plan = Plan(route="r", lane=Lane("a", "m"), from_address="x@y", content="json")
    origin = Origin(listener="l", client="c", helo="h", login=None, tls="TLSv1.3")
    assert Codec[Plan](Plan).value(Codec[Plan](Plan).text(plan)) == plan
    assert Codec[Origin](Origin).value(Codec[Origin](Origin).text(origin)) == origin


@given(text)
def test_text_that_is_no_utf_8_comes_back_from_a_column(words: str) -> None:
    assert restored(storable(words)) == words


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1990, 1, 1)))  # noqa: DTZ001
def test_moments_are_whole_microseconds(when: datetime) -> None:
    assert moment(microseconds(when)) == when


@dataclass(frozen=True, slots=True)
class Old:
    name: str
    gone: int = 0


@dataclass(frozen=True, slots=True)
class New:
    name: str
    added: Literal["a", "b"] = "a"
    several: tuple[str, ...] = field(default_factory=tuple)


def test_fields_that_went_are_ignored_and_new_ones_take_their_default() -> None:
    assert Codec[New](New).value(Codec[Old](Old).text(Old("x", 3))) == New("x", "a", ())


@pytest.mark.parametrize(
    "broken",
    [
        "{}",
        '{"name":3}',
        '{"name":null}',
        '{"name":"x","added":"c"}',
        '{"name":"x","several":3}',
        "[]",
        "null",
        "",
        '{"name":',
    ],
)
def test_what_gives_no_whole_value_is_an_error(broken: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Codec[New](New).value(broken)


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="Vanished"):
        Codec[Outcome](Outcome).value('{"kind":"Vanished"}')


@dataclass(frozen=True, slots=True)
class Odd:
    members: set[str]


@pytest.mark.parametrize("annotation", [Odd, set[str], dict[str, str], int | str, object])
def test_an_annotation_that_cannot_be_kept_is_refused_at_once(annotation: Any) -> None:
    with pytest.raises(TypeError, match="no codec"):
        Codec[Any](annotation)


def test_what_the_sender_asked_for_is_read_under_its_earlier_names() -> None:
    """DSN requests (RFC 3461) of mail that an earlier version accepted are still honoured."""
    written = (
        '{"reverse_path":["a","b.example"],"forward_paths":[["c","d.example"]],'
        '"envelope_id":"id","returned":"HDRS",'
        '"asked":[{"path":["c","d.example"],"notify":["NEVER"],"original":""}]}'
    )
    envelope: Envelope = Codec[Envelope](Envelope).value(written)
    assert envelope.ret == "HDRS"
    assert [one.notify for one in envelope.dsn_requests] == [("NEVER",)]
