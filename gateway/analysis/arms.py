"""How one person uses both arms, and swings them: from the wrists that they wear, and from who tells that they walk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from config.settings import Device, Placement
from dsp.arms.measured import METRIC
from dsp.arms.person import ArmUseOfPerson
from dsp.arms.swing_of_person import OF_WINDOWS
from dsp.arms.use import Arm
from dsp.posture.measured import CODES
from dsp.result import Result
from gateway.analysis.motion import INTERRUPTED
from gateway.analysis.motion_bank import FAILED, MotionBank
from gateway.analysis.ward_operators import DeviceResult
from gateway.model.ward import Bed

WRISTS: Final[Mapping[Placement, Arm]] = {"left_wrist": "left", "right_wrist": "right"}
TELL_POSTURE: Final = frozenset({"left_thigh", "right_thigh", "lower_back", "chest"})
TELL_STEPS: Final = frozenset({"left_foot", "right_foot", "left_shank", "right_shank"})
ON_FOOT: Final = frozenset({CODES["walking"], CODES["stairs"]})
STEP_S: Final = 3.0
"""Between two contacts of one walk at most, whichever foot makes them: in an exoskeleton a stride may take six."""
OF_ONE: Final = frozenset({METRIC, "arm_active_time", "use_hours", *OF_WINDOWS})
"""Of one arm alone; the others compare both."""
TAKEN: Final = frozenset({METRIC, *OF_WINDOWS})
"""What a wrist tells that is not passed on as it is."""
UNSEEN: Final = "nothing is worn that tells whether the body walks: an arm that swings counts as used"


def arms_of_person(bed: Bed, devices: Mapping[int, Device], bank: MotionBank) -> ArmsOfPerson | None:
    """Return what tells how a person uses the arms; None for who wears no sensor on a wrist of a named side."""
    wrists: dict[int, Arm] = {}
    for number, device in devices.items():
        arm = WRISTS.get(device.placement)
        if arm is not None and arm not in wrists.values():
            wrists[number] = arm
    return ArmsOfPerson(bed, {device.placement for device in devices.values()}, wrists, bank) if wrists else None


class ArmsOfPerson:
    """Takes what each wrist counts second by second, and tells the use of both arms in its place.

    Args:
        bed: Who it is, in which session.
        places: Where sensors are worn.
        wrists: The arm that each device on a wrist is on, by number.
        bank: That of their operators.
    """

    def __init__(self, bed: Bed, places: Iterable[Placement], wrists: Mapping[int, Arm], bank: MotionBank) -> None:
        self._wrists = wrists
        self._numbers: dict[str, int] = {arm: number for number, arm in wrists.items()}
        self._bank = bank
        worn = frozenset(places)
        self._by_posture = bool(worn & TELL_POSTURE)  # not a wrist's: that takes reaching for walking
        self._by_steps = not self._by_posture and bool(worn & TELL_STEPS)
        self._use = ArmUseOfPerson(
            sorted(wrists.values()), bed.slot.affected_side, doubt=INTERRUPTED if bed.interrupted else "",
            unseen="" if self._by_posture or self._by_steps else UNSEEN,
        )  # fmt: skip
        self._contact_s = -math.inf
        self._legs_heard: bool | None = None

    def combine(self, results: Iterable[DeviceResult]) -> list[DeviceResult]:
        """Return results without those of seconds and windows: these are taken, and `look` tells what follows."""
        others: list[DeviceResult] = []
        for result, numbers in results:
            arm = self._wrists.get(numbers[0]) if result.metric in TAKEN and result.reason != FAILED else None
            if arm is not None and result.metric in OF_WINDOWS:
                self._use.swing.add(arm, result)
                continue
            if arm is not None:
                self._use.add(arm, result.start_s, result.end_s, result.value, result.reason)
                continue
            if result.metric == "posture" and self._by_posture:
                self._use.walk_from(result.start_s, None if result.value is None else result.value in ON_FOOT)
            elif result.metric == "initial_contact":
                if 0.0 < result.start_s - self._contact_s <= STEP_S:
                    self._use.walk(self._contact_s, result.start_s)
                self._contact_s = max(self._contact_s, result.start_s)
            others.append((result, numbers))
        return others

    def hear_legs(self, now_s: float, *, heard: bool) -> None:
        """Take whether any sensor that tells steps sends: where steps alone tell of walking, it is not known else."""
        if self._by_steps and heard is not self._legs_heard:
            self._legs_heard = heard
            self._use.walk_from(now_s, False if heard else None)

    def look(self, now_s: float) -> list[DeviceResult]:
        """Return what the minutes come to that are over by a gateway time."""
        return [self._told(result) for result in self._use.advance(now_s, self._sync_s())]

    def finish(self) -> list[DeviceResult]:
        """Return what the last minute has come to: nothing more comes."""
        return [self._told(result) for result in self._use.finish(self._sync_s())]

    def _told(self, result: Result) -> DeviceResult:
        """Return a result with the devices that it is of: its own wrist, or both where it compares them."""
        number = self._numbers.get(result.side) if result.metric in OF_ONE else None
        return result, tuple(sorted(self._wrists)) if number is None else (number,)

    def _sync_s(self) -> float | None:
        timelines = [self._bank.timeline(number) for number in self._wrists]
        known = [timeline.uncertainty_s for timeline in timelines if timeline is not None]
        return math.hypot(*known) if len(known) == 2 else None
