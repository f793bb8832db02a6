"""The size ladder: how much one request may hold, tried without sending anything.

MIME is submitted without recipients, so that what is not refused for its size is refused for the
missing recipients (see the check `probe`). Drafts and attachments are deleted at once. Each ladder
ends at the first step that is refused.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from graphrelay.control.verbs.scope import WITHOUT_RECIPIENTS
from graphrelay.doctor.examination import CannotTell, Examination, document, in_json, said
from graphrelay.doctor.finding import Finding, judged
from graphrelay.doctor.letter import Padded
from graphrelay.graph.http.answer import read_error
from graphrelay.graph.session import GraphReply, Json, Mime

STEPS = (3_900_000, 4_100_000, 4_300_000, 10_000_000, 30_000_000, 48_000_000)
"""Octets of a request: below and above each reading of "4 MB", and what was seen in the field."""
OTHER_STEPS = STEPS[:4]
"""For drafts and attachments: a mailbox takes 150 MB in five minutes."""
DOCUMENTED = (3_900_000, 4_100_000)


@dataclass(frozen=True, slots=True)
class Ladder:
    """What was accepted, and what was not."""

    taken: int
    """Octets; 0 for none."""
    refused: int = 0
    """Octets; 0 if nothing was."""
    by: str = ""

    def __str__(self) -> str:
        taken = f"taken up to {self.taken:,} octets" if self.taken else "nothing was taken"
        return f"{taken}; {self.refused:,} refused: {self.by}" if self.refused else taken

    def finding(self) -> Finding:
        as_documented = (self.taken, self.refused) == DOCUMENTED and self.by.startswith("HTTP 413")
        return judged(as_documented, str(self))


async def climbed(
    steps: tuple[int, ...],
    ask: Callable[[int], Awaitable[GraphReply]],
    is_taken: Callable[[GraphReply], bool],
) -> Ladder:
    """Step by step. Raises `CannotTell` for an answer that is not about the size."""
    taken = 0
    for size in steps:
        reply = await ask(size)
        if is_taken(reply):
            taken = size
            continue
        if not (200 <= reply.status < 300 or reply.status in (400, 413)):
            raise CannotTell(f"{size:,} octets: {said(reply)}")
        return Ladder(taken, size, said(reply))
    return Ladder(taken)


async def of_mime(of: Examination) -> Finding:
    """What is found is remembered for `max_mime_request = "auto"`."""

    def is_taken(reply: GraphReply) -> bool:
        code = read_error(reply.body).code.lower()
        return reply.status == 400 and code == "errorinvalidrecipients"

    async def ask(size: int) -> GraphReply:
        content = Mime(Padded(WITHOUT_RECIPIENTS, size // 4 * 3))
        return await of.request("POST", f"{of.box}/sendMail", content)

    found = await climbed(STEPS, ask, is_taken)
    remembered = await of.reach.limits.measured(of.lane, found.taken, found.refused)
    of.record.note(remembered=remembered)
    verdict = found.finding()
    return type(verdict)(f"{found} ({remembered})")


async def of_draft(of: Examination) -> Finding:
    """MIME drafts."""

    async def ask(size: int) -> GraphReply:
        content = Mime(Padded(WITHOUT_RECIPIENTS, size // 4 * 3))
        reply = await of.request("POST", f"{of.box}/messages", content)
        draft = document(reply.body).get("id")
        if isinstance(draft, str):
            of.drafts.add(draft)
            await of.delete(draft)
        return reply

    return (await climbed(OTHER_STEPS, ask, lambda reply: reply.status == 201)).finding()


_HEAD = (
    b'{"@odata.type":"#microsoft.graph.fileAttachment","name":"graphrelay.bin",'
    b'"contentType":"application/octet-stream","contentBytes":"'
)
_TAIL = b'"}'


async def of_attachment(of: Examination) -> Finding:
    """Files in JSON, at one draft."""
    draft = await of.create(in_json(of.letter("attachment").as_json()))

    async def ask(size: int) -> GraphReply:
        around = len(_HEAD) + len(_TAIL)
        content = Padded(_HEAD, (size - around) // 4 * 4 + around, _TAIL, b"A" * 80_000)
        return await of.request("POST", f"{of.item(draft)}/attachments", Json(content))

    try:
        return (await climbed(OTHER_STEPS, ask, lambda reply: reply.status == 201)).finding()
    finally:
        await of.delete(draft)
