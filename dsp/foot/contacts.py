"""Foot contacts from inertial sensors on the feet: initial and final contact, foot-flat, gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.contact.events import EVENT, HISTORY, MAX_LANDING, MAX_TAPS, RATE_RANGE_HZ
from dsp.contact.stride_kernel import SCRATCH, STRIDE
from dsp.foot.kernel import Sink, contacts
from dsp.foot.layout import PARAMS, STATE
from dsp.mounting.alignment import ALIGNMENT, Mounting
from dsp.roster import Roster, more_rows, require_rate
from dsp.units import UnitWatch

__all__ = ["ALGORITHM", "FootContacts", "FootParams"]

ALGORITHM = "foot-contacts/2"

MEASURED = ("length", "clearance", "strike_angle", "toe_off_angle", "turn")
"""What a stride is integrated to: as wrong as the units are."""


@dataclass(frozen=True, slots=True)
class FootParams:
    """Physical limits of what counts as a step. Times in seconds, rates in rad/s, angles in rad.

    Attributes:
        smoothing_s: Half-width of the triangular smoothing window over the pitch rate.
        bridge_s: Longest run of lost samples that is interpolated once the next sample is there.
        again_s: What is gone through again when another axis is found: a heel rise and half a swing.
        landing_min_s: Time after the end of the toe-up rotation in which the foot slaps down, if it does.
        landing_max_s: Longest such time when the toe is lowered slowly.
        swing_max_s: Longest swing (exoskeleton strides take up to 8 s).
        lift_max_s: Time in which the toe-up rotation must become that of a step.
        phase_min_s: Shortest stance and shortest swing.
        ringing_s: Time after an initial contact in which the impact may still ring.
        push_age_s: Longest time from push-off to the start of the toe-up rotation.
        calm_s: Time without rotation that ends a swing in which the foot came down flat.
        still_s: Time without any rotation after which nothing before counts as the start of a step.
        hidden_s: Longest gap in which a foot that swings before and after it cannot have stood meanwhile.
        stand_s: Time without any rotation after which the foot stands, whatever a gap before has hidden.
        flat_s: Quiet time that makes foot-flat.
        flat_search_s: Time after that in which the stillest instant of foot-flat is looked for.
        rate_floor: Slowest peak of a swing; slower rotations are shifts of weight.
        angle_floor: Smallest toe-up rotation of a swing.
        memory_s: Time constant with which the typical stride is forgotten in a pause.
    """

    smoothing_s: float = 0.04
    bridge_s: float = 0.1
    again_s: float = 2.0
    landing_min_s: float = 0.08
    landing_max_s: float = 0.18
    swing_max_s: float = 5.0
    lift_max_s: float = 2.0
    phase_min_s: float = 0.1
    ringing_s: float = 0.3
    push_age_s: float = 0.5
    calm_s: float = 0.08
    still_s: float = 0.05
    hidden_s: float = 0.3
    stand_s: float = 0.5
    flat_s: float = 0.1
    flat_search_s: float = 0.2
    rate_floor: float = 0.25
    angle_floor: float = 0.1
    memory_s: float = 20.0

    def for_rate(self, rate_hz: float) -> NDArray[np.void]:
        """Return one row of the kernel's parameters for a sampling rate."""
        p = np.zeros(1, PARAMS)
        half = min(max(int(np.ceil(self.smoothing_s * rate_hz)) - 1, 0), MAX_TAPS // 2)
        taps = 1.0 - np.abs(np.arange(-half, half + 1)) / max(self.smoothing_s * rate_hz, 1.0)
        p["dt"] = 1.0 / rate_hz
        p["half"] = half
        p["taps"][0, : 2 * half + 1] = taps / taps.sum()
        p["again"] = min(round(self.again_s * rate_hz), HISTORY)
        p["bridge"] = round(self.bridge_s * rate_hz)
        p["landing_min"] = round(self.landing_min_s * rate_hz)
        p["landing_max"] = min(round(self.landing_max_s * rate_hz), MAX_LANDING - 1)
        p["swing_max"] = round(self.swing_max_s * rate_hz)
        p["lift_max"] = round(self.lift_max_s * rate_hz)
        p["min_phase"] = self.phase_min_s * rate_hz
        p["ringing"] = self.ringing_s * rate_hz
        p["push_age"] = self.push_age_s * rate_hz
        p["calm"] = max(2, round(self.calm_s * rate_hz))
        p["still"] = max(2, round(self.still_s * rate_hz))
        p["hidden"] = round(self.hidden_s * rate_hz)
        p["stand"] = round(self.stand_s * rate_hz)
        p["flat_search"] = round(self.flat_search_s * rate_hz)
        p["quiet"] = round(self.flat_s * rate_hz)
        p["rate_floor"] = self.rate_floor
        p["angle_floor"] = self.angle_floor
        p["fade"] = np.exp(-1.0 / (self.memory_s * rate_hz))
        return p


class FootContacts:
    """Streaming detector of foot contacts for many sensors, one kernel call a batch.

    Sensors should lie in the segment frame (x to the toe, y left, z up); one strapped on askew is found out within the
    first strides, and what it saw of them is gone through again. The same samples in any chunking give the same events,
    bit for bit. Methods: Aminian 2002, Salarian 2004 (gyroscope), with timing levels of our own.

    Attributes:
        strides: What the newest ``push`` closed, array of ``STRIDE``: a stride comes with the foot-flat that ends it.
    """

    def __init__(self, params: FootParams | None = None) -> None:
        self._params = params or FootParams()
        self._roster = Roster(self._grow)
        self._rows = np.zeros(0, PARAMS)
        self._state = np.zeros(0, STATE)
        self._alignment = np.zeros(0, ALIGNMENT)
        self._history = np.zeros((0, HISTORY, 6))
        self._events = np.zeros(0, EVENT)
        self._strides = np.zeros(0, STRIDE)
        self._scratch = np.zeros((HISTORY, SCRATCH))
        self._units = UnitWatch()
        self.strides: NDArray[np.void] = np.zeros(0, STRIDE)

    def attach(self, rate_hz: float) -> int:
        """Return the number of a new sensor sampled at ``rate_hz``."""
        require_rate("foot contacts need", rate_hz, RATE_RANGE_HZ)
        sensor = self._roster.take()
        self._rows[sensor] = self._params.for_rate(rate_hz)[0]
        self._state[sensor] = np.zeros((), STATE)
        self._alignment[sensor] = np.zeros((), ALIGNMENT)
        self._units.forget(sensor)
        return sensor

    def detach(self, sensor: int) -> None:
        """Forget a sensor; its number may be given to another."""
        self._roster.leave(sensor)

    def push(self, batch: Batch) -> NDArray[np.void]:
        """Return the events decided by these samples: array of ``EVENT``, by sensor in the batch's order."""
        self._roster.check(*batch.sensor.tolist())
        self._units.look(batch)
        need = 4 * len(batch.index) + 16
        if len(self._events) < need:
            self._events = np.zeros(2 * need, EVENT)
            self._strides = np.zeros(need, STRIDE)
        counts = np.zeros(2, np.int64)
        contacts(
            batch.sensor,
            batch.start,
            batch.index,
            batch.acc,
            batch.gyr,
            self._rows.view(np.recarray),
            self._state.view(np.recarray),
            self._alignment.view(np.recarray),
            self._history,
            Sink(self._events.view(np.recarray), self._strides.view(np.recarray), counts, self._scratch),
        )
        self.strides = self._strides[: counts[1]].copy()
        if counts[1]:
            bad = self._units.doubted(self.strides["sensor"])
            for name in MEASURED:
                self.strides[name][bad] = np.nan
        return self._events[: counts[0]].copy()

    def doubt(self, sensor: int) -> str:
        """Return what is wrong with the units of a sensor, whose strides then have no measures; empty if nothing is."""
        self._roster.check(sensor)
        return self._units.doubt(sensor)

    def flush(self, sensor: int) -> NDArray[np.void]:
        """End the stream of a sensor: an undecided event is dropped rather than guessed; it starts afresh."""
        self._roster.check(sensor)
        self._state[sensor] = np.zeros((), STATE)
        return np.zeros(0, EVENT)

    def mounting(self, sensor: int) -> Mounting:
        """Return how this sensor is found to be strapped on."""
        self._roster.check(sensor)
        return Mounting.of(self._alignment[sensor])

    def settled(self, sensor: int) -> float:
        """Return the sample number before which no event of this sensor will come any more; -inf at first."""
        self._roster.check(sensor)
        state = self._state[sensor]
        return float(state["settled"]) if state["started"] else -np.inf

    def settled_all(self) -> NDArray[np.float64]:
        """Return the same of all sensors by their numbers, which are those up to the highest that was given."""
        state = self._state[: len(self._roster)]
        settled: NDArray[np.float64] = np.where(state["started"] != 0, state["settled"], -np.inf)
        return settled

    def _grow(self, room: int) -> None:
        self._rows = more_rows(self._rows, room)
        self._state = more_rows(self._state, room)
        self._alignment = more_rows(self._alignment, room)
        self._history = np.concatenate([self._history, np.zeros((room, HISTORY, 6))])
        self._units.grow(room)
