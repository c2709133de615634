"""Lying, sitting, standing, walking and stairs from one sensor on a thigh, a wrist or the trunk, axes unknown.

A thigh lies level in sitting and hangs in standing: which way it hangs, walking shows (`dsp.posture.upright`), and the
border lies half way between walking and sitting. Whoever lies has rolled about the thigh by more than 65 degrees since
sitting down (Lyden et al. 2016, doi 10.1249/MSS.0000000000000813), which nobody does in a chair; who lies on the back
and never rolls is called sitting, and sitting from a thigh never counts as wrong for sedentary time. A trunk that is
level lies; one that is upright stands, for it cannot tell a chair from standing. A forearm hangs in walking and lies
level at rest: what a wrist says is a guess about the legs, and always degraded. What does not last is not told
(`dsp.posture.dwell`).

Compared with video of 12 people of `tug` (phone in a pocket any way round, watch on a wrist), in `tests/dsp`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.posture.blocks import BLOCK_HZ, TURN_BLOCKS, Floats
from dsp.posture.dwell import LEAST_S, Dwelling
from dsp.posture.stepping import PAUSED, RHYTHMIC, climbing, mean_of, spread
from dsp.posture.upright import Upright, degrees_between, unit
from dsp.posture.watch import Look, Watch
from dsp.result import Quality

ALGORITHM: Final = "posture/3"
Name = Literal["lying", "sitting", "standing", "walking", "stairs"]
Segment = Literal["thigh", "wrist", "trunk"]

SEGMENTS: Final[dict[str, Segment]] = {
    "thigh": "thigh", "left_thigh": "thigh", "right_thigh": "thigh", "wrist": "wrist", "left_wrist": "wrist",
    "right_wrist": "wrist", "waist": "trunk", "lower_back": "trunk", "chest": "trunk",
}  # fmt: skip
GUESSES: Final[dict[Segment, Floats | None]] = {
    "thigh": np.array([0.0, 1.0, 0.0]),
    "wrist": np.array([1.0, 0.0, 0.0]),
    "trunk": None,
}
"""Phones and loggers are longest along y, and a pocket holds them upright; x of a watch runs along the forearm."""
WALKING_STIR: Final[dict[Segment, float]] = {"thigh": 1.0, "wrist": 1.0, "trunk": 0.8}
"""m/s², least spread of the force over a second of walking."""
SLOW_STIR: Final = 0.35
"""m/s², likewise, of a thigh that is known to hang: at .25 m/s it swings by ten degrees, one that stands sways by one.
A trunk sways as much as it walks then."""
SLOW_LOOKS: Final = 8
"""Half seconds: who has made slow steps for so long walks, and shows which way is upright if nobody walked faster."""
STILL: Final = 0.5
"""m/s², spread over a second: more is no rest."""
BACK_BLOCKS: Final = 2 * BLOCK_HZ
"""A posture that is recognised late is dated back by two seconds at most."""
KEPT_BLOCKS: Final = 6 * BLOCK_HZ
LEVEL_DEG: Final = 60.0
"""A trunk that leans further lies."""
ROLLED_DEG: Final = 65.0
"""About the thigh, since sitting down (Lyden et al. 2016)."""
FEET_UP_DEG: Final = 120.0
"""A thigh that points this far up belongs to somebody who lies."""
STEADY_DEG: Final = 4.0
"""Past the border by so much before anybody changes."""
CLIMB_MEMORY: Final = 8
"""Half seconds: a few heavy steps are no stairs."""
LEAST_BLOCKS: Final = LEAST_S * BLOCK_HZ
LOST_BLOCKS: Final = 2 * BLOCK_HZ
"""A gap as long as this may hold a transfer."""

NOT_WALKED: Final = "no walking seen yet: which way is upright is a guess"
ARM: Final = "a wrist shows the arm, not the legs"
NO_CHAIR: Final = "a trunk cannot tell sitting from standing"
MAYBE_STAIRS: Final = "stairs from heavy steps alone are a guess"
ON_BACK: Final = "a thigh cannot tell sitting from lying on the back"
LOST: Final = "no samples"


class Posture(NamedTuple):
    """A posture, until the next one.

    Attributes:
        at: Number of its first sample on the sensor's own grid, in part of one; it may be two seconds old.
        posture: What it is; None while it is not known.
        quality: ok, degraded or invalid.
        reason: Why not ok; empty otherwise.
    """

    at: float
    posture: Name | None
    quality: Quality
    reason: str


def watch_of(rate_hz: float, placement: str) -> Watch:
    """Return a watch for who looks at a sensor there: its posture, its falls, or both.

    Raises:
        ValueError: an unknown placement, or a rate that is too low.
    """
    if placement not in SEGMENTS:
        raise ValueError(f"posture and falls are known of {', '.join(SEGMENTS)}, not of {placement!r}")
    return Watch(rate_hz, slow_stir(SEGMENTS[placement]))


def slow_stir(segment: Segment) -> float:
    """Return the least spread over a second of the slowest walk that a sensor there shows, m/s²."""
    return SLOW_STIR if segment == "thigh" else WALKING_STIR[segment]


class PostureDetector:
    """The posture of one wearer, as samples come; the same in any chunking.

    A posture is known half a second to two seconds after it began, dated back, and told at once. What turns out then
    to have been a moment (`LEAST_S`) gives its beginning to what came after it.

    Args:
        rate_hz: Samples a second, at least 20.
        placement: Where the sensor is: thigh, wrist, waist, lower_back or chest.
        up: (3,) direction of gravity in the sensor when its wearer is upright, as ``up`` gave it before; None to learn.
        along: (3,) axis of the sensor that is believed to run along the segment until somebody has walked; None: y of a
            phone on a thigh, x of a watch, none on a trunk.
        watch: Of this sensor, when something else looks at it too (`watch_of`); None: its own.

    Raises:
        ValueError: an unknown placement, or a rate that is too low.
    """

    def __init__(
        self, rate_hz: float, placement: str, up: ArrayLike | None = None, *, along: ArrayLike | None = None,
        watch: Watch | None = None,
    ) -> None:  # fmt: skip
        self._watcher = (watch or watch_of(rate_hz, placement)).watcher()
        self._segment = SEGMENTS[placement]
        guess = GUESSES[self._segment] if along is None else unit(np.asarray(along, float))
        self._upright = Upright(guess, None if up is None else unit(np.asarray(up, float)))
        self._least_stir = WALKING_STIR[self._segment]
        self._slow_stir = slow_stir(self._segment)
        self._now: Posture | None = None
        self._dwelling: Dwelling[tuple[Name | None, Quality, str]] = Dwelling(LEAST_BLOCKS)
        self._forget()

    @property
    def up(self) -> Floats | None:
        """Direction of gravity in the sensor when its wearer is upright; None before anybody walked."""
        return self._upright.up

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Posture]:
        """Yield each change of posture that samples show.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s².
            gyr: (n, 3) angular rate, rad/s; NaN where there is none: posture does without.
        """
        del gyr
        for look in self._watcher.process(index, acc):
            yield from self._decide(look)

    def finish(self) -> Iterator[Posture]:
        """Yield what the last half second changes, as far as it came."""
        for look in self._watcher.finish():
            yield from self._decide(look)

    def _forget(self) -> None:
        self._level = False
        self._walking = False
        self._climbing = 0.0
        self._slow_steps = 0
        self._seat_way: Floats | None = None
        self._lying = False

    def _decide(self, look: Look) -> Iterator[Posture]:
        self._look = look
        if self._now is not None and look.gap >= LOST_BLOCKS:
            self._now = None
            self._dwelling.find(look.end - TURN_BLOCKS - look.gap, (None, "invalid", LOST))
            self._forget()
        if 2 * look.n_known >= TURN_BLOCKS:
            self._see(look)
        for block, state in self._dwelling.report(look.end):
            yield Posture(self._watcher.index_of(block), *state)

    def _see(self, look: Look) -> None:
        """Take what a look shows."""
        level = self._lies_level()
        walking = self._walks(level=level)
        level = level and not walking
        changes = self._now is None or level != self._level or walking != self._walking
        since = self._since(level=level, walking=walking) if changes else TURN_BLOCKS
        self._level, self._walking = level, walking
        name = self._name()
        quality, reason = self._quality(name)
        if self._now is None or (self._now.posture, self._now.reason) != (name, reason):
            renamed = self._now is None or self._now.posture != name
            block = look.end - (since if renamed else TURN_BLOCKS)
            self._now = Posture(block, name, quality, reason)
            self._dwelling.find(block, self._now[1:])

    def _walks(self, *, level: bool) -> bool:
        """Return whether the wearer walks, and learn from it which way is upright."""
        moved = self._look.stir
        goes_on = self._walking and moved.last_s >= PAUSED * self._least_stir
        if moved.begins(self._least_stir) or (goes_on and moved.rhythm >= RHYTHMIC):
            return self._upright.walks(self._look.walked)
        shuffles = self._segment == "thigh" and self._shuffles()
        return (goes_on or shuffles) and not level

    def _shuffles(self) -> bool:
        """Return whether a thigh that hangs makes slow steps; which way it hangs, they show where nothing else did."""
        moved = self._look.stir
        goes_on = self._walking and moved.last_s >= PAUSED * self._slow_stir and moved.rhythm >= RHYTHMIC
        steps = goes_on or moved.begins(self._slow_stir)
        self._slow_steps = self._slow_steps + 1 if steps else 0
        if self._upright.known:
            return steps
        return self._slow_steps >= SLOW_LOOKS and self._upright.walks(mean_of(self._look.acc[-4 * BLOCK_HZ :]))

    def _lies_level(self) -> bool:
        """Return whether the segment is rather level than upright, and learn from it how its wearer sits."""
        force = self._look.force
        tilt = self._upright.tilt_deg(force)
        border = LEVEL_DEG if self._segment == "trunk" else self._upright.border_deg
        if self._now is not None:
            border += STEADY_DEG if not self._level else -STEADY_DEG
        level = tilt > border
        if level and self._level and self._segment != "trunk" and self._look.stir.last_s < 2 * STILL:
            self._upright.sits(force)
        return level

    def _since(self, *, level: bool, walking: bool) -> int:
        """Return how many blocks ago the wearer began to be as they are."""
        acc = self._look.acc[-KEPT_BLOCKS:]
        if self._now is None:
            return BACK_BLOCKS - int(np.isfinite(self._look.size[-BACK_BLOCKS:]).argmax())
        if level != self._level:
            new, way = self._look.force, _smooth(acc)
            old = self._upright.up if level else self._upright.seat
            way = way[-BACK_BLOCKS:]
            return _run(way @ unit(new) > way @ (unit(way[0]) if old is None else old))
        turns = range(len(acc) - BACK_BLOCKS, len(acc), TURN_BLOCKS)
        moving = np.array([spread(acc, first, first + TURN_BLOCKS) >= PAUSED * self._slow_stir for first in turns])
        return min(BACK_BLOCKS, TURN_BLOCKS * _run(moving == walking))

    def _name(self) -> Name:
        """Return what the state is called."""
        if not self._level:
            self._seat_way, self._lying = None, False
            if not self._walking:
                self._climbing = 0.0
                return "standing"
            if self._segment != "trunk":
                return "walking"
            up = climbing(self._look.acc[-4 * BLOCK_HZ :])
            self._climbing += (up - self._climbing) / CLIMB_MEMORY
            return "stairs" if self._climbing > 0.5 else "walking"
        self._climbing = 0.0
        if self._segment == "trunk":
            return "lying"
        return "lying" if self._segment == "thigh" and self._rolled() else "sitting"

    def _rolled(self) -> bool:
        """Return whether a level thigh belongs to somebody who lies: once rolled over, they do until they get up."""
        up = self._upright.up
        if up is None or self._lying or self._look.stir.last_s > STILL:
            return self._lying
        force = unit(self._look.force)
        tilt = degrees_between(force, up)
        if LEVEL_DEG - 30 < tilt < FEET_UP_DEG:
            way = unit(force - (force @ up) * up)
            self._seat_way = way if self._seat_way is None else self._seat_way
            self._lying = degrees_between(way, self._seat_way) > ROLLED_DEG
        else:
            self._lying = tilt >= FEET_UP_DEG
        return self._lying

    def _quality(self, name: Name) -> tuple[Quality, str]:
        if self._segment == "wrist":
            return "degraded", ARM
        if not self._upright.known:
            return "degraded", NOT_WALKED
        if self._segment == "trunk" and name == "standing":
            return "degraded", NO_CHAIR
        if name == "stairs":
            return "degraded", MAYBE_STAIRS
        if self._segment == "thigh" and name == "sitting":
            return "degraded", ON_BACK
        return "ok", ""


def _smooth(acc: Floats) -> Floats:
    """Return the mean of half a second up to each block (n, 3); NaN where there is nothing."""
    known = np.isfinite(acc)
    total = np.cumsum(np.vstack([np.zeros((1, 3)), np.where(known, acc, 0.0)]), axis=0)
    count = np.cumsum(np.vstack([np.zeros((1, 3)), known]), axis=0)
    first = np.maximum(np.arange(1, len(acc) + 1) - TURN_BLOCKS, 0)
    n = count[1:] - count[first]
    mean: Floats = np.divide(total[1:] - total[first], n, out=np.full_like(acc, np.nan), where=n > 0)
    return mean


def _run(fits: NDArray[np.bool_]) -> int:
    """Return how many of the last entries in a row are true; at least one."""
    others = np.flatnonzero(~fits)
    return max(1, len(fits) - 1 - int(others[-1]) if len(others) else len(fits))
