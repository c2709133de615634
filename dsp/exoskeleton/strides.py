"""Samples of an exoskeleton to the strides of each leg, by what the device itself says of its gait.

Worked out by whole seconds, so that a value comes at most a second after its stride has ended. A stride that a gap
touches is told without a value, or degraded where the gap was short; none is ever shifted by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from dsp.catalogue import CATALOGUE
from dsp.exoskeleton.curves import UNITS, ExoskeletonCurve, KeptCurves, Quantity
from dsp.exoskeleton.dose import Dose
from dsp.exoskeleton.steps import STANCE, SWING, LegSteps, Step, is_a_stride
from dsp.exoskeleton.stride_values import LOST, NO_ANGLE, JointSignals, JointStride, joint_stride
from dsp.exoskeleton.whole_seconds import Floats, Second, WholeSeconds
from dsp.exoskeleton_stride_metrics import LEGS
from dsp.joints.cycle import Stride
from dsp.result import Quality, Result, Side

ALGORITHM: Final = "exoskeleton-strides/1"
IMPLAUSIBLE: Final = "implausible"
SIDES: Final[tuple[Side, ...]] = ("left", "right")
LONGEST_STRIDE_S: Final = 8.0  # of the slowest who walk in an exoskeleton
SHORTEST_STRIDE_S: Final = 0.4
KEPT_S: Final = LONGEST_STRIDE_S + 1.0  # of samples: the longest stride, and what came in the second of its end
MARGIN_S: Final = 0.2  # around a stride, in which its ends have samples to both sides
BY_MASS: Final = ("torque_peak", "torque_rms")
OF_JOINT: Final = ("angle", "velocity", "torque", "interaction", "desired_angle")


class ExoskeletonStrides:
    """Streaming: one device's samples in, results of strides and the dose of therapy out.

    Args:
        channels: Names of the columns.
        mass_kg: Of the wearer; None if not known.
        doubt: Why the sums of the session are not all of it; empty where they are.
    """

    def __init__(self, channels: Sequence[str], mass_kg: float | None = None, doubt: str = "") -> None:
        at = {channel: column for column, channel in enumerate(channels)}
        self._whole = WholeSeconds()
        self._legs = [Leg(side, at, mass_kg) for side in SIDES]
        self._dose = Dose(channels, doubt)
        self._time_s = np.zeros(0)
        self._samples = np.zeros((0, len(channels)))

    def add(self, time_s: Floats, samples: Floats) -> list[Result]:
        """Take samples (n, channels) at gateway times (n,) in ascending order; return what the ended seconds tell."""
        return [result for second in self._whole.add(time_s, samples) for result in self._process(second)]

    def finish(self) -> list[Result]:
        """Return what the last second completes, and the sums of the session."""
        results = [result for second in self._whole.finish() for result in self._process(second)]
        return results + self._dose.sums(gait=self._gait)

    @property
    def newest_s(self) -> float:
        """End of the newest stride in a curve; none: -inf."""
        return max((leg.newest_s for leg in self._legs), default=-np.inf)

    @property
    def curves(self) -> list[ExoskeletonCurve]:
        """Mean curves over the newest strides of what was measured."""
        return [kept.curve for leg in self._legs for kept in leg.kept.values()]

    @property
    def _gait(self) -> bool:
        return any(leg.speaks for leg in self._legs)

    def _process(self, second: Second) -> list[Result]:
        time_s, samples = self._rising(*second)
        if not len(time_s):
            return []
        kept = self._time_s >= time_s[-1] - KEPT_S
        self._time_s = np.concatenate([self._time_s[kept], time_s])
        self._samples = np.concatenate([self._samples[kept], samples])
        period_s = _middle(np.diff(self._time_s))
        results, steps, strides = [], [], []
        for leg in self._legs:
            fallen = leg.steps(time_s, samples)
            steps += fallen
            for stride in leg.strides([step.at_s for step in fallen if not step.failed]):
                if leg.strode(self._time_s, self._samples, stride):
                    strides.append(stride)
                    results += leg.results(self._time_s, self._samples, stride, period_s)
        return results + self._dose.process(time_s, samples, steps, strides, gait=self._gait)

    def _rising(self, time_s: Floats, samples: Floats) -> Second:
        """Return what is later than all before it."""
        newest_s = self._time_s[-1] if len(self._time_s) else -np.inf
        later = time_s > np.maximum.accumulate(np.concatenate([[newest_s], time_s[:-1]]))
        return time_s[later], samples[later]


class Leg:
    """One leg: its steps and strides, and what its joints do in these.

    Args:
        side: Which.
        at: Column of each channel.
        mass_kg: Of the wearer; None if not known.

    Attributes:
        kept: The mean curves, by joint and quantity.
        newest_s: End of the newest stride in them.
    """

    def __init__(self, side: Side, at: Mapping[str, int], mass_kg: float | None) -> None:
        self.side: Side = side
        self.kept: dict[tuple[str, Quantity], KeptCurves] = {}
        self.newest_s = -np.inf
        self._mass_kg = mass_kg
        self._phase, self._state, self._stance = (at.get(f"{side}_{n}") for n in ("gait_phase", "gait_state", "stance"))
        self._joints = {
            joint: {quantity: at.get(f"{side}_{joint}_{quantity}") for quantity in OF_JOINT}
            for joint in LEGS
            if f"{side}_{joint}_torque" in at
        }
        self._steps = LegSteps()
        self._contact_s = np.nan

    @property
    def speaks(self) -> bool:
        """Whether the device tells of the gait of this leg."""
        return self._steps.speaks

    def steps(self, time_s: Floats, samples: Floats) -> list[Step]:
        """Take what is new; return the steps."""
        return self._steps.process(time_s, *self._gait(samples))

    def strides(self, contacts: Sequence[float]) -> list[Stride]:
        """Take contacts; return what lies between each two and is not too long, nor too short, for a stride."""
        found = []
        for at_s in contacts:
            if SHORTEST_STRIDE_S <= at_s - self._contact_s <= LONGEST_STRIDE_S:
                found.append(Stride(self._contact_s, at_s))
            self._contact_s = at_s
        return found

    def strode(self, time_s: Floats, samples: Floats, stride: Stride) -> bool:
        """Whether what lies between two contacts is one stride."""
        within = (time_s > stride.start_s) & (time_s < stride.end_s)
        share = (time_s[within] - stride.start_s) / (stride.end_s - stride.start_s)
        return is_a_stride(share, *self._gait(samples[within]))

    def results(self, time_s: Floats, samples: Floats, stride: Stride, period_s: float) -> list[Result]:
        """Return what each joint did in a stride; nothing of one whose torque the device does not measure."""
        found: list[Result] = []
        around = slice(*np.searchsorted(time_s, (stride.start_s - MARGIN_S, stride.end_s + MARGIN_S)).tolist())
        time_s, samples = time_s[around], samples[around]
        for joint, columns in self._joints.items():
            if np.isnan(samples[:, columns["torque"]]).all():
                continue
            signals = JointSignals(time_s, *(_column(samples, columns[q]) for q in OF_JOINT))
            done = joint_stride(signals, stride, period_s)
            found += self._of_joint(joint, stride, done)
            for quantity in UNITS:
                if quantity in done.curves:
                    kept = self.kept.setdefault((joint, quantity), KeptCurves(joint, self.side, quantity))
                    kept.learn(stride, done.curves[quantity])
                    self.newest_s = stride.end_s
        return found

    def _of_joint(self, joint: str, stride: Stride, done: JointStride) -> list[Result]:
        values: dict[str, float | None] = dict(done.values)
        if not done.n:
            values = dict.fromkeys(("torque_peak", "work_pos", "work_neg"))
        elif "work_pos" not in values:
            values |= dict.fromkeys(("work_pos", "work_neg"))
        if self._mass_kg:
            values |= {f"{end}_norm": done.values[end] / self._mass_kg for end in BY_MASS if end in done.values}
        return [self._result(f"exo_{joint}_{end}", value, stride, done) for end, value in values.items()]

    def _result(self, metric: str, value: float | None, stride: Stride, done: JointStride) -> Result:
        start_s, end_s, n = stride.start_s, stride.end_s, done.n
        if value is None or not CATALOGUE[metric].plausible(value):
            reason = IMPLAUSIBLE if value is not None else NO_ANGLE if n else LOST
            return Result(metric, None, self.side, start_s, end_s, 0, ALGORITHM, 1, "invalid", reason)
        quality: Quality = "degraded" if done.reason else "ok"
        return Result(metric, value, self.side, start_s, end_s, n, ALGORITHM, 0, quality, done.reason)

    def _gait(self, samples: Floats) -> tuple[Floats, Floats]:
        """Return share of the stride and state, NaN where not known."""
        phase, state = _column(samples, self._phase), _column(samples, self._state)
        stance = _column(samples, self._stance)
        by_foot = np.where(np.isnan(stance), np.nan, np.where(stance > 0.5, STANCE, SWING))
        phase = np.where((phase >= 0.0) & (phase <= 1.0), phase, np.nan)  # devices say -1 where they do not know
        return phase, np.where((state == STANCE) | (state == SWING), state, by_foot)


def _middle(values: Floats) -> float:
    """Return the median, of an even number the greater of the two in the middle; 0 of none."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2]) if len(values) else 0.0


def _column(samples: Floats, column: int | None) -> Floats:
    """Return a channel; NaN where the device has none."""
    return np.full(len(samples), np.nan) if column is None else samples[:, column]
