"""What arrives in the account's own mailbox: From, header fields, letters, blind copies."""

import quopri
from email.utils import format_datetime, parseaddr

from graphrelay.doctor.examination import Arrived, CannotTell, Examination, mime, taken
from graphrelay.doctor.finding import Finding, LeftOut, judged
from graphrelay.doctor.letter import Letter
from graphrelay.mime import entity
from graphrelay.mime.entity import TooTangled
from graphrelay.model import InlineBody, same_address

KNOWN = {
    "In-Reply-To": "<a.question@graphrelay.invalid>",
    "References": "<a.question@graphrelay.invalid>",
    "Importance": "high",
    "List-Unsubscribe": "<https://graphrelay.invalid/unsubscribe>",
}
"""Fields that have a property of their own in a mailbox (MS-OXCMAIL)."""
OTHERS = {"Auto-Submitted": "auto-generated", "List-Id": "<doctor.graphrelay.invalid>"}
"""Fields that have none."""
_PLAIN = ("Content-Type", "text/plain; charset=us-ascii")


def _unknown(of: Examination, which: str = "") -> str:
    """A name that no mailbox has seen: a name remains known once it has been registered."""
    return f"X-Graphrelay-{of.run}{which}"


def _headers(of: Examination) -> Letter:
    fields = (*KNOWN.items(), *OTHERS.items(), (_unknown(of), "1"), _PLAIN)
    return of.letter("headers", fields=fields)


async def from_field(of: Examination) -> Finding:
    """The name and the address."""
    arrived = await of.delivered(_headers(of))
    name, address = parseaddr(arrived.value("from"))
    right = name == "graphrelay doctor" and same_address(address, of.mailbox)
    sender = "a Sender field was added" if arrived.value("sender") else "no Sender field"
    changed = "as it was sent" if right else f"{name or 'no name'} {_whose(of, address)}"
    return judged(right, f"{changed}; {sender}")


async def from_alias(of: Examination) -> Finding:
    """From with another address of the own mailbox."""
    alias = _alias(of)
    if not alias:
        return LeftOut("the account has no aliases in the configuration")
    arrived = await of.delivered(of.letter("alias", sender=alias))
    _, address = parseaddr(arrived.value("from"))
    return judged(same_address(address, of.mailbox), f"From arrived with {_whose(of, address)}")


def _alias(of: Examination) -> str:
    own = of.account.aliases if of.account.is_own_mailbox(of.mailbox) else ()
    return next((one for one in own if not same_address(one, of.mailbox)), "")


def _whose(of: Examination, address: str) -> str:
    if same_address(address, of.mailbox):
        return "the primary address"
    return "the alias" if _alias(of) and same_address(address, _alias(of)) else "another address"


async def message_id(of: Examination) -> Finding:
    letter = _headers(of)
    found = (await of.delivered(letter)).value("message-id")
    right = found == letter.message_id
    return judged(right, "as it was sent" if right else f"another: {found or 'none'}")


async def date(of: Examination) -> Finding:
    letter = _headers(of)
    found = (await of.delivered(letter)).value("date")
    right = found == format_datetime(letter.at)
    return judged(right, "as it was sent" if right else f"Date: {found}")


async def known_headers(of: Examination) -> Finding:
    arrived = await of.delivered(_headers(of))
    lost = [name for name, value in KNOWN.items() if arrived.value(name.lower()) != value]
    return judged(not lost, f"lost or changed: {', '.join(lost)}" if lost else "all arrived")


async def other_headers(of: Examination) -> Finding:
    arrived = await of.delivered(_headers(of))
    kept = [name for name, value in OTHERS.items() if arrived.value(name.lower()) == value]
    return judged(not kept, f"kept: {', '.join(kept)}" if kept else "both are lost")


async def x_headers(of: Examination) -> Finding:
    kept = bool((await of.delivered(_headers(of))).value(_unknown(of).lower()))
    return judged(not kept, "kept" if kept else "lost")


async def taught(of: Examination) -> Finding:
    """One message by JSON with a new name, then one by MIME with the same."""
    name = _unknown(of, "-Taught")
    taken(await of.send_json(of.letter("lesson"), name))
    await of.arrival(of.letter("lesson"))
    arrived = await of.delivered(of.letter("taught", fields=((name, "1"), _PLAIN)))
    kept = bool(arrived.value(name.lower()))
    return judged(kept, "kept" if kept else "lost all the same")


# --- Letters ---------------------------------------------------------------------------------

TEXT = (
    "Grüße, naïve café, 12 €, Ωmega, кириллица; a line that ends in = and one with a dot\r\n.\r\n"
)


async def octets(of: Examination) -> Finding:
    """Two parts with the same text."""
    edge = f"graphrelay-{of.run}"
    head = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {}\r\n\r\n"
    quoted = quopri.encodestring(TEXT.replace("\r\n", "\n").encode()).replace(b"\n", b"\r\n")
    parts = ((head.format("quoted-printable"), quoted), (head.format("8bit"), TEXT.encode()))
    body = b"".join(
        f"--{edge}\r\n{opening}".encode() + content + b"\r\n" for opening, content in parts
    )
    kind = ("Content-Type", f'multipart/mixed; boundary="{edge}"')
    letter = of.letter("octets", fields=(kind,), body=body + f"--{edge}--\r\n".encode())
    arrived = await of.delivered(letter)
    texts = _texts(arrived)
    right = texts == [TEXT.replace("\r\n", "\n").strip()] * 2
    same = "octet for octet" if body in arrived.octets else "written in another encoding"
    seen = f"the same characters, {same}" if right else f"{len(texts)} parts, with other characters"
    return judged(right, seen)


def _texts(arrived: Arrived) -> list[str]:
    try:
        whole = entity.read(
            arrived.section,
            InlineBody(arrived.octets),
            arrived.section.body_start,
            len(arrived.octets),
        )
    except TooTangled as error:
        raise CannotTell("the message that arrived is not the one that was sent") from error
    return [
        b"".join(part.content.pieces()).decode("utf-8", "replace").replace("\r\n", "\n").strip()
        for part in (whole.children or (whole,))
    ]


# --- Blind copies ----------------------------------------------------------------------------


async def bcc_mime(of: Examination) -> Finding:
    """One letter whose blind copy goes to ADDRESS, and one whose blind copy comes back."""
    leaky, blind = _blind(of, "bcc-mime")
    taken(await of.send(leaky))
    taken(await of.send(blind))
    return await _leak(of, leaky, blind)


async def bcc_draft(of: Examination) -> Finding:
    """The same by way of Drafts."""
    leaky, blind = _blind(of, "bcc-draft")
    for letter in (leaky, blind):
        _, reply = await of.send_draft(letter, mime(letter.octets))
        taken(reply)
    return await _leak(of, leaky, blind)


def _blind(of: Examination, key: str) -> tuple[Letter, Letter]:
    own, other = of.mailbox, of.wish.to
    return (
        of.letter(f"{key}-1", own, bcc=(other,)),
        of.letter(f"{key}-2", other, bcc=(own,)),
    )


async def _leak(of: Examination, leaky: Letter, blind: Letter) -> Finding:
    seen_by_others = await of.arrival(leaky)
    shown = bool(seen_by_others.value("bcc"))
    named = of.wish.to.lower().encode() in seen_by_others.octets.lower()
    leaks = shown or (named and not same_address(of.wish.to, of.mailbox))
    try:
        await of.arrival(blind)
        came = True
    except CannotTell:
        came = False
    seen = f"the blind copy {'arrived' if came else 'did not arrive'}, "
    return judged(came and not leaks, seen + ("and its field LEAKS" if leaks else "no leak"))


# --- Copies in Sent Items --------------------------------------------------------------------


async def no_copy(of: Examination) -> Finding:
    letter = of.letter("no-copy")
    taken(await of.send_json(letter))
    await of.arrival(letter)
    kept = await of.copies(letter, "sentitems")
    return judged(not kept, "there is a copy" if kept else "no copy")


async def recipients(of: Examination) -> Finding:
    """A letter to an alias, and whom its copy names."""
    alias = _alias(of)
    if not alias:
        return LeftOut("the account has no aliases in the configuration")
    letter = of.letter("to-alias", alias)
    taken(await of.send(letter))
    (copy, *_) = await of.until(lambda: of.copies(letter, "sentitems"))
    people = copy.get("toRecipients") or []
    named = [str(person.get("emailAddress", {}).get("address")) for person in people]
    primary = [same_address(one, of.mailbox) for one in named] == [True]
    return judged(primary, "the primary address" if primary else "the alias")
