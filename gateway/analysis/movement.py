"""Movement: from motion sensors worn on feet, legs and back to contacts, strides, walks and joint angles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from config.protocol import read_protocol
from config.settings import Device
from dsp.contact.events import GAP
from dsp.foot.contacts import ALGORITHM as FOOT_ALGORITHM
from dsp.foot.contacts import FootContacts
from dsp.gait.gait import Contact, Shape, Walk
from dsp.gait.window import Foot
from dsp.joints.strides import JointCurve
from dsp.lower_back.lower_back import LowerBackWalk
from dsp.mounting.alignment import Mounting
from dsp.result import Result, Side
from dsp.shank.contacts import ALGORITHM as SHANK_ALGORITHM
from dsp.shank.contacts import ShankContacts
from gateway.analysis import movement_kernels
from gateway.analysis.arms import ArmsOfPerson, arms_of_person
from gateway.analysis.backs import BackBank
from gateway.analysis.contacts import ContactBank, Part, steps_by
from gateway.analysis.imu import IMU
from gateway.analysis.joints import JointBank, SubjectJoints
from gateway.analysis.motion_bank import SILENT_S as MOTION_SILENT_S
from gateway.analysis.motion_bank import MotionBank
from gateway.analysis.posture import posture_of_person
from gateway.analysis.sensor_bank import Refuse
from gateway.analysis.ward_operators import DeviceResult, PersonOperators, WardOperators, placements
from gateway.intake.arrived import ArrivedBatch
from gateway.intake.unread import may_send
from gateway.model.ward import Bed

ALGORITHMS: Final[dict[Part, str]] = {"foot": FOOT_ALGORITHM, "shank": SHANK_ALGORITHM}
PAUSE_NOTICED_S = 3.0  # longer than any contact takes to be decided
SILENT_S = 2.0  # a leg that has sent nothing for so long is not waited for
LOOK_EVERY_S = 1.0  # at a person of whom nothing is new: a leg that falls silent is noticed in time
EXOSKELETON = "exoskeleton"


class MovementOperators(WardOperators):
    """One bank for each operator: one kernel call a step serves all devices worn alike.

    A kernel is loaded by the first sample that it is called with: what nobody wears costs nothing. Orientation runs
    only for sensors on segments that form a joint of a leg whose steps are seen.

    Args:
        refuse: Told of a device, and why, whose stream an operator cannot take.

    Attributes:
        feet: Contacts and strides of feet.
        shanks: Contacts of shanks, of legs without a sensor on the foot.
        backs: Bouts, steps and turns of lower backs.
        joints: Angles of joints.
        motions: What looks at one sensor at a time.
    """

    def __init__(self, refuse: Refuse | None = None) -> None:
        super().__init__(refuse)
        self._axes: dict[int, str] = {}
        self._height_m: dict[int, float] = {}
        self.feet = ContactBank(FootContacts(), self._axes, refuse)
        self.shanks = ContactBank(ShankContacts(), self._axes, refuse)
        self.backs = BackBank(self._axes, self._height_m, refuse)
        self.joints = JointBank(self._axes, refuse)
        self.motions = MotionBank(refuse)

    def put_on(self, bed: Bed, devices: Mapping[int, Device]) -> PersonOperators:
        """Take the devices of one person, by number: their operators begin with the next sample.

        What measures no motion is none of them: a strap for the heart would be the best place to see a fall from.
        """
        devices = {number: device for number, device in devices.items() if may_send(device, IMU.stream)}
        placed = placements(devices)
        for number, device in devices.items():
            self._axes[number] = device.axes
            self._height_m[number] = bed.slot.height_m or math.nan
        if "lower_back" in placed:
            self.backs.feed(placed["lower_back"])
        for number, part in steps_by(placed).values():
            (self.feet if part == "foot" else self.shanks).feed(number)
        self.joints.put_on(placed)
        return PersonMovement(bed, devices, self, self.motions.put_on(bed, devices))

    def remove_device(self, number: int) -> None:
        """Forget a device: whoever wears it next begins afresh."""
        for bank in (self.feet, self.shanks, self.backs):
            bank.detach(number)
        self.joints.remove_device(number)
        self.motions.detach(number)

    def process(self, arrived: ArrivedBatch) -> bool:
        """Queue samples for the kernels of this step."""
        for bank in (self.feet, self.shanks, self.backs, self.joints, self.motions):
            bank.add(arrived)
        return True

    def step(self) -> None:
        """Run the kernels over what was queued."""
        self.feet.step()
        self.shanks.step()
        self.backs.step()
        self.joints.step()
        self.motions.step()
        contacts = (*self.feet.devices_with_events, *self.shanks.devices_with_events)
        self.news = {*contacts, *self.backs.found, *self.motions.found}

    def doubts(self) -> dict[int, str]:
        """Return what is wrong with the units of devices, by number: marked as such, whatever is computed from them."""
        found: dict[int, str] = {}
        for bank in (self.feet, self.shanks, self.backs, self.joints):
            found |= bank.doubts()
        return found

    def mounting(self, number: int) -> Mounting | None:
        """Return how a foot's or shank's sensor is found to be strapped on; None for others, and before its first."""
        return self.feet.mounting(number) or self.shanks.mounting(number)

    @classmethod
    def kernels(cls) -> Mapping[str, Callable[[], None]]:
        """Return a call for each kernel of movement that makes it ready."""
        return movement_kernels.KERNELS

    @classmethod
    def kernels_for(cls, placed: Mapping[str, int]) -> set[str]:
        """Return the names of the kernels that a person needs."""
        return movement_kernels.kernels_for(placed)


@dataclass(slots=True)
class Leg:
    """The device that tells the steps of one leg.

    Attributes:
        side: Which leg.
        number: The device.
        bank: What detects its contacts.
        silent: Whether it has sent nothing for so long that it is not waited for.
        heard_s: Until this gateway time it is not silent, whatever comes.
    """

    side: Foot
    number: int
    bank: ContactBank
    silent: bool = False
    heard_s: float = -math.inf


class PersonMovement(PersonOperators):
    """How one person moves.

    Args:
        bed: Who it is, in which session.
        devices: The devices worn, by their number in the gateway.
        banks: What the movement operators give.
        looked_at: Numbers of the devices that have operators of their own (`MotionBank`).
    """

    def __init__(
        self, bed: Bed, devices: Mapping[int, Device], banks: MovementOperators, looked_at: Sequence[int]
    ) -> None:
        placed = placements(devices)
        exoskeleton = read_protocol(bed.slot.protocol).word == EXOSKELETON
        steps = steps_by(placed)
        self._legs = [Leg(side, n, banks.feet if part == "foot" else banks.shanks) for side, (n, part) in steps.items()]
        self._both_legs = tuple(leg.number for leg in self._legs)
        self._of_side: dict[Side, tuple[int, ...]] = {leg.side: (leg.number,) for leg in self._legs}
        algorithms = {side: ALGORITHMS[part] for side, (_, part) in steps.items()}
        self._walk = Walk(exoskeleton=exoskeleton, contacts=algorithms) if steps else None
        joints = SubjectJoints(banks.joints, placed, exoskeleton=exoskeleton)
        self._joints = joints if joints.joints else None
        self.draws = self._joints is not None
        self._backs = {
            n: LowerBackWalk(exoskeleton=exoskeleton) for n, d in devices.items() if d.placement == "lower_back"
        }
        self._banks = banks
        self._looked_at = looked_at
        self._posture = posture_of_person(devices, banks.motions)
        self._arms = arms_of_person(bed, devices, banks.motions)
        self._flush_s = -math.inf

    def step(self, now_s: float) -> list[DeviceResult]:
        """Take what the movement operators decided in this step; ``now_s`` is its end on the gateway clock."""
        motions = self._banks.motions
        results = self._drain()
        self.due_s = now_s + LOOK_EVERY_S
        if now_s >= self._flush_s:  # what comes from now on may not have to be flushed sooner
            next_s = motions.flush(self._looked_at, now_s - MOTION_SILENT_S)
            self._flush_s = min(next_s, now_s) + MOTION_SILENT_S
        self._look_again(self._flush_s)
        if self._posture is not None:
            results += self._posture.look(now_s)
        if self._walk is not None:
            walked = self._step_legs(self._walk, now_s)
            self._look_again(-math.inf if self._walk.waiting else self._walk.due_s + PAUSE_NOTICED_S)
            if walked:
                self._tell_strides(walked)
                results += self._of_legs(walked)
            if self._joints is not None:
                results += self._joints.step(walked)
                self._look_again(-math.inf)  # angles come with every sample
        backs = self._banks.backs
        for number, walk in self._backs.items():
            events = backs.found.get(number, ())
            if number in backs.attached and (events or now_s >= walk.due_s):
                results += [(result, (number,)) for result in walk.process(events, now_s)]
            self._look_again(walk.due_s)
        return results if self._arms is None else self._use_arms(self._arms, results, now_s)

    def finish(self) -> list[DeviceResult]:
        """End of the run: close what is open."""
        walked = [] if self._walk is None else self._walk.finish(self._doubt_s())
        self._tell_strides(walked)
        for number in self._looked_at:
            self._banks.motions.finish(number)
        results = self._drain()
        if self._posture is not None:
            results += self._posture.finish()
        if self._walk is not None:
            results += self._of_legs(walked)
            if self._joints is not None:
                results += self._joints.finish(walked)
        for number, walk in self._backs.items():
            results += [(result, (number,)) for result in walk.finish()]
        return results if self._arms is None else self._arms.combine(results) + self._arms.finish()

    def _use_arms(self, arms: ArmsOfPerson, results: list[DeviceResult], now_s: float) -> list[DeviceResult]:
        """Return results with what both wrists tell together in place of what each counts."""
        if self._legs:
            arms.hear_legs(now_s, heard=any(leg.number in leg.bank.attached and not leg.silent for leg in self._legs))
        return arms.combine(results) + arms.look(now_s)

    def _tell_strides(self, walked: Iterable[Result]) -> None:
        """Tell operators of a leg's sensor which strides it made."""
        for result in walked:
            if result.metric == "stride_time" and result.value is not None:
                for number in self._of_side.get(result.side, ()):
                    self._banks.motions.stride(number, result)

    def _drain(self) -> list[DeviceResult]:
        """Return what single sensors showed, but what two of them make one thing of."""
        results = self._banks.motions.drain(self._looked_at)
        return results if self._posture is None else self._posture.combine(results)

    def mark(self, text: str, now_s: float) -> None:
        """Take what was marked in the session."""
        for number in self._looked_at:
            self._banks.motions.mark(number, text, now_s)

    def curves(self, now_s: float) -> list[JointCurve]:
        """Return the mean curves of the joints if it is time to tell them."""
        return [] if self._joints is None else self._joints.curves(now_s)

    def _look_again(self, at_s: float) -> None:
        """Pass over no step from a gateway time on: something may come of it though nothing is new of the devices."""
        self.due_s = min(self.due_s, at_s)

    def _step_legs(self, walk: Walk, now_s: float) -> list[Result]:
        contacts: list[Contact] = []
        shapes: list[Shape] = []
        for leg in self._legs:
            if now_s >= leg.heard_s:
                attached = leg.bank.attached.get(leg.number)
                if attached is None:
                    continue
                newest_s = attached.timeline.newest_s
                leg.heard_s = newest_s + SILENT_S
                was_silent, leg.silent = leg.silent, now_s >= leg.heard_s
                if leg.silent and not was_silent:
                    contacts.append(Contact(leg.side, GAP, newest_s))  # before the others go on without it
            if leg.heard_s < self.due_s and not leg.silent:
                self.due_s = leg.heard_s
            if leg.number in leg.bank.devices_with_events:
                contacts += leg.bank.contacts(leg.number, leg.side)
                shapes += leg.bank.shapes(leg.number, leg.side)
        if contacts or shapes or walk.waiting:
            watermark_s = self._watermark_s(now_s)
            if contacts or shapes or watermark_s >= walk.due_s:
                return walk.process(contacts, self._doubt_s(), watermark_s, shapes)
            return []
        # Only a pause can be noticed, which needs no haste.
        watermark_s = now_s - PAUSE_NOTICED_S
        return walk.process((), None, watermark_s) if watermark_s >= walk.due_s else []

    def _watermark_s(self, now_s: float) -> float:
        """Return the gateway time before which no contact of a leg that is not silent will come any more."""
        legs = [leg for leg in self._legs if not leg.silent and leg.number in leg.bank.attached]
        return min((leg.bank.settled_s(leg.number) for leg in legs), default=now_s)

    def _doubt_s(self) -> float | None:
        """Return the uncertainty between the clocks of the two legs' sensors; None for one leg."""
        if len(self._legs) < 2:
            return None
        return math.hypot(
            *[leg.bank.clock_doubt_s(leg.number) for leg in self._legs if leg.number in leg.bank.attached]
        )

    def _of_legs(self, results: Sequence[Result]) -> list[DeviceResult]:
        """Return each result with the leg that it is of; with both where it rests on the clocks of both."""
        own, both = self._of_side, self._both_legs
        return [(r, both if r.sync_s is not None else own.get(r.side, both)) for r in results]
