from __future__ import annotations

import numpy as np

from drivers.packet import Frame, Frames, Packet, Packets

SENT = [
    [Frame(1, "data", b"a"), Frame(4, "data", b"")],
    [],
    [Frame(2, "battery", b"bc")],
    [Frame(3, "data", b"d")],
]


def packet(stream: str, *values: float, channels: int = 2, ticks: bool = True) -> Packet:
    n = len(values)
    samples = np.repeat(np.array(values, float)[:, None], channels, axis=1)
    return Packet(
        stream, np.arange(n), np.arange(n if ticks else 0), samples, np.array(values, np.uint8)
    )  # one flag a sample, to see whose it is


def test_frames_field_by_field_are_the_same_frames() -> None:
    frames = Frames.of(SENT)
    assert frames.each() == SENT
    assert frames.part(1, 3).each() == SENT[1:3]
    assert frames.chosen([3, 0]).each() == [SENT[3], SENT[0]]
    assert Frames.of([[], []]).each() == [[], []]


def test_packets_back_to_back_are_the_same_packets() -> None:
    sent = [[packet("imu", 1, 2), packet("battery", 80, channels=1, ticks=False)], [], [packet("imu", 3)]]
    imu, battery = Packets.of(sent)
    assert (imu.stream, imu.device.tolist(), imu.start.tolist()) == ("imu", [0, 2], [0, 2, 3])
    assert imu.samples.tolist() == [[1, 1], [2, 2], [3, 3]]
    assert battery.device.tolist() == [0]
    assert len(battery.ticks) == 0
    for found in (imu, battery):
        for at, one in found.each():
            (same,) = [each for each in sent[at] if each.stream == found.stream]
            for field in ("arrival_ns", "ticks", "samples", "flags"):
                assert getattr(one, field).tolist() == getattr(same, field).tolist()
    assert imu.owned_by([7, 8, 9]).device.tolist() == [7, 9]
    assert Packets.of([[], []]) == []


def test_streams_of_one_name_and_different_shape_stay_apart() -> None:
    found = Packets.of([[packet("imu", 1)], [packet("imu", 2, channels=3)], [packet("imu", 3, ticks=False)]])
    assert [each.device.tolist() for each in found] == [[0], [1], [2]]
