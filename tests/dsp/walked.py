"""Results as feet and lower back give them of a simulated walk: from its truth, as wrong as sensors are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from dsp.result import Result, Side
from simulators.body.body import WalkingBody
from simulators.body.programme import HEALTHY, Piece, Stand, Style, Turn, Walk
from simulators.body.truth import Truth
from simulators.body.truth import Turn as TrueTurn
from tests.dsp.bodies import Floats

JITTER_S = 0.01
SCALE = 0.05
"""What contacts and the lengths of a foot are wrong by, 1 sigma."""


def to_and_fro(
    speed_mps: float,
    course_m: float,
    duration_s: float,
    *,
    rest_at: int = -1,
    left: bool = True,
    style: Style = HEALTHY,
) -> tuple[Piece, ...]:
    """Return a walk between two cones for so long and a little longer, with a rest of 20 s before one of the turns."""
    pieces: list[Piece] = [Stand(duration_s=5)]
    for k in range(int(duration_s * speed_mps / course_m) + 2):
        pieces.append(Walk(speed_mps=speed_mps, distance_m=course_m, style=style))
        if k == rest_at:
            pieces.append(Stand(duration_s=20))
        pieces.append(Turn(angle_deg=180 if left else -180))
    return (*pieces, Stand(duration_s=5))


def results_of_feet(truth: Truth, seed: int = 0, lost: float = 0.0) -> list[Result]:
    rng = np.random.default_rng(seed)
    out: list[Result] = []
    for side in ("left", "right"):
        scale = 1 + SCALE * rng.standard_normal()
        for metric, times in (("initial_contact", truth.initial[side]), ("final_contact", truth.final[side])):
            shaken = (times + JITTER_S * rng.standard_normal(len(times))).tolist()
            out += [Result(metric, 1.0, side, time, time, 1, "walk/1") for time in shaken]
        for stride in truth.strides:
            if stride.foot != side or rng.random() < lost:
                continue
            flat = 0.25 * stride.time_s  # from foot-flat to foot-flat, with the contact between them
            span = (stride.start_s + flat, stride.end_s + flat)
            turned = sum(_share(turn, stride.start_s, stride.end_s) * turn.angle_deg for turn in truth.turns)
            out.append(Result("stride_length", stride.length_m * scale, side, *span, 1, "foot-stride/1"))
            out.append(Result("stride_turn", turned, side, *span, 1, "foot-stride/1"))
    return sorted(out, key=lambda result: result.end_s)


def _share(turn: TrueTurn, start_s: float, end_s: float) -> float:
    """Return how much of a turn lies between two instants."""
    return max(0.0, min(turn.end_s, end_s) - max(turn.start_s, start_s)) / (turn.end_s - turn.start_s)


def results_of_back(truth: Truth, seed: int = 0) -> list[Result]:
    rng = np.random.default_rng(seed)
    times: Floats = np.sort(np.concatenate([truth.initial["left"], truth.initial["right"]]))
    times = times + JITTER_S * rng.standard_normal(len(times))
    out = [Result("initial_contact", 1.0, "none", t, t, 1, "lower-back/1") for t in times]
    for turn in truth.turns:
        side: Side = "left" if turn.angle_deg > 0 else "right"
        out.append(Result("turn_angle", abs(turn.angle_deg), side, turn.start_s, turn.end_s, 1, "lower-back/1"))
    stride_m = float(np.median([s.length_m for s in truth.strides])) * (1 + 2 * SCALE * rng.standard_normal())
    spans = zip(times[:-8:8], times[8::8], strict=False)
    out += [Result("stride_length", stride_m, "both", a, b, 8, "lower-back/1") for a, b in spans]
    return sorted(out, key=lambda result: result.end_s)


class Way:
    """Where the middle between the hips is, along the course, metres, ten times a second."""

    def __init__(self, walker: WalkingBody) -> None:
        self.truth = walker.truth()
        figure = walker.figure()
        end_s = max(bout.end_s for bout in self.truth.bouts) + 1.0
        self.time_s: Floats = np.arange(0.0, end_s, 0.1)
        parts = np.array_split(self.time_s, len(self.time_s) // 200 + 1)
        self.x: Floats = np.concatenate([figure.pose("lower_back", part).place.value[:, 0] for part in parts])

    def at(self, time_s: float) -> float:
        """Return where it is at an instant."""
        return float(np.interp(time_s, self.time_s, self.x))

    def whole_m(self) -> float:
        """Return how far it is from the first stand to the last, of a walk without a turn."""
        return float(self.x[-1] - self.x[0])

    def timed_mps(self, from_m: float, to_m: float) -> float:
        """Return the speed between two places of a walk without a turn."""
        start_s, end_s = np.interp([from_m, to_m], self.x - self.x[0], self.time_s)
        return float((to_m - from_m) / (end_s - start_s))

    def length_m(self) -> float:
        """Return how long the course is: from one turn to the next, on the whole."""
        turns = self.truth.turns
        lengths = [abs(self.at(b.start_s) - self.at(a.end_s)) for a, b in pairwise(turns)]
        return float(np.mean(lengths))

    def straight_m(self, start_s: float, end_s: float) -> float:
        """Return how far it came between two instants, turns left out."""
        turns = [turn for turn in self.truth.turns if turn.start_s < end_s and turn.end_s > start_s]
        edges = [start_s, *(min(t, end_s) for turn in turns for t in (turn.start_s, turn.end_s)), end_s]
        return sum(abs(self.at(b) - self.at(a)) for a, b in zip(edges[::2], edges[1::2], strict=True))
