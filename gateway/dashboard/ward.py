"""What the pages show: the newest status, the newest value of every metric and the last strides, all bounded."""

from __future__ import annotations

import time
from bisect import insort
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from dsp.catalogue import CATALOGUE
from gateway.dashboard.delays import Delays
from gateway.dashboard.standing import Standing
from gateway.model import wall_correction
from gateway.model.measurement import Measurement
from gateway.wire.curves import decode_curves
from gateway.wire.payload import PayloadError, decode_measurements

STALE_S = 5.0
"""Older than this, a value is no longer what is happening now."""

AHEAD_S = 5.0  # a measurement may lie this much ahead of the clock that we have from the last status
STRIDES = 20  # per side: about as many as one can compare at a glance
SLOTS = 256  # more than any ward; a bound on what a wrong publisher can make us hold
SOURCES = 4  # values of one metric and side that different algorithms may hold at once
STRIDE_METRICS = ("stride_time", "stance_time", "swing_time", "step_time")
QUALITY_RANK = {"ok": 2, "degraded": 1, "invalid": 0}
MICRO = 1_000_000


def wall_us() -> int:
    """Return UTC microseconds of this machine."""
    return time.time_ns() // 1000


def decode(payload: bytes) -> dict[str, Any]:
    """Return the JSON object of a payload; raises PayloadError."""
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise PayloadError("not JSON") from None
    if not isinstance(message, dict):
        raise PayloadError("not an object")
    try:
        orjson.dumps([[[message]]])  # as deep as it will stand in a page: the parser takes more than the writer gives
    except orjson.JSONEncodeError:
        raise PayloadError("too deep") from None
    return message


@dataclass(slots=True)
class SlotState:
    """What one bed or bay said last."""

    values: dict[tuple[str, str], OrderedDict[str, Measurement]] = field(default_factory=dict)
    strides: dict[tuple[str, str], list[Measurement]] = field(default_factory=dict)
    cycles: dict[str, Any] = field(default_factory=dict)
    newest_us: int = 0
    revision: int = 0

    def take(self, measurement: Measurement) -> None:
        """Keep the newest value of each metric, side and algorithm."""
        key = (measurement.metric, measurement.side)
        sources = self.values.setdefault(key, OrderedDict())
        held = sources.get(measurement.algorithm)
        if held is None or measurement.end_us >= held.end_us:
            sources[measurement.algorithm] = measurement
            sources.move_to_end(measurement.algorithm)
            if len(sources) > SOURCES:
                sources.popitem(last=False)
        if measurement.metric in STRIDE_METRICS and measurement.side in {"left", "right"}:
            _keep_newest(self.strides.setdefault(key, []), measurement)
        self.newest_us = max(self.newest_us, measurement.end_us)
        self.revision += 1

    def best(self, metric: str, side: str) -> Measurement | None:
        """Return the value to show: of those about as new as the newest, the best in quality, then feet before others.

        Feet and lower back may both give a cadence; the page must not flicker between the two.
        """
        sources = self.values.get((metric, side))
        if not sources:
            return None
        newest = max(m.end_us for m in sources.values())
        fresh = (m for m in sources.values() if m.end_us >= newest - STALE_S * MICRO)
        return max(fresh, key=_preference)


def _keep_newest(strides: list[Measurement], stride: Measurement) -> None:
    """Put a stride in its place in time: what the outbox held back comes late, and what it is unsure of comes twice."""
    if any(held.end_us == stride.end_us for held in strides):
        return
    insort(strides, stride, key=lambda held: held.end_us)
    del strides[:-STRIDES]


def _preference(measurement: Measurement) -> tuple[int, bool, int]:
    from_feet = any("foot" in placement for placement in measurement.placement)
    return QUALITY_RANK[measurement.quality], from_feet, measurement.end_us


class Ward:
    """The newest of everything that one gateway says; latest wins, nothing grows without bound.

    Args:
        gateway: Id of the gateway.
        speed: How many times as fast as ours its clock runs; other than 1 only when it is simulated.
        clock_us: Our own clock.

    Attributes:
        dropped: Messages and measurements that were not understood or did not fit, by reason.
        status: The newest status that had devices in it.
        state: What the gateway says of itself: ``online``, ``offline``, or ``unknown`` before any word.
        notices: The notices that stand.
        delays: How late events are.
    """

    def __init__(self, gateway: str, *, speed: float = 1.0, clock_us: Callable[[], int] = wall_us) -> None:
        self._gateway = gateway
        self.dropped: Counter[str] = Counter()
        self.status: dict[str, Any] = {}
        self.state = "unknown"
        self.notices = Standing()
        self.delays = Delays(clock_us)
        self._slots: dict[str, SlotState] = {}
        self._heard_us = 0
        self._clock_us = clock_us
        self._speed = speed
        self._anchor: tuple[int, int] | None = None  # the gateway's clock and ours when its last word came

    def take(self, kind: str, name: str, payload: bytes, *, retained: bool = False) -> None:
        """Take a message of the topic ``kind``: status, measurements, cycles or notices; count what is wrong.

        ``name`` is the last part of the topic: the slot of measurements and cycles.
        """
        try:
            if kind == "status":
                self._take_status(decode(payload), retained=retained)
            elif kind == "measurements":
                self._take_measurements(name, payload)
            elif kind == "cycles":
                self._take_cycles(name, payload)
            elif kind == "notices" and not self.notices.take(decode(payload)):
                self.dropped["notices: not as expected"] += 1
        except PayloadError as error:
            self.dropped[f"{kind}: {error.kind}"] += 1

    def slot(self, slot: str) -> SlotState:
        """Return what a slot said last; empty if it said nothing."""
        return self._slots.get(slot) or SlotState()

    def slot_ids(self) -> list[str]:
        """Return the slots in the order of the gateway's configuration, then any others that spoke."""
        configured = [slot["id"] for slot in self.slots()]
        return configured + sorted(self._slots.keys() - set(configured))

    @property
    def revision(self) -> int:
        """What changes with every measurement of any slot."""
        return sum(state.revision for state in self._slots.values())

    def slots(self) -> list[dict[str, Any]]:
        """Return what the status says of the slots."""
        return _objects(self.status.get("slots"), "id")

    def devices(self, slot: str | None = None) -> list[dict[str, Any]]:
        """Return what the status says of the devices, of one slot or of all."""
        devices = _objects(self.status.get("devices"), "id")
        return devices if slot is None else [device for device in devices if device.get("slot") == slot]

    def has_stream(self, device: str, stream: str) -> bool:
        """Whether the gateway knows this stream."""
        return any(
            known["id"] == device and isinstance(known.get("streams"), dict) and stream in known["streams"]
            for known in self.devices()
        )

    def now_us(self) -> int:
        """Return the present on the gateway's clock, which all ages are told by: as its last word said, and on."""
        wall = self._clock_us()
        if self._anchor is None:
            return wall
        said, heard = self._anchor
        return said + round((wall - heard) * self._speed)

    def gateway_age_s(self) -> float | None:
        """Return how long ago the gateway last spoke; None if it never did."""
        return max(0.0, (self._clock_us() - self._heard_us) / MICRO) if self._heard_us else None

    def gateway_state(self) -> str:
        """Return ``online``, ``offline``, ``silent`` (online by its own account, yet not heard) or ``unknown``."""
        age = self.gateway_age_s()
        return "silent" if self.state == "online" and age is not None and age > STALE_S else self.state

    def _take_status(self, message: dict[str, Any], *, retained: bool) -> None:
        state = message.get("state")
        if not isinstance(state, str) or state not in {"online", "offline"}:
            raise PayloadError("no state")
        self.state = state
        said_us = message.get("time_us")
        if retained:  # said before we were there: only the gateway's own clock knows when
            self._heard_us = said_us if isinstance(said_us, int) else 0
        else:
            self._heard_us = self._clock_us()
            if isinstance(said_us, int):
                self._anchor = (said_us, self._heard_us)
        if isinstance(message.get("slots"), list):
            self.status = message
            notices = message.get("notices")
            self.notices.replace(notices.get("active") if isinstance(notices, dict) else None)
        if not retained:
            self.delays.arrived(message.get("events"))

    def _take_measurements(self, slot: str, payload: bytes) -> None:
        message = decode_measurements(self._gateway, slot, payload)
        if slot == wall_correction.SLOT:
            if any(m.value for _, m in message.measurements):
                # The clock was set: by the new time the values held are of long ago, or of the future.
                self._slots.clear()
            return
        for rejected in message.rejected:
            self.dropped[f"measurements: {rejected.reason}"] += 1
        state = self._state_of(slot)
        if state is None:
            self.dropped["measurements: too many slots"] += len(message.measurements)
            return
        latest_us = self.now_us() + round(AHEAD_S * self._speed * MICRO)  # later ones would never grow old
        for seq, measurement in message.measurements:
            if measurement.metric not in CATALOGUE:
                self.dropped["measurements: unknown metric"] += 1
            elif measurement.end_us > latest_us:
                self.dropped["measurements: from the future"] += 1
            else:
                state.take(measurement)
                if measurement.start_us == measurement.end_us:
                    self.delays.heard(message.epoch, seq)

    def _take_cycles(self, slot: str, payload: bytes) -> None:
        cycles = decode_curves(self._gateway, slot, payload)
        state = self._state_of(slot)
        if state is None:
            raise PayloadError("too many slots")
        state.cycles = cycles
        state.revision += 1

    def _state_of(self, slot: str) -> SlotState | None:
        """Return what is kept of a slot; None where there is no room for another."""
        if slot not in self._slots and len(self._slots) >= SLOTS:
            return None
        return self._slots.setdefault(slot, SlotState())


def _objects(items: object, key: str) -> list[dict[str, Any]]:
    """Return those items that are objects with a text under ``key``."""
    if not isinstance(items, Iterable):
        return []
    return [item for item in items if isinstance(item, dict) and isinstance(item.get(key), str)]
