from __future__ import annotations

import numpy as np
import pytest

from drivers.contec_oximeter.driver import COMMAND, START, parse_frame
from drivers.errors import MalformedFrameError
from drivers.packet import Frame
from drivers.registry import make_driver
from tests.drivers import profile_contract


def summed(*data: int) -> bytes:
    return bytes([*data, sum(data) & 0x7F])


class TestContract(profile_contract.ProfileContract):
    name = "contec_oximeter"
    main_stream = "oximetry"
    allowed = ((COMMAND, START),)
    forbidden = (
        *profile_contract.ProfileContract.forbidden,
        *((COMMAND, bytes([0x9B, command, 0x1C])) for command in range(256) if command != 1),
        (COMMAND, b""), (COMMAND, START + b"\0"), (COMMAND, START[:2]),
    )  # fmt: skip

    def good(self, at: int) -> bytes:
        return summed(0xEB, 0x01, 6, 60 + at, 97, 0x7F, 0)


def test_bytes_that_a_clip_sent() -> None:
    assert parse_frame(bytes.fromhex("eb010453637f0025")) == {
        "frame": "values", "finger_byte": 4, "pulse_rate": 83, "spo2": 99,
    }  # fmt: skip
    assert parse_frame(bytes.fromhex("eb000348093f"))["ppg"] == 72


@pytest.mark.parametrize("data", ["eb010453637f0026", "eb0104", "eb020453637f0025", "ea010453637f0025",
                                  "eb010453637f002500"])  # fmt: skip
def test_what_is_no_frame_is_refused(data: str) -> None:
    with pytest.raises(MalformedFrameError):
        parse_frame(bytes.fromhex(data))


def test_what_it_cannot_measure_is_missing_and_a_waveform_is_no_sample() -> None:
    decoder = make_driver("contec_oximeter").decoder()
    frames = [summed(0xEB, 0x01, 4, 255, 127, 0x7F, 0), summed(0xEB, 0x00, 3, 72, 9)]
    (packet,) = decoder.decode([Frame(0, "measurement", data) for data in frames])
    assert np.isnan(packet.samples[0, :2]).all()
    assert len(packet) == 1
    assert not decoder.faults
