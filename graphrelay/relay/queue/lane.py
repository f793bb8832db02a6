"""One lane: what waits in it, in which order it goes, and how fast.

    later ──▶ due ──(in turns, oldest first)──▶ in flight ──▶ answered ──▶ gone, or later again
       its time comes                                             its outcome goes to the disk

Times in here are monotonic, so that a wall clock set back or ahead neither stops the lane nor
makes it hurry. The lane knows no I/O: the QueueManager, its only owner, asks what to start, says
what came of it, and wakes it at `wakes_at`.

How fast: `allowed` requests at a time, at most four. Each answer of success allows one more;
trouble halves it and lets the lane rest, twice as long with each trouble in a row. After a rest or
a pause one message goes ahead alone, to see. An answer makes room for the next request at once,
not only when its outcome is on the disk. A crash leaves both in doubt, what is in flight and what
is answered: so together they are never more than `UNWRITTEN` above the most requests.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from graphrelay.model import Lane, Paused, Trouble, Waiting
from graphrelay.relay.policy.budget import Budget, Limit
from graphrelay.relay.policy.decision import Effect, Flows, Slower, Stops
from graphrelay.relay.queue.fair_order import Due, is_large

LOOK_AGAIN = {
    # How long a paused lane waits before it looks by itself, where nobody said how long.
    Trouble.AUTHORIZATION: timedelta(minutes=5),
    Trouble.QUOTA: timedelta(minutes=15),
    Trouble.BLOCKED: timedelta(hours=1),
}
FIRST_REST = timedelta(seconds=1)
LONGEST_REST = timedelta(minutes=2)
UNWRITTEN = 1
"""Answered messages whose outcome is not on the disk yet, while every request is taken."""


@dataclass(frozen=True, slots=True)
class Open:
    """Mail flows."""


@dataclass(frozen=True, slots=True)
class Resting:
    """After trouble that passes by itself; `until` is monotonic."""

    reason: str
    until: timedelta


@dataclass(frozen=True, slots=True)
class Stopped:
    """Paused as a whole; at `until` (monotonic) one message goes to see whether it is over."""

    paused: Paused
    until: timedelta


LaneState = Open | Resting | Stopped


@dataclass(frozen=True, slots=True)
class Resumed:
    """The lane was stopped, and is not any more."""

    why: str


@dataclass(frozen=True, slots=True)
class NewlyPaused:
    """The lane was stopped, or is stopped for another reason than before."""

    paused: Paused
    wait: timedelta


class _Stage(Enum):
    WAITS = "waits"
    IN_FLIGHT = "in flight"
    ANSWERED = "answered"


@dataclass(slots=True)
class _Place:
    """Where a waiting submission stands. `due_at` is monotonic."""

    waiting: Waiting
    due_at: timedelta
    stage: _Stage = _Stage.WAITS

    @property
    def waits(self) -> bool:
        return self.stage is _Stage.WAITS


class LaneQueue:
    """Everything that waits for one account and mailbox."""

    def __init__(self, lane: Lane, most: int, limits: tuple[Limit, ...] = ()) -> None:
        self.lane = lane
        self.budget = Budget(limits)
        self._most = most
        self._allowed = most
        self._state: LaneState = Open()
        self._troubles = 0
        self._places: dict[int, _Place] = {}
        self._due = Due()
        self._large_in_flight = 0
        self._later: list[tuple[timedelta, int]] = []
        self._hope = ""
        self.in_flight = 0
        """Requests; what is answered is none any more."""
        self._answered = 0
        self.empty_since = timedelta.min
        """When the last message went; means nothing while there are any."""

    def __len__(self) -> int:
        """How many wait, with those in flight or answered."""
        return len(self._places)

    @property
    def state(self) -> LaneState:
        return self._state

    @property
    def allowed(self) -> int:
        """How many requests at a time just now."""
        return self._allowed

    # What waits -------------------------------------------------------------------------------

    def put(self, waiting: Waiting, now: timedelta, due_at: timedelta) -> None:
        """Add, or move what is here already; nothing that has been taken moves."""
        place = self._places.get(waiting.submission_id)
        if place is not None and not place.waits:
            return
        self._places[waiting.submission_id] = _Place(waiting, due_at)
        if due_at <= now:
            self._due.push(waiting)
        else:
            heapq.heappush(self._later, (due_at, waiting.submission_id))

    def remove(self, submission_id: int) -> bool:
        """Whether it was here. What has been taken stays until `done`."""
        place = self._places.get(submission_id)
        if place is None or not place.waits:
            return False
        del self._places[submission_id]
        return True

    def holds(self, submission_id: int) -> bool:
        return submission_id in self._places

    # What to start ----------------------------------------------------------------------------

    def take(self, now: timedelta) -> Waiting | None:
        """The oldest message that may go now; it is in flight from here on."""
        if not self.may_start(now) or (place := self._first(now)) is None:
            return None
        self._due.pop(small_only=self._is_full_of_large())
        place.stage = _Stage.IN_FLIGHT
        self.in_flight += 1
        self._large_in_flight += is_large(place.waiting)
        return place.waiting

    def _first(self, now: timedelta) -> _Place | None:
        """Of what is due; it stays first."""
        self._promote(now)
        small_only = self._is_full_of_large()
        while (submission_id := self._due.first(small_only=small_only)) is not None:
            place = self._places.get(submission_id)
            if place is not None and place.waits and place.due_at <= now:
                return place
            self._due.pop(small_only=small_only)
        return None

    def _is_full_of_large(self) -> bool:
        """The last free request is for small messages, unless there is only one at a time."""
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
        return self.in_flight >= self._allowed or unwritten >= self._most + UNWRITTEN

    def _promote(self, now: timedelta) -> None:
        while self._later and self._later[0][0] <= now:
            due_at, submission_id = heapq.heappop(self._later)
            place = self._places.get(submission_id)
            if place is not None and place.due_at == due_at and place.waits:
                self._due.push(place.waiting)

    def wakes_at(self, now: timedelta) -> timedelta | None:
        """When something may start that may not now; `None` when only an event can bring it on."""
        self._drop_stale()
        may_go = self._due.has(small_only=self._is_full_of_large())
        if self._is_full() or not (may_go or self._later):
            return None
        earliest = max(now if may_go else self._later[0][0], self.budget.free_at(now))
        match self._state:
            case Resting(until=until) | Stopped(until=until):
                return None if self.in_flight else max(earliest, until)
            case Open():
                return earliest

    def _drop_stale(self) -> None:
        while self._later and self._is_stale(*self._later[0]):
            heapq.heappop(self._later)

    def _is_stale(self, due_at: timedelta, submission_id: int) -> bool:
        place = self._places.get(submission_id)
        return place is None or not place.waits or place.due_at != due_at

    # What came of it --------------------------------------------------------------------------

    def answered(self, submission_id: int) -> bool:
        """Its request is over and makes room. Whether it was in flight until now."""
        place = self._places.get(submission_id)
        if place is None or place.stage is not _Stage.IN_FLIGHT:
            return False
        place.stage = _Stage.ANSWERED
        self.in_flight -= 1
        self._answered += 1
        self._large_in_flight -= is_large(place.waiting)
        return True

    def done(self, submission_id: int, now: timedelta) -> None:
        """The attempt is over, answered or not; it does not wait here, unless it is `put` again."""
        self.answered(submission_id)
        if self._places.pop(submission_id, None) is not None:
            self._answered -= 1
            self.empty_since = now

    def feel(self, effect: Effect, now: timedelta) -> NewlyPaused | Resumed | None:
        """Go faster, slower, or stop; what is new about it for people."""
        match effect:
            case Flows():
                return self._flow(now)
            case Slower(reason, retry_after):
                self._slow(reason, retry_after, now)
                return None
            case Stops(paused):
                return self._stop(paused, now)

    def look_now(self, now: timedelta, why: str) -> None:
        """There is hope, for the reason `why`: the next message goes to see, without waiting."""
        self._hope = why
        match self._state:
            case Resting(reason, until):
                self._state = Resting(reason, min(until, now))
            case Stopped(paused, until):
                self._state = Stopped(paused, min(until, now))
            case Open():
                pass

    def forgets_at(self, now: timedelta) -> timedelta:
        """When an empty lane has nothing left to remember; not after `now` if it has nothing."""
        stopped = self._state.until if isinstance(self._state, Stopped) else now
        return max(stopped, self.budget.empty_at(now))

    def _flow(self, now: timedelta) -> Resumed | None:
        was = self._state
        if not isinstance(was, Open) and now < was.until:
            return None  # It went out before the trouble began, and says nothing about it.
        self._state = Open()
        self._troubles = 0
        self._allowed = min(self._most, self._allowed + 1)
        why, self._hope = self._hope or "Graph takes mail again.", ""
        return Resumed(why) if isinstance(was, Stopped) else None

    def _slow(self, reason: str, retry_after: timedelta | None, now: timedelta) -> None:
        if isinstance(self._state, Stopped):
            # The look was in vain for another reason; look again at the pace of the pause.
            self._state = Stopped(self._state.paused, now + _look_again(self._state.paused))
            return
        wanted = retry_after or timedelta(0)
        if isinstance(self._state, Resting) and self._state.until > now:
            # Others that were in flight at the same time met the same trouble: it counts once.
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

    # For people -------------------------------------------------------------------------------

    def waiting(self) -> Iterator[Waiting]:
        """Everything that waits here, in no order."""
        return (place.waiting for place in self._places.values())


def _look_again(paused: Paused) -> timedelta:
    return max(paused.retry_after or LOOK_AGAIN[paused.trouble], FIRST_REST)
