"""Postures, falls and repetitions of a whole recording."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.activity.day import spells
from dsp.falls.fall import FallDetector
from dsp.posture.blocks import Floats
from dsp.posture.person import PARTS, Part, PersonPosture, TwoSensors
from dsp.posture.posture import Posture, PostureDetector
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
PERSON_POSTURE: Final = np.dtype([*POSTURE.descr, ("of", "U11"), ("quality", "U8"), ("reason", "U160")])


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


def find_person_postures(
    trunk: ArrayLike,
    thigh: ArrayLike,
    rate_hz: float,
    *,
    trunk_placement: str = "lower_back",
    along: ArrayLike | None = None,
    trunk_index: ArrayLike | None = None,
    thigh_index: ArrayLike | None = None,
) -> Table:
    """Return when somebody lay, sat, stood, walked and took stairs, from a sensor on the trunk and one on a thigh.

    A trunk cannot tell sitting from standing, nor a thigh lying from sitting: together they tell all.

    Args:
        trunk: (n, 3) specific force of the lower back or chest, m/s², any axes; NaN where a sample is not known.
        thigh: (m, 3) likewise, of one thigh; sample 0 of both is of the same moment.
        rate_hz: Samples a second of both, at least 20.
        trunk_placement: ``lower_back`` or ``chest``.
        along: (3,) axis of the thigh's sensor, as of `find_postures`.
        trunk_index: As of `find_foot_contacts`.
        thigh_index: Likewise.

    Returns:
        ``start_s``, ``end_s``, ``posture`` (empty where nothing is known), ``of`` (``trunk+thigh``, or which of the two
        alone gave it), ``quality`` and ``reason``.

    Raises:
        ValueError: as `find_postures`.
    """
    forces: dict[Part, Floats] = {"trunk": force_of(trunk), "thigh": force_of(thigh)}
    given: dict[Part, ArrayLike | None] = {"trunk": trunk_index, "thigh": thigh_index}
    numbers = {part: numbers_of(forces[part], given[part]) for part in PARTS}
    on_trunk, on_thigh = PostureDetector(rate_hz, trunk_placement), PostureDetector(rate_hz, "thigh", along=along)
    detectors: dict[Part, PostureDetector] = {"trunk": on_trunk, "thigh": on_thigh}
    end = max((int(index[-1]) + 1 for index in numbers.values() if len(index)), default=0)
    both = TwoSensors()
    for part, shown in _shown(forces, numbers, detectors, end, max(1, round(rate_hz))):
        both.add(part, shown.at / rate_hz, shown)
    return _person_table(list(both.report(end / rate_hz)), end / rate_hz)


def _shown(
    forces: dict[Part, Floats],
    numbers: dict[Part, NDArray[np.int64]],
    detectors: dict[Part, PostureDetector],
    end: int,
    step: int,
) -> Iterator[tuple[Part, Posture]]:
    """Yield what each sensor says, ``step`` samples of one and then of the other: as they come on a ward."""
    for first in range(0, end, step):
        for part in PARTS:
            within = slice(*np.searchsorted(numbers[part], [first, first + step]))
            samples = forces[part][within]
            for shown in detectors[part].process(numbers[part][within], samples, samples):
                yield part, shown
    for part in PARTS:
        for shown in detectors[part].finish():
            yield part, shown


def _person_table(given_out: list[PersonPosture], end_s: float) -> Table:
    """Return what holds in the end: what is told takes the place of what was told from its beginning on."""
    kept: list[PersonPosture] = []
    for one in given_out:
        while kept and kept[-1].at_s >= one.at_s:
            kept.pop()
        if not kept or kept[-1][1:] != one[1:]:
            kept.append(one)
    ends = [*(one.at_s for one in kept[1:]), end_s][: len(kept)]
    rows = [
        (one.at_s, to_s, one.posture or "", "+".join(one.of), one.quality, one.reason)
        for one, to_s in zip(kept, ends, strict=True)
    ]
    return np.array(rows, PERSON_POSTURE)


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
