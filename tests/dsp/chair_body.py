"""A body that sits on a chair, rises, walks, turns and sits down again, with truth; made for tests of transfers.

It moves in the plane that it faces: the thigh about the knee, the trunk about the hip, each on the smoothest way from
one place to the next (minimum jerk, Flash and Hogan 1985, doi 10.1523/JNEUROSCI.05-07-01688.1985).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RATE_HZ = 100.0
GRAVITY = 9.81
THIGH_M, TRUNK_M = 0.42, 0.35
STARTING_S = 0.6
"""Nobody walks at full speed at once."""
LEAN = np.radians(38.0)


class Span(NamedTuple):
    """What truly happened, in samples; the angle is of turns, degrees to the left."""

    kind: str
    start: float
    end: float
    angle_deg: float = 0.0


class Signal(NamedTuple):
    numbers: NDArray[np.int64]
    acc: Floats
    gyr: Floats

    def where(self, kept: NDArray[np.bool_]) -> Signal:
        """Return the samples that are kept; the others were lost."""
        return Signal(self.numbers[kept], self.acc[kept], self.gyr[kept])


def smooth_step(share: Floats) -> Floats:
    """Return the way of minimum jerk from 0 to 1."""
    s = np.clip(share, 0, 1)
    return s**3 * (10 - 15 * s + 6 * s**2)


@dataclass
class ChairBody:
    """Put movements one after the other, then ask what a sensor saw. Angles: thigh 0 lying, pi/2 hanging."""

    seed: int = 0
    truth: list[Span] = field(default_factory=list)
    thigh: list[Floats] = field(default_factory=list)
    lean: list[Floats] = field(default_factory=list)
    heading: list[Floats] = field(default_factory=list)
    speed: list[Floats] = field(default_factory=list)
    bounce: list[Floats] = field(default_factory=list)
    at: int = 0
    facing: float = 0.0
    upright: bool = False

    def _add(self, *, thigh: Floats, lean: Floats, heading: Floats, speed: float, bounce: Floats) -> None:
        for series, values in (
            (self.thigh, thigh),
            (self.lean, lean),
            (self.heading, heading),
            (self.speed, np.full(len(thigh), speed)),
            (self.bounce, bounce),
        ):
            series.append(values)
        self.at += len(thigh)
        self.facing = float(heading[-1])

    def _shares(self, seconds: float) -> Floats:
        n = round(seconds * RATE_HZ)
        return (np.arange(n) + 1) / n

    def rest(self, seconds: float) -> ChairBody:
        if seconds <= 0:
            return self
        s = self._shares(seconds)
        flat = np.zeros_like(s)
        thigh = flat + (np.pi / 2 if self.upright else 0)
        self._add(thigh=thigh, lean=flat, heading=flat + self.facing, speed=0, bounce=flat)
        return self

    def rise(self, seconds: float, lean: float = LEAN) -> ChairBody:
        s = self._shares(seconds)
        self.truth.append(Span("sit_to_stand", self.at, self.at + len(s)))
        bent = lean * (smooth_step(s / 0.5) - smooth_step((s - 0.45) / 0.55))
        thigh = np.pi / 2 * smooth_step((s - 0.3) / 0.7)
        self._add(thigh=thigh, lean=bent, heading=self.facing + 0 * s, speed=0, bounce=0 * s)
        self.upright = True
        return self

    def sit(self, seconds: float, turn_deg: float = 0.0, lean: float = LEAN) -> ChairBody:
        s = self._shares(seconds)
        self.truth.append(Span("stand_to_sit", self.at, self.at + len(s)))
        bent = lean * (smooth_step(s / 0.5) - smooth_step((s - 0.5) / 0.5))
        thigh = np.pi / 2 * (1 - smooth_step(s / 0.7))
        heading = self.facing + np.radians(turn_deg) * smooth_step(s / 0.3)
        self._add(thigh=thigh, lean=bent, heading=heading, speed=0, bounce=0 * s)
        self.upright = False
        return self

    def walk(self, seconds: float, turn_deg: float = 0.0, step_s: float = 0.55, speed: float = 1.0) -> ChairBody:
        """Walk on, or with an angle turn about on the way."""
        s = self._shares(seconds)
        if turn_deg:
            self.truth.append(Span("turn", self.at, self.at + len(s), turn_deg))
        phase = np.pi * s * seconds / step_s
        fade = np.minimum(1, np.minimum(s, 1 - s) * seconds / 0.2)
        swing = np.radians(18) * speed * np.sin(phase) * fade
        bounce = 0.018 * speed * np.cos(2 * phase) * fade
        heading = self.facing + np.radians(turn_deg) * smooth_step(s)
        slow = 0.3 if turn_deg else 1.0
        lean = np.radians(3) * np.cos(2 * phase) * fade
        self._add(thigh=np.pi / 2 + swing, lean=lean, heading=heading, speed=slow * speed, bounce=bounce)
        return self

    def tug(self, pace: float = 1.0, side: float = 1.0, back: float = 1.0) -> ChairBody:
        """A whole Timed Up and Go; everything takes ``pace`` times as long."""
        step_s, speed = 0.55 * pace**0.5, 1.0 / pace
        self.rest(1.5).rise(1.3 * pace).walk(2.4 * pace, 0, step_s, speed).walk(1.3 * pace, 180 * side, step_s, speed)
        self.walk(2.4 * pace, 0, step_s, speed).walk(1.2 * pace, 180 * side * back, step_s, speed)
        return self.sit(1.4 * pace).rest(1.5)

    def chair_stands(self, n: int, rise_s: float = 1.1, sit_s: float = 1.1, pause_s: float = 0.2) -> ChairBody:
        self.rest(1.5)
        for _ in range(n):
            self.rise(rise_s).rest(pause_s).sit(sit_s).rest(pause_s)
        return self.rest(1.5)

    def sensed(self, placement: str, *, turned: Floats | None = None, noise: float = 1.0, lost: float = 0.0) -> Signal:
        """Return what a sensor saw that is worn turned by a rotation (3, 3), with noise, and samples lost at random."""
        rng = np.random.default_rng(self.seed)
        thigh, lean, heading, speed, bounce = map(
            np.concatenate, (self.thigh, self.lean, self.heading, self.speed, self.bounce)
        )
        pitch = lean if placement != "thigh" else thigh - np.pi / 2
        forward = -THIGH_M * np.cos(thigh)
        up = THIGH_M * np.sin(thigh) + bounce
        if placement == "thigh":
            forward, up = forward / 2, up / 2
        else:
            far = TRUNK_M if placement == "chest" else 0.1
            forward, up = forward + far * np.sin(lean), up + far * np.cos(lean)
        kernel = np.hanning(round(STARTING_S * RATE_HZ))
        speed = np.convolve(speed, kernel / kernel.sum(), "same")
        ahead = np.stack([np.cos(heading), np.sin(heading), 0 * heading], 1)
        place = np.cumsum(ahead * speed[:, None], 0) / RATE_HZ + ahead * forward[:, None]
        place[:, 2] = up
        acc = np.gradient(np.gradient(place, axis=0), axis=0) * RATE_HZ**2 + [0, 0, GRAVITY]
        acc, gyr = _in_segment(acc, heading, pitch)
        # a step jolts, a seat too; what a sensor adds itself
        acc += noise * rng.normal(0, 0.08, acc.shape)
        gyr += noise * (rng.normal(0, 0.01, gyr.shape) + rng.normal(0, 0.005, 3))
        turned = np.eye(3) if turned is None else turned
        kept = rng.random(len(acc)) >= lost
        return Signal(np.flatnonzero(kept), (acc @ turned)[kept], (gyr @ turned)[kept])


def _in_segment(acc: Floats, heading: Floats, pitch: Floats) -> tuple[Floats, Floats]:
    """Return force and angular velocity in the frame of a segment that is turned to a heading and pitched forward."""
    c, s, zero, one = np.cos(heading), np.sin(heading), 0 * heading, 0 * heading + 1
    cp, sp = np.cos(pitch), np.sin(pitch)
    turned = np.stack([np.stack([c, -s, zero], 1), np.stack([s, c, zero], 1), np.stack([zero, zero, one], 1)], 1)
    pitched = np.stack([np.stack([cp, zero, sp], 1), np.stack([zero, one, zero], 1), np.stack([-sp, zero, cp], 1)], 1)
    frame = turned @ pitched
    rates = np.stack([zero, np.gradient(pitch) * RATE_HZ, zero], 1)
    world = np.einsum("nij,nj->ni", turned, rates) + np.stack([zero, zero, np.gradient(heading) * RATE_HZ], 1)
    back = np.transpose(frame, (0, 2, 1))
    return np.einsum("nij,nj->ni", back, acc), np.einsum("nij,nj->ni", back, world)
