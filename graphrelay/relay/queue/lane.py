"""A lane, which is an account and a mailbox: what is due in it, in which order and how fast it is
sent.

    the spool ──take──▶ due ──(in turns, oldest first)──▶ in flight ──▶ answered ──▶ done
       ▲                                                                              │
       └── what waits longer, and what does not fit in here; asked again when this is empty

At most a batch of what is due is in memory. The spool has all of it, so the batch may be dropped
and read again at any time; that is done when new mail changes the order.

Times here are monotonic, so that setting the wall clock neither stops nor hurries the lane. The
lane does no I/O: the QueueManager, its only owner, asks what to start, reports the results, and
wakes it at `wakes_at`.

How fast: `allowed` requests at a time, at most four. Each successful answer allows one more;
trouble halves the number and makes the lane rest, twice as long with each consecutive trouble.
After a rest or a pause, one message is sent alone as a probe. An answer allows the next request
immediately, before its outcome is on disk. After a crash, both what is in flight and what is
answered but not recorded are uncertain: so together they never exceed the most requests by more
than `UNWRITTEN`.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

from graphrelay.model import Lane, Paused, QueueEntry, Trouble
from graphrelay.relay.policy.budget import Budget, Limit
from graphrelay.relay.policy.decision import Feedback, Flows, Slower, Stops
from graphrelay.relay.queue.fair_order import Due, is_large
from graphrelay.spool.values import Batch, Take

LOOK_AGAIN = {
    # How long a paused lane waits before it probes by itself, if no time was given.
    Trouble.AUTHORIZATION: timedelta(minutes=5),
    Trouble.QUOTA: timedelta(minutes=15),
    Trouble.BLOCKED: timedelta(hours=1),
}
FIRST_REST = timedelta(seconds=1)
LONGEST_REST = timedelta(minutes=2)
UNWRITTEN = 1
"""How many answered messages may lack their outcome on disk while all requests are in flight."""


@dataclass(frozen=True, slots=True)
class Open:
    """Mail is sent."""


@dataclass(frozen=True, slots=True)
class Resting:
    """Waits after temporary trouble; `until` is monotonic."""

    reason: str
    until: timedelta


@dataclass(frozen=True, slots=True)
class Stopped:
    """Paused; at `until` (monotonic) one message is sent as a probe."""

    paused: Paused
    until: timedelta


LaneState = Open | Resting | Stopped


@dataclass(frozen=True, slots=True)
class Resumed:
    """The lane was stopped and no longer is."""

    why: str


@dataclass(frozen=True, slots=True)
class NewlyPaused:
    """The lane is now stopped, or stopped for another reason than before."""

    paused: Paused
    wait: timedelta


class _Stage(Enum):
    DUE = "due"
    IN_FLIGHT = "in flight"
    ANSWERED = "answered"


@dataclass(slots=True)
class _Place:
    """The place of a submission in the order."""

    entry: QueueEntry
    stage: _Stage = _Stage.DUE


@dataclass(slots=True)
class _Asking:
    """What happens while the spool is read."""

    left: set[int] = field(default_factory=set)
    """What has left the lane: the result may still contain it."""
    news: list[QueueEntry] = field(default_factory=list)
    """What has arrived: the result may contain it or not."""
    again: bool = False


MOST_TURNS = 1000
"""The number of logins and clients for which the last turn is remembered."""
BATCH = 16
"""The number of small messages that are read at a time, and of large ones."""


class LaneQueue:
    """What is due in a lane, and how fast it is sent."""

    def __init__(self, lane: Lane, most: int, limits: tuple[Limit, ...] = ()) -> None:
        self.lane = lane
        self.budget = Budget(limits)
        self._most = most
        self._allowed = most
        self._state: LaneState = Open()
        self._troubles = 0
        self._places: dict[int, _Place] = {}
        self._due = Due()
        self._more_small = self._more_large = False
        """Whether the spool may have more that is due."""
        self._stale = False
        """Whether the batch no longer determines the order."""
        self._next_due: timedelta | None = None
        """When more will be due in the spool; meaningless while more is due."""
        self._aside: dict[int, tuple[timedelta, QueueEntry]] = {}
        """What must not be tried before a time, whatever the spool says."""
        self._after_small: dict[tuple[str, ...], str] = {}
        self._after_large: dict[tuple[str, ...], str] = {}
        """Whose turn was last (values.Turns)."""
        self._asking: _Asking | None = None
        self._large_in_flight = 0
        self._resume_reason = ""
        self.in_flight = 0
        """Requests in flight, without those answered."""
        self.others = 0
        """Requests of a relay that had the lane before, and may still be running."""
        self._answered = 0
        self.empty_since = timedelta.min
        """When the last message left; meaningless while there are any."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is queued, here or in the spool, as far as is known."""
        expected = (
            self._aside
            or self._has_more()
            or self._next_due is not None
            or self._asking is not None
            or self.others
        )
        return not (self._places or expected)

    @property
    def state(self) -> LaneState:
        return self._state

    @property
    def allowed(self) -> int:
        """How many requests are allowed at a time at present."""
        return self._allowed

    # What is due ---------------------------------------------------------------------------------

    def add(self, entry: QueueEntry) -> None:
        """Add what the spool has just accepted or released, and is due now."""
        self._aside.pop(entry.submission_id, None)
        if self._asking is not None:
            self._asking.news.append(entry)
        elif entry.submission_id in self._places:
            pass
        elif self._has_more() or len(self._places) >= BATCH:
            if is_large(entry):
                self._more_large = True
            else:
                self._more_small = True
            self._stale = self._stale or self._has_no_turn(entry)
        else:
            self._places[entry.submission_id] = _Place(entry)
            self._due.push(entry)

    def _has_no_turn(self, entry: QueueEntry) -> bool:
        """Whether it should be sent before the batch is."""
        if not self._due.has_client_of(entry):
            return True
        return not self._due.has_turn_of(entry) and self._due.count < BATCH

    def leave(self) -> None:
        """Nothing more is to be started here: another relay has the lane. What has been taken stays
        until `done`."""
        for submission_id in [*self._places, *self._aside]:
            self.remove(submission_id)
        self._drop_due()
        self._more_small = self._more_large = self._stale = False
        self._next_due = None
        self.others = 0

    def ask_again(self) -> None:
        """Read again from the spool what is due."""
        self._more_small = self._more_large = self._stale = True
        if self._asking is not None:
            self._asking.again = True

    def expect(self, at: timedelta) -> None:
        """Expect something to be due at that time."""
        self._next_due = at if self._next_due is None else min(self._next_due, at)

    def set_aside(self, entry: QueueEntry, until: timedelta) -> None:
        """Do not try it before that time: the spool may return it immediately, or never."""
        self._aside[entry.submission_id] = until, entry
        self.expect(until)

    def remove(self, submission_id: int) -> None:
        """Remove what is no longer due. What was taken stays until `done`."""
        self._note_left(submission_id)
        self._aside.pop(submission_id, None)
        place = self._places.get(submission_id)
        if place is not None and place.stage is _Stage.DUE:
            del self._places[submission_id]

    def wants(self, now: timedelta, longest_wait: timedelta) -> Take | None:
        """What to ask the spool, if something may start and only the spool knows what."""
        if self._asking is not None or not self._must_ask(now) or not self.may_start(now):
            return None
        if self._stale:
            self._drop_due()
        self._asking, self._stale = _Asking(), False
        return Take(
            lane=self.lane,
            limit=BATCH,
            after_small=dict(self._after_small),
            after_large=dict(self._after_large),
            besides=frozenset(self._places.keys() | self._aside.keys()),
            longest_wait=longest_wait,
        )

    def fill(self, batch: Batch, asked_at: timedelta) -> None:
        """Take the result of what was asked at `asked_at`."""
        asking = self._end_asking()
        again = (entry for until, entry in self._aside.values() if until <= asked_at)
        for entry in (*again, *batch.entries):
            if entry.submission_id not in self._places.keys() | asking.left:
                self._places[entry.submission_id] = _Place(entry)
                self._due.push(entry)
        self._more_small, self._more_large = batch.more_small, batch.more_large
        if batch.next_in is not None:
            self.expect(asked_at + batch.next_in)
        if asking.again:
            self.ask_again()
        for entry in asking.news:
            if entry.submission_id not in asking.left:
                self.add(entry)

    def not_filled(self) -> None:
        """The spool did not answer."""
        self._end_asking()
        self.ask_again()

    def _end_asking(self) -> "_Asking":
        asking, self._asking = self._asking or _Asking(), None
        return asking

    def _must_ask(self, now: timedelta) -> bool:
        if self._next_due is not None and self._next_due <= now:
            self._next_due = None
            self.ask_again()
        lacks_small = self._more_small and not self._due.has(small_only=True)
        lacks_large = self._more_large and not self._due.has_large()
        return self._stale or lacks_small or (lacks_large and not self._is_full_of_large())

    def _has_more(self) -> bool:
        return self._more_small or self._more_large

    def _drop_due(self) -> None:
        self._due = Due()
        taken = (item for item in self._places.items() if item[1].stage is not _Stage.DUE)
        self._places = dict(taken)

    def _note_left(self, submission_id: int) -> None:
        if self._asking is not None:
            self._asking.left.add(submission_id)

    # What to start -------------------------------------------------------------------------------

    def take(self, now: timedelta) -> QueueEntry | None:
        """The next message, if one may be sent now; it is in flight from here on."""
        if not self.may_start(now) or (place := self._first()) is None:
            return None
        self._due.pop(small_only=self._is_full_of_large())
        place.stage = _Stage.IN_FLIGHT
        self._aside.pop(place.entry.submission_id, None)
        self.in_flight += 1
        self._large_in_flight += is_large(place.entry)
        self._note_turn(place.entry)
        return place.entry

    def _note_turn(self, entry: QueueEntry) -> None:
        after = self._after_large if is_large(entry) else self._after_small
        if len(after) > MOST_TURNS:
            after.clear()  # all start over, which costs some of them a turn
        whose = entry.login, entry.client, entry.sender
        for level, name in enumerate(whose):
            after[whose[:level]] = name

    def _first(self) -> _Place | None:
        """The next message that is due, without removing it."""
        small_only = self._is_full_of_large()
        while (submission_id := self._due.first(small_only=small_only)) is not None:
            place = self._places.get(submission_id)
            if place is not None and place.stage is _Stage.DUE:
                return place
            self._due.pop(small_only=small_only)
        return None

    def _is_full_of_large(self) -> bool:
        """Whether the last free request has to be kept for small messages; not if only one is
        allowed at a time."""
        return self._allowed > 1 and self._large_in_flight >= self._allowed - 1

    def may_start(self, now: timedelta) -> bool:
        if self.budget.free_at(now) > now:
            return False
        match self._state:
            case Resting(until=until) | Stopped(until=until):
                return now >= until and self.in_flight == 0 and not self._is_full()
            case Open():
                return not self._is_full()

    def _is_full(self) -> bool:
        unwritten = self.in_flight + self._answered
        running = self.in_flight + self.others
        return running >= self._allowed or unwritten >= self._most + UNWRITTEN

    def wakes_at(self, now: timedelta) -> timedelta | None:
        """When something may start that must not start now; `None` if only an event can change
        that."""
        if self._is_full() or self._asking is not None:
            return None
        may_go = self._due.has(small_only=self._is_full_of_large()) or self._must_ask(now)
        due_at = now if may_go else self._next_due
        if due_at is None:
            return None
        earliest = max(due_at, self.budget.free_at(now))
        match self._state:
            case Resting(until=until) | Stopped(until=until):
                return None if self.in_flight else max(earliest, until)
            case Open():
                return earliest

    # Results -------------------------------------------------------------------------------------

    def answered(self, submission_id: int) -> bool:
        """Its request has ended and another may start. Returns whether it was in flight until
        now.
        """
        place = self._places.get(submission_id)
        if place is None or place.stage is not _Stage.IN_FLIGHT:
            return False
        place.stage = _Stage.ANSWERED
        self.in_flight -= 1
        self._answered += 1
        self._large_in_flight -= is_large(place.entry)
        return True

    def done(self, submission_id: int, now: timedelta) -> None:
        """The attempt has ended, answered or not."""
        self.answered(submission_id)
        self._note_left(submission_id)
        if self._places.pop(submission_id, None) is not None:
            self._answered -= 1
            self.empty_since = now

    def apply(self, feedback: Feedback, now: timedelta) -> NewlyPaused | Resumed | None:
        """Change the pace, or stop. Returns the change that is worth reporting, if any."""
        match feedback:
            case Flows():
                return self._flow(now)
            case Slower(reason, retry_after):
                self._slow(reason, retry_after, now)
                return None
            case Stops(paused):
                return self._stop(paused, now)

    def look_now(self, now: timedelta, why: str) -> None:
        """The trouble may be over, for the reason `why`: send the next message as a probe
        immediately."""
        self._resume_reason = why
        match self._state:
            case Resting(reason, until):
                self._state = Resting(reason, min(until, now))
            case Stopped(paused, until):
                self._state = Stopped(paused, min(until, now))
            case Open():
                pass

    def forgets_at(self, now: timedelta) -> timedelta:
        """When an empty lane has no state left to remember; not after `now` if it already has
        none.
        """
        stopped = self._state.until if isinstance(self._state, Stopped) else now
        return max(stopped, self.budget.empty_at(now))

    def _flow(self, now: timedelta) -> Resumed | None:
        was = self._state
        if not isinstance(was, Open) and now < was.until:
            return None  # It was sent before the trouble began, and says nothing about it.
        self._state = Open()
        self._troubles = 0
        self._allowed = min(self._most, self._allowed + 1)
        why, self._resume_reason = self._resume_reason or "Graph takes mail again.", ""
        return Resumed(why) if isinstance(was, Stopped) else None

    def _slow(self, reason: str, retry_after: timedelta | None, now: timedelta) -> None:
        if isinstance(self._state, Stopped):
            # The probe failed for another reason; probe again at the interval of the pause.
            self._state = Stopped(self._state.paused, now + _look_again(self._state.paused))
            return
        wanted = retry_after or timedelta(0)
        if isinstance(self._state, Resting) and self._state.until > now:
            # Several requests in flight met the same trouble: it counts once.
            self._state = Resting(reason, max(now + wanted, self._state.until))
            return
        until = now + max(min(FIRST_REST * (1 << min(self._troubles, 20)), LONGEST_REST), wanted)
        self._troubles += 1
        self._allowed = max(1, self._allowed // 2)
        self._state = Resting(reason, until)

    def _stop(self, paused: Paused, now: timedelta) -> NewlyPaused | None:
        was = self._state
        wait = _look_again(paused)
        self._allowed = 1
        self._state = Stopped(paused, now + wait)
        same = isinstance(was, Stopped) and (was.paused.trouble, was.paused.reason) == (
            paused.trouble,
            paused.reason,
        )
        return None if same else NewlyPaused(paused, wait)


def _look_again(paused: Paused) -> timedelta:
    return max(paused.retry_after or LOOK_AGAIN[paused.trouble], FIRST_REST)
