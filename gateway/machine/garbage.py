"""How often Python looks for objects that only refer to each other: seldom."""

from __future__ import annotations

import gc
from typing import Final

NEW_OBJECTS: Final = 20_000
"""More objects than Python has made since the last look, less those that went, when it looks again. A step of a full
ward holds some ten thousand for as long as it lasts, and they go by themselves at its end: with Python's 700, a tenth
of what a ward costs was spent on looking at them. What is in circles waits for longer: some megabytes at most."""


def leave_alone() -> None:
    """Have the garbage collector look at none of the present objects ever again.

    What a process has loaded by then stays as long as it runs, and a look at all of it takes a fifth of a second.
    """
    gc.collect()
    gc.freeze()


def look_seldom() -> None:
    """Have the garbage collector look after `NEW_OBJECTS`; how often it looks at older ones stays as it is."""
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
