"""What a device takes of its source: all that is due while it is wanted, and of the rest the number."""

from __future__ import annotations

import numpy as np

from simulators.radio.counts import Counts
from simulators.radio.pull import Pull
from tests.simulators.helpers import Counting

RATE_HZ = 60.0


def test_all_that_is_due_is_taken_and_what_was_due_before_is_left_out() -> None:
    counts = Counts()
    pull = Pull(Counting(RATE_HZ), counts)
    until = [step * 0.02 for step in range(200)]
    for until_s in until[:77]:
        motion = pull.due(until_s, wanted=False)
        assert motion is not None
        assert not len(motion.time_s)
    taken = []
    for until_s in until[77:]:
        motion = pull.due(until_s, wanted=True)
        assert motion is not None
        taken += motion.time_s.tolist()
    k = np.rint(np.array(taken) * RATE_HZ)
    np.testing.assert_array_equal(np.diff(k), 1)
    assert k[0] == counts.unsent == int(until[77] * RATE_HZ) + 1
    assert k[-1] == int(until[-1] * RATE_HZ)


def test_what_nobody_takes_is_not_worked_out_at_every_look() -> None:
    looks = 0

    class Watched(Counting):
        def skip(self, until_s: float) -> int | None:
            nonlocal looks
            looks += 1
            return super().skip(until_s)

    pull = Pull(Watched(RATE_HZ), Counts())
    for step in range(500):
        pull.due(step * 0.02, wanted=False)
    assert 10 <= looks <= 25


def test_the_end_of_the_source_is_reported_whether_or_not_somebody_takes_it() -> None:
    counts = Counts()
    unwanted, wanted = Pull(Counting(RATE_HZ, count=30), counts), Pull(Counting(RATE_HZ, count=30), Counts())
    assert any(unwanted.due(float(second), wanted=False) is None for second in range(5))
    assert counts.unsent == 30
    motion = wanted.due(5.0, wanted=True)
    assert motion is not None
    assert len(motion.time_s) == 30
    assert wanted.due(6.0, wanted=True) is None
