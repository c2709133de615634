"""Where in rows of movement somebody stands, steps or turns about: pure functions, no state.

What is movement is said relative to how quiet this person stands and how strongly they move, since a phone held
softly shows a third of what the lower back does, and a shuffler a third of a brisk walker.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsp.walk_tests.ticks import REST_RATE

WINDOW_S: Final = 0.5
"""Strength is averaged over so much: about a step."""
EDGE_S: Final = 0.15
"""The first and last movement is looked for over so much: the longer window reaches a quarter second beyond."""
LASTING_S: Final = 2.0
"""A force that lasts for so long is none of a step: the slowest is as long."""
QUIET_SHARE, BRISK_SHARE = 0.1, 0.9
"""Of all time somebody is quieter than their quiet level, and more brisk than their brisk level."""
QUIETEST, LOUDEST = 0.05, 0.25
"""m/s²: a quiet level lies between a good sensor on the back and a phone in a hand, also where nobody stood still."""
ABOVE_QUIET: Final = (2.0, 5.0)
"""Movement is the geometric mean of quiet and brisk, and so many times the quiet level at least and at most."""
WEAKEST: Final = 0.15
"""m/s²: less is no step of anybody."""
TURN_WINDOW_S: Final = 2.0
"""Heading is compared over so much: longer than the pelvis takes to go to and fro, shorter than most U-turns."""
TURN_RATE: Final = math.radians(15.0)
"""rad/s over that window: what nobody reaches on a straight way (El-Gohary 2014)."""
U_TURN: Final = math.radians(120.0)
"""A U-turn is 180 degrees; so much is left of it where the rest is walked in a curve."""
ONE_TURN_S: Final = 1.5
"""Two parts of a turn the same way, with no more between them than a hesitation, are one."""
TWO_TURNS: Final = math.radians(270.0)
"""What comes to more is two turns, with a walk between them that may be too short to be seen as one."""
TURN_EDGE: Final = 0.03
"""Share of the angle before its start and after its end: below, body and hand sway."""
LARGEST_OFFSET: Final = 0.06
"""rad/s, 3.5 degrees a second: gyroscopes fresh from the box are better."""
REST_S: Final = 1.0
"""Less standing makes no offset."""
SHORTEST_STEP_S: Final = 0.25
"""240 steps a minute."""
SMOOTH_S: Final = 0.2
"""Upward force is averaged twice over so much: of a step one wave is left, up to three a second."""
FIRM: Final = 0.5
"""Of the usual wave: a weaker one is no step."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Stretch(NamedTuple):
    """Rows ``start`` to ``end``, the latter not included; of a turn the angle, rad, to the left positive."""

    start: int
    end: int
    angle: float = 0.0


class Levels(NamedTuple):
    """How strongly somebody moves who stands, and from where on it is movement, m/s²."""

    quiet: float
    moving: float


def mean_over(values: Floats, rows: int) -> Floats:
    """Return the mean over so many rows about each; fewer at the ends."""
    n = len(values)
    total = np.concatenate([[0.0], np.cumsum(values)])
    first = np.clip(np.arange(n) - rows // 2, 0, n)
    last = np.clip(np.arange(n) - rows // 2 + rows, 0, n)
    return np.asarray((total[last] - total[first]) / np.maximum(last - first, 1))


def movement(force: Sequence[Floats], tick_s: float, window_s: float = WINDOW_S) -> Floats:
    """Return how strongly somebody moves about each row, m/s², whichever way; over so much about it.

    Forces that last are no steps: gravity is not known to better than a few degrees after a turn, and that is as much
    as a weak step.
    """
    lasting, window = round(LASTING_S / tick_s), max(1, round(window_s / tick_s))
    square = sum(((part - mean_over(part, lasting)) ** 2 for part in force), np.zeros(len(force[0])))
    return np.sqrt(np.maximum(mean_over(square, window), 0.0))


def flagged(flags: Flags) -> list[Stretch]:
    """Return the runs of rows that are flagged."""
    edges = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist()
    return [Stretch(start, end) for start, end in zip(starts, ends, strict=True)]


def find_levels(strength: Floats) -> Levels:
    """Return the levels of somebody from the strength of their movement so far, m/s²."""
    quiet, brisk = np.quantile(strength, [QUIET_SHARE, BRISK_SHARE]).tolist()
    quiet = min(max(quiet, QUIETEST), LOUDEST)
    low, high = (times * quiet for times in ABOVE_QUIET)
    return Levels(quiet, max(WEAKEST, min(max(math.sqrt(quiet * brisk), low), high)))


def find_offset(yaw: Floats, strength: Floats, quiet: float, tick_s: float) -> float:
    """Return what the gyroscope shows about gravity of somebody who stands, rad/s; zero where nobody stood."""
    resting = (strength < ABOVE_QUIET[0] * quiet) & (np.abs(yaw) < REST_RATE)
    if np.count_nonzero(resting) * tick_s < REST_S:
        return 0.0
    return min(max(float(np.median(yaw[resting])), -LARGEST_OFFSET), LARGEST_OFFSET)


def find_turns(heading: Floats, tick_s: float, least: float = U_TURN) -> list[Stretch]:
    """Return the turns of at least so large an angle (rad) in a heading that is not wrapped (rad)."""
    half = round(TURN_WINDOW_S / 2 / tick_s)
    padded = np.concatenate([np.full(half, heading[0]), heading, np.full(half, heading[-1])])
    change = padded[2 * half :] - padded[: -2 * half]
    out: list[Stretch] = []
    for sign in (1, -1):
        fast = [part._replace(angle=sign) for part in flagged(sign * change > TURN_RATE * TURN_WINDOW_S)]
        out += _joined([_trimmed(part, heading, half // 2) for part in fast], round(ONE_TURN_S / tick_s))
    return sorted(turn for turn in out if abs(turn.angle) >= least)


def _joined(parts: list[Stretch], hesitation: int) -> list[Stretch]:
    """Return turns the same way, with no more than a hesitation between them, as one."""
    out: list[Stretch] = []
    for part in parts:
        near = out and part.start - out[-1].end <= hesitation
        if near and abs(out[-1].angle + part.angle) < TWO_TURNS:
            out[-1] = Stretch(out[-1].start, part.end, out[-1].angle + part.angle)
        else:
            out.append(part)
    return out


def _trimmed(part: Stretch, heading: Floats, margin: int) -> Stretch:
    """Return a turn from where its angle begins to grow to where it is reached."""
    first, last = max(0, part.start - margin), min(len(heading), part.end + margin)
    way = heading[first:last] * part.angle
    lowest = int(np.argmin(way[: part.end - first]))
    highest = lowest + int(np.argmax(way[lowest:]))
    angle = way[highest] - way[lowest]
    inside = way[lowest : highest + 1] - way[lowest]
    start = first + lowest + int(np.flatnonzero(inside <= TURN_EDGE * angle)[-1])
    end = first + lowest + int(np.flatnonzero(inside >= (1 - TURN_EDGE) * angle)[0])
    return Stretch(start, end + 1, float(angle * part.angle))


def find_steps(up: Floats, stretch: Stretch, tick_s: float) -> NDArray[np.int64]:
    """Return the rows of a stretch at which the upward force of its steps is highest."""
    around, rows = round(TURN_WINDOW_S / 2 / tick_s), max(1, round(SMOOTH_S / tick_s))
    first, last = max(0, stretch.start - around), min(len(up), stretch.end + around)
    part = up[first:last] - mean_over(up[first:last], round(TURN_WINDOW_S / tick_s))
    wave = mean_over(mean_over(part, rows), rows)
    inside = wave[stretch.start - first : stretch.end - first]
    top = np.flatnonzero((wave[1:-1] > wave[:-2]) & (wave[1:-1] >= wave[2:])) + 1
    top = top[(wave[top] > FIRM * math.sqrt(2.0) * inside.std()) & (top >= stretch.start - first)]
    kept: list[int] = []
    for row in top[top < stretch.end - first].tolist():
        if kept and (row - kept[-1]) * tick_s < SHORTEST_STEP_S:
            kept[-1] = row if wave[row] > wave[kept[-1]] else kept[-1]
        else:
            kept.append(row)
    return np.array(kept, np.int64) + first
