"""Who may connect, how many at a time, and what the journal says about refused clients."""

import ipaddress
import os
import resource
import socket
import struct
from datetime import timedelta

import pytest

from graphrelay.journal import Entry, Journal, events
from graphrelay.model import Origin
from graphrelay.smtp.access.admission import (
    MOST_LINES,
    Gate,
    QuietJournal,
    client_address,
    is_among,
    local_user,
    short_of_descriptors,
)
from graphrelay.smtp.access.listener import Limits
from tests.clock import FakeClock

TOO_MANY_FILES = "421 4.3.2 Too many open files in this relay; try again later"


@pytest.mark.parametrize(
    ("peername", "client"),
    [
        (("192.0.2.7", 50000), "192.0.2.7"),
        (("2001:db8::7", 50000, 0, 0), "2001:db8::7"),
        (("::ffff:192.0.2.7", 50000, 0, 0), "192.0.2.7"),
        (("fe80::1%eth0", 50000, 0, 2), "fe80::1"),
        ("", "unix"),
        (None, "unix"),
    ],
)
def test_a_client_is_named_by_its_address(peername: object, client: str) -> None:
    assert client_address(peername) == client


def test_a_client_is_among_networks_of_its_own_family() -> None:
    networks = (ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("2001:db8::/64"))
    assert is_among("192.0.2.255", networks)
    assert is_among("2001:db8::1", networks)
    assert not is_among("192.0.3.1", networks)
    assert not is_among("unix", networks)
    assert not is_among("192.0.2.1", ())


def test_clients_of_a_unix_socket_are_distinguished_by_their_user() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert local_user(one) == f"unix user {os.getuid()}"

    class Peer:
        def getsockopt(self, level: int, option: int, length: int, /) -> bytes:
            assert (level, option) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
            return struct.pack("3i", 4711, 33, 44)

    assert local_user(Peer()) == "unix user 33"


def test_a_quarter_of_all_descriptors_is_kept_for_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 100))
    assert short_of_descriptors(74) is None
    assert str(short_of_descriptors(75)) == TOO_MANY_FILES
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert short_of_descriptors(1 << 20) is None


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5])
def test_each_user_of_a_unix_socket_has_places_of_his_own(most: int) -> None:
    gate = Gate(Limits(max_connections=most))
    while gate.enter("unix user 33") is None:
        pass
    refused = gate.enter("unix user 1000")
    assert refused is None or most == 1


async def test_a_refused_client_is_one_line_an_hour_for_each_reason() -> None:
    clock, entries = FakeClock(), list[Entry]()
    quiet = QuietJournal(Journal(clock, entries.append), clock)
    origin = Origin("127.0.0.1:25", "192.0.2.7")
    for _ in range(3):
        quiet.write(events.Refused(origin, "CONNECT", "no"))
    quiet.write(events.Refused(origin, "CONNECT", "not that either"))
    lines = [entry for entry in entries if entry.level != "debug"]
    assert [entry.fields["reply"] for entry in lines] == ["no", "not that either"]
    again = [entry.what for entry in entries if entry.level == "debug"]
    assert again == [events.RefusedAgain(origin, "CONNECT", "no")] * 2
    await clock.advance(timedelta(hours=1))
    quiet.write(events.Refused(origin, "CONNECT", "no"))
    assert entries[-1].fields["before"] == 2


async def test_a_client_that_is_refused_all_the_time_does_not_fill_the_journal() -> None:
    clock, lines = FakeClock(), list[str]()

    def sink(entry: Entry) -> None:
        if entry.level != "debug":
            lines.append(entry.what.fields()["client"])  # type: ignore[arg-type]

    quiet = QuietJournal(Journal(clock, sink), clock)
    for client, times in (("192.0.2.7", 3 * MOST_LINES), ("192.0.2.8", 2)):
        for number in range(times):
            origin = Origin("127.0.0.1:25", client)
            quiet.write_some(events.Refused(origin, "RCPT", "no", recipient=str(number)))
    assert lines.count("192.0.2.7") == MOST_LINES + 1
    assert lines.count("192.0.2.8") == 2
    await clock.advance(timedelta(hours=1))
    quiet.write_some(events.Refused(Origin("127.0.0.1:25", "192.0.2.7"), "RCPT", "no"))
    assert lines.count("192.0.2.7") == MOST_LINES + 2
