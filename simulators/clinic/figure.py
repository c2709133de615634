"""The figure of a patient: the walking body, bent and moved by what else the patient does.

Sensors sit on the legs and the lower back as on the walking body, and on the breast bone and both wrists besides. All
of it is put together from quantities known with two derivatives, so that what gyroscope and accelerometer would read is
exact: the place of every sensor is the double integral of its acceleration.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np

from simulators.body.arms import ELBOW_RAD, Arm, ArmPosture, outwards, swing, upper_body, wrist
from simulators.body.body import ANKLE, HIP, MOUNTED, Figure, Pose
from simulators.body.body import Placement as LegPlacement
from simulators.body.curve import Curve, State
from simulators.body.programme import Foot, Planner
from simulators.body.rotation import Attitude, still
from simulators.body.states import about_long_axis, blend, constant, cosine, product, sine, turned, vector
from simulators.clinic.patient import Patient
from simulators.clinic.posture import Channels
from simulators.clinic.waves import Sway, Trembling, Unrest
from simulators.motion.source import Floats

Placement = Literal[LegPlacement, "chest", "left_wrist", "right_wrist"]
PLACEMENTS: tuple[Placement, ...] = (*get_args(LegPlacement), "chest", "left_wrist", "right_wrist")

THIGH_M, SHANK_M = 0.43, 0.42
"""From hip to knee and from knee to ankle; with the ankle's height the hips' when standing."""
CENTRE_M = 0.92
"""Of mass above the ankles: it is what sways."""
STERNUM = np.array([0.11, 0.0, 0.28])
UNREST_RAD = {"left_leg": 0.005, "right_leg": 0.005, "left_arm": 0.02, "right_arm": 0.02}
"""Root mean square of what thighs and forearms do besides, as in people who sit and wait; lying, a fifth of it."""
LAID_UNREST = 0.2
BREATH_M, BREATH_RAD = 0.003, math.radians(0.4)
"""How far the breast bone rises with a quiet breath, to the front and by how much it turns."""


class PatientFigure(Figure):
    """The true movement of all segments of a patient.

    Args:
        planner: Of the walks.
        patient: Whose body.
        channels: What it does besides walking.
        breath: Curve of (breaths, size of a breath).
    """

    def __init__(self, planner: Planner, patient: Patient, channels: Channels, breath: Curve) -> None:
        super().__init__(planner, patient.height_m)
        self._patient, self._channels, self._breath = patient, channels, breath
        self._hips: tuple[Floats, Pose] | None = None
        seed = patient.seed
        self._sways = (Sway((seed, 1)), Sway((seed, 2)))
        self._shaking = Trembling((seed, 3), patient.freezing_hz)
        self._unrest = {limb: Unrest((seed, 6 + k)) for k, limb in enumerate(UNREST_RAD)}
        self._tremor = {side: Trembling((seed, 4 + k), patient.tremor_hz) for k, side in enumerate(("left", "right"))}

    def pose(self, placement: str, times: Floats) -> Pose:
        """Return the pose of a sensor at true times (n,), in order."""
        self.plan(float(times[-1]))
        side: Foot = "left" if placement.startswith("left") else "right"
        if placement == "lower_back":
            pelvis = self.hips(times)
            return Pose(self._at(pelvis, MOUNTED["lower_back"]), pelvis.attitude)
        if placement == "chest":
            return self._sternum(times)
        segment = placement.partition("_")[2]
        if segment == "wrist":
            return self._wrist(side, times)
        if segment == "thigh":
            thigh = self._upper_leg(side, times)
            return Pose(self._at(thigh, MOUNTED["thigh"]), thigh.attitude)
        shank = self._lower_leg(side, times)
        if segment == "shank":
            return Pose(self._at(shank, MOUNTED["shank"]), shank.attitude)
        return self._whole_foot(side, times, shank)

    def way(self, times: Floats) -> State:
        """Return where the middle between the feet is on the floor, and the heading: (n, 3) x, y, yaw."""
        self.plan(float(times[-1]))
        return self._body.pelvis.at(times)

    def tilt(self, times: Floats) -> tuple[State, State]:
        """Return how the whole body leans about its ankles, to the front and left side up, radians."""
        channels, patient = self._channels, self._patient
        tilt, aside = channels.at("tilt", times), channels.at("list", times)
        if channels.moves("sway"):
            size = channels.at("sway", times)
            front, left = (product(size, sway.at(times)) for sway in self._sways)
            tilt = tilt.plus(front.times(patient.sway_ap_mm * 1e-3 / CENTRE_M))
            aside = aside.plus(left.times(-patient.sway_ml_mm * 1e-3 / CENTRE_M))
        return tilt, aside

    def _forget(self, before_s: float) -> None:
        super()._forget(before_s)
        self._channels.forget(before_s)
        self._breath.forget(before_s)

    def hips(self, times: Floats) -> Pose:
        """Return the pose of the point between the hips."""
        if self._hips is None or self._hips[0] is not times:  # all placements ask for those of the same times
            self._hips = times, self._work_out_hips(times)
        return self._hips[1]

    def _work_out_hips(self, times: Floats) -> Pose:
        walking, at = self._pelvis(times), self._channels.at
        zero = still(len(times))
        tilt, aside = self.tilt(times)
        yaw = self._body.pelvis.at(times).channel(2)
        place = walking.place.plus(Attitude.of(yaw, zero, zero).arm(self._offset(times, tilt, aside)))
        attitude = walking.attitude
        if np.any(aside.value):
            leaning = turned(Attitude.of(yaw, zero, aside), Attitude.of(yaw.times(-1), zero, zero))
            attitude = turned(leaning, attitude)
        attitude = turned(attitude, Attitude.of(zero, tilt.plus(at("pelvis", times)), zero))
        return Pose(place, self._headed(bent_about(attitude, at("twist", times)), times))

    def _offset(self, times: Floats, tilt: State, aside: State) -> State:
        """Return where bent legs and a leaning body take the hips, from where they are upright, metres."""
        at, scale, count = self._channels.at, self._scale, len(times)
        shank, thigh = at("shank", times).plus(tilt), at("thigh", times).plus(tilt.times(-1))
        forward = sine(shank).times(SHANK_M).plus(sine(thigh).times(-THIGH_M))
        leg = cosine(shank).times(SHANK_M).plus(cosine(thigh).times(THIGH_M))
        left = product(leg, sine(aside)).times(-1)
        up = product(leg, cosine(aside)).plus(constant(-SHANK_M - THIGH_M, count))
        return vector(forward.plus(at("ahead", times)), left, up.plus(at("above", times))).times(scale)

    def _headed(self, attitude: Attitude, times: Floats) -> Attitude:
        """Turn the whole body on the spot besides its walk: into a bed."""
        zero = still(len(times))
        if not self._channels.moves("heading"):
            return attitude
        return turned(Attitude.of(self._channels.at("heading", times), zero, zero), attitude)

    def _segment(self, yaw: State, pitch: State, times: Floats) -> Attitude:
        """Return the orientation of a part of a leg, with the lean of the whole body."""
        tilt, aside = self.tilt(times)
        zero = still(len(times))
        flat = turned(Attitude.of(yaw, zero, aside), Attitude.of(zero, pitch.plus(tilt), zero))
        return self._headed(bent_about(flat, self._channels.at("twist", times)), times)

    def _upper_leg(self, foot: Foot, times: Floats) -> Pose:
        """Return the pose of a hip, turned as the thigh."""
        thigh, _ = self._leg(foot, times)
        at = self._channels.at
        bend = thigh.plus(at("thigh", times)).plus(at(f"{foot}_thigh", times))
        bend = bend.plus(self._shake(foot, times).times(SHANK_M / THIGH_M)).plus(self._restless(f"{foot}_leg", times))
        yaw = self._body.pelvis.at(times).channel(2)
        hip = self._at(self.hips(times), HIP * np.array([1.0, outwards(foot), 1.0]))
        return Pose(hip, self._segment(yaw, bend.times(-1), times))

    def _lower_leg(self, foot: Foot, times: Floats) -> Pose:
        """Return the pose of an ankle, turned as the shank."""
        thigh, knee = self._leg(foot, times)
        at, scale = self._channels.at, self._scale
        lean = knee.plus(thigh.times(-1)).plus(at("shank", times)).plus(at(f"{foot}_shank", times))
        lean = lean.plus(self._shake(foot, times))
        yaw = self._feet[foot].ground.at(times).channel(3)
        attitude = self._segment(yaw, lean, times)
        place = self._foot(foot, times, ANKLE).place
        if self._channels.moves(f"{foot}_foot"):
            zero = still(len(times))
            place = place.plus(vector(zero, zero, at(f"{foot}_foot", times).times(scale)))
        if self._channels.moves("laid"):
            hip = self._upper_leg(foot, times)
            down = hip.attitude.fixed(np.array([0.0, 0.0, -THIGH_M * scale]))
            down = down.plus(attitude.fixed(np.array([0.0, 0.0, -SHANK_M * scale])))
            place = blend(place, hip.place.plus(down), at("laid", times))
        return Pose(place, attitude)

    def _whole_foot(self, foot: Foot, times: Floats, shank: Pose) -> Pose:
        walking, at = self._foot(foot, times, ANKLE), self._channels.at
        attitude = self._headed(walking.attitude, times)
        pitch = at("feet", times)
        if self._channels.moves("laid"):
            lean = at("shank", times).plus(at(f"{foot}_shank", times))
            pitch = pitch.plus(product(at("laid", times), lean))
        zero = still(len(times))
        attitude = turned(
            attitude, bent_about(Attitude.of(zero, pitch, zero), product(at("laid", times), at("twist", times)))
        )
        return Pose(shank.place.plus(attitude.fixed((MOUNTED["foot"] - ANKLE) * self._scale)), attitude)

    def _chest(self, times: Floats) -> Pose:
        """Return the pose of the place where the chest bends against the pelvis, turned as the chest."""
        pelvis, at = self.hips(times), self._channels.at
        phase, size = self._body.beat.at(times).channel(0), self._body.size.at(times).channel(2)
        bent = at("spine_twist", times), at("spine", times), at("spine_list", times)
        return upper_body(pelvis, phase, size, self._scale, bent)

    def _sternum(self, times: Floats) -> Pose:
        chest, zero = self._chest(times), still(len(times))
        breath = self._breath.at(times)
        rise = product(breath.channel(1), sine(breath.channel(0).times(2 * math.pi)))
        attitude = turned(chest.attitude, Attitude.of(zero, rise.times(-BREATH_RAD), zero))
        sensor = vector(rise.times(BREATH_M), zero, zero).plus(
            State(np.broadcast_to(STERNUM * self._scale, (len(times), 3)), *(np.zeros((len(times), 3)),) * 2)
        )
        return Pose(chest.place.plus(attitude.arm(sensor)), attitude)

    def _wrist(self, side: Arm, times: Floats) -> Pose:
        chest, at = self._chest(times), self._channels.at
        phase, size = self._body.beat.at(times).channel(0), self._body.size.at(times).channel(0)
        free = at("arms", times).times(-1).plus(constant(1.0, len(times)))
        size = product(size, free).times(math.radians(self._patient.arm_swing_deg[side == "right"]))
        shoulder, elbow = swing(side, phase, size)
        shake = product(self._channels.at(f"{side}_tremor", times), self._tremor[side].at(times))
        unrest = self._restless(f"{side}_arm", times)
        posture = ArmPosture(
            shoulder.plus(at(f"{side}_shoulder", times)), at(f"{side}_aside", times),
            elbow.plus(at(f"{side}_elbow", times)).plus(constant(ELBOW_RAD, len(times))).plus(unrest.times(0.5)),
            at(f"{side}_palm", times).plus(shake).plus(unrest), shake.times(0.3),
        )  # fmt: skip
        return wrist(chest, side, posture, self._scale)

    def _restless(self, limb: str, times: Floats) -> State:
        unrest = self._unrest[limb].at(times).times(UNREST_RAD[limb])
        if not self._channels.moves("laid"):
            return unrest
        laid = self._channels.at("laid", times)
        return product(laid.times(LAID_UNREST - 1).plus(constant(1.0, len(times))), unrest)

    def _shake(self, foot: Foot, times: Floats) -> State:
        """Return how a knee trembles in a freeze, shank forward: left and right against each other."""
        if not self._channels.moves("shaking"):
            return still(len(times))
        return product(self._channels.at("shaking", times), self._shaking.at(times)).times(outwards(foot))


def bent_about(attitude: Attitude, twist: State) -> Attitude:
    """Turn a segment about its own long axis besides."""
    return turned(attitude, about_long_axis(twist)) if np.any(twist.value) else attitude
