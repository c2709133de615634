"""The orientation kernel against the ``vqf`` C++ package, in the same run.

    python -m venv PEER && PEER/bin/pip install numpy vqf
    python -m benchmarks.orientation --peer-python PEER/bin/python [--json FILE]

The package is no dependency of this project: it runs in its own environment, in a process that takes turns with this
one, block by block, so that both see the same machine. The least of all blocks counts. It is called the way that is
fastest for it: ``updateBatch`` for long arrays and packets, ``update`` and ``getQuat`` for single samples. Without a
peer only our own times are printed. Movement is made up (both do the same work on any), past the filters' beginning.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.orientation.orientation import Orientation

Array = NDArray[np.float64]

RATE_HZ = 100.0
START = 1000  # samples: 10 s, past every filter's beginning
BLOCKS = 40
PEER = Path(__file__).with_name("orientation_peer.py")


@dataclass(frozen=True, slots=True)
class Case:
    """One way of use: ``rounds`` calls with ``chunk`` new samples of each of ``sensors``."""

    name: str
    sensors: int
    chunk: int
    rounds: int
    mag: bool
    goal: float
    x86_only: bool = False

    @property
    def samples(self) -> int:
        """Samples in a block."""
        return self.sensors * self.chunk * self.rounds


CASES = (
    Case("long arrays, 9D", 1, 4000, 1, mag=True, goal=0.50),
    Case("long arrays, 6D", 1, 4000, 1, mag=False, goal=0.50),
    Case("64 sensors x 10 samples, 9D", 64, 10, 10, mag=True, goal=0.32),
    Case("490 sensors x 1 sample, 9D", 490, 1, 20, mag=True, goal=0.18),
    Case("512 sensors x 10 samples, 6D", 512, 10, 10, mag=False, goal=0.15, x86_only=True),
)


def movement(n: int) -> tuple[Array, Array, Array]:
    """Return acc, gyr and mag of a sensor that turns smoothly about changing axes, with noise."""
    rng = np.random.default_rng(7)
    t = np.arange(n)[:, None] / RATE_HZ
    gyr = np.sin(t * [1.1, 1.7, 2.3]) + 0.01 * rng.standard_normal((n, 3))
    turn = np.cumsum(gyr, axis=0) / RATE_HZ
    up = np.stack([np.sin(turn[:, 1]), np.sin(turn[:, 0]) * np.cos(turn[:, 1]), np.cos(turn[:, 0])], 1)
    acc = 9.81 * up / np.linalg.norm(up, axis=1, keepdims=True) + 0.3 * rng.standard_normal((n, 3))
    mag = 50.0 * np.roll(up, 1, axis=1) + 0.3 * rng.standard_normal((n, 3))
    return acc, gyr, mag


class Ours:
    """The product's operator on one case."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._filter = Orientation()
        self._sensors = np.array([self._filter.attach(RATE_HZ, mag=case.mag) for _ in range(case.sensors)])
        self._next = 0
        self._data = movement(START + case.chunk * case.rounds)
        self._push(START, 0)

    def _push(self, n: int, first: int) -> None:
        index = np.arange(self._next, self._next + n)
        k = len(self._sensors)
        acc, gyr, mag = (np.tile(x[first : first + n], (k, 1)) for x in self._data)
        batch = Batch(self._sensors, np.arange(k + 1) * n, np.tile(index, k), acc, gyr)
        self._time_push(batch, mag)
        self._next += n

    def _time_push(self, batch: Batch, mag: Array) -> None:
        begin = time.perf_counter_ns()
        self._filter.process(batch, mag if self._case.mag else None)
        self.spent = time.perf_counter_ns() - begin

    def block(self) -> float:
        """Return nanoseconds a sample of one block."""
        total = 0
        for i in range(self._case.rounds):
            self._push(self._case.chunk, START + i * self._case.chunk)
            total += self.spent
        return total / self._case.samples


class Theirs:
    """The peer's process on one case."""

    def __init__(self, case: Case, python: str) -> None:
        data = np.stack(movement(START + case.chunk * case.rounds))
        numbers = (data.shape[1], case.sensors, case.chunk, case.rounds, int(case.mag))
        command = [python, str(PEER), *map(str, numbers)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - the interpreter that the caller named
        self._ask(data.tobytes())

    def _ask(self, question: bytes) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(question)
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the peer's process ended: is vqf installed in its environment?")
        return line

    def block(self) -> float:
        """Return nanoseconds a sample of one block."""
        return float(self._ask(b"\n"))

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=30)


def compare(case: Case, python: str | None) -> tuple[float, float]:
    """Return the least nanoseconds a sample of both; NaN without a peer."""
    ours = Ours(case)
    theirs = Theirs(case, python) if python else None
    blocks: list[Callable[[], float]] = [ours.block] + ([theirs.block] if theirs else [])
    times = [[block() for block in blocks] for _ in range(BLOCKS)]
    if theirs:
        theirs.close()
    least = np.min(times, axis=0)
    return float(least[0]), float(least[1]) if theirs else float("nan")


def main() -> None:
    """Print the table; write the entries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="python of an environment with numpy and vqf")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    entries: dict[str, dict[str, Any]] = {}
    print(f"{'least ns a sample':36s} {'ours':>8s} {'vqf':>8s} {'ratio':>7s} {'goal':>6s}")
    for case in CASES:
        if case.x86_only and platform.machine() != "x86_64":
            continue
        ours, theirs = compare(case, args.peer_python)
        ratio = ours / theirs
        print(f"{case.name:36s} {ours:8.0f} {theirs:8.0f} {ratio:7.3f} {case.goal:6.2f}", flush=True)
        if args.peer_python:
            name = f"orientation / vqf: {case.name}"
            entries[name] = {"value": round(ratio, 3), "unit": "ratio", "goal": case.goal, "ok": ratio <= case.goal}
        else:
            entries[f"orientation: {case.name}"] = {"value": round(ours, 1), "unit": "ns", "goal": None, "ok": True}
    if args.json:
        args.json.write_text(json.dumps(entries, indent=1) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
