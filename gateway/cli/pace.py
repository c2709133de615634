"""How fast simulated time can run on this computer, beside what else it does."""

from __future__ import annotations

import hashlib
import os
import threading
import time

BEDS_A_PROCESSOR = 24  # in real time, of a small computer, with everything on it: devices, gateway, historian, pages
SLOWEST = 0.1  # of real time: slower than that nobody waits for a step
LOOK_S = 0.4  # long enough that who has slept until now gets no more than its share
MOST_LOOKED_AT = 8  # processors: more beds than these can simulate there are not
_BLOCK = bytes(1 << 20)  # hashed at a time, without the interpreter's lock


def affordable_speed(beds: int, processors: float) -> float:
    """Return how much of real time a computer can simulate, at most all of it."""
    return round(min(1.0, max(SLOWEST, BEDS_A_PROCESSOR * processors / beds)), 2)


def slower(speed: float) -> float:
    """Return a speed to try where this one was too much."""
    return max(SLOWEST, round(speed / 2, 2))


def is_much(beds: int) -> bool:
    """Return whether so many beds may be too much for one processor."""
    return beds > BEDS_A_PROCESSOR


def free_processors() -> float:
    """Return how many processors this process gets beside all others: keeps them busy for a moment, and looks.

    Counts what a number of processors does not tell: other programs, a low priority, the limit of a container.
    """
    allowed = min(len(os.sched_getaffinity(0)), MOST_LOOKED_AT)
    began_s, used_s = time.perf_counter(), time.process_time()
    until_s = began_s + LOOK_S

    def keep_busy() -> None:
        while time.perf_counter() < until_s:
            hashlib.sha256(_BLOCK)

    threads = [threading.Thread(target=keep_busy, name="look") for _ in range(allowed)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return min(float(allowed), (time.process_time() - used_s) / (time.perf_counter() - began_s))
