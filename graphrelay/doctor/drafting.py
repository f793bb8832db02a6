"""Drafts: whether they are found, how their ids change, how they are deleted, and uploads."""

import base64
from datetime import timedelta
from typing import Any

from yarl import URL

from graphrelay.doctor.examination import (
    CannotTell,
    Examination,
    document,
    in_json,
    mime,
    moment,
    said,
    taken,
)
from graphrelay.doctor.finding import Different, Finding, NotKnown, judged
from graphrelay.graph.session import GraphReply
from graphrelay.model import OctetsInMemory

LONG_ENOUGH = timedelta(minutes=10)
"""Of an upload session's life."""
FILE = 3_500_000
"""Octets of the attachment that is uploaded: more than 3 MB in any reading."""
PIECE = 5 * 320 * 1024
SMALL = 1_000_000


async def fresh(of: Examination) -> Finding:
    """A draft, looked at right after it was made."""
    draft = await of.create(in_json(of.letter("fresh").as_json()))
    reply = await of.request("GET", f"{of.item(draft)}?$select=id")
    seen = said(reply)
    if reply.status == 404:
        try:
            looks = await _looks_until_found(of, draft)
            seen += f"; found at look {looks}"
        except CannotTell:
            seen += "; never found"
    await of.delete(draft)
    return judged(reply.status == 200, seen)


async def _looks_until_found(of: Examination, draft: str) -> int:
    looks = 1

    async def look() -> list[int]:
        nonlocal looks
        looks += 1
        found = (await of.request("GET", f"{of.item(draft)}?$select=id")).status == 200
        return [looks] if found else []

    return int((await of.until(look))[0])


async def sent(of: Examination) -> Finding:
    """A draft is sent, and looked for in Sent Items."""
    letter = of.letter("draft")
    _, reply = await of.send_draft(letter, in_json(letter.as_json()))
    if reply.status == 404:
        return Different(f"sending it: {said(reply)}")
    taken(reply)
    looks = 0

    async def look() -> list[dict[str, Any]]:
        nonlocal looks
        looks += 1
        found = await of.copies(letter, "sentitems")
        return [one for one in found if one.get("isDraft") is False]

    try:
        await of.until(look)
    except CannotTell:
        return Different("it is still a draft, and reaches nobody")
    return judged(
        looks == 1, "at once" if looks == 1 else f"a draft at first; sent at look {looks}"
    )


async def survives(of: Examination) -> Finding:
    """A draft is sent, and looked at by its immutable id."""
    letter = of.letter("draft-id")
    draft, reply = await of.send_draft(letter, in_json(letter.as_json()))
    taken(reply)
    try:
        await of.arrival(letter)
    except CannotTell as problem:
        return NotKnown(f"the draft was sent, and did not arrive: {problem}")
    after = await of.request("GET", f"{of.item(draft)}?$select=id,isDraft")
    if after.status == 200:
        return Different("it survives: the id finds the copy in Sent Items")
    return judged(after.status == 404, f"it does not survive: {said(after)}")


async def deleted(of: Examination) -> Finding:
    """One draft by DELETE, one by permanentDelete."""
    letter = of.letter("deleted")
    draft = await of.create(in_json(letter.as_json()))
    gone = await of.request("DELETE", of.item(draft))
    if gone.status != 204:
        return Different(f"DELETE: {said(gone)}")
    folder = (await of.look("/mailFolders/deleteditems?$select=id")).get("id")
    left = await of.copies(letter)
    of.drafts.discard(draft)
    of.drafts |= {str(one["id"]) for one in left}
    moved = [one.get("parentFolderId") for one in left] == [folder]
    other = await of.create(in_json(of.letter("deleted-for-good").as_json()))
    for_good = await of.request("POST", f"{of.item(other)}/permanentDelete")
    if for_good.status == 204:
        of.drafts.discard(other)
    place = "in Deleted Items" if moved else ("gone" if not left else "elsewhere")
    seen = f"after DELETE: {place}; permanentDelete: {said(for_good)}"
    return judged(moved and for_good.status == 204, seen)


async def files(of: Examination) -> Finding:
    """Whether the draft keeps its octets, and has the file."""
    text = b"Soft line=\r\n breaks are octets that nobody writes like that.\r\n"
    encoding = ("Content-Transfer-Encoding", "quoted-printable")
    kind = ("Content-Type", "text/plain; charset=us-ascii")
    letter = of.letter("draft-files", fields=(kind, encoding), body=text)
    draft = await of.create(mime(letter.octets))
    try:
        content = base64.b64encode(b"graphrelay doctor, attached").decode()
        file = {"@odata.type": "#microsoft.graph.fileAttachment", "name": "graphrelay.bin"}
        path = f"{of.item(draft)}/attachments"
        added = await of.request("POST", path, in_json(file | {"contentBytes": content}))
        shown = await of.request("GET", f"{of.item(draft)}/$value")
    finally:
        await of.delete(draft)
    if added.status != 201 or shown.status != 200:
        return Different(f"attaching: {said(added)}; reading: {said(shown)}")
    if content.encode() not in shown.body:
        return Different("the file is left out, though it was taken")
    kept = text in shown.body
    return judged(not kept, "its octets are kept" if kept else "it is written anew")


# --- Uploads ---------------------------------------------------------------------------------


async def upload(of: Examination) -> Finding:
    """The address of the session, the answer to each piece, and whether a small file is refused."""
    draft = await of.create(in_json(of.letter("upload").as_json()))
    try:
        return await _uploaded(of, draft)
    finally:
        await of.delete(draft)


async def _uploaded(of: Examination, draft: str) -> Finding:
    small = await _opened(of, draft, SMALL)
    opened = await _opened(of, draft, FILE)
    answer = document(opened.body)
    url = answer.get("uploadUrl")
    if opened.status != 201 or not isinstance(url, str):
        return Different(f"opening a session: {said(opened)}")
    host = URL(url).host or "no host"
    ends = moment(answer.get("expirationDateTime"))
    lives = ends is not None and ends - of.clock.now() >= LONG_ENOUGH
    pieces = await _pieces(of, url)
    statuses = [reply.status for reply in pieces]
    expected = [document(reply.body).get("nextExpectedRanges") for reply in pieces[:-1]]
    of.record.note(upload_host=host, expected=expected, first=answer.get("nextExpectedRanges"))
    whole = statuses == [200] * (len(statuses) - 1) + [201]
    refused = small.status == 400
    seen = [
        f"host {host}",
        f"pieces answered {', '.join(map(said, pieces))}",
        f"next octets as {expected}",
        f"lives {'long enough' if lives else f'until {ends}'}",
        f"1 MB {'refused' if refused else 'taken'}",
    ]
    return judged(whole and lives and refused, "; ".join(seen))


async def _opened(of: Examination, draft: str, size: int) -> GraphReply:
    item = {"attachmentType": "file", "name": "graphrelay.bin", "size": size}
    path = f"{of.item(draft)}/attachments/createUploadSession"
    return await of.request("POST", path, in_json({"AttachmentItem": item}))


async def _pieces(of: Examination, url: str) -> list[GraphReply]:
    """The answers, up to the first that is not a success."""
    session = await of.session()
    replies = []
    for start in range(0, FILE, PIECE):
        piece = OctetsInMemory(b"\0" * min(PIECE, FILE - start))
        where = f"bytes {start}-{start + piece.size - 1}/{FILE}"
        replies.append(await session.upload("PUT", url, where, piece))
        if not 200 <= replies[-1].status < 300:
            break
    return replies
