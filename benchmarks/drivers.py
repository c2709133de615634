"""What each driver that is installed costs: a frame decoded by itself, the worst way to do it, and ten samples at once.

The frames are those of the driver's contract test, so that a new driver stands in the table without another line.
A ward decodes many at once (`benchmarks.ward`); what is dear alone is dear there too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.entry import Entry
from drivers.driver import Driver
from drivers.packet import Frame, Frames
from drivers.registry import driver_names, example_driver
from tests.fuzz.devices import contract_of

FRAMES = 30
DEVICES = 20  # each with a packet of ten samples, decoded together as the gateway does
OFTEN = ("acceleration", "emg", "exoskeleton", "imu", "orientation")  # streams of which a step brings several samples
ROUNDS = 20  # the best counts: what else the machine does is no cost of the driver
GOAL_US = 30.0  # a notification that brings a whole record, on the smallest machine that we run on


def entries() -> list[Entry]:
    """Return microseconds a frame of each driver, and of those that sample often for a packet of ten samples."""
    alone = [Entry(f"driver {name}, a frame alone", cost_us(name), "us", goal_us(name)) for name in driver_names()]
    often = [name for name in driver_names() if contract_of(name).main_stream in OFTEN]
    return alone + [Entry(f"driver {name}, ten samples", ten_us(name), "us", GOAL_US) for name in often]


def goal_us(name: str) -> float | None:
    """Return the goal of a driver; none of one that samples at a rate: it is made for many at once (`ward`)."""
    contract, decoder = contract_of(name), example_driver(name).decoder()
    decoder.decode(contract.announced())
    sampled = any(stream.rate_hz is not None for stream in decoder.streams.values())
    return None if sampled else GOAL_US


def cost_us(name: str) -> float:
    """Return what a frame costs one driver."""
    contract, driver = contract_of(name), example_driver(name)
    announced, frames = contract.announced(), contract.streamed(FRAMES)
    return min(_once_us(driver, announced, frames) for _ in range(ROUNDS))


def ten_us(name: str) -> float:
    """Return what a packet of ten samples costs one driver, among those of other devices."""
    contract, driver = contract_of(name), example_driver(name)
    announced, frames = contract.announced(), contract.packed(10)
    return min(_together_us(driver, announced, frames) for _ in range(ROUNDS))


def _together_us(driver: Driver, announced: Sequence[Frame], frames: Sequence[Frame]) -> float:
    decoders = [driver.decoder() for _ in range(DEVICES)]
    for decoder in decoders:
        decoder.decode(announced)
    work = Frames.of([frames] * DEVICES)
    begun = time.process_time()
    type(decoders[0]).decode_batch(decoders, work)
    return (time.process_time() - begun) / DEVICES * 1e6


def _once_us(driver: Driver, announced: Sequence[Frame], frames: Sequence[Frame]) -> float:
    decoder = driver.decoder()
    decoder.decode(announced)
    begun = time.process_time()
    for frame in frames:
        decoder.decode([frame])
    return (time.process_time() - begun) / len(frames) * 1e6


if __name__ == "__main__":
    for entry in entries():
        print(f"{entry.name:40} {entry.value:6.1f} {entry.unit}")
