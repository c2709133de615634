"""One posture of a person who wears a sensor on the trunk and one on a thigh, from what the two say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from config.settings import Device, Placement
from dsp.posture.measured import CODES
from dsp.posture.person import ALGORITHM, Part, PersonPosture, TwoSensors
from dsp.posture.posture import Posture
from dsp.result import Result
from gateway.analysis.motion_bank import MotionBank
from gateway.analysis.ward_operators import DeviceResult

PLACES: Final[dict[Part, tuple[Placement, ...]]] = {
    "trunk": ("lower_back", "chest"),
    "thigh": ("left_thigh", "right_thigh"),
}
"""Of each part the first that is worn: as the table of operators attaches them (`gateway.analysis.motions`)."""
SILENT_S: Final = 10.0
"""A sensor that has sent nothing for so long is done without: what a radio loses for a moment comes later."""
NAMES: Final = {code: name for name, code in CODES.items()}


def posture_of_person(devices: Mapping[int, Device], bank: MotionBank) -> PostureOfPerson | None:
    """Return what puts the posture of a person together; None for who does not wear both sensors."""
    numbers: dict[int, Part] = {}
    for part, places in PLACES.items():
        worn = [number for place in places for number, device in devices.items() if device.placement == place]
        if not worn:
            return None
        numbers[worn[0]] = part
    return PostureOfPerson(numbers, bank)


class PostureOfPerson:
    """Takes what two sensors say of posture, and tells that of the person in its place.

    Args:
        parts: Where each of the two devices is worn, by number.
        bank: That of their operators.
    """

    def __init__(self, parts: Mapping[int, Part], bank: MotionBank) -> None:
        self._parts = parts
        self._numbers = {part: number for number, part in parts.items()}
        self._bank = bank
        self._both = TwoSensors()

    def combine(self, results: Iterable[DeviceResult]) -> list[DeviceResult]:
        """Return results, with the person's posture in place of that of either sensor."""
        found: list[DeviceResult] = []
        for result, numbers in results:
            part = self._parts.get(numbers[0]) if result.metric == "posture" else None
            if part is None:
                found.append((result, numbers))
                continue
            name = None if result.value is None else NAMES[result.value]
            shown = Posture(result.start_s, name, result.quality, result.reason)
            found += self._known(self._both.hear_again(part))
            found += self._known(self._both.add(part, result.start_s, shown))
        return found

    def look(self, now_s: float) -> list[DeviceResult]:
        """Return what follows from a sensor's silence, or from its end, at a gateway time."""
        found: list[DeviceResult] = []
        for number, part in self._parts.items():
            newest_s = self._bank.newest_s(number)
            if not math.isfinite(newest_s):
                continue
            if newest_s < now_s - SILENT_S:
                found += self._known(self._both.fall_silent(part, newest_s))
            else:
                found += self._known(self._both.hear_again(part))
        return found

    def _known(self, postures: Iterable[PersonPosture]) -> Sequence[DeviceResult]:
        return [(_result(one), tuple(self._numbers[part] for part in one.of) or tuple(self._parts)) for one in postures]


def _result(one: PersonPosture) -> Result:
    value = None if one.posture is None else CODES[one.posture]
    return Result("posture", value, "none", one.at_s, one.at_s, 1, ALGORITHM, 0, one.quality, one.reason)
