from __future__ import annotations

import struct

import numpy as np

from drivers.cycling_power.driver import parse_measurement
from drivers.packet import Frame
from drivers.registry import make_driver
from tests.drivers import profile_contract

SECOND = 10**9


class TestContract(profile_contract.ProfileContract):
    name = "cycling_power"
    main_stream = "exercise"

    def good(self, at: int) -> bytes:
        return struct.pack("<HhB", 0x0003, 100 + at, 95)


def test_every_field_stands_in_its_place() -> None:
    data = struct.pack("<HhBHIHHHhhhh", 0x1FFF & ~0x1000, -12, 95, 64, 1000, 2048, 50, 1024, 300, -20, 320, -32)
    data += bytes.fromhex("563412") + struct.pack("<HHH", 30, 210, 418)
    reading = parse_measurement(data)
    assert (reading.left, reading.truncated) == (0, False)
    assert reading.values == {
        "power_w": -12, "balance_pct": 47.5, "torque_nm": 2.0, "wheel_revs": 1000, "wheel_time_2048": 2048,
        "crank_revs": 50, "crank_time_1024": 1024, "max_force_n": 300, "min_force_n": -20, "max_torque_nm": 10.0,
        "min_torque_nm": -1.0, "extreme_angles": 0x123456, "top_dead_spot_deg": 30, "bottom_dead_spot_deg": 210,
        "energy_kj": 418,
    }  # fmt: skip


def test_power_cadence_wheel_and_energy() -> None:
    frames = [
        Frame(at * SECOND, "measurement", struct.pack("<HhIHHHH", 0x0830, 120, 2 * at, 2048 * at, at, 1024 * at, 42))
        for at in range(3)
    ]
    (packet,) = make_driver("cycling_power").decoder().decode(frames)
    speed, cadence, power, _, energy, left, wheel = packet.samples[-1]
    assert (cadence, power, wheel) == (60.0, 120.0, 120.0)
    assert abs(energy - 10.04) < 0.01
    assert np.isnan([speed, left]).all()


def test_a_balance_of_which_nobody_says_whose_is_none() -> None:
    def left(flags: int) -> float:
        (packet,) = make_driver("cycling_power").decoder().decode(
            [Frame(0, "measurement", struct.pack("<HhB", flags, 100, 90))]
        )  # fmt: skip
        return float(packet.samples[0, 5])

    assert left(0x0003) == 45.0
    assert np.isnan(left(0x0001))
