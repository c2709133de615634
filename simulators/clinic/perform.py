"""A performance: a patient plays a script, sensors on the body feel it, and all of its truth is known.

from simulators.clinic.patient import patient
from simulators.clinic.perform import perform
from simulators.clinic.timed_tests import timed_up_and_go

played = perform(timed_up_and_go(), patient(seed=3, severity=0.4))
index, acc, gyr = played.signals["lower_back"]
played.truth.of("tug")[0].duration_s
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simulators.body.body import Pose
from simulators.body.curve import Curve
from simulators.body.heart import Heart
from simulators.body.programme import Planner
from simulators.body.saturation import Saturation
from simulators.clinic.figure import PLACEMENTS, PatientFigure
from simulators.clinic.patient import Patient
from simulators.clinic.posture import LYING, SITTING, STANDING, Channels
from simulators.clinic.stage import Stage, programme, turns
from simulators.clinic.timed_tests import Item, activities
from simulators.clinic.truth import Posture, Truth
from simulators.motion.source import Floats
from simulators.sensing.imu import Imperfections, Imu, from_vector
from simulators.sensing.loss import Channel, Loss

Mounting = Literal["exact", "askew", "any"]

START = {"standing": STANDING, "sitting": SITTING, "lying": LYING}
TRANSFERS = ("standing_up", "sitting_down", "lying_down", "sitting_up", "fall")
ASKEW_DEG = 12.0
"""Standard deviation of how far a strap sits from where it should, about a random axis."""
DRIFT_RAD_S = math.radians(0.06)
"""How far the zero of a gyroscope wanders in some minutes."""
DRIFT_PERIODS_S = (97.0, 331.0)
BREATHS_HZ, MORE_BREATHS_HZ = 0.23, 0.30
"""Breaths a second at rest, and what long effort adds."""
DEEPER = 3.0
"""Size of a breath in long effort, besides that at rest."""
BREATHLESS_S, BREATH_STEP_S = 45.0, 4.0
TAIL_S = 0.5


@dataclass(frozen=True, slots=True)
class Signals:
    """What one sensor sends; it unpacks to its three parts.

    Attributes:
        index: (n,) number of each sample that arrives, from 0: true time is index over rate.
        acc: (n, 3) specific force, m/s^2, in the sensor's axes.
        gyr: (n, 3) angular velocity, rad/s.
    """

    index: NDArray[np.int64]
    acc: Floats
    gyr: Floats

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Return the three parts."""
        return iter((self.index, self.acc, self.gyr))

    def only(self, kept: NDArray[np.bool_]) -> Signals:
        """Return the samples that are kept."""
        return Signals(self.index[kept], self.acc[kept], self.gyr[kept])


@dataclass(frozen=True)
class Performance:
    """What came of a script.

    Attributes:
        patient: Who played it.
        rate_hz: Samples a second.
        signals: What each sensor sends, by placement.
        truth: What is true.
        figure: The true movement.
    """

    patient: Patient
    rate_hz: float
    signals: dict[str, Signals]
    truth: Truth
    figure: PatientFigure

    def pose(self, placement: str, times: Floats | None = None) -> Pose:
        """Return the true pose of a sensor, at the times of all samples or others; axes forward, left and up."""
        if times is None:
            times = np.arange(round(self.truth.end_s * self.rate_hz)) / self.rate_hz
        return self.figure.pose(placement, times)


def perform(
    script: Sequence[Item],
    patient: Patient,
    *,
    rate_hz: float = 100.0,
    placements: Iterable[str] = PLACEMENTS,
    start: Posture = "sitting",
    seed: int = 0,
    imperfections: Imperfections | None = None,
    mounting: Mounting = "askew",
    loss: float = 0.01,
) -> Performance:
    """Play a script; the same for the same arguments.

    Args:
        script: Activities and tests, in order.
        patient: Who plays it.
        rate_hz: Samples a second.
        placements: Where sensors sit.
        start: Posture at the beginning: "standing", "sitting" or "lying".
        seed: Other noise, straps, losses, and another day of the patient.
        imperfections: How good the sensors are; by default good small MEMS sensors, `PERFECT` for none and no drift.
        mounting: "exact", axes forward, left and up; "askew", as straps sit; "any", turned in any way.
        loss: Share of samples lost, in bursts.

    Raises:
        ValueError: When the script asks for what cannot be done from where the body is.
    """
    truth, figure = play(script, patient, start, seed)
    times = np.arange(math.ceil(truth.end_s * rate_hz)) / rate_hz
    kind = Imperfections() if imperfections is None else imperfections
    signals = {}
    for placement in placements:
        random = np.random.default_rng([patient.seed, seed, PLACEMENTS.index(placement), 0x5E50])
        strap = _strap(mounting, random)
        imu = Imu(kind, rate_hz, int(random.integers(2**31)))
        sent = Loss(Channel(loss), int(random.integers(2**31))).sent(len(times))
        signals[placement] = _felt(figure.pose(placement, times), times, imu, strap, random).only(sent)
    return Performance(patient, rate_hz, signals, truth, figure)


def _felt(pose: Pose, times: Floats, imu: Imu, strap: Floats, random: np.random.Generator) -> Signals:
    """Return what a sensor feels of a movement, before any is lost."""
    acc, gyr = imu.read(pose.acc @ strap, pose.attitude.rate @ strap)
    if imu.kind.gyr_bias:
        gyr = gyr + _drift(times, random)
    return Signals(np.arange(len(times)), acc, gyr)


def play(script: Sequence[Item], patient: Patient, start: Posture, seed: int) -> tuple[Truth, PatientFigure]:
    """Play a script without sensors; return what is true and the movement."""
    items = activities(script, patient)
    pieces = list(programme([item.activity for item in items], patient))
    planner = Planner(pieces, seed=patient.seed + 7919 * seed, height_m=patient.height_m)
    when = turns([item.activity for item in items], patient, planner)
    channels, breath = Channels(START[start]), Curve(0.0, 1.0)
    figure = PatientFigure(
        Planner(pieces, seed=patient.seed + 7919 * seed, height_m=patient.height_m), patient, channels, breath
    )
    stage = Stage(patient, channels, figure, np.random.default_rng([patient.seed, seed, 0x57A6]), start)
    for item, turn in zip(items, when, strict=True):
        first = len(stage.did)
        item.activity.play(stage, turn)
        item.done += stage.did[first:]
        for marked in item.ends:
            marked.note(stage)
    end_s = when[-1].end_s + TAIL_S
    _breathe(breath, stage.efforts, end_s)
    beats, spo2 = _exertion(patient, stage, seed, end_s)
    steps = tuple(Planner(pieces, seed=patient.seed + 7919 * seed, height_m=patient.height_m).steps())
    did = tuple(sorted(stage.did, key=lambda did: (did.start_s, -did.end_s)))
    return Truth(did, _between_transfers(stage), steps, end_s, beats, spo2), figure


def _between_transfers(stage: Stage) -> tuple[tuple[float, float, Posture], ...]:
    """Return the postures without what belongs to a transfer already, or still."""
    moving = [did for did in stage.did if did.what in TRANSFERS]
    found = []
    for start, end, posture in stage.postures:
        for did in moving:
            if start < did.start_s < end:
                end = did.start_s  # noqa: PLW2901 # a posture is cut at each transfer in it
            if start < did.end_s < end:
                start = did.end_s  # noqa: PLW2901
        if end > start:
            found.append((start, end, posture))
    return tuple(found)


def _strap(mounting: Mounting, random: np.random.Generator) -> Floats:
    """Return the matrix (3, 3) that turns row vectors of the segment into the sensor's axes."""
    axis = random.standard_normal(3)
    axis /= np.linalg.norm(axis)
    angle = np.radians(ASKEW_DEG) * random.standard_normal()
    if mounting == "exact":
        return np.eye(3)
    if mounting == "askew":
        return from_vector(angle * axis)
    q, r = np.linalg.qr(random.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q * np.sign(np.linalg.det(q)))


def _drift(times: Floats, random: np.random.Generator) -> Floats:
    """Return how the zero of a gyroscope wanders, (n, 3) rad/s."""
    found = np.zeros((len(times), 3))
    for period in DRIFT_PERIODS_S:
        phase = random.uniform(0, 2 * np.pi, 3)
        found += DRIFT_RAD_S / math.sqrt(len(DRIFT_PERIODS_S)) * np.sin(2 * np.pi * times[:, None] / period + phase)
    return found


def _breathe(breath: Curve, efforts: Sequence[tuple[float, float]], end_s: float) -> None:
    """Let breaths come quicker and deeper with effort, and calm down after it."""
    level, breaths, now = 0.0, 0.0, 0.0
    while now < end_s + BREATH_STEP_S:
        works = any(a <= now < b for a, b in efforts)
        rate = BREATHS_HZ + MORE_BREATHS_HZ * level
        slope = DEEPER * ((1.0 if works else 0.0) - level) / BREATHLESS_S
        breath.knot(now, (breaths, 1 + DEEPER * level), (rate, slope), (0.0, 0.0))
        before = rate
        level += ((1.0 if works else 0.0) - level) * (1 - math.exp(-BREATH_STEP_S / BREATHLESS_S))
        breaths += (before + BREATHS_HZ + MORE_BREATHS_HZ * level) / 2 * BREATH_STEP_S
        now += BREATH_STEP_S


def _exertion(patient: Patient, stage: Stage, seed: int, end_s: float) -> tuple[Floats, Floats]:
    """Return heart beats (n,) and saturation (m, 2) of each second."""
    efforts = sorted(stage.efforts)
    heart = Heart(
        patient.seed + 7919 * seed,
        rest_bpm=patient.rest_bpm,
        effort_bpm=patient.effort_bpm,
        effort=efforts,
        end_s=end_s,
    )
    beats = heart.read_until(end_s)
    air = Saturation(rest=patient.rest_spo2, effort=min(patient.effort_spo2, patient.rest_spo2), efforts=efforts)
    seconds = np.arange(0.0, end_s)
    spo2 = np.stack([seconds, [air.percent(float(at)) for at in seconds]], axis=1)
    return (np.empty(0) if beats is None else beats.time_s), spo2
