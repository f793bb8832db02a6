"""A message too large for one request, as MIME without its files, which are added to the draft.

    header section, texts, alternatives, signed parts ──▶ octets: a draft as MIME
    any file                                          ──▶ attachments, added one by one

What Exchange makes of a draft in MIME that is given a file is not documented: it may keep the MIME
and add the file, write the message anew from its properties, or send the MIME as it was, without
the file. So nothing of it is believed. Before the draft is sent, its beginning is read back:
it must be longer than what it was created from by more than any header field that Exchange may have
added, must show each signed part octet for octet, and each header field that JSON would keep. What
else it does not show is listed as lost. Only a message whose files are larger than its texts can be
judged so.

(https://learn.microsoft.com/en-us/graph/outlook-send-mime-message,
https://learn.microsoft.com/en-us/graph/outlook-large-attachments)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphrelay.graph.base64stream import encoded_size
from graphrelay.mime import entity, header, reading
from graphrelay.mime.entity import Entity
from graphrelay.model import InlineBody, Submission
from graphrelay.relay.outgoing import as_json, as_mime, body_parts
from graphrelay.relay.outgoing.attachment import Attachment

MARGIN = 64 * 1024
"""Octets by which what is read back must be longer: more than any header field of Exchange."""
MOST_SEALED = 10
"""Signed or encrypted parts; each is looked for in what is read back."""
_NO_LOSS = ("bcc", "content-*", "mime-version", "x-graphrelay-*")
"""Fields that are ours, that Exchange writes itself, or that no recipient may see."""


@dataclass(frozen=True, slots=True)
class MimeDraft:
    """A message whose files are added to it later."""

    octets: bytes = field(repr=False)
    attachments: tuple[Attachment, ...]
    lost: tuple[str, ...]
    """What the files lose, in words."""
    sealed: tuple[bytes, ...] = field(default=(), repr=False)
    """Signed or encrypted parts, which must be found in what is read back."""

    @property
    def enough(self) -> int:
        """Octets of the draft that are read back."""
        return len(self.octets) + MARGIN

    async def lost_of(self, shown: bytes) -> tuple[str, ...] | None:
        """What the draft with its files does not show of the message, by its first octets, `enough`
        if it has as many; `None` if it would be sent without its files, with a broken
        signature, or with less than JSON keeps."""
        return await reading.of(len(self.octets) + len(shown), self._lost_of, shown)

    def _lost_of(self, shown: bytes) -> tuple[str, ...] | None:
        if len(shown) < self.enough or any(one not in shown for one in self.sealed):
            return None
        ours, theirs = _read(self.octets), _read(shown)
        if ours is None or theirs is None:
            return None
        left_out = {one.name for one in ours.header.find(*_NO_LOSS)}
        left_out |= {one.name for one in theirs.header.find("*")}
        names = {
            one.name: ours.header.octets[one.start : one.value_start - 1].decode("ascii")
            for one in ours.header.find("*")
            if one.name not in left_out
        }
        if not as_json.kept(ours.header).isdisjoint(names):
            return None
        kinds = dict.fromkeys(_texts(ours))
        texts = [f"the alternative in {kind}" for kind in kinds if kind not in set(_texts(theirs))]
        return (*self.lost, *texts, *as_mime.lost_fields(list(names.values())))


def _read(octets: bytes) -> Entity | None:
    section = header.read(octets)
    if section is None:
        return None
    try:
        return entity.read(section, InlineBody(octets), section.body_start, len(octets))
    except entity.TooTangled:
        return None


def _texts(part: Entity) -> Iterator[str]:
    """The types of its texts."""
    for child in part.children:
        yield from _texts(child)
    if part.content_type.value.startswith("text/"):
        yield part.content_type.value


async def convert(submission: Submission, most: int) -> MimeDraft | None:
    """`None` if the message cannot go so: it is of one part, or sealed as a whole; it has no file,
    or nothing but files; without them it needs more than `most` octets of base64; or its files are
    not larger than the rest. Raises `StorageUnavailable` and `as_mime.UnreadableHeader`."""
    return await reading.of(submission.size, _convert, submission, most)


def _convert(submission: Submission, most: int) -> MimeDraft | None:
    section, start = as_mime.spliced(submission)
    body = submission.body
    try:
        whole = entity.read(section, body, start, body.size)
    except entity.TooTangled:
        return None
    if not whole.children or body_parts.sealed_type(section):
        return None
    parts = body_parts.texts_and_files(whole)
    cut = frozenset(map(_place, parts.files))
    if not parts.files or len(parts.sealed) > MOST_SEALED or not _stays(whole, cut):
        return None
    rest = len(section.octets) + sum(_size(whole, cut))
    files = sum(one.content.size for one in parts.attachments)  # kept there for the uploads
    if encoded_size(rest) > most or rest + MARGIN >= files:
        return None
    octets = b"".join([section.octets, b"\r\n", *_written(whole, cut)])
    sealed = tuple(body.read(one.start, one.end).strip(b"\r\n") for one in parts.sealed)
    return MimeDraft(octets, parts.attachments, parts.lost, sealed)


_Place = tuple[int, int]


def _place(part: Entity) -> _Place:
    return part.start, part.end


def _stays(part: Entity, cut: frozenset[_Place]) -> bool:
    """Whether anything of it is no file."""
    if part.children:
        return any(_stays(child, cut) for child in part.children)
    return _place(part) not in cut


def _size(part: Entity, cut: frozenset[_Place]) -> Iterator[int]:
    """About what `_written` gives, nothing read."""
    if not _stays(part, cut):
        return
    if not _is_cut(part, cut):
        yield part.end - part.start
        return
    around = 2 * len(_delimiter(part)) + 10
    for child in part.children:
        yield child.header.body_start + around
        yield from _size(child, cut)


def _is_cut(part: Entity, cut: frozenset[_Place]) -> bool:
    """Whether anything in it is a file."""
    if part.children:
        return any(_is_cut(child, cut) for child in part.children)
    return _place(part) in cut


def _written(part: Entity, cut: frozenset[_Place]) -> Iterator[bytes]:
    """Its body without the files in it; all else octet for octet."""
    if not _is_cut(part, cut):
        yield part.octets.read(part.start, part.end)
        return
    delimiter = _delimiter(part)
    for child in part.children:
        if _stays(child, cut):
            start = child.start - child.header.body_start
            yield delimiter + b"\r\n" + part.octets.read(start, child.start)
            yield from _written(child, cut)
            yield b"\r\n"
    yield delimiter + b"--\r\n"


def _delimiter(part: Entity) -> bytes:
    return b"--" + part.content_type.parameters["boundary"].encode("latin-1", "replace")
