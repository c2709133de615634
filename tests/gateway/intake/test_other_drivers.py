"""Drivers that others wrote, and that return nonsense: nobody else's samples move, and none are lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from config.settings import Device
from drivers.driver import MISFIT, Decoder, Link
from drivers.heart_rate.driver import HeartRate
from drivers.packet import Frame, Frames, Packet, Packets, StreamSpec
from drivers.registry import load_driver
from gateway.intake import unread
from gateway.intake.arrived import ArrivedBatch
from gateway.intake.decoding import FAILED
from gateway.intake.intakes import Intakes
from tests.drivers.test_movella_dot import payload
from tests.gateway.intake.test_intakes import dot

IMU = StreamSpec("imu", ("a", "b"), ("1", "1"), 60.0, 1000.0, 32)
GOOD, EMPTY, SHORT, LONG, FLOAT, UNKNOWN, WIDE, RAISE = range(8)
"""First byte of a frame: what its driver makes of it."""
PER_FRAME = 3  # samples


def of_dot(at: int) -> list[Frame]:
    return [Frame(at * 50_000_000, "measurement", payload((3 * at + i) * 16_667, acc=3.0)) for i in range(3)]


def packet(frame: Frame) -> Packet:
    kind, value = frame.data
    n = 0 if kind == EMPTY else PER_FRAME
    arrival_ns = np.full(n, frame.arrival_ns, np.int64)
    samples = np.full((n, 3 if kind == WIDE else 2), float(value))
    made = Packet("none" if kind == UNKNOWN else "imu", arrival_ns, np.arange(n) + frame.arrival_ns // 1_000_000,
                  samples, np.zeros(n, np.uint8))  # fmt: skip
    if kind == SHORT:
        return replace(made, samples=samples[1:])
    if kind == LONG:
        return replace(made, samples=np.concatenate([samples, samples[:1]]))
    if kind == FLOAT:
        return replace(made, ticks=made.ticks.astype(float))
    if kind == RAISE:
        raise IndexError(kind)
    return made


class Alone(Decoder):
    """It has only what a driver must have."""

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        return {"imu": IMU}

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        return [packet(frame) for frame in frames]


class Together(Alone):
    """It decodes all its devices at once, and looks at nothing."""

    @classmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        made = [packet(frame) for each in frames.each() for frame in each]
        counts = [len(each.arrival_ns) for each in made]
        fields = zip(*((each.arrival_ns, each.ticks, each.samples, each.flags) for each in made), strict=True)
        stream = next((each.stream for each in made if each.stream != "imu"), "imu")
        return [Packets(stream, np.arange(len(made)), np.cumsum([0, *counts]), *map(np.concatenate, fields))]


class Strange(HeartRate):
    kind: ClassVar[type[Decoder]] = Alone

    def decoder(self) -> Decoder:  # type: ignore[override]
        return type(self).kind()

    async def start(self, link: Link) -> None: ...


class StrangeTogether(Strange):
    kind = Together


def strange(number: int) -> Device:
    return Device(id=f"x-{number}", driver="heart_rate", placement="chest", address=f"00:00:00:00:02:{number:02X}")


@pytest.fixture(params=[Strange, StrangeTogether])
def intakes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Intakes:
    others = {"heart_rate": request.param}
    monkeypatch.setattr(unread, "make_driver", lambda name, options: others.get(name, load_driver(name))(**options))
    found = Intakes(0)
    found.wear([(strange(0), "a"), (strange(1), "b"), (strange(2), "c"), (dot(3), "d")])
    return found


def step(intakes: Intakes, at: int, kinds: Sequence[int]) -> dict[int, list[float]]:
    """Have the strange devices send their numbers, and a sensor of ours its own; return what is taken for whose."""
    sent = [(number, Frame(at * 50_000_000, "data", bytes((kind, number)))) for number, kind in enumerate(kinds)]
    found: dict[int, list[float]] = {}
    batches: list[ArrivedBatch] = intakes.place(intakes.decode([*sent, *((3, frame) for frame in of_dot(at))]))
    for one in (batch.one(i) for batch in batches for i in range(len(batch.numbers))):
        found.setdefault(one.number, []).extend(one.samples[:, 0].tolist())
    return found


@pytest.mark.parametrize("kind", [EMPTY, SHORT, LONG, FLOAT, UNKNOWN, WIDE, RAISE])
def test_nonsense_of_one_device_is_nobody_elses_sample(intakes: Intakes, kind: int) -> None:
    for at, kinds in enumerate([(GOOD,) * 3, (GOOD, kind, GOOD), (GOOD,) * 3, (GOOD, kind, GOOD)], start=5):
        found = step(intakes, at, kinds)
        assert found.pop(3) == [3.0] * 3
        assert all(set(values) == {float(number)} for number, values in found.items())
        assert {number: len(values) for number, values in found.items()}.get(1, 0) in {0, PER_FRAME}
        if kinds[1] == GOOD:
            assert sorted(found) == [0, 1, 2]
    counted = intakes.all[1].faults
    assert kind == EMPTY or counted[MISFIT] + counted[FAILED] > 0


@pytest.mark.parametrize("kind", [EMPTY, SHORT, LONG, UNKNOWN, WIDE])
def test_nonsense_costs_no_neighbour_of_the_kind_a_sample(intakes: Intakes, kind: int) -> None:
    if intakes.all[0].decoder.__class__ is Together:
        step(intakes, 4, (GOOD, RAISE, GOOD))  # what decodes all at once answers for all until it has failed
    found = step(intakes, 5, (GOOD, kind, GOOD))
    assert [len(found[number]) for number in (0, 2)] == [PER_FRAME, PER_FRAME]
    assert 1 not in found


def test_a_driver_that_fails_at_one_device_is_asked_for_each_by_itself(intakes: Intakes) -> None:
    step(intakes, 5, (GOOD, RAISE, GOOD))
    found = step(intakes, 6, (GOOD, RAISE, GOOD))
    assert [len(found.get(number, ())) for number in (0, 1, 2)] == [PER_FRAME, 0, PER_FRAME]
    assert intakes.all[1].faults[FAILED] == 2
    assert intakes.all[0].faults[FAILED] == 1
