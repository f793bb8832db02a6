"""What a connection promises to the HTTP machine above it, octet by octet."""

import asyncio
from itertools import pairwise
from typing import Any

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.graph.http.stream import NetworkStream, first, refuses


class Recorded(asyncio.Transport):
    """A transport that remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def stream() -> tuple[NetworkStream, Recorded]:
    made, transport = NetworkStream(set()), Recorded()
    made.connection_made(transport)
    return made, transport


async def read_all(stream: NetworkStream) -> list[bytes]:
    parts = []
    while part := await stream.read(65_536):
        parts.append(part)
    return parts


async def test_small_writes_go_out_together_when_the_request_ends() -> None:
    made, transport = stream()
    await made.write(b"head ")
    await made.write(b"body")
    assert transport.written == b""
    await made.write(b"")
    assert transport.written == b"head body"


async def test_of_large_writes_the_last_waits_for_the_end_of_the_request() -> None:
    made, transport = stream()
    for letter in (b"a", b"b", b"c"):
        await made.write(letter * 60_000)
    assert transport.written == b"a" * 60_000 + b"b" * 60_000
    await made.write(b"")
    assert len(transport.written) == 180_000


@pytest.mark.parametrize("heard", [b"", b"HTTP/1.1 413 Too large\r\n\r\n"])
async def test_after_the_end_of_the_connection_nothing_is_handed_over(heard: bytes) -> None:
    made, transport = stream()
    await made.write(b"head and body")
    made.data_received(heard)
    made.connection_lost(ConnectionResetError("reset"))
    with pytest.raises(httpcore.WriteError):
        await made.write(b"")
    assert transport.written == b""
    if heard:
        assert await made.read(65_536) == heard
    else:
        with pytest.raises(httpcore.ReadError, match="reset"):
            await made.read(65_536)


async def test_an_idle_connection_is_unfit_once_it_ended_or_says_something() -> None:
    for event in ("data_received", "connection_lost"):
        made, _ = stream()
        assert not made.get_extra_info("is_readable")
        getattr(made, event)(b"x" if event == "data_received" else None)
        assert made.get_extra_info("is_readable")


@given(st.lists(st.binary(max_size=9) | st.just(b"\r\n\r\n") | st.just(b"\r\n"), max_size=20))
async def test_whatever_comes_in_is_given_whole_and_never_beyond_a_blank_line(
    pieces: list[bytes],
) -> None:
    made, _ = stream()
    given_out: list[bytes] = []
    for piece in pieces:
        made.data_received(piece)
        while made._heard:
            given_out.append(await made.read(65_536))
    made.connection_lost(None)
    assert b"".join(given_out) == b"".join(pieces)
    ends = [0]
    for part in given_out:
        ends.append(ends[-1] + len(part))
    whole, at = b"".join(pieces), -1
    while (at := whole.find(b"\r\n\r\n", at + 1)) >= 0:
        assert at + 4 in ends
    assert all(end > begin for begin, end in pairwise(ends))


async def test_a_body_of_known_length_is_given_and_nothing_behind_it() -> None:
    made, _ = stream()
    made.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 500 No\r\n\r\n")
    assert (await made.read(65_536)).endswith(b"\r\n\r\n")
    made.expect(4)
    assert await made.read(65_536) == b"body"
    assert made.get_extra_info("is_readable")


async def test_silence_is_a_timeout() -> None:
    made, _ = stream()
    with pytest.raises(httpcore.ReadTimeout):
        await made.read(65_536, timeout=0.01)


async def test_more_than_enough_makes_the_other_side_wait() -> None:
    made, transport = stream()
    paused = []
    transport.pause_reading = lambda: paused.append(True)  # type: ignore[method-assign]
    transport.resume_reading = paused.clear  # type: ignore[method-assign]
    made.data_received(b"x" * 300_000)
    assert paused
    await made.read(65_536)
    assert not paused


# The race to a host ---------------------------------------------------------------------------


class Way:
    """A way to a host that leads there when the test says so."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.end: asyncio.Future[NetworkStream] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> NetworkStream:
        self.begun.set()
        return await self.end

    def leads_there(self) -> NetworkStream:
        made, _ = stream()
        self.end.set_result(made)
        return made

    def leads_nowhere(self, why: str = "no route") -> None:
        self.end.set_exception(OSError(why))


async def test_a_way_that_leads_nowhere_and_does_not_say_so_costs_its_head_start() -> None:
    silent, second = Way(), Way()
    made = second.leads_there()
    assert await first([silent, second], 0.01) is made
    assert silent.end.cancelled()


async def test_the_next_way_is_tried_at_once_when_one_fails() -> None:
    bad, good = Way(), Way()
    bad.leads_nowhere()
    made = good.leads_there()
    assert await first([bad, good], 3600) is made


async def test_a_way_that_is_slower_than_its_head_start_may_still_win() -> None:
    slow, silent = Way(), Way()
    race = asyncio.ensure_future(first([slow, silent], 0.01))
    await silent.begun.wait()
    made = slow.leads_there()
    assert await race is made


async def test_where_no_way_leads_the_first_reason_is_told() -> None:
    ways = [Way(), Way()]
    ways[0].leads_nowhere("network is unreachable")
    ways[1].leads_nowhere("connection refused")
    with pytest.raises(OSError, match="network is unreachable"):
        await first(ways, 3600)
    with pytest.raises(OSError, match="no address"):
        await first([], 3600)


async def test_of_two_winners_one_is_closed_and_of_a_cancelled_race_all() -> None:
    ways = [Way(), Way()]
    race = asyncio.ensure_future(first(ways, 0.01))
    await ways[1].begun.wait()
    made = [way.leads_there() for way in ways]
    won = await race
    assert sorted(stream.get_extra_info("is_readable") for stream in made) == [False, True]
    assert not won.get_extra_info("is_readable")

    silent = Way()
    race = asyncio.ensure_future(first([silent], 3600))
    await silent.begun.wait()
    race.cancel()
    with pytest.raises(asyncio.CancelledError):
        await race
    assert silent.end.cancelled()


# What comes in while we write -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("heard", "stop"),
    [
        (b"", False),
        (b"HTTP/1.1 4", False),
        (b"HTTP/1.1 413 Too", True),
        (b"HTTP/1.1 301 Moved", True),
        (b"HTTP/1.1 202 Accepted", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n", False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Slow", True),
        (b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 202 Accepted", False),
        (b"SSH-2.0-OpenSSH", True),
    ],
)
def test_only_a_refusal_stops_the_writing(heard: bytes, stop: bool) -> None:
    assert refuses(heard) is stop
