"""Patients who do the tests of a clinic, round after round: a Timed Up and Go, sit-to-stand, quiet stance, ten metres.

Everybody wears a Shimmer at the lower back, DOTs on the left thigh and the right wrist, and a heart-rate strap. From
one bed to the next patients are more severely impaired. What they do when is known beforehand, and can be written down.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simulators.body.body import BodySensor
from simulators.body.heart import Heart
from simulators.clinic.figure import PatientFigure
from simulators.clinic.patient import Patient, patient
from simulators.clinic.perform import play
from simulators.clinic.timed_tests import Item, quiet_stance, sit_to_stand, ten_metre_walk, timed_up_and_go
from simulators.clinic.transfers import Rising, SittingDown, Staying
from simulators.clinic.truth import Truth
from simulators.devices.heart_rate import HeartRateStrap
from simulators.devices.movella_dot import MovellaDot
from simulators.devices.shimmer3 import Shimmer3
from simulators.faults import Fault
from simulators.motion.timeline import Timeline
from simulators.motion.wearer import Wearer
from simulators.radio.addresses import dot_address, strap_address
from simulators.radio.hub import Hub
from simulators.scenes.scene import Bed, PlacedDevice, Scene
from simulators.scenes.ward import DOT_RATE_HZ, DRIFT_PPM, LOSS, MOST_BEDS, SHIMMER_RATE_HZ, WANDER_PPM
from simulators.sensing.clock import Clock
from simulators.sensing.imu import Imperfections, Imu
from simulators.sensing.loss import Loss

MOST_ROUNDS = 200
TESTS = ("tug", "5xsts", "balance", "10mwt")
"""What a patient does in a round, in this order, by the words of protocols."""
REST_S = 20.0
"""Sitting between two rounds."""
SEVERITIES = (0.05, 0.3, 0.55, 0.8)
"""Of the first bed, the second and so on; then they begin again."""


class TestWard(NamedTuple):
    """The scene, and what is true of it.

    Attributes:
        scene: Not started.
        truths: What each bed's patient does, by the bed's id; times count from when the patient's first sensor starts.
    """

    scene: Scene
    truths: Mapping[str, Truth]

    def told(self) -> dict[str, Any]:
        """Return the truth for a file of JSON: for each bed what is done when, in seconds, and the postures."""
        return {
            bed: {
                "did": [
                    {"what": did.what, "start_s": did.start_s, "end_s": did.end_s, **did.facts} for did in truth.did
                ],
                "postures": [list(posture) for posture in truth.postures],
            }
            for bed, truth in self.truths.items()
        }


def timed_tests(
    *,
    beds: int,
    ports: Path,
    rounds: int = 10,
    seed: int = 0,
    speed: float = 1.0,
    faults: Sequence[Fault] = (),
    only: Collection[str] = TESTS,
) -> TestWard:
    """Return a ward of patients who are tested; the same for the same seed.

    Args:
        beds: Number of beds, 1 to 99.
        ports: Folder for the serial ports.
        rounds: How often each patient does all tests; about four minutes each.
        seed: Who the people are and how their sensors are imperfect.
        speed: Simulated seconds in a real one.
        faults: What goes wrong.
        only: Which tests are done, of `TESTS`.

    Raises:
        ValueError: if there are too many beds or rounds, a test is none of ours, or a fault names a device that is not
            there.
    """
    if not 1 <= beds <= MOST_BEDS:
        raise ValueError(f"a ward has 1 to {MOST_BEDS} beds, not {beds}")
    if not 1 <= rounds <= MOST_ROUNDS:
        raise ValueError(f"patients are tested in 1 to {MOST_ROUNDS} rounds, not {rounds}")
    if unknown := set(only) - set(TESTS):
        raise ValueError(f"{', '.join(sorted(unknown))}: patients do {', '.join(TESTS)}")
    hub, timeline = Hub(), Timeline(speed=speed, running=False)
    people = [_Person(number, seed, rounds, only) for number in range(1, beds + 1)]
    scene = Scene(hub, timeline, [person.bed(hub, timeline, ports) for person in people], faults)
    scene.check()
    return TestWard(scene, {person.name: person.truth for person in people})


def one_round(number: int, only: Collection[str] = TESTS) -> Iterator[Item]:
    """Yield what a patient does in a round; both ways of turning have their turn."""
    yield Staying(REST_S)
    if "tug" in only:
        yield from timed_up_and_go(left=number % 2 == 0)
    if "5xsts" in only:
        yield from sit_to_stand(5)
    if {"balance", "10mwt"} & set(only):
        yield Rising()
        if "balance" in only:
            yield from quiet_stance(30.0)
        if "10mwt" in only:
            yield from ten_metre_walk()
        yield SittingDown()


class _Person:
    """Who is tested; all drawn once from the seed."""

    def __init__(self, number: int, seed: int, rounds: int, only: Collection[str]) -> None:
        self._number, self.name = number, f"bed-{number}"
        self._random = np.random.default_rng([seed, number, 0x7E57])
        self._who: Patient = patient(self._draw() % 10_000, SEVERITIES[(number - 1) % len(SEVERITIES)])
        script = [item for k in range(rounds) for item in one_round(k, only)]
        self._figure: PatientFigure
        self.truth, self._figure = play(script, self._who, "sitting", seed)

    def bed(self, hub: Hub, timeline: Timeline, ports: Path) -> Bed:
        """Return the bed with the person's devices."""
        port = ports / f"{self.name}-lower-back"
        source = self._sensor("lower_back", SHIMMER_RATE_HZ)
        back = Shimmer3(name=f"{self.name}-lower-back", timeline=timeline, path=port, source=source)
        placed = [PlacedDevice(back, "shimmer3", "lower_back", port=port)]
        for at, (worn, where) in enumerate((("left_thigh", "left_thigh"), ("wrist", "right_wrist"))):
            address, device = dot_address(self._number, at), f"{self.name}-{worn.replace('_', '-')}"
            source = self._sensor(where, DOT_RATE_HZ)
            dot = MovellaDot(name=device, timeline=timeline, hub=hub, address=address, source=source)
            placed.append(PlacedDevice(dot, "movella_dot", worn, address=address))
        heart, address = self._heart(), strap_address(self._number)
        strap = HeartRateStrap(name=f"{self.name}-chest", timeline=timeline, hub=hub, address=address, source=heart)
        placed.append(PlacedDevice(strap, "heart_rate", "chest", address=address))
        wearer = Wearer()
        for each in placed:
            each.device.wearer = wearer
        return Bed(self.name, f"Bed {self._number}", f"sim-{self._number:03d}", placed, round(self._who.height_m, 2))

    def _heart(self) -> Heart:
        efforts = [(did.start_s, did.end_s) for did in self.truth.of("tug", "sts5", "10mwt")]
        who = self._who
        return Heart(
            self._draw(), rest_bpm=who.rest_bpm, effort_bpm=who.effort_bpm, effort=efforts, end_s=self.truth.end_s
        )

    def _sensor(self, placement: str, rate_hz: float) -> BodySensor:
        clock = Clock(self._draw(), drift_ppm=self._random.normal(0.0, DRIFT_PPM), wander_ppm=WANDER_PPM)
        unit = self._draw()
        return BodySensor(
            self._figure, placement, imu=Imu(Imperfections(), rate_hz, unit), clock=clock, loss=Loss(LOSS, unit),
            rate_hz=rate_hz,
        )  # fmt: skip

    def _draw(self) -> int:
        return int(self._random.integers(2**31))
