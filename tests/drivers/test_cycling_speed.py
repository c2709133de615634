from __future__ import annotations

import struct

import numpy as np
import pytest

from drivers.packet import Frame
from drivers.registry import make_driver
from tests.drivers import profile_contract

SECOND = 10**9


class TestContract(profile_contract.ProfileContract):
    name = "cycling_speed"
    main_stream = "exercise"

    def good(self, at: int) -> bytes:
        return struct.pack("<BIHHH", 0x03, 100 + 4 * at, 1024 * at & 0xFFFF, 65530 + at & 0xFFFF, 1024 * at & 0xFFFF)

    def test_a_lost_notification_changes_no_rate_of_a_steady_ride(self) -> None:
        frames = self.streamed(12)
        frames[5] = frames[5]._replace(data=frames[5].data[:-1])
        decoder = make_driver("cycling_speed").decoder()
        (packet,) = decoder.decode(frames)
        assert decoder.faults == {"truncated frame": 1}
        assert set(packet.samples[1:, 1]) == {60.0}
        assert set(packet.samples[1:, 5]) == {240.0}


def test_wheel_and_crank_to_speed_and_cadence() -> None:
    frames = [
        Frame(at * SECOND, "measurement", struct.pack("<BIHHH", 3, 5 + 3 * at, 1024 * at, 7 + at, 1024 * at))
        for at in range(3)
    ]
    (packet,) = make_driver("cycling_speed", {"wheel_m": 2.1}).decoder().decode(frames)
    assert packet.samples[1:, :2].tolist() == [[pytest.approx(6.3), 60.0]] * 2
    assert packet.samples[2, 3] == pytest.approx(11 * 2.1)
    (unknown,) = make_driver("cycling_speed").decoder().decode(frames)
    assert np.isnan(unknown.samples[:, [0, 3]]).all(), "nobody said how large the wheel is"
    assert unknown.samples[1:, 5].tolist() == [180.0, 180.0]


def test_a_sensor_at_one_of_the_two_tells_nothing_of_the_other() -> None:
    frames = [Frame(at * SECOND, "measurement", struct.pack("<BHH", 2, at, 1024 * at)) for at in range(3)]
    (packet,) = make_driver("cycling_speed").decoder().decode(frames)
    assert packet.samples[1:, 1].tolist() == [60.0, 60.0]
    assert np.isnan(packet.samples[:, 5]).all()


@pytest.mark.parametrize("wheel", [0, -1.0, 210, True, "2 m"])
def test_a_wheel_that_is_none_is_refused(wheel: object) -> None:
    with pytest.raises(ValueError, match="is no circumference of a wheel in metres"):
        make_driver("cycling_speed", {"wheel_m": wheel})
