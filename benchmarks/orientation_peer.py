"""What ``benchmarks.orientation`` runs in the environment of the ``vqf`` package: a block of calls for each line read.

Arguments: n, sensors, samples a call, calls a block, 1 with magnetometer. Reads float64 (3, n, 3), acc, gyr and mag,
says ready, then for each line read the nanoseconds a sample of one block.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import vqf

RATE_HZ = 100.0


def main() -> None:
    """Serve blocks until the input ends."""
    n, sensors, chunk, rounds, with_mag = (int(x) for x in sys.argv[1:6])
    acc, gyr, mag = np.frombuffer(sys.stdin.buffer.read(3 * n * 3 * 8)).reshape(3, n, 3)
    start = n - chunk * rounds
    columns = [gyr, acc, mag] if with_mag else [gyr, acc]
    filters = [vqf.VQF(1.0 / RATE_HZ) for _ in range(sensors)]
    for f in filters:
        f.updateBatch(*(np.ascontiguousarray(x[:start]) for x in columns))
    print("ready", flush=True)
    for _ in sys.stdin.buffer:
        spent = 0
        for i in range(rounds):
            rows = slice(start + i * chunk, start + (i + 1) * chunk)
            samples = [np.ascontiguousarray(x[rows]) for x in columns]
            begin = time.perf_counter_ns()
            run(filters, samples, chunk, with_mag)
            spent += time.perf_counter_ns() - begin
        print(spent / (sensors * chunk * rounds), flush=True)


def run(filters: list[Any], samples: list[Any], chunk: int, with_mag: int) -> None:
    """Give the samples to every filter and take the orientation."""
    if chunk > 1:
        for f in filters:
            f.updateBatch(*samples)
    else:
        single = [x[0] for x in samples]
        for f in filters:
            f.update(*single)
            _ = f.getQuat9D() if with_mag else f.getQuat6D()


if __name__ == "__main__":
    main()
