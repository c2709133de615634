from __future__ import annotations

import struct

import numpy as np
import pytest

from drivers.gatt.kept import NOBODY_USES_IT_S
from drivers.packet import Frame
from drivers.registry import make_driver
from tests.drivers import profile_contract

ALL = "1e8a00580078000000041114293b3c00012700"


class TestContract(profile_contract.ProfileContract):
    name = "blood_pressure"
    main_stream = "blood_pressure"

    def good(self, at: int) -> bytes:
        return struct.pack("<B3H", 0x1C, 120 + at, 80, 93) + struct.pack("<HBH", 0xF2A8, 1, 0)


def measured(data: str, *before: Frame) -> dict[str, float]:
    decoder = make_driver("blood_pressure").decoder()
    (packet,) = decoder.decode([*before, Frame(10**9, "measurement", bytes.fromhex(data))])
    return dict(zip(decoder.streams["blood_pressure"].channels, packet.samples[0].tolist(), strict=True))


def test_every_field() -> None:
    row = measured(ALL)
    assert (row["systolic"], row["diastolic"], row["mean"]) == (138.0, 88.0, 120.0)
    assert (row["pulse_rate"], row["status"], row["user"]) == (60.0, 39.0, 1.0)
    assert np.isnan(row["age"]), "its year is not known"


def test_kilopascals_become_millimetres_of_mercury() -> None:
    row = measured("01" + struct.pack("<3H", 0xF0A0, 0xF06B, 0xFFFF & 0x07FF).hex())
    assert row["systolic"] == pytest.approx(120.0, abs=0.1)
    assert row["diastolic"] == pytest.approx(80.26, abs=0.1)
    assert np.isnan(row["mean"])


def test_what_lay_in_its_memory_is_as_old_as_its_clock_says() -> None:
    clock = Frame(0, "clock", bytes.fromhex("e8070b1d170839") + bytes(3))
    row = measured("028a0058007800" + "e8070b1d160839", clock)
    assert row["age"] == 3601.0


def test_it_is_silent_while_nobody_uses_it() -> None:
    assert make_driver("blood_pressure").silence_s == NOBODY_USES_IT_S


@pytest.mark.parametrize(("record", "within_s"), [("028a0058007800e8070b1d160839", 60), ("008a0058007800", 2)])
def test_a_measurement_that_is_delivered_twice_is_one(record: str, within_s: int) -> None:
    decoder = make_driver("blood_pressure").decoder()
    second = within_s * 10**9
    arrivals = (10**9, 10**9 + 9_000_000, 10**9 + second // 2, 10**9 + second // 2 + second)
    rows = [
        len(packet.samples)
        for at_ns in arrivals
        for packet in decoder.decode([Frame(at_ns, "measurement", bytes.fromhex(record))])
    ]
    assert rows == [1, 1], "the last one comes when it may well be another"
    assert decoder.faults["measurement delivered twice"] == 2
