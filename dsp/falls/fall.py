"""Falls of somebody who wears one sensor: a lull, an impact, another posture, and rest.

The order of events is that of the literature (Bourke et al. 2007, doi 10.1016/j.gaitpost.2006.09.012; Kangas et al.
2008, doi 10.1016/j.gaitpost.2008.01.003). Each of the four counts between 0 and 1 as evidence, and a notice needs lull
and impact together, since either may be small: a fall onto a mat has a weak impact, one that somebody breaks a weak
lull. Real falls are found less often than simulated ones (Bagala et al. 2012, doi 10.1371/journal.pone.0037062: 57 % on
average of 13 methods), so this is a notice for review. What it cannot see: a slow slide down a wall, and a fall during
which the radio was gone.

A thigh turns as far in sitting down as in a fall, and an arm in anything: they need a stronger impact than a trunk.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.posture.blocks import BLOCK_HZ, Floats
from dsp.posture.posture import SEGMENTS, WALKING_STIR, Segment, watch_of
from dsp.posture.stepping import mean_of, spread
from dsp.posture.upright import Upright, degrees_between, unit
from dsp.posture.watch import KEPT_BLOCKS, Look, Watch
from dsp.result import Quality
from dsp.units import STANDARD_GRAVITY as G

ALGORITHM: Final = "falls/2"

LULL_G: Final = (0.85, 0.4)
"""Least force of a tenth of a second in the second before: none as evidence, full evidence. Walking has .7 and more."""
IMPACT_G: Final = (1.5, 4.0)
"""Greatest force: steps have up to 2, falls onto a floor 3 to 8."""
TURNED_DEG: Final = (30.0, 70.0)
"""Between the direction of gravity before and after: a trunk that walks or climbs stairs stays within 10."""
RESTLESS: Final = (2.0, 0.5)
"""m/s², spread of the force over a second and a half: somebody who goes on walking, somebody who lies."""
NEEDED: Final[dict[Segment, float]] = {"trunk": 0.8, "thigh": 1.1, "wrist": 1.2}
"""Of lull and impact together, which count up to 2."""
LEAST_TURNED_DEG: Final = 42.0
SOON_BLOCKS: Final = (8, 20)
SOON_DEG: Final = 25.0
"""Whoever falls has turned when the floor stops them; who steps hard and then sits down turns a second later."""
UPRIGHT_DEG: Final = 35.0
"""From the direction of walking: whoever is so again has not fallen, or is up again."""
LEAST_QUIET: Final = 0.4
"""Of its evidence."""
FLIGHT_G: Final = 0.12
FLIGHT_BLOCKS: Final = 3
"""A sensor that falls by itself weighs nothing for .15 s; one on a body that falls is held by it."""
ALONE_BLOCKS: Final = BLOCK_HZ
"""An impact is the greatest within a second on both sides."""
BEFORE_S: Final = (3.0, 1.2)
QUIET_BLOCKS: Final = 3 * BLOCK_HZ // 2
LANDED_BLOCKS: Final = BLOCK_HZ + QUIET_BLOCKS
"""The body comes to rest within a second of the impact, and is looked at for a second and a half."""
LOOKED_BLOCKS: Final = 8 * BLOCK_HZ
"""So long after an impact rest is waited for."""
AGAIN_BLOCKS: Final = 10 * BLOCK_HZ
"""One fall, one notice."""

USUAL_BLOCKS: Final = 4 * BLOCK_HZ
STICKS_OUT: Final = 1.3
"""A stumble's impact is greater than the greatest step of the three seconds before, by so much."""
THROWN_BLOCKS: Final = 8
THROWN_DEG: Final = 20.0
"""How far the trunk is thrown for .4 s when somebody stumbles and recovers: steps throw it by 10."""

WEAK_PLACE: Final = "a thigh or a wrist shows a fall less surely than the trunk"
STUMBLED: Final = "recovered, without a change of posture"


class Fall(NamedTuple):
    """A fall or a near-fall, for review.

    Attributes:
        kind: fall, or near_fall: a stumble that was recovered from.
        at: Number of the sample of the greatest force, on the sensor's own grid.
        confidence: 0 to 1, the mean of the evidence of lull, impact, turning and rest.
        impact_g: Greatest force, g; a sensor that clips shows less than there was.
        turned_deg: Between the directions of gravity before and after.
        quality: ok or degraded.
        reason: Why not ok; empty otherwise.
    """

    kind: Literal["fall", "near_fall"]
    at: int
    confidence: float
    impact_g: float
    turned_deg: float
    quality: Quality
    reason: str


class Impact(NamedTuple):
    """An impact that may be one of a fall: block, sample, greatest force, evidence, gravity before and just after."""

    block: int
    at: int
    impact_g: float
    lull: float
    hit: float
    before: Floats
    after: Floats | None = None


class FallDetector:
    """The falls of one wearer, as samples come; the same in any chunking.

    A fall is known when its wearer has lain still for a second and a half: 2.5 to 8 s after the impact.

    Args:
        rate_hz: Samples a second, at least 20; 50 and more show an impact better.
        placement: Where the sensor is: thigh, wrist, waist, lower_back or chest.
        watch: Of this sensor, when something else looks at it too; None: its own.

    Raises:
        ValueError: an unknown placement, or a rate that is too low.
    """

    def __init__(self, rate_hz: float, placement: str, *, watch: Watch | None = None) -> None:
        self._watcher = (watch or watch_of(rate_hz, placement)).watcher()
        self._segment = SEGMENTS[placement]
        self._upright = Upright(None)
        self._open: list[Impact] = []
        self._looked_to: int | None = None
        self._last_fall = -KEPT_BLOCKS

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Fall]:
        """Yield each fall that samples show.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s².
            gyr: (n, 3) angular rate, rad/s; NaN where there is none: falls are found without.
        """
        del gyr
        for look in self._watcher.process(index, acc):
            yield from self._decide(look)

    def finish(self) -> Iterator[Fall]:
        """Yield what the last half second shows, as far as it came."""
        for look in self._watcher.finish():
            yield from self._decide(look)

    def _decide(self, look: Look) -> Iterator[Fall]:
        self._look = look
        self._learn()
        kept, found = [], []
        for impact in [*self._open, *self._impacts()]:
            age = look.end - impact.block
            landed = impact if impact.after is not None or age < LANDED_BLOCKS else self._landed(impact)
            fall = self._judge(landed) if landed is not None and landed.after is not None else None
            if landed is None and self._segment == "trunk":
                fall = self._recovered(impact)
            if fall is not None and impact.block - self._last_fall >= AGAIN_BLOCKS:
                self._last_fall = impact.block
                found.append(fall)
            elif landed is not None and fall is None and age < LOOKED_BLOCKS:
                kept.append(landed)
        self._open = kept
        yield from found

    def _learn(self) -> None:
        """Learn from walking which way is upright: whoever is so after an impact has not fallen."""
        least = WALKING_STIR[self._segment]
        if self._segment != "wrist" and self._look.stir.begins(least):
            self._upright.walks(self._look.walked)

    def _impacts(self) -> list[Impact]:
        """Return the impacts that are a second old by now and strong enough."""
        recent = self._look
        first = max(recent.end - KEPT_BLOCKS + ALONE_BLOCKS, self._looked_to or 0)
        self._looked_to = recent.end - ALONE_BLOCKS
        begin = KEPT_BLOCKS - recent.end
        new = recent.peak[first + begin : self._looked_to + begin]
        found = []
        for place in ((new > IMPACT_G[0] * G).nonzero()[0] + first + begin).tolist():
            block, peak = place - begin, float(recent.peak[place])
            if peak >= np.fmax.reduce(recent.peak[place - ALONE_BLOCKS : place + ALONE_BLOCKS + 1]):
                impact = self._impact(block, place, peak / G)
                found += [impact] if impact is not None else []
        return found

    def _impact(self, block: int, place: int, peak_g: float) -> Impact | None:
        """Return an impact with its evidence; None where there is too little, or the sensor fell by itself."""
        recent = self._look
        size = recent.size[max(0, place - BLOCK_HZ) : place + 1]
        least = float(np.fmin.reduce(size[1:] + size[:-1])) / 2
        lull, hit = _share(least / G if math.isfinite(least) else 1.0, LULL_G), _share(peak_g, IMPACT_G)
        if lull + hit < NEEDED[self._segment]:
            return None
        first, last = (place - round(s * BLOCK_HZ) for s in BEFORE_S)
        before = recent.acc[max(0, first) : last]
        before = before[np.isfinite(before[:, 0])]
        if not len(before) or _longest(size < FLIGHT_G * G) >= FLIGHT_BLOCKS:
            return None
        return Impact(block, int(recent.peak_at[place]), peak_g, lull, hit, unit(before.mean(axis=0)))

    def _landed(self, impact: Impact) -> Impact | None:
        """Return an impact with where its wearer came to; None where that is where they were, or upright."""
        place = KEPT_BLOCKS - (self._look.end - impact.block)
        acc = self._look.acc[place + SOON_BLOCKS[0] : place + LANDED_BLOCKS]
        if 2 * np.isfinite(acc[:, 0]).sum() < len(acc):
            return impact._replace(after=impact.before)  # the radio was gone: what comes later decides
        soon, after = _way(acc[: SOON_BLOCKS[1] - SOON_BLOCKS[0]]), _way(acc[BLOCK_HZ - SOON_BLOCKS[0] :])
        if self._is_upright(after) or degrees_between(impact.before, after) < LEAST_TURNED_DEG:
            return None
        return None if degrees_between(impact.before, soon) < SOON_DEG else impact._replace(after=after)

    def _recovered(self, impact: Impact) -> Fall | None:
        """Return the near-fall that an impact was, if the trunk was thrown and came back, unlike in its usual steps."""
        recent = self._look
        place = KEPT_BLOCKS - (recent.end - impact.block)
        steps = recent.peak[max(0, place - USUAL_BLOCKS) : place - BLOCK_HZ]
        around = recent.acc[place - BLOCK_HZ : place + BLOCK_HZ]
        if not np.isfinite(steps).any() or impact.impact_g * G < STICKS_OUT * np.nanmax(steps):
            return None
        thrown_deg = max(
            degrees_between(impact.before, _way(around[k : k + THROWN_BLOCKS]))
            for k in range(0, len(around) - THROWN_BLOCKS + 1, THROWN_BLOCKS // 2)
            if np.isfinite(around[k : k + THROWN_BLOCKS, 0]).any()
        )
        if thrown_deg < THROWN_DEG:
            return None
        confidence = (impact.lull + impact.hit + _share(thrown_deg, TURNED_DEG)) / 4  # a quarter less: nobody lies
        return Fall(
            "near_fall", impact.at, round(confidence, 3), round(impact.impact_g, 2), round(thrown_deg, 1),
            "degraded", STUMBLED,
        )  # fmt: skip

    def _is_upright(self, way: Floats) -> bool:
        up = self._upright.up
        return up is not None and degrees_between(way, up) < UPRIGHT_DEG

    def _judge(self, impact: Impact) -> Fall | None:
        """Return the fall that an impact was, if its wearer rests by now in another posture."""
        acc = self._look.acc[-QUIET_BLOCKS:]
        if 2 * np.isfinite(acc[:, 0]).sum() < len(acc):
            return None
        now = unit(mean_of(acc))
        turned_deg, quiet = degrees_between(impact.before, now), _share(spread(acc, 0, len(acc)), RESTLESS)
        if turned_deg < LEAST_TURNED_DEG or quiet < LEAST_QUIET or self._is_upright(now):
            return None
        confidence = (impact.lull + impact.hit + _share(turned_deg, TURNED_DEG) + quiet) / 4
        sure = self._segment == "trunk"
        return Fall(
            "fall", impact.at, round(confidence, 3), round(impact.impact_g, 2), round(turned_deg, 1),
            "ok" if sure else "degraded", "" if sure else WEAK_PLACE,
        )  # fmt: skip


def _share(value: float, limits: tuple[float, float]) -> float:
    """Return how far a value is from the first limit (0) to the second (1)."""
    none, full = limits
    return min(max((value - none) / (full - none), 0.0), 1.0)


def _way(acc: Floats) -> Floats:
    """Return the direction of the mean force (3,); zero where there is none."""
    known = acc[np.isfinite(acc[:, 0])]
    return unit(known.mean(axis=0)) if len(known) else np.zeros(3)


def _longest(flags: NDArray[np.bool_]) -> int:
    """Return the longest run of true."""
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False]))
    return int((edges[1::2] - edges[::2]).max(initial=0))
