"""The page Log: what is asked of the verbs, and the export."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from graphrelay.console.pages.log import AT_ONCE
from graphrelay.control.verb import Asker, Output
from tests.console.conftest import Opened, Opening
from tests.console.test_connections import SOON, request_by
from tests.console.test_guard import REFUSAL, ROW


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
    assert opened.verbs.calls("log")[-1] == {"outcome": "relayed", "limit": AT_ONCE}


@pytest.mark.parametrize(
    ("subject", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("\t@SUM(A1)", "'\t'@SUM(A1)"),
        ("a;=1+1", "a;'=1+1"),
        ('a; "=1+1', "a;' \"=1+1"),
        ("a;b - c=d", "a;b - c=d"),
        ("＝1+1", "'＝1+1"),
        ("\x01\x00=1+1", "'\x01\x00=1+1"),
        ('"=1+1', "'\"=1+1"),
        ("4=1+1", "4=1+1"),
        ("4;=1+1", "4;'=1+1"),
    ],
)
async def test_no_cell_becomes_a_formula_wherever_a_spreadsheet_divides_the_line(
    opening: Opening, subject: str, cell: str
) -> None:
    opened = await opening(log=[{**ROW, "subject": subject}])
    answer = await (await opened.viewer()).get("/log.csv")
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert row["subject"] == cell


async def test_mail_goes_before_the_next_rows_of_an_export(opening: Opening) -> None:
    others, seen = 0, list[int]()

    async def log(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        seen.append(others)
        for number in range(AT_ONCE if len(seen) == 1 else 1):
            yield {**ROW, "id": number}

    async def count() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    opened = await opening()
    opened.verbs["log"] = log
    vera = await opened.viewer()
    counting = asyncio.create_task(count())
    answer = await vera.get("/log.csv")
    counting.cancel()
    assert answer.text.count("\n") == AT_ONCE + 2
    assert seen[1] - seen[0] >= AT_ONCE / 50


async def test_an_export_that_nobody_reads_is_in_the_way_of_no_page(opening: Opening) -> None:
    asked = asyncio.Event()

    async def log(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        asked.set()
        for number in range(AT_ONCE):
            yield {**ROW, "id": number, "subject": "x" * 10_000}

    opened = await opening()
    opened.verbs["log"] = log
    vera = await opened.viewer()
    host, _, port = opened.console.address.rpartition(":")
    _reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request_by(opened, vera, "/log.csv"))
    await asyncio.wait_for(asked.wait(), SOON)
    answer = await asyncio.wait_for(vera.get("/queue"), SOON)
    assert answer.status == 200
    writer.close()


async def test_refusals_and_transcripts_are_found_by_client(opened: Opened) -> None:
    vera = await opened.viewer()
    await vera.get("/log/refused?client=192.0.2.7")
    assert opened.verbs.calls("log-refused")[-1] == {"client": "192.0.2.7", "limit": 101}
    page = await vera.get("/log/transcript?client=192.0.2.7")
    assert opened.verbs.calls("transcript") == [{"client": "192.0.2.7"}]
    assert "There is no transcript" in page.text


async def test_refusals_are_searched_by_reply_and_time_and_exported(opening: Opening) -> None:
    opened = await opening(log_refused=[{**REFUSAL, "times": 3, "helo": "x", "reply": "=550 no"}])
    vera = await opened.viewer()
    query = "reply=550&since=2026-11-23T12:00"
    page = (await vera.get(f"/log/refused?{query}")).text
    assert "/log/refused.csv?reply=550&amp;since=2026-11-23T12%3A00" in page
    answer = await vera.get(f"/log/refused.csv?{query}")
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["times"], row["reply"]) == ("3", "'=550 no")
    asked = opened.verbs.calls("log-refused")[-2:]
    since = "2026-11-23T12:00:00+00:00"
    assert asked[0] == {"reply": "550", "since": since, "limit": 101}
    assert asked[1] == {"reply": "550", "since": since, "limit": 10_000}


async def test_only_an_operator_has_the_button_to_send_again_and_only_for_what_is_kept(
    opening: Opening,
) -> None:
    rows = [
        {**ROW, "outcome": "relayed", "queue_id": "KEPT"},
        {**ROW, "outcome": "relayed", "queue_id": "GONE", "octets_kept": False},
        {**ROW, "outcome": "delayed", "queue_id": "WAITS"},
    ]
    opened = await opening(log=rows)
    page = (await (await opened.operator()).get("/log")).text
    assert [name for name in ("KEPT", "GONE", "WAITS") if f"/message/{name}/resend" in page] == [
        "KEPT"
    ]
    assert "/resend" not in (await (await opened.viewer()).get("/log")).text
