"""Postures, falls and repetitions of a whole recording."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.activity.day import spells
from dsp.falls.fall import FallDetector
from dsp.posture.posture import PostureDetector
from dsp.repetitions.repetitions import LEAST_ROM_DEG, Repetition, Repetitions
from dsp.whole_recordings.arrays_in import Table, force_of, numbers_of

REPETITION: Final = np.dtype(
    [
        ("start_s", "f8"), ("end_s", "f8"), ("duration_s", "f8"), ("rom_deg", "f8"), ("peak_velocity_dps", "f8"),
        ("sparc", "f8"), ("ldlj", "f8"),
    ]
)  # fmt: skip
FALL: Final = np.dtype(
    [("time_s", "f8"), ("kind", "U9"), ("confidence", "f8"), ("impact_g", "f8"), ("turned_deg", "f8")]
)
POSTURE: Final = np.dtype([("start_s", "f8"), ("end_s", "f8"), ("posture", "U8")])


def count_repetitions(
    gyr: ArrayLike, rate_hz: float, *, least_rom_deg: float = LEAST_ROM_DEG, index: ArrayLike | None = None
) -> Table:
    """Return the repetitions of an exercise.

    Args:
        gyr: (n, 3) angular velocity of the limb that moves, rad/s, any axes.
        rate_hz: Samples a second, at least 20.
        least_rom_deg: Smallest movement of the exercise that counts.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s``, ``end_s``, and what `dsp.repetitions.repetitions.Repetition` says.

    Raises:
        ValueError: the arrays do not fit together, or the rate is too low.
    """
    samples = np.asarray(gyr, float)
    counting = Repetitions(rate_hz, least_rom_deg=least_rom_deg)
    found: list[Repetition] = [*counting.process(numbers_of(samples, index), samples), *counting.flush()]
    rows = [(rep.start / rate_hz, rep.end / rate_hz, *rep[2:-1]) for rep in found]
    return np.array(rows, REPETITION)


def find_postures(
    acc: ArrayLike, rate_hz: float, placement: str, *, along: ArrayLike | None = None, index: ArrayLike | None = None
) -> Table:
    """Return when somebody lay, sat, stood, walked and took stairs, as it is known in the end.

    Args:
        acc: (n, 3) specific force, m/s², any axes; NaN where a sample is not known.
        rate_hz: Samples a second, at least 20.
        placement: Where the sensor is: ``thigh``, ``wrist``, ``waist``, ``lower_back`` or ``chest``.
        along: (3,) axis of the sensor along the segment, believed until somebody has walked; None: y of a phone on a
            thigh, x of a watch, none on a trunk.
        index: As of `find_foot_contacts`.

    Returns:
        ``start_s``, ``end_s``, ``posture`` (empty where nothing is known). A wrist's is a guess; a thigh takes lying on
        the back for sitting, and a trunk sitting for standing.

    Raises:
        ValueError: the arrays do not fit together, the rate is too low, or the placement is another one.
    """
    samples, detector = force_of(acc), PostureDetector(rate_hz, placement, along=along)
    numbers = numbers_of(samples, index)
    found = [*detector.process(numbers, samples, samples), *detector.finish()]
    known = spells(found, float(numbers[-1]) + 1 if len(numbers) else 0.0, rate_hz)
    return np.array([(spell.start_s, spell.end_s, spell.posture or "") for spell in known], POSTURE)


def find_falls(acc: ArrayLike, rate_hz: float, placement: str, *, index: ArrayLike | None = None) -> Table:
    """Return what may have been a fall, or a stumble that was recovered from: for somebody to look, never for sure.

    Args:
        acc: (n, 3) specific force, m/s², any axes; NaN where a sample is not known.
        rate_hz: Samples a second, at least 20; 50 and more show an impact better.
        placement: As of `find_postures`.
        index: As of `find_foot_contacts`.

    Returns:
        ``time_s`` of the impact, ``kind`` (``fall``, ``near_fall``), ``confidence`` 0 to 1, ``impact_g`` and
        ``turned_deg``.

    Raises:
        ValueError: as `find_postures`.
    """
    samples, detector = force_of(acc), FallDetector(rate_hz, placement)
    found = [*detector.process(numbers_of(samples, index), samples, samples), *detector.finish()]
    rows = [(fall.at / rate_hz, fall.kind, fall.confidence, fall.impact_g, fall.turned_deg) for fall in found]
    return np.array(rows, FALL)
