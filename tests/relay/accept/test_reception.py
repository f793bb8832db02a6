"""Accepting mail: nothing is promised before the spool has it, and nothing is decided twice."""

import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from graphrelay.journal import Entry, Journal
from graphrelay.mime import address_list, header
from graphrelay.model import (
    Accepted,
    Address,
    Envelope,
    InlineBody,
    QueueEntry,
    Reply,
    StorageUnavailable,
    Submission,
)
from graphrelay.relay.accept import router
from graphrelay.relay.accept.reception import MailReception
from graphrelay.relay.accept.router import Route, RoutingTable
from graphrelay.relay.outgoing import as_mime
from graphrelay.relay.queue.fair_order import Due
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import QueueFilter
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.values import Take
from tests.clock import FakeClock
from tests.relay.accept.test_router import TENANT, WEBSITE
from tests.relay.mail import NOON, ORIGIN, addresses
from tests.spool.memory import MemorySpool

TABLE = router.table([], [WEBSITE])
HEAD = b"From: wp@contoso.com\r\nTo: a@b.example\r\nSubject: hi\r\n"
STAMPS = b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <mine@contoso.com>\r\n"


class Queue:
    """Records what it is given."""

    def __init__(self) -> None:
        self.waiting: list[QueueEntry] = []

    def add(self, waiting: list[QueueEntry]) -> None:
        self.waiting += waiting


class Room:
    """A reception with everything that it needs."""

    def __init__(self, spool: Spool, entries: list[Entry], clock: FakeClock) -> None:
        self.spool = spool
        self.entries = entries
        self.clock = clock
        self.queue = Queue()

    def reception(self, table: RoutingTable = TABLE, spool: Spool | None = None) -> MailReception:
        return MailReception(
            spool=spool or self.spool,
            queue=self.queue,
            table=table,
            journal=Journal(self.clock, self.entries.append),
            clock=self.clock,
            hostname="relay.example",
            max_message_size=35_000_000,
            random_word=lambda: "abc123",
        )

    async def take(
        self,
        octets: bytes,
        *to: str,
        sender: str | None = "wp@contoso.com",
        reception: MailReception | None = None,
    ) -> Accepted | Reply:
        reception = reception or self.reception()
        body = reception.incoming()
        await body.write(octets)
        path = Address.parse(sender) if sender else None
        envelope = Envelope(path, addresses(*(to or ("a@b.example",))))
        return await reception.accept(envelope, ORIGIN, body)

    async def taken(self, octets: bytes, *to: str) -> Submission:
        """The first part of a message that was accepted."""
        assert isinstance(await self.take(octets, *to), Accepted)
        return await self.spool.load(self.queue.waiting[-1].submission_id)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    clock = FakeClock()
    entries: list[Entry] = []
    journal = Journal(clock, lambda entry: None)
    async with SqliteSpool.open(tmp_path / "spool", clock, journal, reserve=0) as spool:
        yield Room(spool, entries, clock)


async def test_an_accepted_message_is_in_the_spool_the_queue_and_the_journal(room: Room) -> None:
    answer = await room.take(HEAD + STAMPS + b"\r\ntext\r\n", "a@b.example", "c@d.example")
    assert isinstance(answer, Accepted)
    (waiting,) = room.queue.waiting
    submission = await room.spool.load(waiting.submission_id)
    assert submission.queue_id == answer.queue_id
    assert submission.envelope.forward_paths == addresses("a@b.example", "c@d.example")
    assert submission.body == InlineBody(HEAD + STAMPS + b"\r\ntext\r\n")
    assert (submission.prefix, submission.message_id) == (b"", "<mine@contoso.com>")
    assert (waiting.lane, waiting.not_before) == (submission.plan.lane, NOON)
    (entry,) = room.entries
    assert (entry.event, entry.queue_id) == ("accepted", answer.queue_id)
    assert entry.fields["size"] == submission.size


async def test_missing_date_and_message_id_are_added_once(room: Room) -> None:
    submission = await room.taken(HEAD + b"\r\ntext")
    added = BytesHeaderParser().parsebytes(submission.prefix + b"\r\n")
    assert added.keys() == ["Date", "Message-ID"]
    assert parsedate_to_datetime(added["Date"]) == NOON
    assert added["Message-ID"] == submission.message_id == "<abc123@contoso.com>"
    again = await room.spool.load(submission.id)
    assert (again.prefix, again.body) == (submission.prefix, submission.body)


@pytest.mark.parametrize(
    ("octets", "message_id"),
    [
        (b"From: root@host\r\n\r\n", "<abc123@relay.example>"),
        (b"From: a@bad_domain.x\r\n\r\n", "<abc123@relay.example>"),
        (b"text", "<abc123@contoso.com>"),
        (b"Message-ID:\r\nFrom: root\r\nmessage-id: <2@x>\r\n\r\n", "<2@x>"),
        (b"Message-ID: without brackets\r\n\r\n", "without brackets"),
        (b"Message-ID:\r\n <folded@x>\r\n\r\n", "<folded@x>"),
    ],
)
async def test_the_message_id_is_known(room: Room, octets: bytes, message_id: str) -> None:
    assert (await room.taken(octets)).message_id == message_id


@pytest.mark.parametrize(
    "octets",
    [
        b"just text\r\n\r\nmore\r\n",
        b" indented text\r\n",
        b"\r\ntext after an empty line\r\n",
        b"Warning: disk full\r\n",
        b"",
    ],
)
async def test_text_without_headers_arrives_as_text(room: Room, octets: bytes) -> None:
    submission = await room.taken(octets)
    source = await as_mime.outgoing(submission)
    sent = b"".join([piece async for piece in source.chunks()])
    head, _, body = sent.partition(b"\r\n\r\n")
    assert body == octets.removeprefix(b"\r\n")
    assert [line.partition(b":")[0] for line in head.split(b"\r\n")] == [
        b"Date",
        b"Message-ID",
        b"From",
        b"Bcc",
    ]


@pytest.mark.parametrize(
    ("octets", "charset"),
    [
        ("Subject: x\r\n\r\nGrüße\r\n".encode(), b"utf-8"),
        ("Grüße\r\n".encode(), b"utf-8"),
        ("Subject: x\r\n\r\nGrüße €\r\n".encode("cp1252"), b"windows-1252"),
        (b"Subject: x\r\n\r\n" + b"x" * 20_000 + "Grüße".encode(), b"utf-8"),
    ],
)
async def test_undeclared_text_is_declared(room: Room, octets: bytes, charset: bytes) -> None:
    submission = await room.taken(octets)
    assert b"Content-Type: text/plain; charset=" + charset + b"\r\n" in submission.prefix
    source = await as_mime.outgoing(submission)
    sent = b"".join([piece async for piece in source.chunks()])
    assert sent.endswith(b"\r\n\r\n" + octets.removeprefix(b"Subject: x\r\n\r\n"))


@pytest.mark.parametrize(
    "octets",
    [
        b"Content-Type: text/plain; charset=koi8-r\r\n\r\n\xed\xc9\xd2",
        b"Content-Transfer-Encoding: binary\r\n\r\n\xff",
        b"MIME-Version: 1.0\r\n\r\n\xff",
        b"Subject: x\r\n\r\nplain",
    ],
)
async def test_what_is_declared_or_plain_is_left_alone(room: Room, octets: bytes) -> None:
    assert b"Content-Type" not in (await room.taken(octets)).prefix


async def test_the_subject_is_read_for_the_log(room: Room) -> None:
    await room.take(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?q?_aus?= \0 K\xf6ln\r\n\r\n")
    (row,) = await room.spool.read(QueueFilter())
    assert row.subject == "Grüße aus Köln"
    await room.take(b"Subject: " + b"x" * 5_000 + b"\r\n\r\n")
    assert sorted(len(row.subject) for row in await room.spool.read(QueueFilter())) == [14, 200]


async def test_parts_are_kept_and_queued_each(room: Room) -> None:
    inside = Route(name="inside", account="website", recipient=("*@contoso.com",))
    other = Route(name="other", account="tenant", mailbox="info@contoso.com")
    reception = room.reception(router.table([inside, other], [WEBSITE, TENANT]))
    answer = await room.take(HEAD + b"\r\n", "x@contoso.com", "a@b.example", reception=reception)
    assert isinstance(answer, Accepted)
    parts = [await room.spool.load(one.submission_id) for one in room.queue.waiting]
    assert [(part.queue_id, part.plan.route) for part in parts] == [
        (answer.queue_id, "inside"),
        (f"{answer.queue_id}/2", "other"),
    ]


async def test_routes_may_go_by_any_header(room: Room) -> None:
    shop = Route(
        name="shop", account="tenant", header=(("Subject", "*Grüße*"),), mailbox="s@contoso.com"
    )
    reception = room.reception(router.table([shop], [TENANT]))
    octets = b"Subject: =?utf-8?q?Viele_Gr=C3=BC=C3=9Fe?=\r\n\r\n"
    assert isinstance(await room.take(octets, reception=reception), Accepted)
    assert isinstance(await room.take(b"Subject: x\r\n\r\n", reception=reception), Reply)


# --- Refusals -------------------------------------------------------------------------------------


async def test_a_refused_message_leaves_nothing_behind(room: Room, tmp_path: Path) -> None:
    never = Route(name="never", account="website", sender=("nobody@x",))
    reception = room.reception(router.table([never], [WEBSITE]))
    answer = await room.take(HEAD + b"\r\n" + b"x" * 2_000_000, reception=reception)
    assert isinstance(answer, Reply)
    assert answer.code == 550
    assert (room.queue.waiting, room.entries, await room.spool.read(QueueFilter())) == ([], [], [])
    assert list((tmp_path / "spool" / "bodies").iterdir()) == []


async def test_an_endless_header_section_is_refused(room: Room, tmp_path: Path) -> None:
    octets = HEAD + b"X-Filler: y\r\n" * (header.LIMIT // 13)
    answer = await room.take(octets + b"\r\ntext")
    assert isinstance(answer, Reply)
    assert str(answer) == "552 5.3.4 The header section is longer than 256 KiB"
    assert list((tmp_path / "spool" / "bodies").iterdir()) == []


async def test_a_header_section_below_the_limit_is_taken(room: Room) -> None:
    octets = HEAD + b"X-Filler: y\r\n" * 18_000
    assert isinstance(await room.take(octets + b"\r\ntext"), Accepted)


async def test_what_the_account_cannot_submit_is_refused_with_its_limit(room: Room) -> None:
    small = Route(name="small", account="website", login=("scanner",))
    large = Route(name="large", account="tenant", mailbox="info@contoso.com")
    table = router.table([large], [WEBSITE, TENANT], largest={"website": 5_000, "tenant": 9_000})
    reception = room.reception(replace(table, routes=(small, large)))
    assert reception.size_limit(ORIGIN) == 9_000
    assert reception.size_limit(replace(ORIGIN, login="scanner")) == 9_000
    assert room.reception(replace(table, routes=(small,))).size_limit(ORIGIN) == 35_000_000
    assert isinstance(await room.take(HEAD + b"\r\n" + b"x" * 6_000, reception=reception), Accepted)
    answer = await room.take(HEAD + b"\r\n" + b"x" * 9_000, reception=reception)
    assert isinstance(answer, Reply)
    assert (answer.code, answer.status) == (552, "5.3.4")
    assert answer.text.endswith("can submit 9000; large_messages = true would let it through")
    assert len(await room.spool.read(QueueFilter())) == 1


async def test_a_sealed_message_too_large_for_one_piece_is_refused(room: Room) -> None:
    reception = room.reception(router.table([], [WEBSITE], largest_mime=5_000))
    signed = HEAD + b"Content-Type: Multipart/Signed; boundary=x\r\n\r\n"
    assert isinstance(await room.take(signed, reception=reception), Accepted)
    plain = HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"x" * 5_000
    assert isinstance(await room.take(plain, reception=reception), Accepted)
    answer = await room.take(signed + b"x" * 5_000, reception=reception)
    assert isinstance(answer, Reply)
    assert (answer.code, answer.status) == (554, "5.6.3")
    assert "is signed and has" in answer.text


@pytest.mark.parametrize("sealed", [False, True])
async def test_what_fits_only_without_its_recipients_is_refused_at_once(
    room: Room, sealed: bool
) -> None:
    """Measured as it would go out: hundreds of recipients in Bcc are kilobytes."""
    many = tuple(f"recipient-{number}@department.example" for number in range(500))
    kind = b"Content-Type: multipart/signed; boundary=x\r\n" if sealed else b""
    largest = {} if sealed else {"website": 90_000}
    table = router.table([], [WEBSITE], largest=largest, largest_mime=90_000, request=100_000)
    reception = room.reception(table)
    whole = HEAD + STAMPS + kind + b"\r\n" + b"x" * 85_000
    assert isinstance(await room.take(whole, *many[:50], reception=reception), Accepted)
    answer = await room.take(whole, *many, reception=reception)
    assert isinstance(answer, Reply)
    assert (answer.code, answer.status) == (552, "5.3.4")
    large = room.reception(replace(table, largest={}))
    assert isinstance(await room.take(whole, *many, reception=large), Reply) == sealed


async def test_the_size_is_measured_as_it_goes_out(room: Room) -> None:
    many = tuple(f"recipient-{number}@department.example" for number in range(20))
    submission = await room.taken(HEAD + b"\r\n" + b"x" * 1_000, *many)
    source = await as_mime.outgoing(submission)
    assert isinstance(submission.body, InlineBody)
    alone = header.read(submission.body.octets)
    assert alone is not None
    assert source.size == as_mime.size_of(
        alone,
        submission.prefix,
        submission.plan,
        submission.envelope,
        submission.body.size,
    )


async def test_a_hostile_header_does_not_hold_up_others(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A From of 120 kB takes long to read: never in the thread that serves all clients."""
    read, threads = address_list.read, set[int]()

    def watched(value: bytes, charset: str = "") -> address_list.AddressList:
        if len(value) > 100_000:
            threads.add(threading.get_ident())
        return read(value, charset)

    monkeypatch.setattr(address_list, "read", watched)
    answer = await room.take(b"From: " + b"a@b<" * 30_000 + b"\r\nTo: x@y\r\n\r\n")
    assert isinstance(answer, Accepted)
    assert threads
    assert threading.get_ident() not in threads
    threads.clear()
    await as_mime.outgoing(await room.spool.load(room.queue.waiting[-1].submission_id))
    assert threads
    assert threading.get_ident() not in threads


async def test_a_full_disk_promises_nothing(room: Room) -> None:
    spool = MemorySpool(room.clock, Journal(room.clock))
    spool.trouble = StorageUnavailable("no space left")
    reception = room.reception(spool=spool)
    with pytest.raises(StorageUnavailable):
        await room.take(HEAD + b"\r\n", reception=reception)
    assert (room.queue.waiting, room.entries) == ([], [])


async def test_a_login_hears_at_mail_from_that_it_may_not(room: Room) -> None:
    table = router.table([], [WEBSITE], logins={"scanner": ["scanner@contoso.com"]})
    reception = room.reception(table)
    scanner = replace(ORIGIN, login="scanner")
    refusal = reception.sender(Address.parse("boss@contoso.com"), scanner)
    assert refusal is not None
    assert refusal.code == 550
    assert reception.sender(Address.parse("scanner@contoso.com"), scanner) is None
    assert reception.sender(None, scanner) is None
    assert reception.sender(Address.parse("boss@contoso.com"), ORIGIN) is None


async def test_a_recipient_hears_that_no_route_takes_it(room: Room) -> None:
    inside = Route(name="inside", account="website", recipient=("*@contoso.com",))
    reception = room.reception(router.table([inside], [WEBSITE]))
    sender = Address.parse("wp@contoso.com")
    assert reception.recipient(Address.parse("x@contoso.com"), sender, ORIGIN) is None
    refusal = reception.recipient(Address.parse("x@y.example"), sender, ORIGIN)
    assert refusal is not None
    assert (refusal.code, refusal.status) == (550, "5.7.1")


@pytest.mark.parametrize(
    "path",
    [
        Address("root", ""),
        Address("", "x.example"),
        Address("a\r\nBcc: c", "x.example"),
        Address("a", "x.example\r\nBcc: d@e"),
        Address("a", "x>, <b@c"),
        Address("a\0", "x"),
    ],
)
async def test_an_address_that_breaks_out_of_a_header_is_refused(room: Room, path: Address) -> None:
    refusal = room.reception().recipient(path, None, ORIGIN)
    assert refusal is not None
    assert refusal.code == 553
    assert "\n" not in refusal.text


async def test_other_settings_hold_from_the_next_transaction_on(room: Room) -> None:
    reception = room.reception()
    assert reception.size_limit(ORIGIN) == 35_000_000
    reception.use(router.table([], []), 1_000)
    assert reception.size_limit(ORIGIN) == 1_000
    assert isinstance(await room.take(HEAD + b"\r\n", reception=reception), Reply)


async def test_a_message_that_goes_round_is_refused_and_nothing_is_kept(room: Room) -> None:
    octets = HEAD + STAMPS + b"\r\ntext\r\n"
    hop = b"Received: from mail.example by relay.example with ESMTP; today\r\n"
    for _ in range(4):
        octets = hop + octets
        answer = await room.take(octets)
        if isinstance(answer, Reply):
            break
        submission = await room.spool.load(room.queue.waiting[-1].submission_id)
        octets = submission.prefix + octets
    assert isinstance(answer, Reply)
    assert (answer.code, answer.status) == (554, "5.4.6")
    assert len(room.queue.waiting) == 3


async def test_a_mime_bomb_is_taken_without_being_unpacked(room: Room) -> None:
    layers = 5_000
    bomb = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (layer, layer)
        for layer in range(layers)
    )
    bomb = HEAD + STAMPS + b"MIME-Version: 1.0\r\n" + bomb + b"\r\nboom\r\n"
    submission = await room.taken(bomb, "a@b.example")
    assert submission.body == InlineBody(bomb) or submission.size == len(bomb)


async def test_a_reverse_path_of_its_own_for_each_newsletter_gives_them_no_more_turns(
    room: Room,
) -> None:
    """All come from the same client without a login, like programs on this machine."""
    for number in range(60):
        sender = f"bounce-{number}=a@contoso.com"
        await room.take(b"From: News <news@contoso.com>\r\n\r\ntext", sender=sender)
    await room.take(b"From: alarm@contoso.com\r\n\r\ntext", sender="alarm@contoso.com")
    alarm, due = room.queue.waiting[-1], Due()
    for one in room.queue.waiting:
        due.push(one)
    assert alarm.submission_id in (due.pop(), due.pop())
    wanted = Take(lane=alarm.lane, limit=4, longest_wait=timedelta(hours=1))
    assert alarm in (await room.spool.take(wanted)).entries


async def test_a_condition_looks_at_the_beginning_of_a_field(room: Room) -> None:
    needle = Route(name="needle", account="website", header=(("Subject", "*needle*"),))
    reception = room.reception(router.table([needle], [WEBSITE]))
    for octets, taken in ((b"needle " + b"x" * 2_000, True), (b"x" * 2_000 + b" needle", False)):
        answer = await room.take(
            HEAD[:20] + b"\r\nSubject: " + octets + b"\r\n\r\n", reception=reception
        )
        assert isinstance(answer, Accepted) is taken
