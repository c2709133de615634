"""The dose of therapy in an exoskeleton: time upright, time walking, steps; and the steps that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from dsp.exoskeleton.steps import Step
from dsp.exoskeleton.whole_seconds import Floats
from dsp.joints.cycle import Stride
from dsp.result import Quality, Result

ALGORITHM: Final = "exoskeleton-dose/1"
EVERY_S: Final = 10.0
BENT_DEG: Final = 45.0  # who sits has hips and knees at a right angle; a leg in swing bends while the other is straight
SIDES: Final = ("left", "right")
LONGEST_PAUSE_S: Final = 0.5  # between two samples of one posture; of a longer gap nothing is counted


class Dose:
    """Streaming: seconds in, sums since the session began out, every ten seconds.

    Args:
        channels: Names of the columns.
        doubt: Why the sums are not all of the session; empty where they are.
    """

    def __init__(self, channels: Sequence[str], doubt: str = "") -> None:
        at = {channel: column for column, channel in enumerate(channels)}
        legs = [[at[f"{s}_{j}_angle"] for j in ("hip", "knee") if f"{s}_{j}_angle" in at] for s in SIDES]
        self._legs = [leg for leg in legs if leg]
        self._doubt = doubt
        self._up_s: float | None = None
        self._walk_s, self._steps, self._failed = 0.0, 0, 0
        self._first_s, self._last_s, self._summed_s = np.nan, -np.inf, -np.inf
        self._walked_s = -np.inf  # until when walking is counted

    def process(
        self, time_s: Floats, samples: Floats, steps: Sequence[Step], strides: Sequence[Stride], *, gait: bool
    ) -> list[Result]:
        """Take a second's samples, steps and strides; ``gait``: whether the device tells of its gait at all."""
        if np.isnan(self._first_s):
            self._first_s = self._summed_s = float(time_s[0])
        self._stand(time_s, samples)
        self._last_s = float(time_s[-1])
        self._failed += sum(step.failed for step in steps)
        self._steps += sum(not step.failed for step in steps)
        for stride in sorted(strides, key=lambda stride: stride.end_s):
            self._walk_s += max(0.0, stride.end_s - max(stride.start_s, self._walked_s))
            self._walked_s = max(self._walked_s, stride.end_s)
        if self._last_s < self._summed_s + EVERY_S:
            return []
        return self.sums(gait=gait)

    def sums(self, *, gait: bool) -> list[Result]:
        """Return the sums until now that can be told; none before the first sample, or where nothing is new."""
        if np.isnan(self._first_s) or self._summed_s >= self._last_s:
            return []
        self._summed_s = self._last_s
        found = {} if self._up_s is None else {"exo_up_time": self._up_s}
        if gait:
            found |= {
                "exo_walk_time": self._walk_s, "exo_steps": float(self._steps), "exo_failed_steps": float(self._failed)
            }  # fmt: skip
        quality: Quality = "degraded" if self._doubt else "ok"
        return [
            Result(
                metric, value, "none", self._first_s, self._last_s, max(1, self._steps), ALGORITHM, 0, quality,
                self._doubt,
            )
            for metric, value in found.items()
        ]  # fmt: skip

    def _stand(self, time_s: Floats, samples: Floats) -> None:
        """Add the time of these samples in which one leg at least is straight."""
        if not self._legs:
            return
        bent = np.column_stack([samples[:, leg].max(axis=1) for leg in self._legs])
        known = ~np.isnan(bent).all(axis=1)
        if not known.any():
            return
        upright = np.nanmin(bent[known], axis=1) < BENT_DEG
        before_s = self._last_s if np.isfinite(self._last_s) else float(time_s[0])
        lasted = np.diff(time_s[known], prepend=before_s)
        self._up_s = (self._up_s or 0.0) + float(lasted[upright & (lasted <= LONGEST_PAUSE_S)].sum())
