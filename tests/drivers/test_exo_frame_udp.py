"""The open exoskeleton frame in datagrams and notifications: the same decoder, and what only these can do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import decoded
from drivers.exo_frame.driver import FOREIGN, LATE, OTHER_SERIAL, ExoFrameDecoder
from drivers.packet import Flag, Frame
from drivers.registry import make_driver
from simulators.devices.exo_frame import can_fd_frame
from tests.drivers.exo_frame_parts import PartsContract, parts
from tests.drivers.exo_frames import BOTH_LEGS, LEFT_ANKLE, device, legs, limb

ON_OUR_SIDE = ("exo_frame_ble", "exo_frame_udp")


class TestContract(PartsContract):
    name = "exo_frame_udp"


def test_the_same_samples_come_over_every_way() -> None:
    wire = [device(BOTH_LEGS), *(legs(k) for k in range(1, 30))]
    serial = decoded(ExoFrameDecoder(), [[Frame(0, "data", piece) for piece in wire]])
    for name in ON_OUR_SIDE:
        each = decoded(make_driver(name).decoder(), [parts(*wire)])
        for stream, packet in serial.items():
            assert packet.samples.tobytes() == each[stream].samples.tobytes()
            assert packet.ticks.tolist() == each[stream].ticks.tolist()
            assert packet.flags.tolist() == each[stream].flags.tolist()


def test_what_is_padded_for_can_fd_is_read_alike() -> None:
    whole = parts(device(BOTH_LEGS), legs(1))
    padded = [frame._replace(data=can_fd_frame(frame.data)) for frame in whole]
    one, two = decoded(ExoFrameDecoder(), [whole]), decoded(ExoFrameDecoder(), [padded])
    assert one["exoskeleton"].samples.tobytes() == two["exoskeleton"].samples.tobytes()


@given(st.lists(st.integers(1, 40), max_size=12))
def test_datagrams_that_come_twice_make_no_sample_twice(again: list[int]) -> None:
    frames = parts(device(BOTH_LEGS), *(legs(k) for k in range(20)))
    twice = [frame for at, frame in enumerate(frames) for _ in range(1 + again.count(at))]
    decoder = ExoFrameDecoder()
    packet = decoded(decoder, [twice])["exoskeleton"]
    assert packet.ticks.tolist() == [10_000 * k for k in range(20)]
    assert not packet.flags.any()
    assert sum(decoder.faults.values()) == len(twice) - len(frames)
    assert set(decoder.faults) <= {LATE, "one side twice in a sample"}


def test_a_part_that_was_overtaken_is_of_no_sample() -> None:
    greeting, *walk = parts(device(BOTH_LEGS), legs(1), legs(2), legs(3))
    walk[1], walk[2] = walk[2], walk[1]  # the right side of the first, behind the left one of the second
    decoder = ExoFrameDecoder()
    packet = decoded(decoder, [[greeting, *walk]])["exoskeleton"]
    assert packet.ticks.tolist() == [10_000, 20_000, 30_000]
    assert packet.flags.tolist() == [Flag.TRUNCATED, 0, 0]
    assert np.isnan(packet.samples[0, -1])
    assert decoder.faults == {LATE: 1}


def test_lost_datagrams_show_in_the_counter() -> None:
    greeting, *walk = parts(device(LEFT_ANKLE), *(limb(k) for k in range(10)))
    packet = decoded(ExoFrameDecoder(), [[greeting, *walk[:3], *walk[6:]]])["exoskeleton"]
    assert packet.flags.tolist() == [0, 0, 0, Flag.MISSING, 0, 0, 0]


def test_a_counter_that_begins_again_far_away_is_a_device_that_was_switched_on() -> None:
    walk = parts(device(LEFT_ANKLE), limb(500), limb(501), limb(0), limb(1))
    assert len(decoded(ExoFrameDecoder(), [walk])["exoskeleton"]) == 4


def test_another_device_from_the_same_address_is_refused() -> None:
    decoder = ExoFrameDecoder()
    wire = parts(device(LEFT_ANKLE), limb(1), device(replace(LEFT_ANKLE, serial=8)), limb(2))
    assert len(decoded(decoder, [wire])["exoskeleton"]) == 1
    assert decoder.faults == {OTHER_SERIAL: 2}


@pytest.mark.parametrize(("told", "counted"), [(b"\0\0\0\x07", 7), (b"", 0), (b"\0\0\0\0", 0), (bytes(9), 0)])
def test_datagrams_of_others_are_counted(told: bytes, counted: int) -> None:
    decoder = ExoFrameDecoder()
    assert decoder.decode([Frame(0, "foreign", told)]) == []
    assert decoder.faults[FOREIGN] == counted
