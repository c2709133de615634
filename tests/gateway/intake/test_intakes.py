"""Devices of several kinds in one step: each is read as if it were alone, whatever its neighbours send."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from config.settings import Device
from drivers.packet import Frame
from gateway.intake.arrived import ArrivedBatch
from gateway.intake.frames import STEP_NS, Numbered, by_device
from gateway.intake.intakes import CONNECTED, Intakes
from simulators.devices.exo_frame import DeviceState
from tests.drivers.exo_frames import BOTH_LEGS, limb
from tests.drivers.exo_frames import device as exo_device
from tests.drivers.test_movella_dot import CONTROL, payload
from tests.drivers.test_shimmer3 import ANNOUNCED, DIVISOR, frames, packet

PERIOD_US = 16667
STEPS = 12
A_STEP = 4  # samples


def dot(number: int) -> Device:
    return Device(
        id=f"dot-{number}", driver="movella_dot", placement="left_foot", address=f"00:00:00:00:00:{number:02X}"
    )


def shimmer(number: int) -> Device:
    return Device(id=f"back-{number}", driver="shimmer3", placement="lower_back", port=f"/dev/p{number}")


STRAP = Device(id="strap", driver="heart_rate", placement="chest", address="00:00:00:00:01:00")
DEVICES = [dot(0), shimmer(1), STRAP, dot(3), shimmer(4), dot(5)]


def arrival_ns(step: int, i: int = 0) -> int:
    return step * STEP_NS + i


def of_dot(number: int, step: int) -> list[Frame]:
    """Samples of a step; the first is lost, spoilt, delivered twice, or begins another connection now and then."""
    sent = [
        Frame(arrival_ns(step, i), "measurement", payload((step * A_STEP + i) * PERIOD_US, acc=number + step / 100))
        for i in range(A_STEP)
    ]
    first = sent[0]
    if (number + step) % 5 == 1:
        sent = sent[1:]
    elif (number + step) % 5 == 2:
        sent[0] = first._replace(data=first.data[:9])
    elif (number + step) % 5 == 3:
        sent = [first, first, *sent[1:], Frame(first.arrival_ns, "battery", bytes((50 + step,)))]
    elif (number + step) % 5 == 4:
        sent[1:1] = [Frame(first.arrival_ns, CONNECTED, b""), Frame(first.arrival_ns, "control", CONTROL)]
    return sent


def of_shimmer(number: int, step: int) -> list[Frame]:
    data = b"".join(packet((step * A_STEP + i) * DIVISOR, gyr=number + i) for i in range(A_STEP))
    if (number + step) % 5 == 1:
        data = data[:30] + b"\x07" + data[30:]
    sent = [frame._replace(arrival_ns=arrival_ns(step)) for frame in frames(data, [7 + number + step])]
    if (number + step) % 5 == 2:
        sent[1:1] = [Frame(arrival_ns(step), CONNECTED, b""), *ANNOUNCED]
    return sent


def of_strap(step: int) -> list[Frame]:
    return [Frame(arrival_ns(step), "measurement", struct.pack("<BBH", 0x10, 60 + step, 900))] if step % 3 == 0 else []


def sent_by(number: int, step: int) -> list[Frame]:
    driver = DEVICES[number].driver
    if driver == "heart_rate":
        return of_strap(step)
    begun = ANNOUNCED if driver == "shimmer3" else [Frame(0, "control", CONTROL)]
    sent = of_shimmer(number, step) if driver == "shimmer3" else of_dot(number, step)
    return [*begun, *sent] if step == 0 else sent


def in_turns(sent: Sequence[Sequence[Frame]]) -> list[Numbered]:
    """Frames of devices as a radio brings them: first of each, second of each."""
    longest = max(map(len, sent))
    return [(number, each[i]) for i in range(longest) for number, each in enumerate(sent) if i < len(each)]


def comparable(batches: Sequence[ArrivedBatch], numbers: Sequence[int]) -> list[Any]:
    found = []
    for batch in batches:
        for at in range(len(batch.numbers)):
            one = batch.one(at)
            found.append(
                (numbers[one.number], one.stream, one.spec, one.index.tolist(), one.samples.tobytes(),
                 one.flags.tolist(), one.before, one.missing, one.reset, one.repeated)
            )  # fmt: skip
    return sorted(found, key=lambda each: each[0])


def test_devices_of_many_kinds_are_each_read_as_alone() -> None:
    together, alone = Intakes(0), [Intakes(0) for _ in DEVICES]
    together.wear([(device, "bed") for device in DEVICES])
    for device, single in zip(DEVICES, alone, strict=True):
        single.wear([(device, "bed")])
    for step in range(STEPS):
        sent = [sent_by(number, step) for number in range(len(DEVICES))]
        expected = []
        for number, (single, own) in enumerate(zip(alone, sent, strict=True)):
            expected += comparable(single.place(single.decode([(0, frame) for frame in own])), [number])
        found = comparable(together.place(together.decode(in_turns(sent))), range(len(DEVICES)))
        assert found == expected
        assert found
    for intake, single in zip(together.all, alone, strict=True):
        assert intake.faults == single.all[0].faults
        assert intake.counts == single.all[0].counts
        assert str(intake.latest) == str(single.all[0].latest)
    assert {"truncated measurement", "lost sync"} <= {fault for intake in together.all for fault in intake.faults}
    assert min(count.samples for intake in together.all for count in intake.counts.values()) > 0


@pytest.mark.parametrize("count", [1, 50])
def test_frames_are_put_in_order_by_device(count: int) -> None:
    sent = [(7 * i % 5, Frame(i, "data", bytes((i,)))) for i in range(count)]
    rank = np.array([2, 0, 4, 1, 3], np.uint16)
    numbers, found = by_device(sent, rank)
    assert [rank[number] for number in numbers] == sorted({rank[number] for number, _ in sent})
    for number, own in zip(numbers.tolist(), found.each(), strict=True):
        assert own == [frame for other, frame in sent if other == number]


def test_what_has_been_there_before_is_left_out_and_its_neighbours_stay() -> None:
    intakes = Intakes(0)
    intakes.wear([(dot(0), "bed"), (dot(1), "bed")])
    first = [(number, frame) for number in (0, 1) for frame in of_dot(0, 5)]
    assert len(intakes.place(intakes.decode(first))[0].index) == 2 * A_STEP
    again = [*((0, frame) for _, frame in first[:A_STEP]), *((1, frame) for frame in of_dot(0, 10))]
    (batch,) = intakes.place(intakes.decode(again))
    assert batch.numbers.tolist() == [1]
    assert len(batch.index) == A_STEP
    assert intakes.place(intakes.decode(again)) == []


def test_what_came_before_a_connection_keeps_the_names_that_it_was_announced_with() -> None:
    """In one step, since the gateway was held up: the next connection may have other joints, or announced none yet."""
    ankles, hips = (DeviceState((joint,), (joint,), 100, serial=7) for joint in ("ankle", "hip"))
    exo = Device(id="exo", driver="exo_frame", placement="exoskeleton", port="/dev/exo")
    intakes = Intakes(0)
    intakes.wear([(exo, "bed")])
    sent = []
    for at, (state, joint) in enumerate([(ankles, "ankle"), (hips, "hip"), (BOTH_LEGS, "hip")]):
        data = [exo_device(state), *(limb(100 * at + i, joint=joint) for i in range(8))]
        sent += [Frame(at, CONNECTED, b""), *(Frame(at, "data", part) for part in data)]
    sent.append(Frame(3, CONNECTED, b""))
    batches = intakes.place(intakes.decode([(0, frame) for frame in sent]))
    found = [batch.one(0) for batch in batches if batch.name == "exoskeleton"]
    assert [one.spec.channels[4] for one in found] == ["left_ankle_angle", "left_hip_angle", "left_hip_angle"]
    assert [one.samples.shape[1] == len(one.spec.channels) for one in found] == [True] * 3
    assert not any("do not fit" in fault for fault in intakes.all[0].faults)
