"""Foot contacts from inertial sensors on the shanks: initial and final contact, mid-swing, gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.contact.events import EVENT, FINAL_CONTACT, GAP, INITIAL_CONTACT, MAX_LANDING, MAX_TAPS, RATE_RANGE_HZ
from dsp.contact.stride_kernel import STRIDE
from dsp.mounting.alignment import ALIGNMENT, Mounting
from dsp.roster import Roster, more_rows, require_rate
from dsp.shank.kernel import contacts
from dsp.shank.layout import MID_SWING, PARAMS, STATE
from dsp.units import UnitWatch

__all__ = ["ALGORITHM", "EVENT", "FINAL_CONTACT", "GAP", "INITIAL_CONTACT", "MID_SWING", "ShankContacts", "ShankParams"]

ALGORITHM = "shank-contacts/1"


@dataclass(frozen=True, slots=True)
class ShankParams:
    """Physical limits of what counts as a step. Times in seconds, rates in rad/s, angles in rad.

    Attributes:
        smoothing_s: Half-width of the triangular smoothing window over the pitch rate.
        bridge_s: Longest run of lost samples that is interpolated once the next sample is there.
        landing_min_s: Time after the turn of sign before which a trough is not taken for the landing's.
        landing_max_s: The same after which it is taken as it is.
        swing_max_s: Longest swing (exoskeleton strides take up to 8 s).
        lift_max_s: Time in which a forward rotation must become that of a swing.
        phase_min_s: Shortest stance and shortest swing.
        ringing_s: Time after an initial contact in which the impact may still ring.
        push_age_s: Longest time from push-off to the start of swing.
        calm_s: Time without rotation that ends a swing whose landing turned nothing.
        still_s: Time without any rotation after which gravity is read off.
        rate_floor: Slowest peak of a swing; slower rotations are shifts of weight.
        angle_floor: Smallest forward rotation of a swing.
        memory_s: Time constant with which the typical stride is forgotten in a pause.
        mid_swing: Also tell mid-swing, which ``dsp.gait.gait.Walk`` has no use for.
    """

    smoothing_s: float = 0.04
    bridge_s: float = 0.1
    landing_min_s: float = 0.03
    landing_max_s: float = 0.2
    swing_max_s: float = 5.0
    lift_max_s: float = 1.0
    phase_min_s: float = 0.1
    ringing_s: float = 0.3
    push_age_s: float = 0.8
    calm_s: float = 0.1
    still_s: float = 0.05
    rate_floor: float = 0.8
    angle_floor: float = 0.2
    memory_s: float = 20.0
    mid_swing: bool = False

    def for_rate(self, rate_hz: float) -> NDArray[np.void]:
        """Return one row of the kernel's parameters for a sampling rate."""
        p = np.zeros(1, PARAMS)
        half = min(max(int(np.ceil(self.smoothing_s * rate_hz)) - 1, 0), MAX_TAPS // 2)
        taps = 1.0 - np.abs(np.arange(-half, half + 1)) / max(self.smoothing_s * rate_hz, 1.0)
        p["dt"] = 1.0 / rate_hz
        p["half"] = half
        p["taps"][0, : 2 * half + 1] = taps / taps.sum()
        p["bridge"] = round(self.bridge_s * rate_hz)
        p["landing_min"] = max(2, round(self.landing_min_s * rate_hz))
        p["landing_max"] = min(round(self.landing_max_s * rate_hz), MAX_LANDING - 1)
        p["swing_max"] = round(self.swing_max_s * rate_hz)
        p["lift_max"] = round(self.lift_max_s * rate_hz)
        p["min_phase"] = self.phase_min_s * rate_hz
        p["ringing"] = self.ringing_s * rate_hz
        p["push_age"] = self.push_age_s * rate_hz
        p["calm"] = max(2, round(self.calm_s * rate_hz))
        p["still"] = max(2, round(self.still_s * rate_hz))
        p["rate_floor"] = self.rate_floor
        p["angle_floor"] = self.angle_floor
        p["fade"] = np.exp(-1.0 / (self.memory_s * rate_hz))
        p["mid_swing"] = int(self.mid_swing)
        return p


class ShankContacts:
    """Streaming detector of foot contacts for many shank sensors, one kernel call a batch.

    Sensors lie in the segment frame (x forward, y left, z up) or askew: gravity at rest and the axis and direction in
    which the leg swings are found within the first stride, of slow walks within the first two. The same samples in any
    chunking give the same events, bit for bit. Methods: Aminian 2002, Salarian 2004, Catalfamo 2010, with timing levels
    of our own.

    Events are rows of ``EVENT`` as those of ``dsp.foot.contacts.FootContacts``, so ``dsp.gait.gait.Walk`` takes either;
    there is no foot-flat. Attached sensors may come and go; numbers are used again.

    Attributes:
        strides: None, array (0,) of ``dsp.contact.stride_kernel.STRIDE``: a shank never rests in walking, so its way
            cannot be measured.
    """

    def __init__(self, params: ShankParams | None = None) -> None:
        self._params = params or ShankParams()
        self._roster = Roster(self._grow)
        self._rows = np.zeros(0, PARAMS)
        self._state = np.zeros(0, STATE)
        self._alignment = np.zeros(0, ALIGNMENT)
        self._out = np.zeros(64, EVENT)
        self._units = UnitWatch()
        self.strides: NDArray[np.void] = np.zeros(0, STRIDE)

    def attach(self, rate_hz: float) -> int:
        """Return the number of a new sensor sampled at ``rate_hz``; raises ValueError where that cannot do."""
        require_rate("shank contacts need", rate_hz, RATE_RANGE_HZ)
        sensor = self._roster.take()
        self._rows[sensor] = self._params.for_rate(rate_hz)[0]
        self._state[sensor] = np.zeros((), STATE)
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
        if len(self._out) < need:
            self._out = np.zeros(2 * need, EVENT)
        n = contacts(
            batch.sensor,
            batch.start,
            batch.index,
            batch.acc,
            batch.gyr,
            self._rows.view(np.recarray),
            self._state.view(np.recarray),
            self._alignment.view(np.recarray),
            self._out.view(np.recarray),
        )
        return self._out[:n].copy()

    def doubt(self, sensor: int) -> str:
        """Return what is wrong with the units of a sensor; empty if nothing is."""
        self._roster.check(sensor)
        return self._units.doubt(sensor)

    def flush(self, sensor: int) -> NDArray[np.void]:
        """End the stream of a sensor: an undecided event is dropped rather than guessed; it starts afresh."""
        self._roster.check(sensor)
        self._state[sensor] = np.zeros((), STATE)
        return np.zeros(0, EVENT)

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

    def mounting(self, sensor: int) -> Mounting:
        """Return how this sensor is found to be strapped on."""
        self._roster.check(sensor)
        return Mounting.of(self._alignment[sensor])

    def _grow(self, room: int) -> None:
        self._rows = more_rows(self._rows, room)
        self._state = more_rows(self._state, room)
        self._alignment = more_rows(self._alignment, room)
        self._units.grow(room)
