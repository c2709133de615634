"""The garbage collector looks seldom, and still collects."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from gateway.machine.garbage import NEW_OBJECTS, leave_alone, look_seldom

PYTHONS = 700
"""New objects after which Python itself looks, in the versions that we began with."""


class Circle:
    """An object that only refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def looks(objects: int) -> int:
    """Return how often the collector looks while so many objects are made and kept."""
    before = gc.get_stats()[0]["collections"]
    kept = [[] for _ in range(objects)]  # type: ignore[var-annotated]
    assert len(kept) == objects
    return int(gc.get_stats()[0]["collections"] - before)


def test_it_does_not_look_at_the_objects_of_a_step() -> None:
    gc.set_threshold(PYTHONS, 10, 10)
    gc.collect()
    assert looks(NEW_OBJECTS // 2) > 5
    look_seldom()
    assert gc.get_threshold()[1:] == (10, 10)
    gc.collect()
    assert looks(NEW_OBJECTS // 2) == 0


def test_circles_go_all_the_same() -> None:
    look_seldom()
    gone = weakref.ref(Circle())
    kept = [[] for _ in range(2 * NEW_OBJECTS)]  # type: ignore[var-annotated]
    assert gone() is None
    assert kept


def test_what_is_left_alone_is_not_looked_at_and_what_comes_after_still_goes() -> None:
    try:
        leave_alone()
        assert len(gc.get_objects()) < 1000  # of the hundred thousand that the modules of a process are
        gone = weakref.ref(Circle())
        gc.collect()
        assert gone() is None
    finally:
        gc.unfreeze()
