from __future__ import annotations

import struct

import numpy as np
import pytest

from drivers.errors import DialogueError
from drivers.packet import Flag, Frame
from drivers.pulse_oximeter.driver import (
    CONTINUOUS_MEASUREMENT,
    OXIMETRY,
    SPOT_SILENCE_S,
    PulseOximeter,
    PulseOximeterDecoder,
)
from drivers.pulse_oximeter.records import parse_continuous, parse_spot
from tests.drivers import profile_contract
from tests.drivers.test_battery import Refusing


def sample(frame: Frame, *before: Frame) -> dict[str, float]:
    decoder = PulseOximeterDecoder()
    (packet,) = decoder.decode([*before, frame])
    assert len(packet) == 1
    return dict(zip((*OXIMETRY.channels, "flags"), (*packet.samples[0], float(packet.flags[0])), strict=True))


class TestContract(profile_contract.ProfileContract):
    name = "pulse_oximeter"
    main_stream = "oximetry"

    def good(self, at: int) -> bytes:
        status = struct.pack("<H", 1 << 5) + (at % 3).to_bytes(3, "little")
        return (
            b"\x1f" + struct.pack("<7H", 96, 60 + at, 95, 61, 97, 62, 0)[:12] + status + struct.pack("<H", 0xE100 + at)
        )


def test_a_continuous_measurement() -> None:
    row = sample(Frame(7, "measurement", bytes.fromhex("1c64005a00200020000066e3")))
    assert (row["spo2"], row["pulse_rate"], row["perfusion"]) == (100.0, 90.0, 8.7)
    assert (row["status"], row["sensor_status"], row["spot"]) == (0x20, 0x20, 0.0)
    assert np.isnan(row["age"])
    assert row["flags"] == Flag.LOSS_UNKNOWN


@pytest.mark.parametrize("special", ["fe07", "ff07", "0008", "0108", "0208", "fff7"])
def test_what_stands_for_no_number_is_missing(special: str) -> None:
    row = sample(Frame(0, "measurement", bytes.fromhex("00" + special + "5a00")))
    assert np.isnan(row["spo2"])
    assert row["pulse_rate"] == 90.0


@pytest.mark.parametrize("bit", [13, 15])
def test_a_value_that_the_device_calls_none_is_none(bit: int) -> None:
    row = sample(Frame(0, "measurement", bytes.fromhex("0464005a00") + struct.pack("<H", 1 << bit)))
    assert np.isnan([row["spo2"], row["pulse_rate"]]).all()
    assert row["status"] == 1 << bit


@pytest.mark.parametrize("bit", [11, 13, 15])
def test_off_the_finger_is_no_contact(bit: int) -> None:
    row = sample(Frame(0, "measurement", bytes.fromhex("0864005a00") + (1 << bit).to_bytes(3, "little")))
    assert row["flags"] == Flag.LOSS_UNKNOWN | Flag.NO_CONTACT


def test_the_age_of_a_spot_check_is_by_the_device_s_clock() -> None:
    spot = bytes.fromhex("0facf3bef5e8070b1d170839204022000066e3")
    clock = Frame(0, "clock", bytes.fromhex("e8070b1d170900000000"))  # three seconds later
    assert parse_spot(spot).values["pr"] == 147.0
    row = sample(Frame(2 * 10**9, "spot", spot), clock)
    assert (row["spo2"], row["spot"], row["age"]) == (94.0, 1.0, 5.0)
    assert row["flags"] == Flag.LOSS_UNKNOWN
    assert sample(Frame(0, "spot", spot))["flags"] == Flag.LOSS_UNKNOWN | Flag.UNDATED, "no clock was read"
    unset = sample(Frame(0, "spot", bytes([spot[0] | 0x10]) + spot[1:]), clock)
    assert np.isnan(unset["age"])
    assert unset["flags"] == Flag.LOSS_UNKNOWN | Flag.UNDATED


def test_fast_and_slow_means_are_passed_over() -> None:
    values = parse_continuous(bytes.fromhex("035f003c0060003d0061003e00")).values
    assert values == {"spo2": 95, "pr": 60, "spo2_fast": 96, "pr_fast": 61, "spo2_slow": 97, "pr_slow": 62}


async def test_a_device_for_spot_checks_alone_may_be_silent() -> None:
    class SpotOnly(Refusing):
        async def subscribe(self, channel: str, characteristic: str) -> None:
            if characteristic == CONTINUOUS_MEASUREMENT:
                raise DialogueError("not found")

    driver = PulseOximeter()
    await driver.start(SpotOnly())
    assert driver.silence_s == SPOT_SILENCE_S
    await driver.start(Refusing())
    assert driver.silence_s == PulseOximeter.silence_s < 10.0
