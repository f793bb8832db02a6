"""Replies on the wire, and that the documentation lists all of them."""

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from graphrelay.model import Reply
from graphrelay.smtp.grammar import arguments, replies, sasl

DOCUMENTED = (Path(__file__).parents[3] / "docs" / "smtp.md").read_text()


_TEXT = st.text(st.characters() | st.sampled_from("a \t\r\n"), max_size=1500)


@given(st.integers(400, 599), _TEXT)
@example(550, "no such\r\n250 user")
def test_any_text_becomes_lines_that_a_client_can_read(code: int, text: str) -> None:
    octets = replies.octets(Reply(code, "5.0.0", text))
    *lines, rest = octets.split(b"\r\n")
    assert rest == b""
    assert all(line.startswith(b"%d-5.0.0 " % code) for line in lines[:-1])
    assert lines[-1].startswith(b"%d 5.0.0 " % code)
    for line in lines:
        assert len(line) <= 510
        assert line.isascii()
        assert b"\r" not in line
        assert b"\n" not in line


def test_every_reply_is_documented() -> None:
    spoken = [
        reply
        for module in (replies, arguments, sasl)
        for reply in vars(module).values()
        if isinstance(reply, Reply)
    ]
    assert len(spoken) > 30
    assert [r for r in spoken if f"{r.code} {r.status}" not in DOCUMENTED] == []
