"""From rows to walks and U-turns in the order in which they were done: pure functions."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from dsp.walk_tests.rows import Rows
from dsp.walk_tests.stretches import TURN_WINDOW_S, U_TURN, Stretch, find_steps, find_turns, flagged

STEP_GAP_S: Final = 0.8
"""Stillness for no longer lies within a slow step."""
PAUSE_S: Final = 2.0
"""A longer stand ends a walk (the longest step of Mobilise-D is 2.124 s)."""
SHORTEST_WALK_S: Final = 1.5
LEAST_STEPS: Final = 3
"""Fewer steps are no walk: somebody moves aside."""
STEP: Final = 0.3
"""Of the usual strength: what is weaker before the first step is the body that leans (as on the lower back)."""
SUBSTANTIAL: Final = 0.3
"""Of the largest movement between two U-turns, by strength and time: what is as large belongs to the walk."""
DIRECTION_S: Final = 6.0
"""The direction walked is that of so much of a walk: two strides of the slowest."""
STAND_S: Final = 1.0
"""Where nobody walks beside a turn, the direction is that of so much standing."""
WAIT_S: Final = 10.0
"""For a walk after a turn no more is waited: nobody walks on."""
ASTRAY: Final = math.radians(45.0)
"""Directions that differ by so much from the turn itself say that the sensor was taken up otherwise."""


class Found(NamedTuple):
    """A walk, or a U-turn (of angle not zero), and what is known of it.

    Attributes:
        stretch: Its rows.
        settled: Whether no further rows can change it.
        until: With it, all is told up to this row.
        doubt: Why it is in doubt; empty if it is not.
    """

    stretch: Stretch
    settled: bool
    until: int
    doubt: str = ""


class Search(NamedTuple):
    """What is looked for in rows.

    Attributes:
        begin: From which row on; what was before is told.
        before: The walk that was told of last, in rows.
        course: There is one walk between two U-turns, and no U-turn without a walk on either side.
        over: No further rows come.
    """

    begin: int
    before: Stretch | None
    course: bool
    over: bool


def find_sequence(rows: Rows, search: Search) -> list[Found]:
    """Return walks and U-turns in the order in which they were done."""
    turns = _complete_turns(rows, search)
    pieces = _pieces(rows, search.begin, turns)
    edges = [search.begin, *(row for turn in turns for row in (turn.start, turn.end)), len(rows)]
    out: list[Found] = []
    turn, before = None, search.before
    for place, (first, last) in enumerate(zip(edges[::2], edges[1::2], strict=True)):
        closed = place < len(turns) or search.over
        inside = [piece for piece in pieces if first <= piece.start and piece.end <= last]
        walks = [_as_found(walk, rows, search, closed=closed) for walk in _walks(rows, inside, course=search.course)]
        if walks and closed:
            walks[-1] = walks[-1]._replace(until=last)
        further = turns[place] if place < len(turns) else None
        if turn is not None and not walks and further is not None and search.course:
            turn = further  # somebody turned to and fro, and walks on after the last turn, or not at all
            continue
        if turn is not None:
            out += _directed(rows, turn, (before, walks[0] if walks else None), search, last=further is None)
            before = None
        out += walks
        before = walks[-1].stretch if walks else before
        turn = further if before is not None or not search.course else None
    return out


def _complete_turns(rows: Rows, search: Search) -> list[Stretch]:
    """Return the U-turns that are over: what follows them can change them no more."""
    known = len(rows) if search.over else len(rows) - round(TURN_WINDOW_S / rows.tick_s)
    turns = find_turns(rows.heading, rows.tick_s)
    return [t for t in turns if t.end <= known and (t.start + t.end) / 2 > search.begin]


def _pieces(rows: Rows, begin: int, turns: list[Stretch]) -> list[Stretch]:
    """Return the runs of movement beside the turns; stillness within a slow step does not part them.

    What touches a turn and is then parted from the rest by stillness is the feet's beginning or end of the turn.
    """
    moving = rows.rms > rows.levels.moving
    moving[:begin] = False
    for turn in turns:
        moving[max(begin, turn.start) : turn.end] = False
    edges = {row for turn in turns for row in (turn.start, turn.end)}
    out: list[Stretch] = []
    for piece in flagged(moving):
        near = out and (piece.start - out[-1].end) * rows.tick_s <= STEP_GAP_S
        if near and not edges & {out[-1].start, out[-1].end, piece.start, piece.end}:
            out[-1] = Stretch(out[-1].start, piece.end)
        else:
            out.append(piece)
    return out


def _walks(rows: Rows, pieces: list[Stretch], *, course: bool) -> list[Stretch]:
    """Return the walks that movement between two U-turns amounts to."""
    if not pieces:
        return []
    size = [float(rows.rms[piece.start : piece.end].sum()) for piece in pieces]
    if course:
        large = [piece for piece, of in zip(pieces, size, strict=True) if of >= SUBSTANTIAL * max(size)]
        groups = [Stretch(large[0].start, large[-1].end)]
    else:
        groups = [pieces[0]]
        for piece in pieces[1:]:
            if (piece.start - groups[-1].end) * rows.tick_s <= PAUSE_S:
                groups[-1] = Stretch(groups[-1].start, piece.end)
            else:
                groups.append(piece)
    return [walk for walk in (_edged(rows, group) for group in groups) if _is_walk(rows, walk)]


def _edged(rows: Rows, group: Stretch) -> Stretch:
    """Return movement from the first to the last row that is as strong as a step of it.

    Before, the body leans; after, the feet are set right.
    """
    usual = float(np.median(rows.rms[group.start : group.end]))
    moving = np.flatnonzero(rows.quick[group.start : group.end] > max(rows.levels.moving, STEP * usual))
    return Stretch(group.start + int(moving[0]), group.start + int(moving[-1]) + 1) if len(moving) else group


def _is_walk(rows: Rows, walk: Stretch) -> bool:
    long_enough = (walk.end - walk.start) * rows.tick_s >= SHORTEST_WALK_S
    return long_enough and len(find_steps(rows.up, walk, rows.tick_s)) >= LEAST_STEPS


def _as_found(walk: Stretch, rows: Rows, search: Search, *, closed: bool) -> Found:
    stands = (len(rows) - walk.end) * rows.tick_s > PAUSE_S and not search.course
    after = min(len(rows), walk.end + round(STAND_S / rows.tick_s))
    return Found(walk, closed or stands, walk.end, rows.doubt(walk.start, after))


def _directed(
    rows: Rows, turn: Stretch, beside: tuple[Stretch | None, Found | None], search: Search, *, last: bool
) -> list[Found]:
    """Return a turn with the angle between the directions before and after it; nothing where it is none."""
    before, after = beside
    if after is None and search.course and search.over and last:
        return []
    if after is None:
        waited = not search.course and (len(rows) - turn.end) * rows.tick_s > WAIT_S
        settled = search.over or waited or not last
    else:
        stretch = after.stretch
        known = (stretch.end - stretch.start) * rows.tick_s >= DIRECTION_S
        settled = after.settled or known
    angle, doubt = _angle(rows, turn, before, after.stretch if after else None)
    doubt = rows.doubt(turn.start, turn.end) or doubt
    return [Found(turn._replace(angle=angle), settled, turn.end, doubt)] if abs(angle) >= U_TURN else []


def _angle(rows: Rows, turn: Stretch, before: Stretch | None, after: Stretch | None) -> tuple[float, str]:
    """Return the angle of a turn and why it is in doubt."""
    length, stand = round(DIRECTION_S / rows.tick_s), round(STAND_S / rows.tick_s)
    doubt = "" if before and after else "no walk on both sides"
    old = Stretch(max(before.start, before.end - length), before.end) if before else Stretch(0, 0)
    if old.start >= old.end or old.start < 0:
        old = Stretch(max(0, turn.start - stand), turn.start + 1)
    new = (
        Stretch(after.start, min(after.end, after.start + length)) if after else Stretch(turn.end - 1, turn.end + stand)
    )
    directions = [float(np.mean(rows.heading[part.start : part.end])) for part in (old, new)]
    angle = directions[1] - directions[0]
    if abs(angle - turn.angle) > ASTRAY:
        return turn.angle, "the sensor was taken up otherwise"
    return angle, doubt
