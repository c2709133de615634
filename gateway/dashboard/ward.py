"""What the pages show: the newest status, the newest value of every metric and the last strides, all bounded."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

import orjson

from dsp.catalogue import CATALOGUE
from gateway.measurement import Measurement

STALE_S = 5.0
"""Older than this, a value is no longer what is happening now."""

STRIDES = 20  # per side: about as many as one can compare at a glance
SLOTS = 256  # more than any ward; a bound on what a wrong publisher can make us hold
SOURCES = 4  # values of one metric and side that different algorithms may hold at once
NOTICES = 20
STRIDE_METRICS = ("stride_time", "stance_time", "swing_time", "step_time")
QUALITY_RANK = {"ok": 2, "degraded": 1, "invalid": 0}
SIDES = ("left", "right", "both", "none")
MICRO = 1_000_000
_KNOWN = frozenset(f.name for f in fields(Measurement))
_TEXTS = ("metric", "side", "unit", "quality", "reason", "algorithm", "slot", "session", "subject")


class MalformedMessageError(ValueError):
    """A message that is not what the contract says; counted, never fatal."""


def now_us() -> int:
    """Return UTC microseconds."""
    return time.time_ns() // 1000


def decode(payload: bytes) -> dict[str, Any]:
    """Return the JSON object of a payload; raises MalformedMessageError."""
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise MalformedMessageError("not JSON") from error
    if not isinstance(message, dict):
        raise MalformedMessageError("not an object")
    return message


def read_measurement(item: object) -> Measurement:
    """Check and build a measurement, leaving out keys that we do not know; raises MalformedMessageError."""
    if not isinstance(item, dict):
        raise MalformedMessageError("measurement is not an object")
    try:
        measurement = Measurement.from_dict({key: value for key, value in item.items() if key in _KNOWN})
    except (KeyError, TypeError) as error:
        raise MalformedMessageError("measurement lacks a field") from error
    numeric = measurement.value is None or (
        isinstance(measurement.value, int | float) and not isinstance(measurement.value, bool)
    )
    instants = isinstance(measurement.start_us, int) and isinstance(measurement.end_us, int)
    texts = all(isinstance(getattr(measurement, name), str) for name in _TEXTS)
    if not (numeric and instants and texts and measurement.side in SIDES and measurement.quality in QUALITY_RANK):
        raise MalformedMessageError("measurement has a field of the wrong type")
    if measurement.metric not in CATALOGUE:
        raise MalformedMessageError("measurement of an unknown metric")
    return measurement


@dataclass(slots=True)
class SlotState:
    """What one bed or bay said last."""

    values: dict[tuple[str, str], OrderedDict[str, Measurement]] = field(default_factory=dict)
    strides: dict[tuple[str, str], deque[Measurement]] = field(default_factory=dict)
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
            self.strides.setdefault(key, deque(maxlen=STRIDES)).append(measurement)
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


def _preference(measurement: Measurement) -> tuple[int, bool, int]:
    from_feet = any("foot" in placement for placement in measurement.placement)
    return QUALITY_RANK[measurement.quality], from_feet, measurement.end_us


class Ward:
    """The newest of everything that one gateway says; latest wins, nothing grows without bound.

    Attributes:
        dropped: Messages and measurements that were not understood or did not fit, by reason.
        status: The newest status that had devices in it.
        state: What the gateway says of itself: ``online``, ``offline``, or ``unknown`` before any word.
    """

    def __init__(self, *, clock_us: Callable[[], int] = now_us) -> None:
        self.dropped: Counter[str] = Counter()
        self.status: dict[str, Any] = {}
        self.state = "unknown"
        self.revision = 0
        self.notices: deque[dict[str, Any]] = deque(maxlen=NOTICES)
        self._slots: dict[str, SlotState] = {}
        self._heard_us = 0
        self._clock_us = clock_us

    def take(self, kind: str, payload: bytes, *, retained: bool = False) -> None:
        """Take a message of the topic ``kind`` (``status``, ``measurements``, ``notices``); count what is wrong."""
        try:
            message = decode(payload)
            if kind == "status":
                self._take_status(message, retained=retained)
            elif kind == "measurements":
                self._take_measurements(message)
            elif kind == "notices":
                self.notices.append(message)
        except MalformedMessageError as error:
            self.dropped[f"{kind}: {error}"] += 1
        self.revision += 1

    def slot(self, slot: str) -> SlotState:
        """Return what a slot said last; empty if it said nothing."""
        return self._slots.get(slot) or SlotState()

    def slot_ids(self) -> list[str]:
        """Return the slots in the order of the gateway's configuration, then any others that spoke."""
        configured = [slot["id"] for slot in self.slots()]
        return configured + sorted(self._slots.keys() - set(configured))

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

    def gateway_age_s(self) -> float | None:
        """Return how long ago the gateway last spoke; None if it never did."""
        return max(0.0, (self._clock_us() - self._heard_us) / MICRO) if self._heard_us else None

    def gateway_state(self) -> str:
        """Return ``online``, ``offline``, ``silent`` (online by its own account, yet not heard) or ``unknown``."""
        age = self.gateway_age_s()
        return "silent" if self.state == "online" and age is not None and age > STALE_S else self.state

    def _take_status(self, message: dict[str, Any], *, retained: bool) -> None:
        state = message.get("state")
        if state not in {"online", "offline"}:
            raise MalformedMessageError("no state")
        self.state = state
        said_us = message.get("time_us")
        if retained:  # said before we were there: only the gateway's own clock knows when
            self._heard_us = said_us if isinstance(said_us, int) else 0
        else:
            self._heard_us = self._clock_us()
        if isinstance(message.get("slots"), list):
            self.status = message

    def _take_measurements(self, message: dict[str, Any]) -> None:
        items = message.get("measurements")
        if not isinstance(items, list):
            raise MalformedMessageError("no measurements")
        for item in items:
            try:
                measurement = read_measurement(item)
            except MalformedMessageError as error:
                self.dropped[f"measurements: {error}"] += 1
                continue
            if measurement.slot not in self._slots and len(self._slots) >= SLOTS:
                self.dropped["measurements: too many slots"] += 1
                continue
            self._slots.setdefault(measurement.slot, SlotState()).take(measurement)


def _objects(items: object, key: str) -> list[dict[str, Any]]:
    """Return those items that are objects with a text under ``key``."""
    if not isinstance(items, Iterable):
        return []
    return [item for item in items if isinstance(item, dict) and isinstance(item.get(key), str)]
