"""Which way a sensor lies when its segment is upright: found from walking, since people walk upright.

Before anybody has walked it is a guess: the long axis of a device in a pocket, the axis along the forearm of a watch.
"""

from __future__ import annotations

import math
from typing import Final

from dsp.posture.blocks import Floats

GUESSED_DEG: Final = 38.0
"""A device in a pocket leans from its long axis by up to 35 degrees in walking, and by 41 and more in sitting."""
LEARNED_DEG: Final = 30.0
"""From the direction of walking, before anybody was seen to sit."""
NARROWEST_DEG: Final = 15.0
WIDEST_DEG: Final = 45.0
"""Between walking and sitting, half way: but a thigh leans 10 degrees in standing, and 45 is half way to level."""
APART_DEG: Final = 20.0
"""What is nearer to the direction of walking than this is no seat."""
WALK_MEMORY: Final = 40
"""Half seconds of walking: a phone that slips is followed within half a minute."""
SEAT_MEMORY: Final = 20


class Upright:
    """The direction of gravity in one sensor when its wearer is upright, and when seated.

    Args:
        guess: (3,) axis of the device that is believed to be along the segment; None where there is no such belief.
        up: (3,) direction that was learned before; None to learn it.
    """

    def __init__(self, guess: Floats | None, up: Floats | None = None) -> None:
        self._guess = guess
        self.up: Floats | None = up
        self.seat: Floats | None = None
        self._walked = 0 if up is None else WALK_MEMORY
        self._sat = 0

    @property
    def known(self) -> bool:
        """Whether anybody has walked."""
        return self.up is not None

    @property
    def border_deg(self) -> float:
        """Return beyond which tilt nobody is upright."""
        if self.up is None:
            return GUESSED_DEG
        if self.seat is None:
            return LEARNED_DEG
        return min(max(0.5 * degrees_between(self.up, self.seat), NARROWEST_DEG), WIDEST_DEG)

    def tilt_deg(self, force: Floats) -> float:
        """Return how far a force (3,) points from upright; zero where nothing is believed, NaN without a force."""
        size = math.sqrt(force @ force)
        if not size > 0:
            return math.nan
        if self.up is not None:
            along = float(force @ self.up)
        elif self._guess is not None:
            along = abs(float(force @ self._guess))
        else:
            return 0.0
        return math.degrees(math.acos(min(max(along / size, -1.0), 1.0)))

    def walks(self, force: Floats) -> bool:
        """Learn from the mean force (3,) of a moment of walking; False where it is rather somebody who sits."""
        direction = unit(force)
        if self.up is not None and self.seat is not None:
            apart = degrees_between(direction, self.up)
            if apart > APART_DEG and degrees_between(direction, self.seat) < apart:
                return False
        self._walked = min(self._walked + 1, WALK_MEMORY)
        self.up = direction if self.up is None else unit(self.up + (direction - self.up) / self._walked)
        if self.seat is not None and degrees_between(self.up, self.seat) < APART_DEG:
            self.seat, self._sat = None, 0
        return True

    def sits(self, force: Floats) -> None:
        """Learn from the mean force (3,) of a moment of sitting."""
        direction = unit(force)
        if self.up is not None and degrees_between(direction, self.up) < APART_DEG:
            return
        self._sat = min(self._sat + 1, SEAT_MEMORY)
        self.seat = direction if self.seat is None else unit(self.seat + (direction - self.seat) / self._sat)


def unit(vector: Floats) -> Floats:
    """Return a vector (3,) at length one."""
    return vector / (math.sqrt(vector @ vector) or 1.0)


def degrees_between(one: Floats, other: Floats) -> float:
    """Return the angle between two directions."""
    return math.degrees(math.acos(min(max(float(one @ other), -1.0), 1.0)))
