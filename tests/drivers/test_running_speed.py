from __future__ import annotations

import struct

import numpy as np
import pytest

from drivers.packet import Flag, Frame
from drivers.registry import make_driver
from drivers.running_speed.driver import parse_measurement
from tests.drivers import profile_contract


class TestContract(profile_contract.ProfileContract):
    name = "running_speed"
    main_stream = "exercise"

    def good(self, at: int) -> bytes:
        return struct.pack("<BHBHI", 0x03, 300 + at, 60 + at, 120, 10 * at)


def test_speed_cadence_stride_and_distance() -> None:
    frame = Frame(7, "measurement", bytes.fromhex("03b901855e000d0c0000"))
    (packet,) = make_driver("running_speed").decoder().decode([frame])
    speed, cadence, power, distance, energy, stride, running = packet.samples[0]
    assert (speed, cadence, distance, stride, running) == (441 / 256, 133.0, 308.5, 0.94, 0.0)
    assert np.isnan([power, energy]).all()
    assert packet.flags.tolist() == [Flag.LOSS_UNKNOWN]


def test_what_one_of_its_cadence_is_can_be_configured() -> None:
    frame = Frame(0, "measurement", bytes.fromhex("04000346"))
    for option, steps in (("steps", 70.0), ("strides", 140.0)):
        (packet,) = make_driver("running_speed", {"cadence": option}).decoder().decode([frame])
        assert packet.samples[0, 1] == steps
        assert packet.samples[0, 6] == 1.0
    with pytest.raises(ValueError, match="counts no 'hops': known are steps, strides"):
        make_driver("running_speed", {"cadence": "hops"})


def test_a_distance_that_takes_all_32_bits() -> None:
    assert parse_measurement(bytes.fromhex("02000000ffffffff")).values["total_distance_m"] == 429496729.5
