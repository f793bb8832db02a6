"""One lane by itself: order, pace, pauses."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from graphrelay.model import QueueEntry
from graphrelay.relay.policy.decision import Flows, Slower, Stops
from graphrelay.relay.queue.lane import (
    BATCH,
    LaneQueue,
    NewlyPaused,
    Open,
    Resting,
    Resumed,
    Stopped,
)
from graphrelay.spool.values import LARGE, Batch, Take
from tests.clock import FakeClock
from tests.relay.delivery import FULL, LANE

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
START = timedelta(hours=1)
RECEIVED = FakeClock().now()


def waiting(number: int, age: int = 0) -> QueueEntry:
    return QueueEntry(number, LANE, RECEIVED - age * SECOND, RECEIVED)


class Shelved(LaneQueue):
    """With the lane's content of a spool that answers at once."""

    def __init__(self) -> None:
        super().__init__(LANE, 4)
        self.shelf: dict[int, tuple[QueueEntry, timedelta]] = {}

    def put(self, waiting: QueueEntry, now: timedelta, due_at: timedelta = START) -> None:
        self.shelf[waiting.submission_id] = waiting, due_at
        if due_at <= now:
            self.add(waiting)
        else:
            self.expect(due_at)

    def take(self, now: timedelta) -> QueueEntry | None:
        if wanted := self.wants(now, timedelta(hours=1)):
            self.fill(self.batch(wanted, now), now)
        if one := super().take(now):
            del self.shelf[one.submission_id]
        return one

    def remove(self, submission_id: int) -> None:
        self.shelf.pop(submission_id, None)
        super().remove(submission_id)

    def batch(self, wanted: Take, now: timedelta) -> Batch:
        waits = [one for one in self.shelf.values() if one[0].submission_id not in wanted.besides]
        due = sorted((one for one, at in waits if at <= now), key=lambda one: one.received_at)
        small = [one for one in due if one.size < LARGE]
        large = [one for one in due if one.size >= LARGE]
        return Batch(
            entries=(*small[: wanted.limit], *large[: wanted.limit]),
            more_small=len(small) > wanted.limit,
            more_large=len(large) > wanted.limit,
            next_in=min((at - now for _, at in waits if at > now), default=None),
        )


def lane(*numbers: int) -> Shelved:
    queue = Shelved()
    for number in numbers:
        queue.put(waiting(number), START)
    return queue


def started(queue: LaneQueue, now: timedelta = START) -> list[int]:
    found = []
    while (one := queue.take(now)) is not None:
        found.append(one.submission_id)
    return found


def test_four_go_at_a_time_and_the_next_when_one_is_done() -> None:
    queue = lane(1, 2, 3, 4, 5, 6)
    assert started(queue) == [1, 2, 3, 4]
    assert queue.wakes_at(START) is None
    queue.done(2, START)
    assert started(queue) == [5]
    assert queue.in_flight == 4


def test_an_answer_makes_room_before_the_attempt_is_over() -> None:
    queue = lane(1, 2, 3, 4, 5, 6)
    assert started(queue) == [1, 2, 3, 4]
    assert queue.answered(2)
    assert not queue.answered(2)
    assert queue.in_flight == 3
    assert started(queue) == [5]
    queue.done(2, START)
    assert queue.in_flight == 4
    assert started(queue) == []


def test_no_more_than_one_outcome_is_left_to_be_written_while_requests_go_out() -> None:
    queue = lane(*range(1, 10))
    started(queue)
    for number in (1, 2, 3):
        queue.answered(number)
    assert started(queue) == [5]
    assert queue.wakes_at(START) is None
    queue.done(1, START)
    assert started(queue) == [6]


def test_what_is_answered_is_neither_removed_nor_moved() -> None:
    queue = lane(1)
    started(queue)
    queue.answered(1)
    queue.remove(1)
    queue.add(waiting(1))
    assert started(queue) == []
    assert not queue.is_empty


def test_a_large_message_that_is_answered_leaves_its_request_to_another() -> None:
    queue = lane()
    for number in range(1, 6):
        queue.put(replace(waiting(number, age=9 - number), size=5_000_000), START, START)
    assert started(queue) == [1, 2, 3]
    queue.answered(2)
    assert started(queue) == [4]


def test_what_is_not_due_does_not_go_and_says_when_it_will() -> None:
    queue = lane()
    queue.put(waiting(1), START, START + 10 * SECOND)
    queue.put(waiting(2), START, START + 5 * SECOND)
    assert started(queue) == []
    assert queue.wakes_at(START) == START + 5 * SECOND
    assert started(queue, START + 7 * SECOND) == [2]
    assert queue.wakes_at(START + 7 * SECOND) == START + 10 * SECOND


def test_of_what_is_due_the_oldest_goes_first_whenever_it_came_due() -> None:
    queue = lane()
    for number, age in ((1, 10), (2, 30), (3, 20)):
        queue.put(waiting(number, age), START, START + number * SECOND)
    assert started(queue, START + 9 * SECOND) == [2, 3, 1]


def test_the_last_free_request_is_kept_for_small_messages() -> None:
    queue = lane()
    for number in range(1, 9):
        size = 5_000_000 if number < 8 else 10
        queue.put(replace(waiting(number, age=100 - number), size=size), START, START)
    assert started(queue) == [1, 8, 2, 3]
    queue.done(8, START)
    assert started(queue) == []
    assert queue.wakes_at(START) is None
    queue.done(1, START)
    assert started(queue) == [4]


def test_a_lane_that_goes_one_at_a_time_sends_large_messages_too() -> None:
    queue = lane(1)
    started(queue)
    for now in (START, START + SECOND):
        queue.apply(Slower("busy"), now)
    queue.done(1, START)
    queue.put(replace(waiting(2), size=5_000_000), START, START)
    assert started(queue, START + 60 * SECOND) == [2]


def test_what_is_removed_does_not_go_but_what_is_in_flight_stays() -> None:
    queue = lane(1, 2)
    assert queue.take(START) == waiting(1)
    queue.remove(1)
    queue.remove(2)
    assert started(queue) == []
    assert queue.in_flight == 1
    assert not queue.is_empty
    queue.done(1, START)
    assert queue.is_empty


def test_a_rest_doubles_with_each_trouble_in_a_row_and_ends_with_success() -> None:
    queue, now, rests = lane(*range(1, 20)), START, []
    for _ in range(10):
        [one] = [queue.take(now)]
        assert one is not None
        queue.done(one.submission_id, now)
        queue.apply(Slower("busy"), now)
        assert isinstance(queue.state, Resting)
        rests.append((queue.state.until - now).total_seconds())
        now = queue.state.until
    assert rests == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]
    assert queue.take(now) is not None
    assert queue.take(now) is None
    queue.apply(Flows(), now)
    assert queue.state == Open()


def test_trouble_that_several_meet_at_once_counts_once() -> None:
    queue = lane(*range(1, 10))
    started(queue)
    for number in (1, 2, 3, 4):
        queue.done(number, START)
        queue.apply(Slower("busy"), START)
    assert queue.state == Resting("busy", START + SECOND)
    assert queue.allowed == 2


def test_success_of_what_went_out_before_the_trouble_does_not_end_the_rest() -> None:
    queue = lane(*range(1, 10))
    started(queue)
    queue.done(1, START)
    queue.apply(Slower("throttled", 100 * SECOND), START)
    queue.done(2, START + SECOND)
    queue.apply(Flows(), START + SECOND)
    assert queue.state == Resting("throttled", START + 100 * SECOND)
    queue.done(3, START + SECOND)
    assert queue.apply(Stops(FULL), START + SECOND) == NewlyPaused(FULL, timedelta(minutes=15))
    queue.done(4, START + SECOND)
    assert queue.apply(Flows(), START + SECOND) is None
    assert isinstance(queue.state, Stopped)


def test_after_a_rest_the_lane_speeds_up_step_by_step() -> None:
    queue = lane(*range(1, 30))
    for now in (START, START + SECOND):
        for number in started(queue, now):
            queue.done(number, now)
            queue.apply(Slower("busy"), now)
    now, together = START + 10 * SECOND, []
    for _ in range(5):
        batch = started(queue, now)
        together.append(len(batch))
        for number in batch:
            queue.done(number, now)
            queue.apply(Flows(), now)
    assert together == [1, 2, 4, 4, 4]


def test_a_pause_is_reported_once_until_the_reason_changes() -> None:
    queue = lane(1, 2, 3)
    other = Stops(FULL.__class__(trouble=FULL.trouble, status="4.2.2", reason="another"))
    assert isinstance(queue.apply(Stops(FULL), START), NewlyPaused)
    assert queue.apply(Stops(FULL), START) is None
    assert isinstance(queue.apply(other, START), NewlyPaused)


def test_hope_makes_a_paused_lane_look_at_once_and_success_says_why() -> None:
    queue = lane(1, 2, 3)
    queue.apply(Stops(FULL), START)
    assert queue.wakes_at(START) == START + timedelta(minutes=15)
    queue.look_now(START, "somebody made room")
    assert queue.wakes_at(START) == START
    assert started(queue) == [1]
    queue.done(1, START)
    assert queue.apply(Flows(), START) == Resumed("somebody made room")
    assert started(queue) == [2, 3]


def test_a_look_that_fails_for_another_reason_leaves_the_lane_paused() -> None:
    queue = lane(1, 2)
    queue.apply(Stops(FULL), START)
    later = START + timedelta(minutes=15)
    assert started(queue, later) == [1]
    queue.done(1, later)
    queue.apply(Slower("network"), later)
    assert queue.state == Stopped(FULL, later + timedelta(minutes=15))


# What the spool is asked -----------------------------------------------------------------------


def test_memory_holds_a_batch_however_much_waits() -> None:
    queue = lane(*range(1, 1_000))
    assert len(queue._places) == BATCH
    found = started(queue)
    for number in range(1, 900):
        queue.done(number, START)
        found += started(queue)
        assert len(queue._places) <= BATCH + 4
    assert found == list(range(1, 904))


def test_the_spool_is_asked_only_when_something_may_start_that_is_not_known() -> None:
    queue = lane(1, 2)
    assert queue.wants(START, HOUR) is None
    queue.ask_again()
    queue.apply(Stops(FULL), START)
    assert queue.wants(START, HOUR) is None
    queue.look_now(START, "now")
    wanted = queue.wants(START, HOUR)
    assert wanted is not None
    assert (wanted.lane, wanted.limit, wanted.longest_wait) == (LANE, BATCH, HOUR)
    assert queue.wants(START, HOUR) is None  # it has been asked
    assert queue.wakes_at(START) is None


def test_what_goes_and_comes_while_the_spool_is_asked_is_not_lost_nor_sent_twice() -> None:
    queue = LaneQueue(LANE, 4)
    for number in (1, 2):
        queue.add(waiting(number))
    assert queue.take(START) == waiting(1)
    queue.ask_again()
    assert queue.wants(START, HOUR)
    queue.done(1, START)
    queue.remove(3)
    queue.add(waiting(5))
    answer = (waiting(1), waiting(2), waiting(3), waiting(4))
    queue.fill(Batch(entries=answer, more_small=False, more_large=False, next_in=None), START)
    assert started(queue) == [2, 4, 5]


def test_a_new_sender_has_a_turn_before_the_batch_of_another_has_gone() -> None:
    queue = lane(*range(1, 100))
    assert started(queue) == [1, 2, 3, 4]
    alarm = replace(waiting(500), sender="alarm@contoso.com")
    queue.shelf[500] = alarm, START
    queue.add(alarm)
    queue.done(1, START)
    wanted = queue.wants(START, HOUR)
    assert wanted is not None
    assert wanted.after_small == {(): "", ("",): "", ("", ""): ""}
    queue.fill(
        Batch(entries=(waiting(5), alarm), more_small=True, more_large=False, next_in=None), START
    )
    assert queue.take(START) == waiting(5)
    queue.done(2, START)
    assert queue.take(START) == alarm


def test_a_spool_that_does_not_answer_is_asked_again() -> None:
    queue = LaneQueue(LANE, 4)
    queue.ask_again()
    assert queue.wants(START, HOUR)
    queue.not_filled()
    assert not queue.is_empty
    assert queue.wants(START, HOUR)


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: nothing is forgotten, and nothing is sent twice or too
    early."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Shelved()
        self.now = START
        self.due: dict[int, timedelta] = {}
        self.flying: set[int] = set()
        self.answered: set[int] = set()
        self.number = 0

    @rule(wait=st.integers(0, 100))
    def put(self, wait: int) -> None:
        self.number += 1
        self._put(self.number, wait)

    @precondition(lambda self: self.due)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.due)))
        self.queue.remove(number)
        del self.due[number]

    @rule()
    def take(self) -> None:
        one = self.queue.take(self.now)
        if one is not None:
            assert self.due.pop(one.submission_id) <= self.now
            self.flying.add(one.submission_id)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.flying)))
        self.flying.remove(number)
        self.answered.add(number)
        assert self.queue.answered(number)

    @precondition(lambda self: self.flying or self.answered)
    @rule(
        data=st.data(),
        feedback=st.sampled_from(
            [Flows(), Slower("busy"), Slower("429", 50 * SECOND), Stops(FULL)]
        ),
        again=st.none() | st.integers(0, 100),
    )
    def done(
        self, data: st.DataObject, feedback: Flows | Slower | Stops, again: int | None
    ) -> None:
        number = data.draw(st.sampled_from(sorted(self.flying | self.answered)))
        self.flying.discard(number)
        self.answered.discard(number)
        self.queue.done(number, self.now)
        if again is not None:
            self.due[number] = self.now + again * SECOND
            self.queue.shelf[number] = waiting(number), self.due[number]
            self.queue.expect(self.due[number])
        self.queue.apply(feedback, self.now)

    @rule(seconds=st.integers(1, 1_000))
    def wait(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule()
    def hope(self) -> None:
        self.queue.look_now(self.now, "hope")

    def _put(self, number: int, wait: int) -> None:
        self.due[number] = self.now + wait * SECOND
        self.queue.put(waiting(number), self.now, self.due[number])

    @invariant()
    def counts_agree(self) -> None:
        assert self.queue.in_flight == len(self.flying) <= 4
        assert len(self.flying) + len(self.answered) <= 5
        assert set(self.queue.shelf) == set(self.due)
        assert self.queue.is_empty <= (not (self.due or self.flying or self.answered))

    @invariant()
    def it_wakes_in_time_for_everything(self) -> None:
        wakes_at = self.queue.wakes_at(self.now)
        if not self.due:
            return
        if wakes_at is None:
            assert self.flying or self.answered  # what ends will look again
            return
        if isinstance(self.queue.state, Open):
            assert wakes_at <= max(self.now, min(self.due.values()))


TestAnyOrder = AnyOrder.TestCase


def test_requests_of_an_earlier_owner_count_among_the_four() -> None:
    queue = lane(1, 2, 3, 4, 5)
    queue.others = 3
    assert started(queue) == [1]
    queue.others = 1
    assert started(queue) == [2, 3]
    assert not queue.is_empty


def test_a_lane_that_is_left_starts_nothing_and_forgets_all_but_what_is_in_flight() -> None:
    queue = LaneQueue(LANE, 4)
    for number in range(1, 8):
        queue.add(waiting(number))
    assert started(queue) == [1, 2, 3, 4]
    queue.leave()
    queue.done(1, START)
    assert started(queue) == []
    for number in (2, 3, 4):
        queue.done(number, START)
    assert queue.is_empty
