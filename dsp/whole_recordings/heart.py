"""Beats of a whole recording."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.heart.beats import EARLY_BEAT, MISSED_BEAT, REGULAR, BeatJudge
from dsp.heart.heart import is_interval
from dsp.whole_recordings.arrays_in import Table

BEAT: Final = np.dtype([("rr_s", "f8"), ("verdict", "U11")])
VERDICTS: Final = {REGULAR: "regular", EARLY_BEAT: "early_beat", MISSED_BEAT: "missed_beat"}


def judge_beats(rr_s: ArrayLike) -> Table:
    """Return of each interval between heart beats whether it is of a regular heart.

    Args:
        rr_s: (n,) intervals in seconds, one behind the other; what cannot be one, such as NaN, ends the chain.

    Returns:
        ``rr_s`` and ``verdict``: ``regular``, ``early_beat``, ``missed_beat``, or ``no_interval``.
    """
    judge, verdicts = BeatJudge(), list[str]()
    intervals = np.asarray(rr_s, float).ravel().tolist()
    for interval in intervals:
        if is_interval(interval):
            verdicts += [VERDICTS[verdict] for verdict in judge.add(interval)]
        else:
            verdicts += [*(VERDICTS[verdict] for verdict in judge.end()), "no_interval"]
    verdicts += [VERDICTS[verdict] for verdict in judge.end()]
    table = np.zeros(len(intervals), BEAT)
    table["rr_s"], table["verdict"] = intervals, verdicts
    return table
