"""The simulators of chest straps and armbands with more than a heart rate, one each, on somebody who walks."""

from __future__ import annotations

from collections.abc import Callable

from simulators.body.body import WalkingBody
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
    return PlacedDevice(strap, "polar", "chest", address=place.address)


def movesense(place: Place) -> PlacedDevice:
    """Movesense, Bluetooth LE: motion, ECG, heart rate, temperature; battery."""
    sensor = Movesense(
        name=place.name, timeline=place.timeline, hub=place.hub, address=place.address,
        heart=Heart(place.seed), movement=_movement(place),
    )  # fmt: skip
    return PlacedDevice(sensor, "movesense", "chest", address=place.address)


def _movement(place: Place) -> Callable[[float], MotionSource]:
    body = WalkingBody(place.seed)
    return lambda rate_hz: body.sensor("lower_back", rate_hz=rate_hz, seed=place.seed)
