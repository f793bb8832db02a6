"""The parts of a message by byte range."""

from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime import entity, header
from graphrelay.mime.entity import Entity
from graphrelay.model import InlineBody

Tree = tuple[str, bytes] | tuple[str, list["Tree"]]


def read(message: bytes) -> Entity:
    section = header.read(message)
    assert section
    return entity.read(section, InlineBody(message), section.body_start, len(message))


def tree(found: Entity) -> Tree:
    kind = found.content_type.value
    if found.children:
        return kind, [tree(child) for child in found.children]
    return kind, found.octets.read(found.start, found.end)


def multipart(boundary: str, *parts: bytes, kind: str = "mixed") -> bytes:
    mark = f"--{boundary}".encode()
    inside = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode() + (
        b"preamble\r\n" + inside + mark + b"--\r\nepilogue\r\n"
    )


PLAIN = b"Content-Type: text/plain\r\n\r\nhello"
IMAGE = b"Content-Type: image/png\r\n\r\n\x89PNG\r\n--x"


def test_a_message_without_parts_is_one_entity() -> None:
    assert tree(read(b"Subject: s\r\n\r\nhello\r\n")) == ("text/plain", b"hello\r\n")


def test_parts_end_before_the_line_end_of_the_boundary() -> None:
    assert tree(read(multipart("x", PLAIN, IMAGE, b"\r\nbare", b""))) == (
        "multipart/mixed",
        [
            ("text/plain", b"hello"),
            ("image/png", b"\x89PNG"),
            ("text/plain", b""),
            ("text/plain", b"bare"),
            ("text/plain", b""),
        ],
    )


def test_parts_have_parts_even_where_boundaries_begin_alike() -> None:
    inner = multipart("xy", PLAIN, PLAIN, kind="alternative")
    assert tree(read(multipart("x", inner, PLAIN))) == (
        "multipart/mixed",
        [
            ("multipart/alternative", [("text/plain", b"hello"), ("text/plain", b"hello")]),
            ("text/plain", b"hello"),
        ],
    )


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (b"--x\r\n\r\na", [b"a"]),
        (b"--x\n\na\n--x--", [b"a"]),
        (b"--x \t\r\n\r\na\r\n--x-- \r\n\r\nb\r\n--x\r\n\r\nc", [b"a"]),
        (b"--x\r\n\r\na\r\n--xy\r\n--x", [b"a\r\n--xy", b""]),
        (b"--x\r\n--x\r\n\r\nb\r\n--x--", [b"", b"b"]),
        (b"text --x\r\n\r\na\r\n--x\r\n\r\nb", [b"b"]),
        (b"no boundary at all", []),
        (b"--x--", []),
    ],
)
def test_broken_multiparts_are_read_as_mail_programs_do(body: bytes, parts: list[bytes]) -> None:
    found = read(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + body)
    assert [child.octets.read(child.start, child.end) for child in found.children] == parts


def test_a_boundary_is_found_wherever_pieces_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    message = multipart("bound", *(b"\r\n" + b"x" * size for size in range(30)))
    whole = tree(read(message))
    for piece in range(1, 60):
        monkeypatch.setattr(entity, "_PIECE", piece)
        assert tree(read(message)) == whole


@given(
    st.lists(st.sampled_from([b"--x", b"--x--", b"\r\n", b"\n", b" ", b"a", b"--", b"x"])),
    st.integers(1, 9),
)
def test_any_cut_reads_the_same(words: list[bytes], piece: int) -> None:
    message = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"".join(words)
    whole = tree(read(message))
    before, entity._PIECE = entity._PIECE, piece
    try:
        assert tree(read(message)) == whole
    finally:
        entity._PIECE = before


BODIES = st.binary(max_size=20).map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b""))
LEAVES = BODIES.map(lambda body: b"Content-Type: image/png\r\n\r\n" + body)
NESTED = st.recursive(
    LEAVES,
    lambda below: st.builds(
        lambda parts, mark: multipart(f"={mark}={sum(map(len, parts))}", *parts),
        st.lists(below, min_size=1, max_size=3),
        st.text("abc'()+_,./:? =", min_size=1, max_size=20).map(lambda text: text + "."),
    ),
    max_leaves=6,
)


@given(NESTED)
def test_python_finds_the_same_parts(message: bytes) -> None:
    leaves = [
        part.get_payload(decode=True)
        for part in message_from_bytes(message).walk()
        if not part.is_multipart()
    ]
    found: list[bytes] = []

    def gather(one: Entity) -> None:
        found.extend([] if one.children else [one.octets.read(one.start, one.end)])
        for child in one.children:
            gather(child)

    gather(read(message))
    assert found == leaves


def test_a_tangle_is_given_up() -> None:
    many = multipart("x", *[b"\r\n"] * (entity.MOST_PARTS + 1))
    with pytest.raises(entity.TooTangled):
        read(many)
    deep = PLAIN
    for number in range(entity.DEEPEST + 1):
        deep = multipart(f"b{number}", deep)
    with pytest.raises(entity.TooTangled):
        read(deep)


def test_what_is_no_type_is_text() -> None:
    assert read(b"Content-Type: nonsense\r\n\r\nx").content_type.value == "text/plain"
    assert read(b"Subject: s\r\n\r\nx").content_type.value == "text/plain"
