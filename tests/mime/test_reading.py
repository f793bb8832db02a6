"""What waits while text is read."""

import asyncio
import threading

from graphrelay.mime import reading

MIDDLING, LARGE = reading.AT_ONCE + 1, reading.LARGE + 1


async def test_a_little_text_is_read_at_once() -> None:
    assert await reading.of(reading.AT_ONCE, threading.get_ident) == threading.get_ident()
    assert await reading.of(MIDDLING, threading.get_ident) != threading.get_ident()


async def test_large_texts_wait_for_each_other_and_nobody_else_does() -> None:
    go_on, begun = threading.Event(), list[int]()

    def long_one(number: int) -> None:
        begun.append(number)
        assert go_on.wait(30)

    large = [asyncio.ensure_future(reading.of(LARGE, long_one, number)) for number in range(5)]
    try:
        for _ in range(20):
            assert await reading.of(MIDDLING, len, "text") == 4
        assert len(begun) == 1
    finally:
        go_on.set()
        await asyncio.gather(*large)
    assert begun == [0, 1, 2, 3, 4]


def test_work_is_measured_by_the_header_section_and_the_recipients() -> None:
    assert reading.header_size(b"From: a@b\r\n\r\n" + b"x" * 99_999) == len(b"From: a@b")
    assert reading.header_size(b"x" * 99_999, 10) == 99_999 + 10 * reading.OF_A_RECIPIENT
