"""Compile every kernel once, or load it from the cache, so that the first patient does not wait for a compiler.

The cache (see `dsp.kernel`) belongs to one processor, one Python and one version of the sources.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dsp import kernel
from dsp.batch import Batch
from dsp.foot import FootContacts
from dsp.lower_back import LowerBack

RATE_HZ = 100.0
SAMPLES = 10

Tell = Callable[[str, float], None]  # what was made ready, and the seconds that it took


def warm_up(tell: Tell | None = None) -> float:
    """Make all kernels ready; return the seconds that it took.

    Args:
        tell: Called after each step with its name and seconds.
    """
    begun = last = time.perf_counter()
    for name, make_ready in parts():
        make_ready()
        now = time.perf_counter()
        if tell is not None:
            tell(name, now - last)
        last = now
    # The compiler's many objects stay as long as the process: the garbage collector need not look at them ever again.
    gc.collect()
    gc.freeze()
    return time.perf_counter() - begun


def parts() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield every kernel of the live path by name, with a call that makes it ready."""
    yield "device clocks", _clocks
    yield "axes", _axes
    yield "feet", lambda: _operator(FootContacts())
    yield "lower back", lambda: _operator(LowerBack())


def cache_folders() -> list[Path]:
    """Return where compiled kernels are kept."""
    return [kernel.cache_folder(), kernel.cache_folder(Path(__file__).parent)]


def _operator(operator: FootContacts | LowerBack) -> None:
    still = np.zeros((SAMPLES, 3))
    sensor = operator.attach(RATE_HZ)
    operator.push(Batch.single(np.arange(SAMPLES), still, still, sensor))
    operator.flush(sensor)


def _clocks() -> None:
    from drivers.packet import Packet, StreamSpec
    from gateway.timeline import Timelines

    timelines = Timelines(0)
    timeline = timelines.add(StreamSpec("imu", ("x",), ("1",), RATE_HZ, 1e6))
    stamps = np.arange(SAMPLES) * 10_000
    flags = np.zeros(SAMPLES, np.uint8)
    timelines.push([timeline], [Packet("imu", stamps * 1000, stamps, np.zeros((SAMPLES, 1)), flags)])
    timeline.at(np.zeros(1))
    timelines.at(np.zeros(1, np.int64), np.zeros(1))


def _axes() -> None:
    from gateway.axes import IMU_CHANNELS, picks, turn

    column, sign = picks("x y z", IMU_CHANNELS)
    acc, gyr = np.empty((2, SAMPLES, 3))
    samples = np.zeros((SAMPLES, len(IMU_CHANNELS)))
    turn(samples, np.array([0, SAMPLES]), column[None], sign[None], acc, gyr)
