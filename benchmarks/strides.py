"""What the smoothness of a stride costs the sensor of one foot, fed two seconds at a time as the gateway feeds it."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

import numpy as np

from benchmarks.entry import Entry
from dsp.gait.stride_smoothness import StrideSmoothness
from dsp.smoothness import log_dimensionless_jerk_acc, sparc
from simulators.body.body import WalkingBody
from tests.dsp.smoothness_reference import of_stride

RATE_HZ = 100.0
TURN = 200  # samples
STRIDE = 110.3  # samples: a stride of 1.1 s, which begins between two
GOAL = 2.0  # a ward makes three hundred strides a second
ROUNDS = 200  # the best counts: what else the machine does is no cost of a stride


def entries() -> list[Entry]:
    """Return microseconds of a turn with a stride in it, of a stride, and how many times that numpy takes for one."""
    motion = WalkingBody(3).sensor("left_foot", rate_hz=RATE_HZ).read_until(10.0)
    assert motion is not None
    acc, gyr = motion.acc[-TURN:], motion.gyr[-TURN:]
    operator, begins = StrideSmoothness(RATE_HZ), count(0, TURN)

    def turn() -> None:
        begin = next(begins)
        operator.stride(begin + 10.5, begin + 10.5 + STRIDE)
        assert len(list(operator.process(np.arange(begin, begin + TURN), acc, gyr))) == 2

    force, speed = acc[11:121].copy(), np.sqrt((gyr[11:121] ** 2).sum(axis=1))
    compiled = best_us(lambda: (sparc(speed, RATE_HZ), log_dimensionless_jerk_acc(force, RATE_HZ)))
    plain = best_us(lambda: of_stride(force, gyr[11:121], RATE_HZ))
    return [
        Entry("smoothness of a stride, with its turn of 2 s", best_us(turn), "us"),
        Entry("smoothness of a stride alone", compiled, "us"),
        Entry("smoothness of a stride alone, numpy by compiled", plain / compiled, "x", GOAL, above=True),
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
