"""How full the battery of each sensor was when it last told, also of those that have been taken off since."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from gateway.dashboard.gateway_status import DEVICES


class Charge(NamedTuple):
    """What a sensor told of its battery.

    Attributes:
        battery: Per cent.
        told_us: When the gateway said it, UTC microseconds.
    """

    battery: float
    told_us: int


class Charges:
    """The last charge of each sensor; at most as many as a ward has."""

    def __init__(self) -> None:
        self._last: dict[str, Charge] = {}

    def note(self, devices: Iterable[dict[str, Any]], told_us: int) -> None:
        """Keep what a status tells of the batteries of its devices."""
        for device in devices:
            battery = device.get("battery")
            if battery is not None and (device["id"] in self._last or len(self._last) < DEVICES):
                self._last[device["id"]] = Charge(battery, told_us)

    def last(self, device: str) -> Charge | None:
        """Return what a sensor told last; None where it has not since the dashboard was started."""
        return self._last.get(device)
