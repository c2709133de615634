"""Arithmetic of quantities that are known with two derivatives: products, sines, rotations after one another."""

from __future__ import annotations

import numpy as np

from simulators.body.curve import State
from simulators.body.rotation import Attitude
from simulators.motion.source import Floats


def constant(value: float, count: int) -> State:
    """Return a scalar that stays as it is."""
    return State(np.full(count, value), np.zeros(count), np.zeros(count))


def product(one: State, other: State) -> State:
    """Return the product of two, each (n,), or (n, 1) and (n, 3)."""
    return State(
        one.value * other.value,
        one.rate * other.value + one.value * other.rate,
        one.accel * other.value + 2 * one.rate * other.rate + one.value * other.accel,
    )


def column(state: State) -> State:
    """Return a scalar as (n, 1), to go with vectors."""
    return State(*(part[:, None] for part in state))


def sine(angle: State) -> State:
    """Return the sine of an angle."""
    s, c = np.sin(angle.value), np.cos(angle.value)
    return State(s, c * angle.rate, c * angle.accel - s * angle.rate**2)


def cosine(angle: State) -> State:
    """Return the cosine of an angle."""
    s, c = np.sin(angle.value), np.cos(angle.value)
    return State(c, -s * angle.rate, -s * angle.accel - c * angle.rate**2)


def vector(x: State, y: State, z: State) -> State:
    """Return three scalars as (n, 3)."""
    return State(*(np.stack(parts, axis=1) for parts in zip(x, y, z, strict=True)))


def blend(one: State, other: State, share: State) -> State:
    """Return vectors (n, 3) that go over from one to the other as ``share`` (n,) goes from 0 to 1."""
    return one.plus(product(column(share), other.plus(one.times(-1))))


def turned(outer: Attitude, inner: Attitude) -> Attitude:
    """Return the orientation of what is turned by ``inner`` within what is turned by ``outer``."""
    rate, accel = inner.to_segment(outer.rate), inner.to_segment(outer.accel)
    return Attitude(
        np.asarray(outer.matrix @ inner.matrix),
        rate + inner.rate,
        accel + inner.accel + np.cross(rate, inner.rate),
    )


def about_long_axis(angle: State) -> Attitude:
    """Return a turn about a segment's own z."""
    zero: Floats = np.zeros(len(angle.value))
    still = State(zero, zero, zero)
    return Attitude.of(angle, still, still)
