"""What the smoothness of a stride costs the sensor of one foot, fed two seconds at a time as the gateway feeds it."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

import numpy as np

from benchmarks.entry import Entry
from dsp.gait.stride_smoothness import StrideSmoothness
from simulators.body.body import WalkingBody
from tests.dsp.smoothness_reference import of_stride

RATE_HZ = 100.0
TURN = 200  # samples
STRIDE = 110.3  # samples: a stride of 1.1 s, which begins between two
ROUNDS = 200  # the best counts: what else the machine does is no cost of a stride


def entries() -> list[Entry]:
    """Return microseconds a stride, with all that a turn costs, and how many times that plain numpy takes for it."""
    motion = WalkingBody(3).sensor("left_foot", rate_hz=RATE_HZ).read_until(10.0)
    assert motion is not None
    acc, gyr = motion.acc[-TURN:], motion.gyr[-TURN:]
    operator, begins = StrideSmoothness(RATE_HZ), count(0, TURN)

    def turn() -> None:
        begin = next(begins)
        operator.stride(begin + 10.5, begin + 10.5 + STRIDE)
        assert len(list(operator.process(np.arange(begin, begin + TURN), acc, gyr))) == 2

    compiled = best_us(turn)
    plain = best_us(lambda: of_stride(acc[11:121], gyr[11:121], RATE_HZ))
    return [
        Entry("smoothness of a stride, and its turn of 2 s", compiled, "us"),
        Entry("smoothness of a stride, numpy beside that", plain / compiled, "x", 1.0, above=True),
    ]


def best_us(work: Callable[[], object]) -> float:
    """Return the least processor time of a piece of work, microseconds."""
    work()
    took = []
    for _ in range(ROUNDS):
        begun = time.thread_time()
        work()
        took.append(time.thread_time() - begun)
    return 1e6 * min(took)
