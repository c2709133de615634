from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract
from drivers.errors import MalformedFrameError
from drivers.heart_rate.driver import MEASUREMENT, HeartRateDecoder, parse_measurement
from drivers.packet import Flag, Frame


def frame(hex_bytes: str, arrival_ns: int = 0) -> Frame:
    return Frame(arrival_ns, "measurement", bytes.fromhex(hex_bytes))


class TestContract(DriverContract):
    name = "heart_rate"
    main_stream = "heart_rate"
    forbidden = ((MEASUREMENT, b"\x01"), ("00002a39-0000-1000-8000-00805f9b34fb", b"\x01"), ("", b""))

    def announced(self) -> list[Frame]:
        return [Frame(0, "battery", b"\x55")]

    def streamed(self, count: int) -> list[Frame]:
        return [
            Frame(i * 10**9, "measurement", struct.pack("<BBH2H", 0x1E, 60 + i % 40, i, 900 + i, 901 + i))
            for i in range(count)
        ]

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return frames

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return len(whole) - len(cut) == 2  # one RR interval fewer


def test_contact_energy_and_intervals() -> None:
    rate, rr = HeartRateDecoder().decode([frame("1f0101320101000201ffff", 7)])
    assert rate.samples.tolist() == [[257.0, 1.0, 306.0]]
    assert rr.samples.ravel().tolist() == [1 / 1024, 258 / 1024, 65535 / 1024]
    assert rr.arrival_ns.tolist() == [7, 7, 7]
    assert rate.flags.tolist() == [Flag.LOSS_UNKNOWN]


def test_a_sensor_off_the_skin_says_so() -> None:
    (rate,) = HeartRateDecoder().decode([frame("0454")])
    assert rate.samples[0, 1] == 0.0
    assert rate.flags[0] == Flag.LOSS_UNKNOWN | Flag.NO_CONTACT


def test_no_signal_is_not_a_rate_of_zero() -> None:
    (rate,) = HeartRateDecoder().decode([frame("0600")])
    assert np.isnan(rate.samples[0, 0])
    assert parse_measurement(bytes.fromhex("0600")).heart_rate == 0


@pytest.mark.parametrize("cut", ["", "00", "0180", "0855", "085501", "1055", "105501", "10550100ff", "19000000"])
def test_a_cut_field_is_refused(cut: str) -> None:
    with pytest.raises(MalformedFrameError, match=r"truncated|empty"):
        parse_measurement(bytes.fromhex(cut))


def test_fields_of_a_later_version_are_passed_over() -> None:
    decoder = HeartRateDecoder()
    assert decoder.decode([frame("2055aabb")])[0].samples[0, 0] == 85.0
    assert decoder.faults == {"bytes behind the last field": 1}


@given(
    rate=st.integers(0, 0xFFFF),
    contact=st.sampled_from([None, False, True]),
    energy=st.none() | st.integers(0, 0xFFFF),
    rr=st.lists(st.integers(0, 0xFFFF), max_size=9),
)
def test_what_is_encoded_is_read(rate: int, contact: bool | None, energy: int | None, rr: list[int]) -> None:
    flags = (rate > 255) | {None: 0, False: 4, True: 6}[contact] | (energy is not None) << 3 | bool(rr) << 4
    data = struct.pack("<BH" if rate > 255 else "<BB", flags, rate)
    data += b"" if energy is None else struct.pack("<H", energy)
    data += struct.pack(f"<{len(rr)}H", *rr)
    measured = parse_measurement(data)
    assert (measured.heart_rate, measured.contact, measured.energy_kj) == (rate, contact, energy)
    assert list(measured.rr_1024) == rr
    assert measured.extra == 0
