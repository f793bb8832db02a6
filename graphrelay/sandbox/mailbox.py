"""The mailboxes: what was submitted, who received it, and what is in each user's folders.

`Mailboxes` is the one owner of all mail in the sandbox. The Graph half decides whether a message
may go and hands it over here; tests and the page look at the result.

    Graph half ── submit / file_draft ──▶ Mailboxes ◀── submitted, received_by, arrived ── tests
                                              ▲─────── mails_after, wait_for_change ────── page
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from graphrelay.sandbox.directory import Directory, User
from graphrelay.sandbox.mailbox_items import (
    Bounced,
    Draft,
    Folder,
    Item,
    ItemId,
    Mail,
    MimeDraft,
    Octets,
    Via,
    kept,
)
from graphrelay.sandbox.mailbox_reports import non_delivery_report
from graphrelay.sandbox.mailbox_settings import MailSettings
from graphrelay.sandbox.mime import Head, fields_of, read_head
from graphrelay.sandbox.mime_compose import Composition


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A message that Exchange has accepted; only its number is not assigned yet."""

    via: Via
    client_id: str
    head: Head
    message_id: str
    octets: bytes = field(repr=False)
    outgoing: bytes = field(repr=False)
    recipients: tuple[str, ...]
    bounced: tuple[Bounced, ...] = ()
    client_request_id: str
    request_id: str
    saved_to_sent: bool = True
    seems_draft_for: int = 0
    """Look-ups that still see the copy in Sent Items as a draft."""


class Box:
    """One user's folders."""

    def __init__(self) -> None:
        self._items: dict[int, Item] = {}
        self._folders: dict[Folder, dict[int, Item]] = {folder: {} for folder in Folder}
        self._by_message_id: dict[str, dict[int, Item]] = {}
        self.known_headers: set[str] = set()
        """Names, in lower case, that were sent by JSON: MIME keeps them from then on."""

    def add(self, item: Item) -> None:
        self._items[item.serial] = item
        self._folders[item.folder][item.serial] = item
        self._by_message_id.setdefault(item.content.message_id, {})[item.serial] = item

    def remove(self, item: Item) -> None:
        del self._items[item.serial]
        del self._folders[item.folder][item.serial]
        same = self._by_message_id[item.content.message_id]
        del same[item.serial]
        if not same:
            del self._by_message_id[item.content.message_id]

    def find(self, wanted: ItemId) -> Item | None:
        """A default id names an item only as long as it stays in its folder."""
        item = self._items.get(wanted.serial)
        if item is None or wanted.folder not in (None, item.folder):
            return None
        return item

    def with_message_id(self, message_id: str) -> list[Item]:
        return list(self._by_message_id.get(message_id, {}).values())

    def items(self, folder: Folder | None = None) -> Iterator[Item]:
        """Oldest first."""
        return iter((self._items if folder is None else self._folders[folder]).values())

    def count(self, folder: Folder) -> int:
        return len(self._folders[folder])


class Mailboxes:
    """Everything that arrived. `settings` may be changed at any time."""

    def __init__(
        self,
        directory: Directory,
        now: Callable[[], datetime],
        settings: MailSettings | None = None,
    ) -> None:
        self.settings = settings or MailSettings()
        self._directory = directory
        self._now = now
        self._boxes: dict[str, Box] = {}
        self._serial = 0
        self._mails: dict[int, Mail] = {}
        self._last = 0
        self._submitted: list[Mail] = []
        self._received: dict[str, list[Mail]] = {}
        self._submissions: Counter[str] = Counter()
        self._peaks: dict[str, int] = {}
        self._arrivals: list[tuple[int, asyncio.Future[None]]] = []
        self._watchers: list[asyncio.Future[None]] = []
        self.changes = 0
        """Counts arrivals and clearings, for those who follow them."""

    # What tests and pages look at --------------------------------------------------------------

    @property
    def submitted(self) -> list[Mail]:
        """Every message that was submitted, in order. Exchange's own reports are not among them."""
        return self._submitted

    @property
    def submissions(self) -> Mapping[str, int]:
        """Message-ID -> how often it was submitted."""
        return MappingProxyType(self._submissions)

    def received_by(self, address: str) -> list[Mail]:
        """What was delivered to this address, in order, inside the tenant or outside."""
        return list(self._received.get(address.casefold(), ()))

    def outside(self, address: str) -> list[Mail]:
        """The same for an address outside the sandbox's directory; else nothing."""
        return [] if self._directory.owner_of(address) else self.received_by(address)

    def inbox(self, user: User) -> list[Mail]:
        """What is in this user's Inbox, including reports."""
        return _mails(self.box(user).items(Folder.INBOX))

    def sent_items(self, user: User) -> list[Mail]:
        return _mails(self.box(user).items(Folder.SENT))

    def drafts(self, user: User) -> list[Item]:
        return list(self.box(user).items(Folder.DRAFTS))

    async def arrived(self, count: int, timeout: float = 10) -> list[Mail]:
        """Wait until `count` messages have been submitted in all; raises `TimeoutError`."""
        if len(self._submitted) < count:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._arrivals.append((count, waiting))
            try:
                await asyncio.wait_for(waiting, timeout)
            except TimeoutError:
                got = len(self._submitted)
                raise TimeoutError(f"{got} of {count} messages arrived in {timeout} s") from None
        return self._submitted

    def peak_in_flight(self, mailbox: str) -> int:
        """The most requests that any one application ever had in flight for this mailbox, those
        included that were refused because they were too many. By UPN or address."""
        user = self._directory.user(mailbox) or self._directory.owner_of(mailbox)
        return self._peaks.get(user.oid, 0) if user else 0

    @property
    def peaks_in_flight(self) -> dict[str, int]:
        """UPN -> `peak_in_flight`, for every mailbox that was ever used."""
        named = ((self._directory.user(oid), peak) for oid, peak in self._peaks.items())
        return {user.upn: peak for user, peak in named if user}

    def clear(self) -> None:
        """Empty every mailbox and forget what was submitted; numbers go on counting."""
        self._boxes.clear()
        self._mails.clear()
        self._submitted = []
        self._received.clear()
        self._submissions.clear()
        self._peaks.clear()
        self._changed()

    # What the page follows ---------------------------------------------------------------------

    @property
    def last_number(self) -> int:
        """The number of the newest mail, or of one that has been cleared away."""
        return self._last

    def mail(self, number: int) -> Mail | None:
        return self._mails.get(number)

    def mails_before(self, number: int | None, limit: int) -> list[Mail]:
        """Newest first, reports included; those older than `number` where it is given."""
        end = self._last + 1 if number is None else min(number, self._last + 1)
        oldest = next(iter(self._mails), self._last + 1)
        return [self._mails[one] for one in range(end - 1, max(oldest, end - limit) - 1, -1)]

    def mails_after(self, number: int, limit: int) -> list[Mail]:
        """Oldest first, reports included; those that are newer than `number`."""
        first = max(number + 1, next(iter(self._mails), self._last + 1))
        return [self._mails[one] for one in range(first, min(self._last + 1, first + limit))]

    def count(self) -> int:
        """How many there are, reports included."""
        return len(self._mails)

    async def wait_for_change(self, seen: int) -> int:
        """Return once `changes` is not `seen` any more, with what it is then."""
        while self.changes == seen:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watchers.append(waiting)
            await waiting
        return self.changes

    # What the Graph half does ------------------------------------------------------------------

    def box(self, user: User) -> Box:
        box = self._boxes.get(user.oid)
        if box is None:
            box = self._boxes[user.oid] = Box()
        return box

    def submit(self, sender: User, message: Submission, draft: Item | None = None) -> Mail:
        """Deliver to everybody, file the copy in Sent Items, and write the reports that are due.

        Where a draft is sent, it is this draft that becomes the copy.
        """
        mail = self._record(sender.primary_address, message)
        self._submitted.append(mail)
        self._submissions[mail.message_id] += 1
        self._deliver(mail)
        box = self.box(sender)
        sent: Item | None
        if draft is not None:
            if self.settings.ids_survive_sending:
                sent = self.move(box, draft, Folder.SENT, mail)
            else:
                box.remove(draft)
                sent = self._file(box, Folder.SENT, mail)
        elif mail.saved_to_sent:
            sent = self._file(box, Folder.SENT, mail)
        else:
            sent = None
        if sent is not None:
            sent.seems_draft_for = message.seems_draft_for
            if self.settings.aliases_resolved:
                sent.primary = self._directory.primary_addresses()
        for bounced in mail.bounced:
            self._report(sender, mail, bounced)
        self._changed()
        return mail

    def file_draft(self, user: User, content: MimeDraft | Composition, message_id: str) -> Item:
        return self._file(
            self.box(user), Folder.DRAFTS, Draft(content=content, message_id=message_id)
        )

    def replace_draft(self, user: User, item: Item, draft: Draft) -> None:
        """Replace the content of an item in Drafts."""
        box = self.box(user)
        box.remove(item)
        item.content, item.modified_at = draft, self._now()
        box.add(item)

    def move(self, box: Box, item: Item, to: Folder, content: Draft | Mail | None = None) -> Item:
        """File it in another folder: same item, same immutable id, another default id."""
        box.remove(item)
        moved = replace(item, folder=to, content=content or item.content, modified_at=self._now())
        box.add(moved)
        return moved

    def note_in_flight(self, user: User, count: int) -> None:
        if count > self._peaks.get(user.oid, 0):
            self._peaks[user.oid] = count

    # Within ------------------------------------------------------------------------------------

    def _record(self, mailbox: str, message: Submission) -> Mail:
        self._last += 1
        submitted = self._kept(message.octets)
        same = message.outgoing is message.octets
        bounced = {one.address.casefold() for one in message.bounced}
        mail = Mail(
            number=self._last,
            mailbox=mailbox,
            client_id=message.client_id,
            via=message.via,
            head=message.head,
            message_id=message.message_id,
            submitted=submitted,
            outgoing=submitted if same else self._kept(message.outgoing),
            received=tuple(
                address for address in message.recipients if address.casefold() not in bounced
            ),
            bounced=message.bounced,
            client_request_id=message.client_request_id,
            request_id=message.request_id,
            received_at=self._now(),
            saved_to_sent=message.saved_to_sent,
        )
        self._mails[mail.number] = mail
        return mail

    def _kept(self, octets: bytes) -> Octets:
        return kept(octets, self.settings.keep_bodies)

    def _deliver(self, mail: Mail) -> None:
        for address in mail.received:
            self._received.setdefault(address.casefold(), []).append(mail)
            if owner := self._directory.owner_of(address):
                self._file(self.box(owner), Folder.INBOX, mail)

    def _file(self, box: Box, folder: Folder, content: Draft | Mail) -> Item:
        self._serial += 1
        now = self._now()
        item = Item(
            serial=self._serial, folder=folder, content=content, created_at=now, modified_at=now
        )
        box.add(item)
        return item

    def _report(self, sender: User, mail: Mail, bounced: Bounced) -> None:
        address = sender.primary_address
        octets = non_delivery_report(mail, bounced, address, self._now())
        head = read_head(fields_of(octets))
        report = Submission(
            via="report",
            client_id="",
            head=head,
            message_id=head.message_id,
            octets=octets,
            outgoing=octets,
            recipients=(address,),
            client_request_id="",
            request_id="",
            saved_to_sent=False,
        )
        self._deliver(self._record(address, report))

    def _changed(self) -> None:
        self.changes += 1
        count = len(self._submitted)
        if self._arrivals:
            for wanted, waiting in self._arrivals:
                if count >= wanted and not waiting.done():
                    waiting.set_result(None)
            self._arrivals = [one for one in self._arrivals if not one[1].done()]
        watchers, self._watchers = self._watchers, []
        for waiting in watchers:
            if not waiting.done():
                waiting.set_result(None)


def _mails(items: Iterable[Item]) -> list[Mail]:
    return [item.content for item in items if isinstance(item.content, Mail)]
