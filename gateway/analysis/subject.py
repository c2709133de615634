"""One subject: what all devices of a slot say together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.settings import Device
from drivers.packet import Flag
from dsp.foot.contacts import ALGORITHM as FOOT_ALGORITHM
from dsp.foot.contacts import GAP
from dsp.gait.gait import Contact, Shape, Walk
from dsp.gait.window import Foot
from dsp.heart.heart import HeartMetrics
from dsp.joints.strides import JointCurve
from dsp.lower_back.lower_back import LowerBackWalk
from dsp.result import Result
from dsp.shank.contacts import ALGORITHM as SHANK_ALGORITHM
from gateway.analysis.contacts import ContactBank, Part, steps_by
from gateway.analysis.joints import SubjectJoints
from gateway.analysis.operators import Banks, placements
from gateway.intake.intake import Arrived
from gateway.model.ward import Bed

ALGORITHMS: Final[dict[Part, str]] = {"foot": FOOT_ALGORITHM, "shank": SHANK_ALGORITHM}
PAUSE_NOTICED_S = 3.0  # longer than any contact takes to be decided
SILENT_S = 2.0  # a leg that has sent nothing for so long is not waited for
EXOSKELETON = "exoskeleton"

Said = tuple[Result, Sequence[int]]  # a result and the numbers of the devices it came from


class Subject:
    """Analysis of one slot.

    Args:
        bed: Who is there, in which session.
        devices: The devices worn there, by their number in the gateway.
        banks: What the movement operators say.

    Attributes:
        pseudonym: Of who it is.
        session: Id of the session.
        devices: Numbers of the devices worn.
    """

    def __init__(self, bed: Bed, devices: Mapping[int, Device], banks: Banks) -> None:
        self.pseudonym = bed.slot.subject
        self.session = bed.session
        self.devices = tuple(devices)
        worn = placements(devices)
        exoskeleton = bed.slot.protocol == EXOSKELETON
        steps = steps_by(worn)
        self._legs = {side: (n, banks.feet if part == "foot" else banks.shanks) for side, (n, part) in steps.items()}
        told_by = {side: ALGORITHMS[part] for side, (_, part) in steps.items()}
        self._walk = Walk(exoskeleton=exoskeleton, contacts=told_by) if steps else None
        joints = SubjectJoints(banks.joints, worn, exoskeleton=exoskeleton)
        self._joints = joints if joints.joints else None
        self._backs = {
            n: LowerBackWalk(exoskeleton=exoskeleton) for n, d in devices.items() if d.placement == "lower_back"
        }
        self._banks = banks
        self._silent: set[Foot] = set()
        self._hearts: dict[int, HeartMetrics] = {}
        self._repeated: dict[int, int] = {}  # by device: second deliveries that its heart was told of
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
        said = self._repeated.get(arrived.number, 0)
        self._repeated[arrived.number] = arrived.repeated
        again = arrived.repeated - said
        self._say(heart.push_rr(at, arrived.samples[:, 0], _touches(arrived), repeated=again), (arrived.number,))

    def step(self, now_s: float) -> list[Said]:
        """Take what the movement operators decided in this step; ``now_s`` is its end on the gateway clock."""
        if self._walk is not None:
            walked = self._step_legs(self._walk, now_s)
            self._say_walk(walked)
            if self._joints is not None:
                self._said += self._joints.step(walked)
        backs = self._banks.backs
        for number, walk in self._backs.items():
            if number in backs.worn:
                self._say(walk.push(backs.events.get(number), backs.worn[number].timeline.at, now_s), (number,))
        return self.told()

    def told(self) -> list[Said]:
        """Return what was said since the last call: of the heart, where nothing else is analysed yet."""
        said, self._said = self._said, []
        return said

    def finish(self) -> list[Said]:
        """End of the run: close what is open."""
        if self._walk is not None:
            walked = self._walk.finish()
            self._say_walk(walked)
            if self._joints is not None:
                self._said += self._joints.finish(walked)
        for number, walk in self._backs.items():
            self._say(walk.finish(), (number,))
        return self.told()

    def curves(self, now_s: float) -> list[JointCurve]:
        """Return the mean curves of the joints if it is time to tell them."""
        return [] if self._joints is None else self._joints.curves(now_s)

    def _step_legs(self, walk: Walk, now_s: float) -> list[Result]:
        contacts: list[Contact] = []
        shapes: list[Shape] = []
        alive: list[tuple[int, ContactBank]] = []
        for side, (number, bank) in self._legs.items():
            if number not in bank.worn:
                continue
            newest_s = bank.worn[number].timeline.newest_s
            if newest_s > now_s - SILENT_S:
                alive.append((number, bank))
                self._silent.discard(side)
            elif side not in self._silent:
                self._silent.add(side)
                contacts.append(Contact(side, GAP, newest_s))  # before the others go on without it
            contacts += bank.contacts(number, side)
            shapes += bank.shapes(number, side)
        if contacts or shapes or walk.waiting:
            watermark = min((bank.settled_s(number) for number, bank in alive), default=now_s)
            return walk.push(contacts, self._doubt_s(), watermark, shapes)
        # Only a pause can be noticed, which needs no haste.
        return walk.push((), None, now_s - PAUSE_NOTICED_S)

    def _doubt_s(self) -> float | None:
        """Return the uncertainty between the clocks of the two legs' sensors; None for one leg."""
        if len(self._legs) < 2:
            return None
        worn = [bank.worn[number] for number, bank in self._legs.values() if number in bank.worn]
        return math.hypot(*(each.timeline.uncertainty_s for each in worn))

    def _say_walk(self, results: Sequence[Result]) -> None:
        for result in results:
            self._said.append((result, self._worn_for(result)))

    def _worn_for(self, result: Result) -> Sequence[int]:
        """Return the leg that a result is of; both where it rests on the clocks of both."""
        for side, (number, _) in self._legs.items():
            if result.side == side and result.sync_s is None:
                return (number,)
        return tuple(number for number, _ in self._legs.values())

    def _say(self, results: Sequence[Result], devices: Sequence[int]) -> None:
        self._said += [(result, devices) for result in results]


def _touches(arrived: Arrived) -> NDArray[np.bool_]:
    """Return whether the sensor touched the body, or could not tell, for each sample."""
    touches: NDArray[np.bool_] = (arrived.flags & Flag.NO_CONTACT) == 0
    return touches
