from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.sandbox.mailbox_items import Draft, Folder, Item, ItemId, MimeDraft, read_id

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@given(st.integers(1, 2**63 - 1), st.sampled_from(Folder), st.booleans())
def test_an_id_names_its_item_again(serial: int, folder: Folder, immutable: bool) -> None:
    draft = Draft(content=MimeDraft(b""), message_id="<1@x>")
    item = Item(serial=serial, folder=folder, content=draft, created_at=NOW, modified_at=NOW)
    assert read_id(item.id(immutable)) == ItemId(serial, None if immutable else folder)


@given(st.text(max_size=80))
def test_what_is_no_id_is_none(text: str) -> None:
    assert read_id(text) is None


@pytest.mark.parametrize("tail", ["", "!", "AAAA", "AQAAAAAAAAAB/w==", "qgAAAAAAAAAB"])
def test_a_broken_id_is_none(tail: str) -> None:
    draft = Draft(content=MimeDraft(b""), message_id="<1@x>")
    item = Item(serial=1, folder=Folder.DRAFTS, content=draft, created_at=NOW, modified_at=NOW)
    for immutable in (True, False):
        whole = item.id(immutable)
        assert read_id(whole[:-12] + tail) is None
