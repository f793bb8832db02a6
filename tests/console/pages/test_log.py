"""The page Log: what is asked of the verbs, and the export."""

import csv
import io

from tests.console.conftest import Opened, Opening
from tests.console.test_guard import ROW


async def test_a_search_is_what_the_verb_is_asked(opened: Opened) -> None:
    vera = await opened.viewer()
    await vera.get("/log?subject=Order&outcome=failed&since=2026-11-23T12:00&until=&client=")
    assert opened.verbs.calls("log") == [
        {
            "subject": "Order",
            "outcome": "failed",
            "since": "2026-11-23T12:00:00+00:00",
            "limit": 101,
        }
    ]
    assert (await vera.get("/log?since=yesterday")).status == 400


async def test_a_long_log_has_pages_newest_first(opening: Opening) -> None:
    rows = [{**ROW, "id": number, "subject": f"number {number}"} for number in range(1, 102)]
    opened = await opening(log=rows)
    text = (await (await opened.viewer()).get("/log?sender=a%40b.c")).text
    assert text.index("number 101") < text.index("number 100")
    assert "number 1<" not in text
    assert 'href="/log?sender=a%40b.c&amp;before=2"' in text


async def test_the_export_has_all_that_fits_in_the_columns_that_it_names(
    opening: Opening,
) -> None:
    opened = await opening(log=[{**ROW, "recipients": ["a@b.c", "d@e.f"], "subject": 'x, "y"'}])
    vera = await opened.viewer()
    answer = await vera.get("/log.csv?outcome=relayed")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["recipients"], row["subject"]) == ("a@b.c, d@e.f", 'x, "y"')
    assert opened.verbs.calls("log")[-1] == {"outcome": "relayed", "limit": 1_000}


async def test_refusals_and_transcripts_are_found_by_client(opened: Opened) -> None:
    vera = await opened.viewer()
    await vera.get("/log/refused?client=192.0.2.7")
    assert opened.verbs.calls("log-refused")[-1] == {"client": "192.0.2.7", "limit": 100}
    page = await vera.get("/log/transcript?client=192.0.2.7")
    assert opened.verbs.calls("transcript") == [{"client": "192.0.2.7"}]
    assert "There is no transcript" in page.text
