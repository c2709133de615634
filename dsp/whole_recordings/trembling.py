"""Freezing and tremor of a whole recording."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.freezing.episodes import THRESHOLD, FreezingEpisode, FreezingEpisodes
from dsp.freezing.freeze_index import WINDOW_S, FreezeIndex
from dsp.tremor.tremor import WINDOW_S as TREMOR_WINDOW_S
from dsp.tremor.tremor import Tremor
from dsp.whole_recordings.arrays_in import Table, numbers_of

FREEZING: Final = np.dtype([("start_s", "f8"), ("end_s", "f8"), ("freeze_index", "f8"), ("power", "f8")])
FREEZING_EPISODE: Final = np.dtype([("start_s", "f8"), ("end_s", "f8"), ("greatest_index", "f8")])
TREMOR: Final = np.dtype(
    [
        ("start_s", "f8"), ("end_s", "f8"), ("present", "?"), ("state", "U7"), ("frequency_hz", "f8"),
        ("amplitude_mps2", "f8"), ("rotation_dps", "f8"), ("power_35_7", "f8"), ("power_4_6", "f8"),
        ("rotation_power_35_7", "f8"), ("rotation_power_4_6", "f8"), ("movement_mps2", "f8"), ("reason", "U18"),
    ]
)  # fmt: skip


def find_freeze_index(acc: ArrayLike, rate_hz: float, *, index: ArrayLike | None = None) -> Table:
    """Return the freeze index of a shank or foot, twice a second.

    Args:
        acc: (n, 3) specific force, m/s², any axes.
        rate_hz: Samples a second, at least 20.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s`` and ``end_s`` of the window, ``freeze_index`` (multitaper; above 0 it trembles more than it walks)
        and ``power``, (m/s²)².

    Raises:
        ValueError: the arrays do not fit together, or the rate is too low.
    """
    samples = np.asarray(acc, float)
    found = list(FreezeIndex(rate_hz).process(numbers_of(samples, index), samples))
    table = np.zeros(len(found), FREEZING)
    table["end_s"] = [each.last / rate_hz for each in found]
    table["start_s"] = table["end_s"] - WINDOW_S
    table["freeze_index"], table["power"] = [each.value for each in found], [each.power for each in found]
    return table


def find_freezing_episodes(
    acc: ArrayLike, rate_hz: float, *, threshold: float = THRESHOLD, index: ArrayLike | None = None
) -> Table:
    """Return the episodes of freezing of a shank or foot.

    Args:
        acc: (n, 3) specific force, m/s², any axes.
        rate_hz: Samples a second, at least 20.
        threshold: Of the freeze index; a person's own is better where a recording of theirs is rated.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s``, ``end_s`` and ``greatest_index``.
    """
    samples = np.asarray(acc, float)
    finding, found = FreezingEpisodes(rate_hz, threshold=threshold), list[FreezingEpisode]()
    for value in FreezeIndex(rate_hz).process(numbers_of(samples, index), samples):
        found += finding.add(value)
    found += finding.flush()
    table = np.zeros(len(found), FREEZING_EPISODE)
    table["start_s"], table["end_s"] = [e.start / rate_hz for e in found], [e.end / rate_hz for e in found]
    table["greatest_index"] = [e.greatest for e in found]
    return table


def find_tremor(acc: ArrayLike, gyr: ArrayLike | None, rate_hz: float, *, index: ArrayLike | None = None) -> Table:
    """Return the tremor of a hand, wrist or leg, once a second.

    Args:
        acc: (n, 3) specific force, m/s², any axes.
        gyr: (n, 3) angular velocity, rad/s; None without a gyroscope.
        rate_hz: Samples a second, at least 24.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s`` and ``end_s`` of the window, and what `dsp.tremor.tremor.TremorValue` says.

    Raises:
        ValueError: the arrays do not fit together, or the rate is too low.
    """
    samples = np.asarray(acc, float)
    found = list(Tremor(rate_hz).process(numbers_of(samples, index), samples, gyr))
    ends_s = [value.last / rate_hz for value in found]
    rows = [(end_s - TREMOR_WINDOW_S, end_s, *value[1:]) for end_s, value in zip(ends_s, found, strict=True)]
    return np.array(rows, TREMOR)
