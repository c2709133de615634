"""What many exoskeletons send in a step is read together where it is regular, and means the same as part by part."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.exo_frame.driver import ExoFrameDecoder
from drivers.packet import Frame, Frames, Packet, Packets
from simulators.devices.exo_frame import DeviceState
from tests.drivers.exo_frames import BOTH_LEGS, LEFT_ANKLE, device, legs, limb
from tests.drivers.wires import cut

NAMELESS = DeviceState(("ankle",), (), 100)
STEP = 10_000_000


def spoilt(piece: bytes) -> bytes:
    return piece[:3] + bytes((piece[3] ^ 1,)) + piece[4:]


def one(kind: str, counter: int, *, two_legs: bool) -> bytes:
    """Return what is sent of a sample of which something is wrong."""
    whole = legs(counter) if two_legs else limb(counter)
    return {
        "good": whole, "lost": b"", "twice": whole + whole, "spoilt": spoilt(whole), "cut": whole[:-5],
        "zero": b"\0" + whole, "other": limb(counter, joint="knee"), "device": device(LEFT_ANKLE) + whole,
        "half": limb(counter, last=False, joint="hip"), "end": whole[: len(whole) // 2] + b"\0",
        "jump": limb(counter + 7000), "long": b"\x55" * 90,
    }[kind]  # fmt: skip


Steps = tuple[list[str], list[int]]  # what is sent in a step, and how its bytes are cut
KINDS = ("lost", "twice", "spoilt", "cut", "zero", "other", "device", "half", "end", "jump", "long")
step = st.tuples(
    st.lists(st.just("good") | st.sampled_from(("good", *KINDS)), max_size=12),
    st.lists(st.integers(1, 300), min_size=1, max_size=3),
)
of_one = st.tuples(st.sampled_from((BOTH_LEGS, LEFT_ANKLE, NAMELESS)), st.lists(step, min_size=4, max_size=4))


def steps_of(state: DeviceState, steps: list[Steps]) -> list[list[Frame]]:
    """Return the frames of each step, its bytes cut into pieces of such sizes."""
    counter, found = 0, [[Frame(0, "data", device(state))]]
    for kinds, cuts in steps:
        wire = b""
        for kind in kinds:
            wire += one(kind, counter, two_legs=state is BOTH_LEGS)
            counter += 1
        pieces = cut(wire, cuts)
        found.append([Frame(STEP * counter + k, "data", piece) for k, piece in enumerate(pieces)])
    return found


def same(one: Packet, other: Packet) -> bool:
    columns = ("arrival_ns", "ticks", "samples", "flags")
    return all(np.array_equal(getattr(one, c), getattr(other, c), equal_nan=c == "samples") for c in columns)


def by_device(packets: list[Packets]) -> dict[tuple[int, str], Packet]:
    """Return the packet of each device and stream, of which there is one at most."""
    found: dict[tuple[int, str], Packet] = {}
    for each in packets:
        assert each.fits(9)
        for at, packet in each.each():
            assert (at, packet.stream) not in found
            found[at, packet.stream] = packet
    return found


def compare(ward: list[list[list[Frame]]]) -> None:
    """Decode the steps of devices together and each by itself, and compare all that comes of it."""
    together, apart = [ExoFrameDecoder() for _ in ward], [ExoFrameDecoder() for _ in ward]
    for frames in zip(*ward, strict=True):
        found = by_device(ExoFrameDecoder.decode_batch(together, Frames.of(frames)))
        expected = {
            (at, packet.stream): packet
            for at, (decoder, own) in enumerate(zip(apart, frames, strict=True))
            for packet in decoder.decode(own)
        }
        assert found.keys() == expected.keys()
        assert all(same(found[key], expected[key]) for key in expected)
    for one, other in zip(together, apart, strict=True):
        assert (one.faults, one.doubt) == (other.faults, other.doubt)


@given(st.lists(of_one, min_size=1, max_size=3))
def test_a_step_of_many_means_the_same_as_part_by_part(ward: list[tuple[DeviceState, list[Steps]]]) -> None:
    compare([steps_of(*each) for each in ward])


@pytest.mark.parametrize("wrong", KINDS)
def test_one_thing_that_is_wrong_in_regular_steps_means_the_same_as_part_by_part(wrong: str) -> None:
    good = ["good"] * 5, [300]
    kinds = [good, good, (["good", "good", wrong, "good", "good"], [300]), good]
    compare([steps_of(state, kinds) for state in (BOTH_LEGS, LEFT_ANKLE, NAMELESS)])


@pytest.mark.parametrize(("state", "sample"), [(BOTH_LEGS, legs), (LEFT_ANKLE, limb), (NAMELESS, limb)])
@pytest.mark.parametrize("size", [7, 26, 50, 51])
def test_whole_samples_that_are_cut_anywhere_have_the_arrival_of_their_last_byte(
    state: DeviceState, sample: Callable[[int], bytes], size: int
) -> None:
    decoder = ExoFrameDecoder()
    decoder.decode([Frame(0, "data", device(state))])
    samples = [sample(k) for k in range(40)]
    wire = b"".join(samples)
    pieces = cut(wire, [size])
    frames = [Frame(k, "data", piece) for k, piece in enumerate(pieces)]
    found = [
        packet
        for a, b in pairwise([*range(0, len(frames), 9), len(frames)])
        for packets in ExoFrameDecoder.decode_batch([decoder], Frames.of([frames[a:b]]))
        for _, packet in packets.each()
    ]
    packet = Packet.joined(found)
    assert packet.ticks.tolist() == [10_000 * k for k in range(40)]
    assert packet.arrival_ns.tolist() == [(end - 1) // size for end in accumulate(map(len, samples))]
    assert not packet.flags.any()
    assert decoder.faults.total() == 0
