"""Whatever the octets, no reader fails.

For an hour a reader: GRAPHRELAY_FUZZ_SECONDS=3600 pytest tests/test_readers.py
"""

import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.readers import READERS, Reader
from tests.smtp.fuzzing import fuzz

SECONDS = float(os.environ.get("GRAPHRELAY_FUZZ_SECONDS") or 0)


@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("reader", READERS, ids=str)
def test_no_octets_trip_a_reader_up(reader: Reader) -> None:
    fuzz(_reads_anything(reader), SECONDS)


def _reads_anything(reader: Reader) -> Callable[[], None]:
    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.sampled_from(reader.tokens) | st.binary(max_size=8), max_size=30))
    def reads(pieces: list[bytes]) -> None:
        reader.read(b"".join(pieces))

    return reads
