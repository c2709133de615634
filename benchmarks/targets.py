"""What it costs that kernels are shipped for kinds of processors, and not made for this very one.

    python -m benchmarks.targets [--blocks 40]

A process for each target takes turns with the others, block by block, so that all see the same machine; the least
processor time of all blocks counts. Where no package has shipped them, each compiles for a minute at first.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

import llvmlite.binding
import numpy as np

from dsp.batch import Batch
from dsp.contact.detector import ContactDetector
from dsp.foot.contacts import FootContacts
from dsp.lower_back.lower_back import LowerBack
from dsp.orientation.orientation import Orientation
from dsp.processor import fitting
from dsp.shank.contacts import ShankContacts
from simulators.body.body import Placement, WalkingBody

RATE_HZ = 100.0
WALK_S = 60.0
LEAD = 1000  # samples: 10 s, past every filter's beginning and amid a walk; they are not timed
MOST = 40_000  # samples in a block: some milliseconds
Block = Callable[[], float]


def batches(place: Placement, numbers: Sequence[int], chunk: int) -> list[Batch]:
    """Return a walk of sensors that all move alike: `LEAD` samples of each at once, then ``chunk`` at a time."""
    motion = WalkingBody(3).sensor(place, rate_hz=RATE_HZ).read_until(WALK_S)
    assert motion is not None
    k = len(numbers)
    end = min(len(motion.acc), LEAD + max(chunk, MOST // k))
    made = []
    for first, last in ((0, LEAD), *((at, at + chunk) for at in range(LEAD, end - chunk + 1, chunk))):
        acc, gyr = (np.tile(x[first:last], (k, 1)) for x in (motion.acc, motion.gyr))
        index = np.tile(np.arange(first, last), k)
        made.append(Batch(np.array(numbers), np.arange(k + 1) * (last - first), index, acc, gyr))
    return made


def timed(process: Callable[[Batch], object], restart: Callable[[], object], fed: Sequence[Batch]) -> Block:
    """Return a call that begins anew, feeds batches and returns nanoseconds of processor time a sample."""
    lead, *rest = fed
    samples = sum(len(batch.index) for batch in rest)

    def block() -> float:
        restart()
        process(lead)
        begun = time.process_time_ns()
        for batch in rest:
            process(batch)
        return (time.process_time_ns() - begun) / samples

    return block


def events(operator: ContactDetector | LowerBack, place: Placement, sensors: int, chunk: int) -> Block:
    """Return a call that runs an operator of contacts or walks."""
    numbers = [operator.attach(RATE_HZ) for _ in range(sensors)]
    return timed(operator.process, lambda: [*map(operator.flush, numbers)], batches(place, numbers, chunk))


def oriented(sensors: int, chunk: int) -> Block:
    """Return a call that runs the orientation filter, without a magnetometer."""
    operator = Orientation()
    numbers = [operator.attach(RATE_HZ) for _ in range(sensors)]

    def restart() -> None:
        for number in numbers:
            operator.detach(number)
        if [operator.attach(RATE_HZ) for _ in range(sensors)] != numbers:
            raise RuntimeError("sensors have got other numbers than before")

    return timed(operator.process, restart, batches("left_shank", numbers, chunk))


CASES: Final[dict[str, Callable[[], Block]]] = {
    "orientation, one sensor, 4000 samples": lambda: oriented(1, 4000),
    "orientation, 490 sensors x 1 sample": lambda: oriented(490, 1),
    "orientation, 500 sensors x 10 samples": lambda: oriented(500, 10),
    "foot, one sensor, 4000 samples": lambda: events(FootContacts(), "left_foot", 1, 4000),
    "foot, 200 sensors x 2 samples": lambda: events(FootContacts(), "left_foot", 200, 2),
    "shank, 200 sensors x 2 samples": lambda: events(ShankContacts(), "left_shank", 200, 2),
    "lower back, one sensor, 4000 samples": lambda: events(LowerBack(), "lower_back", 1, 4000),
    "lower back, 200 sensors x 2 samples": lambda: events(LowerBack(), "lower_back", 200, 2),
}


def serve() -> None:
    """Answer each name of a case on standard input with the nanoseconds a sample of one block."""
    blocks: dict[str, Block] = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in blocks:
            blocks[name] = CASES[name]()
            blocks[name]()  # loads or compiles it
        print(blocks[name](), flush=True)


class Asked:
    """A process that runs blocks with the kernels of one target, or of the processor of that name with all it has."""

    def __init__(self, target: str, *, with_all: bool = False) -> None:
        chosen = {"NUMBA_CPU_NAME": target} | ({} if with_all else {"NUMBA_CPU_FEATURES": ""})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.targets", "--serve"], env=os.environ | chosen, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def block(self, name: str) -> float:
        """Return nanoseconds a sample of one block of a case."""
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        to.write(name + "\n")
        to.flush()
        return float(back.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.targets", description=__doc__.partition("\n")[0])
    parser.add_argument("--blocks", type=int, default=40, help="turns of each case")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve()
    has = [name for name, is_there in llvmlite.binding.get_host_cpu_features().items() if is_there]
    names = [target.name for target in fitting(platform.machine(), has)]
    host = llvmlite.binding.get_host_cpu_name()
    asked = {host: Asked(host, with_all=True)} | {name: Asked(name) for name in names}
    load = "/".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{platform.machine()} {host}, {os.cpu_count()} cores, load {load}")
    print("nanoseconds of processor time a sample, and how many times that for each target")
    for case in CASES:
        turns = [{name: each.block(case) for name, each in asked.items()} for _ in range(options.blocks)]
        least = {name: min(turn[name] for turn in turns) for name in asked}
        ratios = ", ".join(f"{name} {least[name] / least[host]:.2f}" for name in names)
        print(f"{case:42} {least[host]:8.1f}   {ratios}", flush=True)
    for each in asked.values():
        each.close()
    return None


if __name__ == "__main__":
    main()
