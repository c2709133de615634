"""The movement during timed tests, small enough to be drawn afterwards: kept here while nobody else keeps samples.

While a session of a timed test runs, the stream of one motion sensor is asked for, as a strip on a page asks for it. Of
its samples the size of the acceleration and of the rate of turning is kept, twenty values a second. They are gone when
the dashboard ends: what was found stands in the history, and is drawn without them.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.dashboard.site import Site
from gateway.dashboard.timed_tests import find_test
from gateway.dashboard.ward import Ward
from gateway.dashboard.waveforms import TooManyWatchersError
from gateway.wire.waveform import decode, times_us

BIN_US: Final = 50_000
"""Twenty values a second: a step and a rise are seen, and six minutes are 7,200 values."""
MOST_BINS: Final = 12_000  # ten minutes: a session that nobody ends is not a test any more
KEPT: Final = 64  # tests: a day of a ward
LOOK_S: Final = 0.25
AFTER_S: Final = 2.0  # what was under way when the session ended
PREFERRED: Final = (
    "lower_back", "chest", "left_thigh", "right_thigh", "left_foot", "right_foot", "left_shank", "right_shank", "wrist",
    "left_wrist", "right_wrist",
)  # fmt: skip
AXES: Final = {"acc": ("acc_x", "acc_y", "acc_z"), "gyr": ("gyr_x", "gyr_y", "gyr_z")}
FACTORS: Final = {"rad/s": 180.0 / math.pi}

Columns = Mapping[str, tuple[Sequence[int], float]]
Key = tuple[str, str]
"""Gateway and session."""


@dataclass(slots=True)
class Trace:
    """What one sensor saw of a test.

    Attributes:
        device: Its id.
        placement: Where it is worn.
        start_us: Of the first value, UTC microseconds; None before there is one.
        values: By ``acc`` (m/s²) and ``gyr`` (°/s), one value each 50 ms; None where samples are missing.
    """

    device: str
    placement: str
    start_us: int | None = None
    values: dict[str, list[float | None]] = field(default_factory=lambda: {name: [] for name in AXES})

    @property
    def is_full(self) -> bool:
        """Whether it takes no more."""
        return len(self.values["acc"]) >= MOST_BINS

    def add(self, payload: bytes, columns: Columns) -> None:
        """Take a frame of the stream; what is malformed or older than the beginning is left out."""
        with suppress(ValueError, IndexError):
            start_us, rate_hz, samples = decode(payload)
            at = times_us(start_us, rate_hz, len(samples)) // BIN_US
            if self.start_us is None and len(at):
                self.start_us = int(at[0]) * BIN_US
            for name, (axes, factor) in columns.items():
                self._add(name, at, np.linalg.norm(samples[:, list(axes)], axis=1) * factor)

    def _add(self, name: str, at: NDArray[np.int64], sizes: NDArray[np.float64]) -> None:
        assert self.start_us is not None
        column, first = self.values[name], self.start_us // BIN_US
        for bin_ in np.unique(at).tolist():
            place = bin_ - first
            if not 0 <= place < MOST_BINS:
                continue
            column.extend([None] * (place + 1 - len(column)))
            size = float(np.nanmean(sizes[at == bin_])) if np.isfinite(sizes[at == bin_]).any() else None
            column[place] = None if size is None else round(size, 2)

    def as_json(self) -> dict[str, Any]:
        """Return it for a page."""
        return {
            "device": self.device, "placement": self.placement, "start_us": self.start_us, "step_us": BIN_US,
            **self.values,
        }  # fmt: skip


class TimedTraces:
    """Follows the sessions of timed tests of all wards.

    Args:
        site: Where the streams come from.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._traces: OrderedDict[Key, Trace] = OrderedDict()
        self._following: dict[Key, asyncio.Task[None]] = {}

    def trace(self, gateway: str, session: str) -> Trace | None:
        """Return what was seen of a test; None where nothing was."""
        found = self._traces.get((gateway, session))
        return found if found and found.start_us is not None else None

    async def run(self) -> None:
        """Look for sessions that begin, until cancelled."""
        try:
            while True:
                for ward in self._site.wards():
                    self._look(ward)
                await asyncio.sleep(LOOK_S)
        finally:
            for task in self._following.values():
                task.cancel()

    def _look(self, ward: Ward) -> None:
        for session in ward.registry.sessions.values():
            key = (ward.gateway, session["id"])
            if key in self._following or session["state"] != "running" or find_test(session["protocol"]) is None:
                continue
            if (chosen := _choose(_worn(ward, session["subject"]), self._traces.get(key))) is not None:
                trace = self._traces.setdefault(key, Trace(chosen["id"], str(chosen["placement"])))
                if trace.is_full:
                    continue
                while len(self._traces) > KEPT:
                    self._traces.popitem(last=False)
                task = asyncio.create_task(
                    self._follow(ward, session["subject"], key, trace, chosen), name="timed trace"
                )
                self._following[key] = task
                task.add_done_callback(partial(self._forget, key))

    def _forget(self, key: Key, _task: asyncio.Task[None]) -> None:
        self._following.pop(key, None)

    async def _follow(self, ward: Ward, subject: str, key: Key, trace: Trace, device: Mapping[str, Any]) -> None:
        """Take the samples of a device while its session runs, and a moment longer; none once it is taken off."""
        columns = _columns(device["streams"]["imu"])
        with suppress(TooManyWatchersError), self._site.waveforms(ward).watching(device["id"], "imu") as watcher:
            clock = asyncio.get_running_loop().time
            until_s = math.inf
            while clock() < until_s and not trace.is_full:
                frame = await watcher.get(LOOK_S)
                if frame is not None:
                    if not frame or _choose(_worn(ward, subject), trace) is None:
                        return
                    trace.add(frame, columns)
                session = ward.registry.sessions.get(subject)
                if session is None or session["id"] != key[1] or session["state"] != "running":
                    until_s = min(until_s, clock() + AFTER_S)


def _worn(ward: Ward, subject: str) -> list[Mapping[str, Any]]:
    """Return what somebody wears, wherever they lie by now.

    The registry says at once who wears what; a status says it a while later, and tells the streams.
    """
    bed = next((bed for bed, one in ward.registry.subjects.items() if one["id"] == subject), None)
    if bed is None:
        return []
    placed = {one["id"]: one["placement"] for one in ward.registry.devices if one["bed"] == bed}
    return [one for one in ward.devices() if placed.get(one["id"], "") == one.get("placement")]


def _choose(devices: Iterable[Mapping[str, Any]], begun: Trace | None = None) -> Mapping[str, Any] | None:
    """Return the motion sensor that sees most of the body; None where none streams.

    Of a trace that was begun only its own sensor, where it was: another would be drawn under its name.
    """
    able = [one for one in devices if _columns(((one.get("streams") or {}).get("imu")) or {})]
    able = [one for one in able if one.get("placement") in PREFERRED]
    if begun is not None:
        able = [one for one in able if (one["id"], one["placement"]) == (begun.device, begun.placement)]
    return min(able, key=lambda one: PREFERRED.index(one["placement"]), default=None)


def _columns(stream: Mapping[str, Any]) -> Columns:
    """Return where acceleration and turning stand in the samples, and what makes familiar units of them."""
    channels, units = list(stream.get("channels") or ()), list(stream.get("units") or ())
    if len(units) != len(channels) or not all(axis in channels for axes in AXES.values() for axis in axes):
        return {}
    places = {name: [channels.index(axis) for axis in axes] for name, axes in AXES.items()}
    return {name: (at, FACTORS.get(units[at[0]], 1.0)) for name, at in places.items()}
