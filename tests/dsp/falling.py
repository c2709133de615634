"""A sensor on somebody who falls, or nearly does, or does what looks like it: from mechanics, seeded, with its truth.

A fall is a rod that topples about the ankles, a body that buckles at the knees, or one that slides off a chair; it
meets the floor with the speed that it has then, which a contact of 40 to 100 ms takes away (a mat: 100 to 200), and
once more and weaker. Heights of sensors, contacts and ranges are of the orders of the literature: 2 to 3 m/s at the hip
(Bourke et al. 2008), peaks of 3 to 8 g at the trunk.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
G = 9.81
HEIGHT_M = {"waist": 1.0, "lower_back": 1.05, "chest": 1.3, "thigh": 0.75, "wrist": 0.85}
FLOOR_M = 0.12
"""Where a sensor is when its wearer lies."""
FALLS = ("forward", "backward", "sideways", "buckling", "from_sitting", "onto_mat", "caught_partly", "out_of_bed")
NEARLY = ("stumble", "dropped", "thrown_on_table", "sat_down_hard", "jumped", "lay_down_quickly", "waved", "knocked")


@dataclass
class Motion:
    """What a sensor does: one entry a part, joined in time.

    Attributes:
        force: World frame (n, 3), linear acceleration, z up.
        turned: Rotation vectors (n, 3) of the sensor in the world, about one axis or a little off it.
    """

    rate_hz: float
    force: list[Floats] = field(default_factory=list)
    turned: list[Floats] = field(default_factory=list)

    @property
    def n(self) -> int:
        return sum(map(len, self.force))

    @property
    def last(self) -> Floats:
        return self.turned[-1][-1] if self.turned else np.zeros(3)

    def rest(self, seconds: float, turned: Floats | None = None) -> None:
        """Stay as it is, or go to another direction at once (use ``turn`` where that should show)."""
        n = max(1, round(seconds * self.rate_hz))
        self.force.append(np.zeros((n, 3)))
        self.turned.append(np.tile(self.last if turned is None else turned, (n, 1)))

    def turn(self, seconds: float, to: Floats, drop_m: float = 0.0) -> None:
        """Turn smoothly, and go down by so much meanwhile: a movement under control."""
        n = max(2, round(seconds * self.rate_hz))
        u = np.linspace(0, 1, n)
        way = 10 * u**3 - 15 * u**4 + 6 * u**5
        force = np.zeros((n, 3))
        force[:, 2] = -drop_m * (60 * u - 180 * u**2 + 120 * u**3) / seconds**2
        start = self.last
        self.force.append(force)
        self.turned.append(start + way[:, None] * (to - start))

    def contact(self, speed: float, seconds: float, again: float = 0.3, to: Floats | None = None) -> None:
        """Meet the floor at a speed, m/s down, and once more and weaker a moment later."""
        for v, pause in ((speed, 0.12), (again * speed, 0.05)):
            n = max(2, round(seconds * self.rate_hz))
            force = np.zeros((n, 3))
            force[:, 2] = v * np.pi / (2 * seconds) * np.sin(np.pi * (np.arange(n) + 0.5) / n)
            self.force.append(force)
            self.turned.append(np.tile(self.last if to is None else to, (n, 1)))
            self.rest(pause)


def topple(motion: Motion, height_m: float, way: Floats, rng: np.random.Generator, braked: float) -> float:
    """Fall over like a rod about the ankles; return the speed at the floor, m/s."""
    dt, length = 1 / motion.rate_hz, rng.uniform(1.15, 1.4)  # m, of a pendulum that falls as fast
    angle, rate = rng.uniform(0.12, 0.25), rng.uniform(0.3, 0.9)
    place, angles = [], []
    while height_m * np.cos(angle) > FLOOR_M and angle < np.pi / 2:
        rate += (1 - braked) * G / length * np.sin(angle) * dt
        angle += rate * dt
        angles.append(angle)
        place.append([height_m * np.sin(angle), 0.0, height_m * np.cos(angle)])
    velocity = np.gradient(np.array(place), dt, axis=0)
    force = np.gradient(velocity, dt, axis=0)
    heading = np.array([way[1], -way[0]])  # the floor's direction that a turn about ``way`` leads to
    flat = np.column_stack([force[:, :1] * heading, force[:, 2]])
    motion.force.append(flat)
    motion.turned.append(motion.last + np.array(angles)[:, None] * way)
    return float(-velocity[-1, 2])


def buckle(motion: Motion, height_m: float, way: Floats, rng: np.random.Generator) -> float:
    """Sink at the knees with part of gravity, tilting over; return the speed at the floor."""
    part = rng.uniform(0.35, 0.75) * G
    drop = height_m - FLOOR_M - rng.uniform(0.0, 0.2)
    seconds = float(np.sqrt(2 * drop / part))
    n = max(2, round(seconds * motion.rate_hz))
    u = np.linspace(0, 1, n)
    motion.force.append(np.column_stack([np.zeros((n, 2)), np.full(n, -part)]))
    motion.turned.append(motion.last + (u**2)[:, None] * way * rng.uniform(1.2, 1.5))
    return part * seconds


def steps(motion: Motion, seconds: float, rng: np.random.Generator, strength: float = 2.0) -> None:
    """Walk: a push each step, and the segment swings."""
    n, hz = round(seconds * motion.rate_hz), rng.uniform(1.4, 2.0)
    t = np.arange(n) / motion.rate_hz
    force = np.zeros((n, 3))
    force[:, 2] = strength * (np.sin(2 * np.pi * hz * t) + 0.4 * np.sin(4 * np.pi * hz * t))
    force[:, 0] = 0.6 * strength * np.cos(2 * np.pi * hz * t)
    motion.force.append(force)
    motion.turned.append(motion.last + 0.15 * np.sin(np.pi * hz * t)[:, None] * np.array([0.0, 1.0, 0.0]))


def lie(motion: Motion, rng: np.random.Generator, recovers: bool) -> None:
    """Lie with breathing and a little movement; then perhaps get up."""
    motion.rest(rng.uniform(4, 8) if recovers else rng.uniform(12, 20))
    if recovers:
        motion.turn(rng.uniform(3, 5), np.zeros(3), -0.8)
        motion.rest(6)


def way_of(kind: str, rng: np.random.Generator) -> Floats:
    """Return the axis that a fall of a kind turns about, level: y forwards, x to the side."""
    base = {"forward": 0.0, "backward": np.pi, "sideways": np.pi / 2 * rng.choice([-1, 1])}
    angle = base.get(kind, rng.uniform(0, 2 * np.pi)) + rng.normal(0, 0.2)
    return np.array([np.sin(angle), np.cos(angle), 0.0])


def fall(kind: str, placement: str, rate_hz: float, rng: np.random.Generator) -> tuple[Motion, tuple[int, int]]:
    """Return a fall of a kind and the samples of its beginning and its end (at rest on the floor)."""
    motion, height, way = Motion(rate_hz), HEIGHT_M[placement], way_of(kind, rng)
    if kind == "from_sitting":
        seated = np.array([0.0, -1.4, 0.0]) if placement == "thigh" else np.zeros(3)
        motion.rest(rng.uniform(5, 8), seated)
        height = max(0.45, height - 0.45)
    elif kind == "out_of_bed":
        motion.rest(rng.uniform(5, 8), np.array([0.0, -1.5, 0.0]))
        height = 0.6
    else:
        motion.rest(rng.uniform(3, 5))
        if rng.random() < 0.6:
            steps(motion, rng.uniform(3, 6), rng)
    start = motion.n
    if kind in ("buckling", "from_sitting", "out_of_bed"):
        speed = buckle(motion, height, way, rng)
    else:
        braked = rng.uniform(0.3, 0.5) if kind == "caught_partly" else rng.uniform(0.0, 0.2)
        speed = topple(motion, height, way, rng, braked)
    soft = kind == "onto_mat"
    motion.contact(speed, rng.uniform(0.1, 0.2) if soft else rng.uniform(0.04, 0.1), rng.uniform(0.15, 0.4))
    motion.turn(rng.uniform(0.4, 1.0), motion.last + rng.normal(0, 0.25, 3))
    end = motion.n
    lie(motion, rng, bool(rng.random() < 0.3))
    return motion, (start, end)


def nearly(kind: str, placement: str, rate_hz: float, rng: np.random.Generator) -> tuple[Motion, tuple[int, int]]:
    """Return what looks like a fall and is none, and the samples of its beginning and end."""
    motion = Motion(rate_hz)
    motion.rest(rng.uniform(3, 5))
    start = motion.n
    {
        "stumble": _stumble, "dropped": _dropped, "thrown_on_table": _thrown, "sat_down_hard": _sat, "jumped": _jumped,
        "lay_down_quickly": _lay, "waved": _waved, "knocked": _knocked,
    }[kind](motion, placement, rng)  # fmt: skip
    end = motion.n
    motion.rest(rng.uniform(8, 14))
    return motion, (start, end)


def _stumble(motion: Motion, _placement: str, rng: np.random.Generator) -> None:
    steps(motion, 3, rng)
    way = way_of("forward", rng) * rng.uniform(0.3, 0.7)
    motion.turn(0.35, way, 0.12)
    motion.contact(rng.uniform(0.8, 1.4), 0.05, 0.6)
    motion.contact(rng.uniform(0.5, 1.2), 0.05, 0.5)
    motion.turn(0.8, np.zeros(3), -0.1)
    steps(motion, 2, rng)


def _flight(motion: Motion, seconds: float, spin: Floats) -> None:
    n = max(2, round(seconds * motion.rate_hz))
    t = np.arange(n) / motion.rate_hz
    motion.force.append(np.tile([0.0, 0.0, -G], (n, 1)))
    motion.turned.append(motion.last + t[:, None] * spin)


def _dropped(motion: Motion, _placement: str, rng: np.random.Generator) -> None:
    seconds = float(np.sqrt(2 * rng.uniform(0.4, 1.2) / G))
    _flight(motion, seconds, rng.normal(0, 5, 3))
    motion.contact(G * seconds, 0.01, 0.4)


def _thrown(motion: Motion, _placement: str, rng: np.random.Generator) -> None:
    motion.turn(0.3, rng.normal(0, 0.5, 3))
    _flight(motion, rng.uniform(0.15, 0.35), rng.normal(0, 6, 3))
    motion.contact(rng.uniform(1.5, 3.0), 0.01, 0.4)


def _sat(motion: Motion, placement: str, rng: np.random.Generator) -> None:
    seated = np.array([0.0, -1.4, 0.0]) if placement == "thigh" else rng.normal(0, 0.15, 3)
    if placement == "wrist":
        seated = np.array([0.0, -1.2, 0.0])
    share = 0.5 if placement == "thigh" else 1.0  # the middle of a thigh goes down half as far as the hip
    motion.turn(rng.uniform(0.9, 1.3), seated, share * 0.3)
    motion.contact(share * rng.uniform(0.6, 1.3), rng.uniform(0.05, 0.1), 0.2)


def _jumped(motion: Motion, _placement: str, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 4))):
        up = rng.uniform(1.0, 2.0)
        motion.contact(up, 0.15, 0.0)
        _flight(motion, 2 * up / G, np.zeros(3))
        motion.contact(up, rng.uniform(0.05, 0.12), 0.2)
        motion.rest(0.3)


def _lay(motion: Motion, placement: str, rng: np.random.Generator) -> None:
    if placement == "thigh":
        _sat(motion, placement, rng)
        motion.rest(rng.uniform(0.3, 1.0))
        motion.turn(rng.uniform(0.8, 1.5), motion.last + rng.normal(0, 0.4, 3))
        return
    motion.turn(rng.uniform(0.9, 1.3), np.array([0.0, 0.3, 0.0]), 0.4)
    motion.contact(rng.uniform(0.3, 0.7), 0.08, 0.2)
    motion.rest(rng.uniform(0.1, 0.6))
    motion.turn(rng.uniform(0.8, 1.4), way_of("", rng) * 1.5, 0.35)
    motion.contact(rng.uniform(0.3, 0.8), rng.uniform(0.08, 0.15), 0.2)


def _waved(motion: Motion, _placement: str, rng: np.random.Generator) -> None:
    n, hz = round(4 * motion.rate_hz), rng.uniform(1.0, 3.0)
    t = np.arange(n) / motion.rate_hz
    swing = np.sin(2 * np.pi * hz * t)[:, None]
    motion.force.append(rng.uniform(5, 15) * swing * np.array([0.8, 0.3, 0.5]))
    motion.turned.append(motion.last + 0.8 * swing * np.array([0.2, 1.0, 0.3]))


def _knocked(motion: Motion, _placement: str, rng: np.random.Generator) -> None:
    motion.contact(rng.uniform(0.3, 0.9), 0.02, 0.3)


def sensed(
    motion: Motion, placement: str, rng: np.random.Generator, range_g: float = 16.0, strapped: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return what a sensor measures, (n, 3) m/s² and rad/s: noise, breathing, a limited range; strapped on anyhow."""
    force, turned = np.concatenate(motion.force), np.concatenate(motion.turned)
    if placement == "wrist":
        turned = turned + _wander(len(turned), motion.rate_hz, rng) * 0.25
    t = np.arange(len(force)) / motion.rate_hz
    breath = 0.01 * np.sin(2 * np.pi * 0.25 * t + rng.uniform(0, 6))[:, None] * np.array([0.3, 1.0, 0.0])
    rotation = _rotations(turned + breath)
    acc = np.einsum("nij,ni->nj", rotation, force + np.array([0.0, 0.0, G]))
    gyr = np.gradient(turned, 1 / motion.rate_hz, axis=0)
    if strapped is None:
        strapped = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        strapped[:, 0] *= np.sign(np.linalg.det(strapped))
    acc = np.clip(acc @ strapped + rng.normal(0, 0.05, acc.shape), -range_g * G, range_g * G)
    return acc, gyr @ strapped + rng.normal(0, 0.01, gyr.shape)


def _wander(n: int, rate_hz: float, rng: np.random.Generator) -> Floats:
    knots = rng.normal(0, 1, (max(4, int(n / rate_hz / 2)), 3))
    at = np.linspace(0, len(knots) - 1, n)
    return np.column_stack([np.interp(at, np.arange(len(knots)), knots[:, k]) for k in range(3)])


def _rotations(vectors: Floats) -> Floats:
    """Return the matrices (n, 3, 3) of rotation vectors, which turn the sensor's frame into the world's."""
    angle = np.linalg.norm(vectors, axis=1)
    x, y, z = (vectors / np.where(angle > 0, angle, 1.0)[:, None]).T
    zero = np.zeros_like(x)
    k = np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]).transpose(2, 0, 1)
    sin, cos = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    result: Floats = np.eye(3) + sin * k + (1 - cos) * k @ k
    return result
