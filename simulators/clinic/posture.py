"""Where a body's joints are kept or moved to besides walking: channels, each a smooth curve.

Every channel is added to what the walking body does, which stands upright when it does not walk. Angles are radians,
lengths metres of a body of `HEIGHT_M`; all channels are 0 where somebody just stands or walks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from simulators.body.curve import Curve, State
from simulators.motion.source import Floats

CHANNELS = (
    "heading",  # of the whole body, besides its walk; left positive
    "tilt",  # of the whole body about its ankles, to the front
    "list",  # of the whole body about its ankles, left side up: towards the right
    "twist",  # of the whole body about its long axis
    "ahead",  # pelvis, forward
    "above",  # pelvis, up
    "pelvis",  # pitch of the pelvis, front down
    "spine",  # pitch of the chest against the pelvis, front down
    "spine_list",
    "spine_twist",
    "thigh",  # both thighs, knee up; moves the pelvis, whose feet stay
    "shank",  # both shanks, knee forward; likewise
    "left_thigh",  # one thigh alone, which moves no pelvis
    "right_thigh",
    "left_shank",
    "right_shank",
    "left_foot",  # lift of a foot, metres
    "right_foot",
    "laid",  # 0: the ankles are where the feet stand; 1: where the hips and knees put them
    "left_shoulder",  # flexion
    "right_shoulder",
    "left_aside",  # abduction of the arm
    "right_aside",
    "left_elbow",  # flexion
    "right_elbow",
    "left_palm",  # pronation
    "right_palm",
    "arms",  # 1 where the arms take no part in walking: on a rollator
    "feet",  # pitch of both feet, toes down
    "sway",  # size of the sway of quiet stance
    "shaking",  # amplitude of the trembling of a freeze, of the shanks
    "left_tremor",  # amplitude of the tremor of a hand
    "right_tremor",
)

Pose = Mapping[str, float]

STANDING: Pose = {}
SITTING: Pose = {
    "thigh": math.radians(86), "shank": math.radians(-4), "pelvis": math.radians(-14), "spine": math.radians(10),
    "left_shoulder": math.radians(28), "right_shoulder": math.radians(28),
    "left_elbow": math.radians(55), "right_elbow": math.radians(55),
}  # fmt: skip
"""Upright on a chair of 45 cm, hands on the thighs; the lower back leans against the chair."""
LYING: Pose = {
    **SITTING, "pelvis": math.radians(-96), "spine": math.radians(2),
    "left_thigh": math.radians(4), "right_thigh": math.radians(4),
    "left_shank": math.radians(-84), "right_shank": math.radians(-84), "laid": 1.0,
    "left_shoulder": math.radians(5), "right_shoulder": math.radians(5),
    "left_elbow": math.radians(20), "right_elbow": math.radians(20),
}  # fmt: skip
"""On the back, on a bed as high as the chair."""

HURRIED = 0.6
LEAST_S = 1e-3  # between two knots of a channel


class Channels:
    """The channels of one body, extended in order of time.

    Args:
        start: Where they are before anything moves.
    """

    def __init__(self, start: Pose = STANDING) -> None:
        self._curves = {name: Curve(start.get(name, 0.0)) for name in CHANNELS}
        self._ends = dict.fromkeys(CHANNELS, -1.0)

    def now(self, name: str) -> float:
        """Return where a channel has got to."""
        return float(self._curves[name].last[0])

    def hold(self, name: str, until_s: float) -> float:
        """Leave a channel as it is until then; return until when it is settled, which may be later."""
        if until_s > self._ends[name] + LEAST_S:
            self._curves[name].rest(until_s, self.now(name))
            self._ends[name] = until_s
        return self._ends[name]

    def move(self, name: str, start_s: float, end_s: float, to: float) -> None:
        """Move a channel from rest to rest, as smoothly as there is (minimum jerk).

        Where it still moves at the start it begins later, and takes no less than `HURRIED` of its time.
        """
        begun_s = self.hold(name, start_s)
        ends_s = max(end_s, begun_s + HURRIED * (end_s - start_s), begun_s + LEAST_S)
        if to != self.now(name):
            self._curves[name].rest(ends_s, to)
            self._ends[name] = ends_s

    def assume(self, pose: Pose, start_s: float, end_s: float, but: Mapping[str, object] | None = None) -> None:
        """Move all channels to a pose, but for those named in ``but`` and those that say where the body is."""
        for name in CHANNELS:
            if name not in KEPT and name not in (but or {}):
                self.move(name, start_s, end_s, pose.get(name, 0.0))

    def bump(self, name: str, start_s: float, end_s: float, by: float, top: float = 0.5) -> None:
        """Move a channel by so much and back; ``top`` is where of the time the turning point lies."""
        back = self.now(name)
        self.move(name, start_s, start_s + top * (end_s - start_s), back + by)
        self.move(name, start_s + top * (end_s - start_s), end_s, back)

    def knot(self, name: str, time_s: float, value: float, rate: float, accel: float) -> None:
        """Pass through a value at a speed and an acceleration; a time already settled is left as it is."""
        if time_s > self._ends[name] + LEAST_S:
            self._curves[name].knot(time_s, (value,), (rate,), (accel,))
            self._ends[name] = time_s

    def at(self, name: str, times: Floats) -> State:
        """Return a channel at times (n,)."""
        return self._curves[name].at(times).channel(0)

    def forget(self, before_s: float) -> None:
        """Drop what nothing at or after ``before_s`` needs."""
        for curve in self._curves.values():
            curve.forget(before_s)

    def moves(self, name: str) -> bool:
        """Whether a channel is ever anything but zero."""
        return len(self._curves[name]) > 1 or self.now(name) != 0.0


KEPT = {"heading", "left_foot", "right_foot", "above", "arms", "sway", "shaking", "left_tremor", "right_tremor"}
"""What no pose undoes: which way a bed stands, on which stair the feet are, what sways and trembles."""
