"""The simulators of chest straps and armbands with more than a heart rate, one each, on somebody who walks."""

from __future__ import annotations

from collections.abc import Callable

from simulators.body.heart import Heart
from simulators.devices.movesense import Movesense
from simulators.devices.polar import Polar
from simulators.motion.source import MotionSource
from simulators.scenes.scene import PlacedDevice
from simulators.scenes.simulators import Place


def polar(place: Place) -> PlacedDevice:
    """Polar H10, Bluetooth LE: heart rate, RR intervals, ECG, acceleration; battery."""
    strap = Polar(
        name=place.name, timeline=place.timeline, hub=place.hub, address=place.address, model="H10",
        heart=Heart(place.seed), movement=_movement(place),
    )  # fmt: skip
    return PlacedDevice(strap, "polar", place.worn or "chest", address=place.address, axes=place.axes)


def movesense(place: Place) -> PlacedDevice:
    """Movesense, Bluetooth LE: motion, ECG, heart rate, temperature; battery."""
    sensor = Movesense(
        name=place.name, timeline=place.timeline, hub=place.hub, address=place.address,
        heart=Heart(place.seed), movement=_movement(place),
    )  # fmt: skip
    return PlacedDevice(sensor, "movesense", place.worn or "chest", address=place.address, axes=place.axes)


def _movement(place: Place) -> Callable[[float], MotionSource]:
    return lambda rate_hz: place.sensor("lower_back", rate_hz)
