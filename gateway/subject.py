"""One subject: what all devices of a slot say together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.settings import Slot
from drivers.packet import Flag
from dsp.foot import GAP
from dsp.gait import Contact, Shape, Walk
from dsp.gait_window import Foot
from dsp.heart import HeartMetrics
from dsp.lower_back import LowerBackWalk
from dsp.result import Result
from gateway.feet import FootBank
from gateway.intake import Arrived, Intake
from gateway.movement import Bank

FEET: Final[dict[str, Foot]] = {"left_foot": "left", "right_foot": "right"}
PAUSE_NOTICED_S = 3.0  # longer than any contact takes to be decided
SILENT_S = 2.0  # a foot that has sent nothing for so long is not waited for
EXOSKELETON = "exoskeleton"

Said = tuple[Result, Sequence[int]]  # a result and the numbers of the devices it came from


class Subject:
    """Analysis of one slot.

    Args:
        slot: Its settings.
        numbered: The devices worn there, by their number in the gateway.
    """

    def __init__(self, slot: Slot, numbered: dict[int, Intake]) -> None:
        self.pseudonym = slot.subject
        self._feet = {FEET[i.device.placement]: n for n, i in numbered.items() if i.device.placement in FEET}
        exoskeleton = slot.protocol == EXOSKELETON
        self._backs = {
            n: LowerBackWalk(exoskeleton=exoskeleton) for n, i in numbered.items() if i.device.placement == "lower_back"
        }
        self._walk = Walk(exoskeleton=exoskeleton) if self._feet else None
        self._silent: set[Foot] = set()
        self._hearts: dict[int, HeartMetrics] = {}
        self._said: list[Said] = []

    def heart_rate(self, arrived: Arrived) -> None:
        """Take heart rates of a device."""
        heart = self._hearts.setdefault(arrived.number, HeartMetrics())
        at = arrived.timeline.at(arrived.index.astype(float))
        self._say(heart.push_rate(at, arrived.samples[:, 0], _touches(arrived)), (arrived.number,))

    def heart_beats(self, arrived: Arrived) -> None:
        """Take intervals between beats of a device."""
        heart = self._hearts.setdefault(arrived.number, HeartMetrics())
        at = arrived.timeline.at(arrived.index.astype(float))
        self._say(heart.push_rr(at, arrived.samples[:, 0], _touches(arrived)), (arrived.number,))

    def step(self, feet: FootBank, backs: Bank, now_s: float) -> list[Said]:
        """Take what the movement operators decided in this step; ``now_s`` is its end on the gateway clock."""
        if self._walk is not None:
            self._step_feet(self._walk, feet, now_s)
        for number, walk in self._backs.items():
            if number in backs.worn:
                self._say(walk.push(backs.events.get(number), backs.worn[number].timeline.at, now_s), (number,))
        return self._collect()

    def finish(self) -> list[Said]:
        """End of the run: close what is open."""
        if self._walk is not None:
            self._say_walk(self._walk.finish())
        for number, walk in self._backs.items():
            self._say(walk.finish(), (number,))
        return self._collect()

    def _step_feet(self, walk: Walk, feet: FootBank, now_s: float) -> None:
        contacts: list[Contact] = []
        shapes: list[Shape] = []
        alive: list[int] = []
        for side, number in self._feet.items():
            if number not in feet.worn:
                continue
            newest_s = feet.worn[number].timeline.newest_s
            if newest_s > now_s - SILENT_S:
                alive.append(number)
                self._silent.discard(side)
            elif side not in self._silent:
                self._silent.add(side)
                contacts.append(Contact(side, GAP, newest_s))  # before the others go on without it
            contacts += feet.contacts(number, side)
            shapes += feet.shapes(number, side)
        if contacts or shapes or walk.waiting:
            watermark = min((feet.settled_s(number) for number in alive), default=now_s)
            self._say_walk(walk.push(contacts, self._doubt_s(feet), watermark, shapes))
        else:  # only a pause can be noticed, which needs no haste
            self._say_walk(walk.push((), None, now_s - PAUSE_NOTICED_S))

    def _doubt_s(self, feet: FootBank) -> float | None:
        """Return the uncertainty between the clocks of the two feet; None for one foot."""
        if len(self._feet) < 2:
            return None
        worn = [feet.worn[number] for number in self._feet.values() if number in feet.worn]
        return math.hypot(*(each.timeline.uncertainty_s for each in worn))

    def _say_walk(self, results: Sequence[Result]) -> None:
        for result in results:
            self._said.append((result, self._worn_for(result)))

    def _worn_for(self, result: Result) -> Sequence[int]:
        """Return the foot that a result is of; both where it rests on the clocks of both."""
        for side, number in self._feet.items():
            if result.side == side and result.sync_s is None:
                return (number,)
        return tuple(self._feet.values())

    def _say(self, results: Sequence[Result], devices: Sequence[int]) -> None:
        self._said += [(result, devices) for result in results]

    def _collect(self) -> list[Said]:
        said, self._said = self._said, []
        return said


def _touches(arrived: Arrived) -> NDArray[np.bool_]:
    """Return whether the sensor touched the body, or could not tell, for each sample."""
    touches: NDArray[np.bool_] = (arrived.flags & Flag.NO_CONTACT) == 0
    return touches
