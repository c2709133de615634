"""The six-minute walk of simulated patients through the whole gateway: over the wire, the pipeline and the session.

Six minutes pass in seconds: the pipeline goes by the time of what arrives. Patients walk to and fro, tire, and stop
where they are weak; sensors are askew, noisy and lose one sample in a hundred.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.intake.frames import STEP_NS, Numbered, Origin
from simulators.clinic.patient import Patient
from simulators.clinic.perform import Performance, perform
from simulators.clinic.timed_tests import six_minute_walk

RATE_HZ = 60.0
COURSE_M = 20.0
ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
LATEST_S = 0.015
"""After it was sampled a packet arrives, besides 5 ms."""
SETTLES_S = 6.0
SOURCES: Mapping[str, tuple[str, ...]] = {"feet": ("left_foot", "right_foot"), "lower back": ("lower_back",)}


def walked(who: Patient) -> Performance:
    """Return the walk of a patient, with a sensor on both feet and the lower back."""
    places = [place for group in SOURCES.values() for place in group]
    return perform(six_minute_walk(course_m=COURSE_M), who, rate_hz=RATE_HZ, placements=places, start="standing")


def distance_error(done: Performance, places: Sequence[str], *, course: bool) -> float:
    """Return by what share of the true way the believed distance is wrong; 1 where there is none.

    Args:
        done: The walk.
        places: Where sensors are worn.
        course: The length of the course is known, so that its laps count.
    """
    [test] = done.truth.of("6mwt")
    told = [
        row.value
        for row in _lived(done, places, f"6mwt course_m={COURSE_M:g}" if course else "6mwt")
        if row.metric == "mwt6_distance" and row.value is not None
    ]
    return abs(told[0] / float(test.facts["distance_m"]) - 1) if len(told) == 1 else 1.0


def _lived(done: Performance, places: Sequence[str], protocol: str) -> list[Any]:
    """Return all that the gateway measures of a walk."""
    devices = [
        Device(
            id=place.replace("_", "-"), driver="movella_dot", placement=place, address=f"00:00:00:00:00:{number:02x}",
            options={"mode": "rate"},
        )
        for number, place in enumerate(places, 1)
    ]  # fmt: skip
    slot = Slot(id="bed-1", subject="p-1", protocol=protocol, height_m=done.patient.height_m, device=devices)
    pipeline = Pipeline(Settings(simulated=True, slot=[slot]), ORIGIN, {"bed-1": "bed-1-a"})
    frames = sorted(
        (frame for number, place in enumerate(places) for frame in _sent(done, place, number)),
        key=lambda numbered: numbered[1].arrival_ns,
    )
    out: list[Any] = []
    at, end_ns = 0, ORIGIN.monotonic_ns
    while at < len(frames) or end_ns < frames[-1][1].arrival_ns + SETTLES_S * NS:
        end_ns += STEP_NS
        first = at
        while at < len(frames) and frames[at][1].arrival_ns < end_ns:
            at += 1
        out += pipeline.step(frames[first:at])
    return [*out, *pipeline.finish()]


def _sent(done: Performance, place: str, number: int) -> list[Numbered]:
    """Return the packets of a sensor, each up to one connection interval late."""
    signals, late = done.signals[place], np.random.default_rng(number)
    out: list[Numbered] = []
    for index, acc, gyr in zip(*signals, strict=True):
        time_s = float(index) / RATE_HZ
        data = struct.pack("<I6f", round(time_s * 1e6), *acc, *np.degrees(gyr)).ljust(40, b"\0")
        arrival_ns = ORIGIN.monotonic_ns + round((time_s + 0.005 + late.uniform(0.0, LATEST_S)) * NS)
        out.append((number, Frame(arrival_ns, "measurement", data)))
    return out
