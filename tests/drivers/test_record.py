"""Records whose flags say which fields follow."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import MalformedFrameError
from drivers.gatt.date_time import DateTime, DeviceTime, date_time
from drivers.gatt.record import FLOAT, I8, I16, SFLOAT, TIME, U8, U16, U24, U32, Field, Record
from simulators.devices.common import date_time as written

RECORD = Record(
    2,
    (
        Field("speed", U16, 0, per=100, inverted=True), Field("always", U8), Field("signed", I16, 3, missing=(0x7FFF,)),
        Field("wide", U24, 15),
    ),
)  # fmt: skip


def test_fields_come_in_order_and_only_those_that_are_announced() -> None:
    reading = RECORD.whole(bytes.fromhex("0880 6400 07 feff 030201"))
    assert reading.values == {"speed": 1.0, "always": 7, "signed": -2, "wide": 0x010203}
    assert RECORD.whole(bytes.fromhex("0100 07")).values == {"always": 7}
    assert (reading.flags, reading.truncated, reading.left) == (0x8008, False, 0)


def test_not_available_is_none_and_a_number_of_it_nan() -> None:
    reading = RECORD.whole(bytes.fromhex("0900 07 ff7f"))
    assert reading.values["signed"] is None
    assert math.isnan(reading.number("signed"))
    assert math.isnan(reading.number("wide"))
    assert reading.number("always") == 7.0


def test_a_cut_record_is_refused_or_gives_what_is_whole() -> None:
    data = bytes.fromhex("0880 6400 07 feff 0302")
    with pytest.raises(MalformedFrameError, match="truncated"):
        RECORD.whole(data)
    leading = RECORD.leading(data)
    assert (leading.values, leading.truncated, leading.left) == ({"speed": 1.0, "always": 7, "signed": -2}, True, 2)
    assert RECORD.whole(data + b"\x01\x99\x99").left == 2
    for bad, why in ((b"", "empty"), (b"\x01", "truncated"), (bytes(513), "oversized")):
        with pytest.raises(MalformedFrameError, match=why):
            RECORD.leading(bad)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    kinds = (U8, I8, U16, I16, U24, U32, SFLOAT, FLOAT, TIME)
    record = Record(2, tuple(Field(f"f{at}", kind, at) for at, kind in enumerate(kinds)))
    try:
        reading = record.leading(data)
    except MalformedFrameError:
        return
    size = sum(field.kind.size for field in record.fields if field.name in reading.values)
    assert 2 + size + reading.left == len(data)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("e8070b1d170839", "2024-11-29T23:08:57"),
        ("0000041114293b", "????-04-17T20:41:59"),
        ("00000000000000", "????-??-??T00:00:00"),
        ("e8070200010000", "2024-02-??T01:00:00"),
        ("e807021d000000", "2024-02-29T00:00:00"),
    ],
)
def test_moments(data: str, text: str) -> None:
    assert str(date_time(bytes.fromhex(data))) == text


@pytest.mark.parametrize(
    "data",
    ["e8070d01000000", "e907021d000000", "e8070101180000", "e8070101003c00", "01000101000000", "ffff0101000000",
     "e8070120000000", "e807010100003c"],
)  # fmt: skip
def test_moments_that_there_are_not(data: str) -> None:
    assert date_time(bytes.fromhex(data)) is None


def test_what_a_device_kept_is_parted_from_what_it_measured_just_now() -> None:
    now = date_time(written(0.0))
    assert isinstance(now, DateTime)
    second, clock = 10**9, DeviceTime()
    clock.set_by(5 * second, written(3600.0) + bytes(3))
    assert clock.age_s(5 * second, date_time(written(3600.0))) == 0.0
    assert clock.age_s(9 * second, date_time(written(3604.0))) == 0.0
    assert clock.age_s(10 * second, date_time(written(3000.0))) == 605.0
    assert math.isnan(clock.age_s(11 * second, None))
    assert math.isnan(clock.age_s(11 * second, date_time(bytes(7))))


def test_only_a_clock_that_was_read_dates_a_value() -> None:
    clock, stamp = DeviceTime(), date_time(written(7200.0))
    assert clock.age_s(0, stamp) == 0.0
    clock.set_by(0, bytes(10))
    assert not clock.dates(0, stamp), "its own moments say how old a value is at least, and no more"
    clock.set_by(0, written(7205.0) + bytes(3))
    assert clock.dates(0, stamp)
    assert not clock.dates(0, None)
    assert not clock.dates(0, date_time(bytes(7)))


def test_a_moment_ahead_of_the_clock_is_of_a_clock_that_was_set_back_meanwhile() -> None:
    """Kept half an hour before an hour was taken back; then a value of now, which is none that was kept."""
    clock, kept, now = DeviceTime(), date_time(written(5400.0)), date_time(written(3610.0))
    clock.set_by(0, written(3600.0) + bytes(3))
    assert math.isnan(clock.age_s(10**9, kept))
    assert not clock.dates(10**9, kept)
    assert clock.age_s(10 * 10**9, now) == 0.0
    assert clock.dates(10 * 10**9, now)
    assert clock.age_s(20 * 10**9, date_time(written(3625.0))) == 0.0, "it runs a little faster than ours"


def test_without_a_clock_a_later_value_shows_that_an_earlier_one_was_kept() -> None:
    clock = DeviceTime()
    assert clock.age_s(0, date_time(written(7200.0))) == 0.0
    assert clock.age_s(0, date_time(written(3600.0))) == 3600.0
