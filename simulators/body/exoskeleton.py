"""An exoskeleton on a walking body: what its joints do, what it is asked to give, and what it gives.

Assistance follows the phase of the stride: push-off at the ankle, support at the knee, extension and then flexion at
the hip. What is measured lags behind what is commanded, and is noisy; what passes between limb and frame resists the
movement. Angles and torques are positive in flexion (ankle: dorsiflexion).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from simulators.body.body import Figure, Leg
from simulators.body.gait_cycle import TOE_OFF_PHASE
from simulators.body.programme import Foot
from simulators.motion.source import Floats
from simulators.sensing.clock import Clock

Joint = Literal["hip", "knee", "ankle"]
SIDES: Final[tuple[Foot, Foot]] = ("left", "right")

HELP_NM: Final[dict[Joint, tuple[tuple[float, float, float], ...]]] = {
    "hip": ((0.10, 0.09, -8.0), (0.66, 0.09, 9.0)),
    "knee": ((0.12, 0.07, -6.0), (0.70, 0.06, 2.0)),
    "ankle": ((0.50, 0.07, -16.0),),
}
"""Of each joint, at full assistance: (share of the stride, width, torque in Nm) of each push."""

LAG_STRIDE = 0.012  # of the measured torque behind the commanded one, share of a stride: about a hundredth of a second
GIVEN = 0.94  # of what is commanded
NOISE_NM = 0.15
DRAG_NM_S = 0.35  # interaction torque for each rad/s of a joint
TRUTH_HZ = 2000.0  # of the instants over which true work is summed
SMALLEST_STEP = 0.05  # size of the movements below which somebody stands


@dataclass(frozen=True, slots=True)
class ExoMotion:
    """Samples of an exoskeleton; the last two axes of most are side (left, right) and joint.

    Attributes:
        time_s: (n,) device clock, seconds since its power-on.
        angle: (n, 2, j) degrees.
        velocity: (n, 2, j) degrees a second.
        torque: (n, 2, j) measured, Nm.
        command: (n, 2, j) commanded, Nm.
        interaction: (n, 2, j) between limb and frame, Nm.
        phase: (n, 2) share of the stride that is over; 0 standing.
        stance: (n, 2) whether the foot is on the ground.
    """

    time_s: Floats
    angle: Floats
    velocity: Floats
    torque: Floats
    command: Floats
    interaction: Floats
    phase: Floats
    stance: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.time_s)

    def part(self, start: int, stop: int) -> ExoMotion:
        """Return some of the samples."""
        return ExoMotion(*(getattr(self, field.name)[start:stop] for field in fields(self)))


class WornExoskeleton:
    """The samples of one exoskeleton, in step with true time.

    Args:
        figure: Who wears it.
        joints: What it moves.
        rate_hz: Samples a second of its own clock.
        clock: Its clock; by default a true one that starts at zero.
        seed: Its noise.
        assistance: Share of `HELP_NM`, per cent.
        noise_nm: Of its torque sensors (1 sigma).
    """

    def __init__(
        self,
        figure: Figure,
        *,
        joints: Sequence[Joint],
        rate_hz: float = 100.0,
        clock: Clock | None = None,
        seed: int = 0,
        assistance: float = 60.0,
        noise_nm: float = NOISE_NM,
    ) -> None:
        self.joints = tuple(joints)
        self.rate_hz = rate_hz
        self.assistance = assistance
        self._noise_nm = noise_nm
        self._figure = figure
        self._clock = Clock() if clock is None else clock
        self._random = np.random.default_rng([seed, 0xE80])
        figure.needs(self, 0.0)
        self._blocks = self._made()
        self._block: tuple[Floats, ExoMotion] | None = None
        self._taken = 0

    def read_until(self, until_s: float) -> list[ExoMotion] | None:
        """Return the samples not yet taken whose true time is at most ``until_s``, in pieces; None at the end."""
        pieces: list[ExoMotion] = []
        while True:
            if self._block is None:
                self._block, self._taken = next(self._blocks, None), 0
                if self._block is None:
                    return pieces or None
            true_s, motion = self._block
            stop = int(true_s.searchsorted(until_s, side="right"))
            if stop > self._taken:
                pieces.append(motion.part(self._taken, stop))
                self._taken = stop
            if stop < len(true_s):
                return pieces
            self._block = None

    def work(self, figure: Figure, side: Foot, joint: Joint, start_s: float, end_s: float) -> tuple[float, float]:
        """Return the true positive and negative work of a joint between two true instants, joules.

        Args:
            figure: Who wears it, from the beginning: another one of the same body than the one that is measured.
            side: Which leg.
            joint: Which joint of it.
            start_s: From when on, true seconds.
            end_s: Until when.
        """
        times = np.linspace(start_s, end_s, 1 + math.ceil((end_s - start_s) * TRUTH_HZ))
        leg = figure.leg(side, times)
        power = self._given(joint, leg) * leg.joint(joint).rate
        return float(np.trapezoid(np.maximum(power, 0.0), times)), float(np.trapezoid(np.minimum(power, 0.0), times))

    def _made(self) -> Iterator[tuple[Floats, ExoMotion]]:
        for true_s, device_s in self._clock.ticks(self.rate_hz):
            self._figure.plan(float(true_s[-1]))
            count = int(np.searchsorted(true_s, self._figure.end_s, side="right"))
            if not count:
                return
            yield true_s[:count], self._moved(true_s[:count], device_s[:count])
            self._figure.needs(self, float(true_s[0]))

    def _moved(self, true_s: Floats, device_s: Floats) -> ExoMotion:
        shape = len(true_s), len(SIDES), len(self.joints)
        angle, rate, command, torque = np.empty((4, *shape))
        phase, stance = np.empty(shape[:2]), np.empty(shape[:2], np.bool_)
        for at, side in enumerate(SIDES):
            leg = self._figure.leg(side, true_s)
            walks = leg.size > SMALLEST_STEP
            phase[:, at] = np.where(walks, leg.phase % 1.0, 0.0)
            stance[:, at] = phase[:, at] < TOE_OFF_PHASE
            for j, joint in enumerate(self.joints):
                state = leg.joint(joint)
                angle[:, at, j], rate[:, at, j] = state.value, state.rate
                command[:, at, j] = self._help(joint, leg.phase) * walks
                torque[:, at, j] = self._given(joint, leg)
        torque += self._random.normal(0.0, self._noise_nm, shape)
        interaction = -DRAG_NM_S * rate + self._random.normal(0.0, self._noise_nm, shape)
        degrees = 180.0 / math.pi
        return ExoMotion(device_s, angle * degrees, rate * degrees, torque, command, interaction, phase, stance)

    def _given(self, joint: Joint, leg: Leg) -> Floats:
        """Return the torque that a joint truly gives, without the noise of its sensor."""
        return GIVEN * self._help(joint, leg.phase - LAG_STRIDE) * (leg.size > SMALLEST_STEP)

    def _help(self, joint: Joint, phase: Floats) -> Floats:
        """Return the torque at phases (n,): each push a bell."""
        total = np.zeros(len(phase))
        for middle, width, torque_nm in HELP_NM[joint]:
            away = (phase - middle + 0.5) % 1.0 - 0.5
            total += torque_nm * np.exp(-0.5 * (away / width) ** 2)
        return total * (self.assistance / 100.0)
