"""Rising, sitting down and the tests made of them, of a whole recording."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.transfers.chair_stands import ChairStands, summarise_chair_stands
from dsp.transfers.found import ESTIMATED, Found, Transfer, Tug, Turn
from dsp.transfers.transfers import Placement, Transfers
from dsp.units import require_units
from dsp.whole_recordings.arrays_in import Table, numbers_of

TRANSFER: Final = np.dtype(
    [
        ("start_s", "f8"), ("end_s", "f8"), ("kind", "U12"), ("duration_s", "f8"), ("angle_deg", "f8"),
        ("peak_velocity_mps", "f8"), ("peak_power_w", "f8"), ("lean_deg", "f8"), ("smoothness", "f8"),
        ("reason", "U64"),
    ]
)  # fmt: skip
TIMED_UP_AND_GO: Final = np.dtype(
    [
        ("start_s", "f8"), ("end_s", "f8"), ("total_s", "f8"), ("sit_to_stand_s", "f8"), ("walk_out_s", "f8"),
        ("turn_180_s", "f8"), ("walk_back_s", "f8"), ("turn_to_sit_s", "f8"), ("quality", "U8"), ("reason", "U200"),
    ]
)  # fmt: skip


def find_transfers(
    acc: ArrayLike,
    gyr: ArrayLike,
    rate_hz: float,
    *,
    placement: Placement = "thigh",
    height_m: float | None = None,
    mass_kg: float | None = None,
    index: ArrayLike | None = None,
) -> Table:
    """Return when somebody who sat at first stood up, sat down and turned, from one sensor with axes in any direction.

    Args:
        acc: (n, 3) specific force, m/s².
        gyr: (n, 3) angular velocity, rad/s.
        rate_hz: Samples a second, at least 20.
        placement: ``thigh``, ``wrist``, ``lower_back`` or ``chest``.
        height_m: Of the person: without it a thigh gives no vertical speed.
        mass_kg: Of the person: without it there is no power.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s``, ``end_s``, ``kind`` (``sit_to_stand``, ``stand_to_sit``, ``turn``), ``duration_s``, and NaN where
        there is none: ``angle_deg`` (of a turn, to the left positive), ``peak_velocity_mps``, ``peak_power_w``,
        ``lean_deg``, ``smoothness`` (spectral arc length); ``reason`` says why one is doubted. In order of time.

    Raises:
        ValueError: the arrays do not fit together, the rate is too low, or the placement unknown.
    """
    found = _transfers(acc, gyr, rate_hz, index, placement=placement, height_m=height_m, mass_kg=mass_kg, tug=False)
    rows = [_row(one, rate_hz) for one in found if not isinstance(one, Tug)]
    return np.array(sorted(rows), TRANSFER)


def find_timed_up_and_go(
    acc: ArrayLike,
    gyr: ArrayLike,
    rate_hz: float,
    *,
    placement: Placement = "thigh",
    index: ArrayLike | None = None,
) -> Table:
    """Return each Timed Up and Go of a recording with its phases; arguments and errors as `find_transfers`.

    Returns:
        ``start_s``, ``end_s``, ``total_s``, ``sit_to_stand_s``, ``walk_out_s``, ``turn_180_s``, ``walk_back_s``,
        ``turn_to_sit_s`` (turning and sitting down are one movement), ``quality`` and ``reason``.
    """
    tests = [one for one in _transfers(acc, gyr, rate_hz, index, placement=placement) if isinstance(one, Tug)]
    table = np.zeros(len(tests), TIMED_UP_AND_GO)
    table["start_s"], table["end_s"] = [one.start / rate_hz for one in tests], [one.end / rate_hz for one in tests]
    for column in (TIMED_UP_AND_GO.names or ())[2:]:
        table[column] = [getattr(one, column) for one in tests]
    if placement in ESTIMATED:
        table["quality"] = ["degraded" if one.quality == "ok" else one.quality for one in tests]
        table["reason"] = ["; ".join(filter(None, (one.reason, ESTIMATED[placement]))) for one in tests]
    return table


def count_chair_stands(
    acc: ArrayLike,
    gyr: ArrayLike,
    rate_hz: float,
    *,
    placement: Placement = "lower_back",
    duration_s: float = math.inf,
    height_m: float | None = None,
    mass_kg: float | None = None,
    index: ArrayLike | None = None,
) -> ChairStands:
    """Return what a test of chair stands gives: five times, or 30 or 60 ``duration_s`` from the first rise.

    Other arguments and errors as `find_transfers`.
    """
    found = _transfers(acc, gyr, rate_hz, index, placement=placement, height_m=height_m, mass_kg=mass_kg, tug=False)
    return summarise_chair_stands(found, rate_hz, duration_s=duration_s)


def _transfers(
    acc: ArrayLike,
    gyr: ArrayLike,
    rate_hz: float,
    index: ArrayLike | None,
    *,
    placement: Placement,
    height_m: float | None = None,
    mass_kg: float | None = None,
    tug: bool = True,
) -> list[Found]:
    force, rate = np.asarray(acc, float), np.asarray(gyr, float)
    require_units(force, rate)
    operator = Transfers(rate_hz, placement=placement, tug=tug, height_m=height_m, mass_kg=mass_kg)
    return [*operator.process(numbers_of(force, index), force, rate), *operator.finish()]


def _row(one: Transfer | Turn, rate_hz: float) -> tuple[float | str, ...]:
    times = (one.start / rate_hz, one.end / rate_hz)
    if isinstance(one, Turn):
        return (*times, "turn", one.duration_s, one.angle_deg, *(math.nan,) * 4, one.reason)
    how = (one.peak_velocity, one.peak_power, one.lean_deg, one.smoothness)
    return (*times, one.kind, one.duration_s, math.nan, *how, one.reason)
