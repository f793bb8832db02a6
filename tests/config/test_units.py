"""Sizes, durations, days, networks."""

from datetime import UTC, date, datetime, timedelta

import pytest

from graphrelay.config.units import day, duration, mailbox_pattern, network, size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", timedelta(seconds=30)),
        ("10min", timedelta(minutes=10)),
        ("1.5h", timedelta(minutes=90)),
        ("5 d", timedelta(days=5)),
        ("2w", timedelta(days=14)),
    ],
)
def test_durations_are_read_with_their_unit(text: str, expected: timedelta) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize(
    "value", ["5", "d", "-1d", "", 5, None, True, "1,5h", "1.5.2h", "5d 3", "٣d"]
)
def test_a_duration_without_a_unit_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match='such as "30s"'):
        duration(value)


def test_sizes_are_decimal_or_binary_as_written() -> None:
    assert size("35 MB") == 35_000_000
    assert size("64 MiB") == 64 * 1024 * 1024
    assert size(4096) == 4096


@pytest.mark.parametrize("text", ["35MB", "35 mb", " 35.5 MB ", "35M", "512 KiB", "7 B", "1 GB"])
def test_a_size_has_a_unit_in_any_usual_writing(text: str) -> None:
    assert size(text) > 0


@pytest.mark.parametrize(
    "value",
    [
        "much",
        0,
        -5,
        True,
        None,
        "-1 MB",
        "35,5 MB",
        "1.5.2 MB",
        "35 MB x",
        "3 5 MB",
        "1" * 400,
        "1e3",
        "٣ MB",
    ],
)
def test_a_size_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match='such as "35 MB"'):
        size(value)


def test_a_day_is_written_with_or_without_quotation_marks() -> None:
    assert day("2027-11-01") == day(date(2027, 11, 1)) == date(2027, 11, 1)
    assert day(datetime(2027, 11, 1, 12, tzinfo=UTC)) == date(2027, 11, 1)


@pytest.mark.parametrize("value", ["soon", "2027-13-01", 20271101, None, True])
def test_what_is_no_day_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match='such as "2027-11-01"'):
        day(value)


def test_a_network_with_host_bits_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match="has host bits set"):
        network("192.168.7.1/24")


@pytest.mark.parametrize("value", ["contoso.com", "a*@contoso.com", "a b@contoso.com", "@", 3])
def test_a_mailbox_pattern_is_an_address_or_a_whole_domain(value: object) -> None:
    with pytest.raises(ValueError, match="mail address"):
        mailbox_pattern(value)
    assert mailbox_pattern("*@contoso.com") == "*@contoso.com"
