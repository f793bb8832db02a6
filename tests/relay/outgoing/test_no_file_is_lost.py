"""Whatever the structure of a message: a file is sent as a file, and anything omitted is named."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime import entity, header
from graphrelay.model import InlineBody
from graphrelay.relay.outgoing import body_parts
from graphrelay.relay.outgoing.body_parts import MessageBody

LEAVES = [
    "text/plain",
    "text/html",
    "text/calendar",
    "text/x-amp-html",
    "image/png",
    "application/pdf",
    "message/rfc822",
    "",
]
MULTIPARTS = ["mixed", "alternative", "related", "digest", "report", "unheard-of"]


@dataclass
class Leaf:
    kind: str
    name: bool
    disposition: str
    content_id: bool
    octets: bytes = b""

    def written(self, numbers: Iterator[int]) -> bytes:
        number = next(numbers)
        self.octets = f"Subject: part {number}\r\n\r\ncontent-{number}-end".encode()
        self.file_name = f"file{number}.x"
        fields = []
        if self.kind:
            fields.append(f"Content-Type: {self.kind}" + f"; name={self.file_name}" * self.name)
        if self.disposition:
            fields.append(f"Content-Disposition: {self.disposition}")
        if self.content_id:
            fields.append(f"Content-ID: <part{number}@x>")
        if self.kind == "message/rfc822" or not self.kind:
            return "\r\n".join([*fields, "", ""]).encode() + self.octets
        fields.append("Content-Transfer-Encoding: base64")
        return "\r\n".join([*fields, "", ""]).encode() + base64.b64encode(self.octets)

    @property
    def leaves(self) -> "list[Leaf]":
        return [self]


@dataclass
class Tree:
    kind: str
    children: "list[Leaf | Tree]" = field(default_factory=list)

    def written(self, numbers: Iterator[int]) -> bytes:
        mark = f"=_{next(numbers)}_="
        parts = [child.written(numbers) for child in self.children]
        head = f'Content-Type: multipart/{self.kind}; boundary="{mark}"\r\n\r\n'.encode()
        inside = b"".join(f"--{mark}\r\n".encode() + part + b"\r\n" for part in parts)
        return head + inside + f"--{mark}--\r\n".encode()

    @property
    def leaves(self) -> "list[Leaf]":
        return [leaf for child in self.children for leaf in child.leaves]


LEAF = st.builds(
    Leaf,
    kind=st.sampled_from(LEAVES),
    name=st.booleans(),
    disposition=st.sampled_from(["", "attachment", "inline", "form-data"]),
    content_id=st.booleans(),
)
TREES = st.recursive(
    LEAF,
    lambda inside: st.builds(
        Tree, st.sampled_from(MULTIPARTS), st.lists(inside, min_size=1, max_size=4)
    ),
    max_leaves=12,
)


def taken_apart(octets: bytes) -> MessageBody:
    section = header.read(octets)
    assert section
    whole = entity.read(section, InlineBody(octets), section.body_start, len(octets))
    found = body_parts.take_apart(whole)
    assert isinstance(found, MessageBody)
    return found


@given(TREES)
def test_every_named_or_placed_part_goes_along_or_is_named_as_lost(tree: Leaf | Tree) -> None:
    found = taken_apart(tree.written(count()))
    files = [b"".join(one.content.pieces()) for one in found.attachments]
    for leaf in tree.leaves:
        told = f"the alternative in {leaf.kind or 'text/plain'}" in found.lost
        shown = leaf.octets.decode().split("\r\n")[-1] in found.text
        assert leaf.octets in files or shown or told
        assert leaf.octets in files or leaf.disposition != "attachment"


@given(TREES)
def test_no_part_goes_twice(tree: Leaf | Tree) -> None:
    found = taken_apart(tree.written(count()))
    for leaf in tree.leaves:
        end = leaf.octets.split(b"\r\n")[-1]
        places = sum(b"".join(one.content.pieces()).count(end) for one in found.attachments)
        assert places + found.text.encode().count(end) <= 1
