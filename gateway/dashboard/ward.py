"""What the pages show: the newest status, the newest value of every metric and the last strides, all bounded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson

from dsp.catalogue import CATALOGUE
from gateway.dashboard.active_notices import ActiveNotices
from gateway.dashboard.charges import Charges
from gateway.dashboard.delays import Delays
from gateway.dashboard.ended_sessions import EndedSessions
from gateway.dashboard.gateway_status import SLOTS, GatewayStatus, check_head, read_status
from gateway.dashboard.registry import Registry, read_registry
from gateway.dashboard.slot_state import MICRO, STALE_S, STRIDE_METRICS, STRIDES, SlotState, Wearer, wearer_of
from gateway.dashboard.slots import Slots
from gateway.fleet.health import Health, health_of
from gateway.model import wall_correction
from gateway.model.measurement import Measurement
from gateway.wire.curves import decode_curves
from gateway.wire.payload import PayloadError, decode_measurements
from gateway.wire.status_pages import StatusPages

__all__ = ["MICRO", "SLOTS", "STALE_S", "STRIDES", "STRIDE_METRICS", "SlotState", "Ward", "Wearer"]

AHEAD_S = 5.0  # a measurement may lie this much ahead of the clock that we have from the last status
BACK_S = 60.0
"""A gateway's word that is so much older than the last one by its own clock is no late one: its clock was set back. Of
one whose clock runs faster than ours that is more."""

LARGEST = {"status": 16 << 20, "measurements": 1 << 20, "cycles": 256 << 10, "notices": 64 << 10,
           "ward": 1 << 20}  # fmt: skip
"""Bytes of a message, by topic: far above what a gateway sends, and as much as is read in about a tenth of a second."""

LASTING = frozenset({"status", "ward"})
"""Topics whose newest message stands until the next."""
DOUBT_S = 10.0  # what was not understood is said for so long after the last such message
Doubt = tuple[str, int]
"""Why the messages of a topic were not understood, and when the last of them came."""


def wall_us() -> int:
    """Return UTC microseconds of this machine."""
    return time.time_ns() // 1000


def tick_us() -> int:
    """Return microseconds that go on whatever becomes of this machine's clock, and while it sleeps: of ages."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def decode(payload: bytes) -> dict[str, Any]:
    """Return the JSON object of a payload; raises PayloadError."""
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise PayloadError("not JSON") from None
    if not isinstance(message, dict):
        raise PayloadError("not an object")
    return message


class Ward:
    """The newest of everything that one gateway says; latest wins, nothing grows without bound.

    Args:
        gateway: Id of the gateway.
        speed: How many times as fast as ours its clock runs; other than 1 only when it is simulated.
        clock_us: Our own clock, which somebody may set.
        tick_us: What passes here, which nobody can set: a gateway that is silent would else be there for as long as our
            clock was set back.

    Attributes:
        gateway: Its id.
        dropped: Messages and measurements that were not understood or did not fit, by reason.
        status: The newest status that told of beds and devices.
        state: What the gateway says of itself: ``online``, ``offline``, or ``unknown`` before any word.
        doubts: By topic, what was not understood lately.
        notices: The notices that stand.
        delays: How late events are.
        registry: Who is in which bed, wearing what, as the gateway's registry says.
        ended: What was last told of the sessions that have ended.
        charges: How full the sensors' batteries were when they last told.
        own_health: How the gateway is by its newest status, if it is heard.
        clock_ahead_us: By how much its clock was ahead of ours when it last spoke; None before it did.
    """

    def __init__(
        self,
        gateway: str,
        *,
        speed: float = 1.0,
        clock_us: Callable[[], int] = wall_us,
        tick_us: Callable[[], int] = tick_us,
    ) -> None:
        self.gateway = gateway
        self.dropped: Counter[str] = Counter()
        self.status = GatewayStatus()
        self.doubts: dict[str, Doubt] = {}
        self.state = "unknown"
        self.notices = ActiveNotices()
        self.delays = Delays(clock_us)
        self.registry = Registry()
        self.ended = EndedSessions()
        self.charges = Charges()
        self._pages = StatusPages()
        self._slots = Slots()
        self._heard_us: int | None = None  # by our ticks
        self._status_us: int | None = None  # and when the status that we show was heard
        self._measured_us: int | None = None  # and when the last measurement came
        self._clock_us = clock_us
        self._tick_us = tick_us
        self._speed = speed
        self.own_health = Health(well=False, sentence="has not been heard yet")
        self.clock_ahead_us: int | None = None
        self._anchor: tuple[int, int] | None = None  # the gateway's clock and our ticks when its last word came

    def on_message(self, kind: str, name: str, payload: bytes, *, retained: bool = False) -> None:
        """Take a message of the topic ``kind``: status, measurements, cycles, notices or ward; count what is wrong.

        ``name`` is the last part of the topic: the slot of measurements and cycles, the page of a status.
        """
        try:
            if len(payload) > LARGEST.get(kind, 0):
                raise PayloadError("too large")  # noqa: TRY301 - as anything else that is wrong with it
            if kind == "status":
                whole = self._pages.add(name, decode(payload), len(payload))
                if whole is not None:
                    self._on_status(whole, retained=retained)
            elif kind == "measurements":
                self._on_measurements(name, payload)
            elif kind == "cycles":
                self._on_cycles(name, payload)
            elif kind == "ward":
                self.registry = read_registry(decode(payload)) if payload else Registry()
                self.ended.note(self.registry.ended)
                self._slots.empty(self.is_empty, self.now_us(), simulated=self.status.simulated)
            elif kind == "notices" and not self.notices.apply(decode(payload)):
                raise PayloadError("not as expected")  # noqa: TRY301
        except PayloadError as error:
            self.dropped[f"{kind}: {error.kind}"] += 1
            self.doubts[kind] = (error.kind, self._tick_us())
        else:
            self.doubts.pop(kind, None)

    def slot(self, slot: str) -> SlotState:
        """Return what a slot said last; empty if it said nothing."""
        return self._slots.get(slot)

    def wearer(self, slot: str) -> Wearer | None:
        """Return who is in a slot: nobody in particular where it is empty, None where nothing was said of it."""
        return self.slot(slot).wearer

    def slots(self) -> list[dict[str, Any]]:
        """Return the beds that the status tells of, each with who is in it now."""
        wearers = {name: self.wearer(name) for name in self.status.slots}
        return [
            {**slot, "subject": wearer.subject, "session": wearer.session} if wearer else slot
            for slot, wearer in zip(self.status.slots.values(), wearers.values(), strict=True)
        ]

    def slot_ids(self) -> list[str]:
        """Return the beds of the ward in its order, empty ones too, then any others that spoke."""
        known = dict.fromkeys([*self.registry.beds, *self.status.slots])
        return [*known, *self._slots.others(known)]

    def is_empty(self, slot: str) -> bool:
        """Whether the registry says that nobody is in a bed."""
        return slot in self.registry.beds and slot not in self.registry.subjects

    @property
    def revision(self) -> int:
        """What changes with every measurement of any slot."""
        return self._slots.revision

    @property
    def simulated(self) -> bool:
        """Whether anything that is shown may be simulated."""
        return self.status.simulated or self._slots.simulated

    def devices(self, slot: str | None = None) -> list[dict[str, Any]]:
        """Return what the status says of the devices, of one slot or of all; what they do is unknown when it is old."""
        found = self.status.devices if slot is None else self.status.by_slot.get(slot, [])
        return found if self.status_age_s() <= STALE_S else [{**device, "state": "unknown"} for device in found]

    def has_stream(self, device: str, stream: str) -> bool:
        """Whether the gateway knows this stream."""
        return (device, stream) in self.status.streams

    def now_us(self) -> int:
        """Return the present on the gateway's clock, which all ages are told by: as its last word said, and on."""
        if self._anchor is None:
            return self._clock_us()
        sent, heard = self._anchor
        return sent + round((self._tick_us() - heard) * self._speed)

    def gateway_age_s(self) -> float | None:
        """Return how long ago the gateway last spoke; None if it never did."""
        return None if self._heard_us is None else (self._tick_us() - self._heard_us) / MICRO

    def status_age_s(self) -> float:
        """Return how long ago what the status says of the devices was true; 0 before there was one."""
        return 0.0 if self._status_us is None else (self._tick_us() - self._status_us) / MICRO

    def gateway_state(self) -> str:
        """Return what to think of the gateway.

        ``online``, ``offline``, ``unknown``, ``silent`` (online by its own account, yet not heard), or ``no status``:
        its measurements come, and nothing that says how it and its devices are.
        """
        if self.state == "offline":
            return "offline"
        age = self.gateway_age_s()
        if self.state == "online" and age is not None and age <= STALE_S:
            return "online"
        measured = self._measured_us is not None and self._tick_us() - self._measured_us <= STALE_S * MICRO
        return "no status" if measured else "unknown" if self.state == "unknown" else "silent"

    def fresh_doubts(self) -> dict[str, str]:
        """Return by topic why messages are not understood: of what is retained, which stands, or else of late."""
        since_us = self._tick_us() - DOUBT_S * MICRO
        return {kind: why for kind, (why, at_us) in self.doubts.items() if kind in LASTING or at_us >= since_us}

    def _on_status(self, message: dict[str, Any], *, retained: bool) -> None:
        state = check_head(message)
        names_beds = "slots" in message
        if state == "online" and not names_beds:
            raise PayloadError("no beds")
        self.state = state
        sent_us = message.get("time_us")
        if retained:  # said before we were there: only the gateway's own clock knows when
            ago_us = max(0, self._clock_us() - sent_us) if type(sent_us) is int else None
            self._heard_us = None if ago_us is None else self._tick_us() - ago_us
        else:
            self._heard_us = self._tick_us()
            if type(sent_us) is int:
                if self._anchor is not None and sent_us < self.now_us() - BACK_S * max(1.0, self._speed) * MICRO:
                    self._slots.clear()  # its clock was set back: what is held would be newer than all that comes
                self._anchor = (sent_us, self._heard_us)
                self.clock_ahead_us = sent_us - self._clock_us()
        if names_beds:
            self.status = read_status(message)
            self.own_health = health_of(message, 0.0)
            self._status_us = self._heard_us
            at_us = sent_us if type(sent_us) is int else self.now_us()
            self.charges.note(self.status.devices, at_us)
            self._slots.seat(self.status, at_us, round(AHEAD_S * self._speed * MICRO))
            notices = message.get("notices")
            said = notices if isinstance(notices, dict) else {}
            self.notices.replace(said.get("active"), said.get("paused"))
        if not retained:
            self.delays.arrived(message.get("events"))

    def _on_measurements(self, slot: str, payload: bytes) -> None:
        message = decode_measurements(self.gateway, slot, payload)
        if slot == wall_correction.SLOT:
            if any(m.value for _, m in message.measurements):
                # The clock was set: by the new time the values held are of long ago, or of the future.
                self._slots.clear()
            return
        self._measured_us = self._tick_us()
        for rejected in message.rejected:
            self.dropped[f"measurements: {rejected.reason}"] += 1
        state = self._slots.find_room(slot, self.status)
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
                self._on_measurement(state, measurement, (message.epoch, seq))

    def _on_measurement(self, state: SlotState, measurement: Measurement, number: tuple[str, int]) -> None:
        """Keep a measurement of who is in the slot now, or of who has just come; an earlier one's is for the history.

        A status comes once a second, an event at once: so the first word about a new patient may be a measurement. What
        ended before the newest word about who is there cannot be.
        """
        wearer = wearer_of(measurement)
        if state.wearer != wearer:
            if state.wearer is not None and measurement.end_us <= state.known_us:
                if state.keep_test(measurement):  # of a session that is over: it is told when it is
                    return
                self.dropped["measurements: of an earlier session"] += 1
                return
            state.give_to(wearer, measurement.end_us)
        state.apply(measurement)
        if measurement.start_us == measurement.end_us:
            self.delays.heard(*number)

    def _on_cycles(self, slot: str, payload: bytes) -> None:
        cycles = decode_curves(self.gateway, slot, payload)
        state = self._slots.find_room(slot, self.status)
        if state is None:
            raise PayloadError("too many slots")
        state.cycles = cycles
        state.revision += 1
