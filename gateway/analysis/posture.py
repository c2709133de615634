"""One posture of a person who wears a sensor on the trunk and one on a thigh, from what the two say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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
        """Return results without posture: what either sensor says of that is taken, and `look` tells what follows."""
        others: list[DeviceResult] = []
        for result, numbers in results:
            part = self._parts.get(numbers[0]) if result.metric == "posture" else None
            if part is None:
                others.append((result, numbers))
                continue
            name = None if result.value is None else NAMES[result.value]
            self._both.hear_again(part)
            self._both.add(part, result.start_s, Posture(result.start_s, name, result.quality, result.reason))
        return others

    def look(self, now_s: float) -> list[DeviceResult]:
        """Return what is known by a gateway time of the person, and of a sensor's silence or its end."""
        heard_s = now_s
        for number, part in self._parts.items():
            newest_s = self._newest_s(number)
            if not math.isfinite(newest_s):
                continue
            if newest_s < now_s - SILENT_S:
                self._both.fall_silent(part, newest_s)
            else:
                self._both.hear_again(part)
                heard_s = min(heard_s, newest_s)
        return self._told(heard_s)

    def finish(self) -> list[DeviceResult]:
        """Return what was still too young to tell, as far as it has lasted: nothing more comes."""
        newest_s = max(map(self._newest_s, self._parts))
        return self._told(newest_s)

    def _newest_s(self, number: int) -> float:
        timeline = self._bank.timeline(number)
        return -math.inf if timeline is None else timeline.newest_s

    def _told(self, heard_s: float) -> list[DeviceResult]:
        told = self._both.report(heard_s)
        return [(_result(one), tuple(self._numbers[part] for part in one.of) or tuple(self._parts)) for one in told]


def _result(one: PersonPosture) -> Result:
    value = None if one.posture is None else CODES[one.posture]
    return Result("posture", value, "none", one.at_s, one.at_s, 1, ALGORITHM, 0, one.quality, one.reason)
