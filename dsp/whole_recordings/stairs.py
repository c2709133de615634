"""Climbs of stairs of a whole recording, from the feet, the shanks or the lower back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dsp.contact.detector import ContactDetector
from dsp.foot.contacts import ALGORITHM as FOOT_ALGORITHM
from dsp.foot.contacts import FootContacts
from dsp.gait.gait import Contact, Walk
from dsp.gait.window import Foot
from dsp.lower_back.lower_back import LowerBack
from dsp.lower_back.walk import LowerBackWalk, timed_events
from dsp.marks import START, STOP
from dsp.result import Result
from dsp.shank.contacts import ALGORITHM as SHANK_ALGORITHM
from dsp.shank.contacts import ShankContacts
from dsp.walk_tests.stairs import StairClimb
from dsp.whole_recordings.arrays_in import Table, batch_of

CLIMB: Final = np.dtype(
    [
        ("start_s", "f8"), ("end_s", "f8"), ("duration_s", "f8"), ("steps", "f8"), ("stairs_per_min", "f8"),
        ("quality", "U8"), ("reason", "U160"), ("steps_quality", "U8"), ("steps_reason", "U160"),
    ]
)  # fmt: skip
BACK: Final = "lower_back"
LEGS: Final[Mapping[str, tuple[Foot, Callable[[], ContactDetector], str]]] = {
    "left_foot": ("left", FootContacts, FOOT_ALGORITHM),
    "right_foot": ("right", FootContacts, FOOT_ALGORITHM),
    "left_shank": ("left", ShankContacts, SHANK_ALGORITHM),
    "right_shank": ("right", ShankContacts, SHANK_ALGORITHM),
}
Samples = tuple[ArrayLike, ArrayLike, ArrayLike]
"""Numbers (n,), specific force (n, 3), m/s², and angular velocity (n, 3), rad/s, of one sensor."""


class _Flight(NamedTuple):
    start_s: float
    end_s: float


def find_stairs(
    signals: Mapping[str, Samples],
    rate_hz: float,
    *,
    stairs: float = math.nan,
    marks_s: Sequence[tuple[float, float]] = (),
) -> Table:
    """Return climbs of stairs: how long each took, and in how many steps.

    The recording is of stairs: nothing tells them from level walking, and without marks what was walked to them is in.

    Args:
        signals: By placement (``left_foot`` or ``left_shank`` and ``right_foot`` or ``right_shank``, or ``lower_back``)
            the numbers of the samples, force and angular velocity; number 0 of all is of the same moment.
        rate_hz: Samples a second of all.
        stairs: How many there are: without them there is no rate.
        marks_s: When each climb began (the word to go) and was over (both feet on the last stair), in time; none: all
            of the recording is one, from the first foot that leaves the floor to the last contact.

    Returns:
        ``start_s``, ``end_s``, ``duration_s``, ``steps`` and ``stairs_per_min`` (NaN where there is none), ``quality``
        and ``reason`` of the time, ``steps_quality`` and ``steps_reason`` of the steps; a row a climb.

    Raises:
        ValueError: a placement is another one, or not of both legs; arrays do not fit together, are in other units,
            or the rate cannot do.
    """
    legs = _legs_among(signals)
    climb = StairClimb(stairs)
    found: list[Result] = []
    for start_s, end_s in marks_s:
        found += [*climb.mark(START, start_s), *climb.mark(STOP, end_s)]
    steps = [*_of_legs({place: signals[place] for place in legs}, rate_hz)]
    if BACK in signals:
        steps += _of_back(signals[BACK], rate_hz)
    found += [*climb.process(steps), *climb.finish()]
    return _table(found)


def _legs_among(places: Iterable[str]) -> list[str]:
    """Return which placements are of legs: both, or none; raises ValueError."""
    given = list(places)
    legs = [place for place in given if place in LEGS]
    if unknown := set(given) - set(LEGS) - {BACK}:
        raise ValueError(f"no steps are seen from {', '.join(sorted(unknown))}: give {', '.join((*LEGS, BACK))}")
    if len(legs) not in {0, 2} or len({LEGS[place][0] for place in legs}) < len(legs):
        raise ValueError("give a foot or a shank of both legs, or the lower back: one leg shows every second step")
    return legs


def _of_legs(signals: Mapping[str, Samples], rate_hz: float) -> Iterator[Result]:
    """Yield what is found of steps by feet or shanks, in time."""
    walk = Walk(contacts={LEGS[place][0]: LEGS[place][2] for place in signals})
    contacts: list[Contact] = []
    for place, (index, acc, gyr) in signals.items():
        side, make, _ = LEGS[place]
        detector = make()
        seen = detector.process(batch_of(acc, gyr, index, detector.attach(rate_hz)))
        columns = seen["kind"].tolist(), (seen["index"] / rate_hz).tolist(), seen["confidence"].tolist()
        contacts += [Contact(side, *each) for each in zip(*columns, strict=True)]
    yield from walk.process(contacts, None, math.inf)
    yield from walk.finish()


def _of_back(samples: Samples, rate_hz: float) -> list[Result]:
    """Return what is found of steps by the lower back, in time."""
    index, acc, gyr = samples
    back, walk = LowerBack(), LowerBackWalk()
    sensor = back.attach(rate_hz, math.nan)
    seen = back.process(batch_of(acc, gyr, index, sensor))
    events = np.concatenate([seen, back.flush(sensor)])
    return walk.process(timed_events(events, events["start"] / rate_hz, events["index"] / rate_hz), math.inf)


def _table(found: Sequence[Result]) -> Table:
    """Return a row of each climb of what is told of it."""
    flights: dict[_Flight, dict[str, Result]] = {}
    for one in found:
        flights.setdefault(_Flight(one.start_s, one.end_s), {})[one.metric] = one
    rows = []
    for flight, of in flights.items():
        time, steps, rate = of["stairs_time"], of["stairs_steps"], of.get("stairs_rate")
        values = [math.nan if each is None or each.value is None else each.value for each in (time, steps, rate)]
        rows.append((*flight, *values, time.quality, time.reason, steps.quality, steps.reason))
    return np.array(rows, CLIMB)
