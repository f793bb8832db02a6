"""What a look into the mailbox proves, and what it does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.graph.drafts import Copy
from graphrelay.model import Attempt, DraftProgress, Outcome, Queued, Uncertain
from graphrelay.relay.policy.settle import (
    AlreadySent,
    Doubt,
    NotThere,
    StillDraft,
    Unclear,
    doubt_in,
    judge,
    judge_draft,
)
from graphrelay.spool.values import MessageHistory, PartHistory
from tests.relay.delivery import BUSY, LOST, RELAYED, submission

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OURS = submission(1)


def copy(
    *recipients: str, draft: bool = False, age: timedelta = timedelta(0), name: str = "id"
) -> Copy:
    people = frozenset(recipients or ("a@example.org",))
    return Copy(id=name, is_draft=draft, created_at=NOW - age, recipients=people)


def test_a_sent_copy_to_the_same_people_settles_it() -> None:
    assert judge([copy()], OURS, NOW) == AlreadySent()
    assert judge([copy(draft=True), copy()], OURS, NOW) == AlreadySent()


def test_nothing_there_settles_it_the_other_way() -> None:
    assert judge([], OURS, NOW) == NotThere()


def test_the_newest_draft_counts() -> None:
    old, new = copy(draft=True, age=MINUTE, name="old"), copy(draft=True, name="new")
    assert judge([new, old], OURS, NOW) == StillDraft(new)


@pytest.mark.parametrize("others", [("b@example.org",), ("a@example.org", "b@example.org"), ("",)])
def test_a_copy_for_other_people_proves_nothing(others: tuple[str, ...]) -> None:
    assert isinstance(judge([copy(*others)], OURS, NOW), Unclear)


DRAFTED = replace(OURS, draft=DraftProgress(id="draft", created_at=NOW))


def test_after_our_draft_a_sent_copy_is_ours_whoever_it_names() -> None:
    other = copy("primary@example.org")
    assert judge([other], DRAFTED, NOW, alone=True) == AlreadySent()
    assert isinstance(judge([other], DRAFTED, NOW, alone=False), Unclear)
    assert isinstance(judge([other], OURS, NOW, alone=True), Unclear)
    before = copy("primary@example.org", age=MINUTE)
    assert isinstance(judge([before], DRAFTED, NOW, alone=True), Unclear)
    still = copy("primary@example.org", draft=True)
    assert isinstance(judge([still], DRAFTED, NOW, alone=True), Unclear)


def test_an_older_message_with_the_same_id_is_another_one() -> None:
    assert judge([copy(age=timedelta(hours=1))], OURS, NOW) == NotThere()


def test_clocks_may_differ_a_little() -> None:
    assert judge([copy(age=4 * MINUTE)], OURS, NOW) == AlreadySent()


def test_a_draft_known_by_its_id_needs_no_further_proof() -> None:
    one = copy("someone@else.example", draft=True, age=timedelta(days=9))
    assert judge_draft([one]) == StillDraft(one)
    assert judge_draft([copy("someone@else.example")]) == AlreadySent()
    assert judge_draft([]) == NotThere()


@given(
    st.lists(
        st.builds(
            copy,
            st.sampled_from(["a@example.org", "b@example.org"]),
            draft=st.booleans(),
            age=st.timedeltas(-MINUTE, timedelta(hours=1)),
        )
    )
)
def test_nothing_is_called_sent_without_a_copy_of_ours_that_is_no_draft(copies: list[Copy]) -> None:
    if judge(copies, OURS, NOW) == AlreadySent():
        assert any(one.recipients == {"a@example.org"} and not one.is_draft for one in copies)


# The history ---------------------------------------------------------------------------------


def history(*outcomes: Outcome, number: int = 1) -> MessageHistory:
    attempts = tuple(
        Attempt(
            number=n,
            started_at=NOW + n * MINUTE,
            finished_at=NOW + n * MINUTE,
            outcome=outcome,
        )
        for n, outcome in enumerate(outcomes)
    )
    part = PartHistory(
        submission_id=number,
        queue_id="Q1",
        recipients=OURS.envelope.forward_paths,
        plan=OURS.plan,
        state=Queued(NOW),
        done_at=None,
        in_flight=None,
        history=attempts,
    )
    return MessageHistory(
        queue_id="Q1",
        received_at=NOW,
        sender=None,
        origin=OURS.origin,
        message_id="<1@contoso.com>",
        subject="",
        size=1,
        octets_kept=True,
        parts=(part,),
    )


def test_without_an_uncertain_attempt_there_is_no_doubt() -> None:
    assert doubt_in(history(BUSY, BUSY), 1) is None
    assert doubt_in(history(), 1) is None
    assert doubt_in(None, 1) is None


def test_the_doubt_of_another_part_is_none_of_this_one() -> None:
    assert doubt_in(history(LOST), 2) is None


def test_a_doubt_begins_with_the_first_uncertain_attempt_and_names_the_last_draft() -> None:
    drafts = [Uncertain(reason="lost", draft=name) for name in ("one", "two", "")]
    assert doubt_in(history(BUSY, *drafts, BUSY), 1) == Doubt(NOW + MINUTE, "two")
    assert doubt_in(history(LOST, RELAYED), 1) == Doubt(NOW)


def test_a_look_in_vain_counts_until_something_may_have_been_sent_again() -> None:
    looked = Uncertain(reason="not there", draft="one", looked=True)
    assert doubt_in(history(LOST, looked, BUSY), 1) == Doubt(NOW, "one", looked=True)
    assert doubt_in(history(LOST, looked, LOST), 1) == Doubt(NOW, "one")
