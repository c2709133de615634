"""How fast simulated time runs: as fast as the computer can, of which others may take a part."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gateway.cli.pace import BEDS_A_PROCESSOR, SLOWEST, affordable_speed, free_processors, is_much
from tests.servers import wait_until

BUSY = "import sys\nprint(flush=True)\nwhile True: pass"


@pytest.mark.parametrize(
    ("beds", "processors", "speed"),
    [(1, 1, 1.0), (24, 1, 1.0), (30, 2, 1.0), (70, 2, 0.69), (70, 0.5, 0.17), (70, 0.1, SLOWEST), (99, 16, 1.0)],
)
def test_a_computer_simulates_no_more_than_it_can(beds: int, processors: float, speed: float) -> None:
    assert affordable_speed(beds, processors) == speed


def test_a_small_ward_is_not_measured_for() -> None:
    assert not is_much(2)
    assert not is_much(BEDS_A_PROCESSOR)
    assert is_much(70)


def test_what_others_use_is_not_free() -> None:
    """On one processor with eight busy neighbours, of which each gets as much as we do."""
    one = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {one})
    neighbours: list[subprocess.Popen[bytes]] = []
    try:
        assert 0.0 < free_processors() <= 1.0
        neighbours += [subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) for _ in range(8)]
        for neighbour in neighbours:
            assert neighbour.stdout is not None
            wait_until(neighbour.stdout.readline, 30.0)
        assert 0.0 < free_processors() < 0.6
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.communicate()
        os.sched_setaffinity(0, before)
