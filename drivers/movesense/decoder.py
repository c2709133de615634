"""Notifications of a Movesense to samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import ClassVar, Final, NamedTuple

import numpy as np

from drivers.driver import Decoder
from drivers.errors import MalformedFrameError
from drivers.gatt.battery import BATTERY, battery_packet
from drivers.gatt.profile import MEASUREMENT_CHANNEL
from drivers.gatt.rows import Row, packet_of
from drivers.gatt.spacing import Place, Spacing, ticks_of
from drivers.heart_rate.driver import LEAST_BEAT_S, RR
from drivers.movesense.messages import (
    ANSWER,
    Resource,
    parse_message,
    parse_payload,
    read,
    samples_in,
    stamp_of,
)
from drivers.movesense.parts import Parts, Payload
from drivers.movesense.streams import KELVIN, SOURCES, STEPS_A_MS, TICK_BITS, TICK_HZ, Source
from drivers.packet import Flag, Frame, Packet, StreamSpec

_MODULUS: Final = 1 << TICK_BITS
MS: Final = 1e-3


class Piece(NamedTuple):
    """Samples of one notification, not yet read.

    Attributes:
        arrival_ns: Of its last part.
        place: Where they lie in time.
        data: The payload.
    """

    arrival_ns: int
    place: Place
    data: bytes


class Subscription:
    """One resource at its rate, and the spacing of its samples.

    Attributes:
        source: Row of the table of sources.
        resource: What is asked for.
        spec: Its stream.
    """

    def __init__(self, source: Source, rate_hz: int) -> None:
        self.source = source
        self.resource = Resource.of(source.path.format(rate=rate_hz))
        self.spec = source.spec(rate_hz)
        self._spacing = Spacing(rate_hz or 1, TICK_HZ)
        self._before: tuple[int, int] | None = None  # stamp of the notification before, and its samples

    def place(self, stamp_ms: int, count: int) -> Place:
        """Return when so many samples were taken, of which the first has the stamp."""
        stamp = stamp_ms * STEPS_A_MS
        if self._before is not None:
            before, samples = self._before
            self._spacing.adjoins((stamp - before) % _MODULUS, samples)
        self._before = (stamp, count)
        if self.source.rates and self._spacing.rate_hz != self.spec.rate_hz:
            self.spec = replace(self.spec, rate_hz=self._spacing.rate_hz)
        return self._spacing.since(stamp, count)


class MovesenseDecoder(Decoder):
    """What is subscribed to of one sensor.

    Args:
        rates: Rate of each source that is subscribed to, by its name in `SOURCES`; 0 for what comes when it comes.
    """

    uncounted: ClassVar[Mapping[str, float]] = {MEASUREMENT_CHANNEL: LEAST_BEAT_S}

    def __init__(self, rates: Mapping[str, int]) -> None:
        super().__init__()
        self._subscribed = {
            SOURCES[name].reference: Subscription(SOURCES[name], rate_hz) for name, rate_hz in rates.items()
        }
        self._parts = Parts(self.faults, self._is_whole)

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """Those that were chosen, at their rates."""
        found = {each.spec.name: each.spec for each in self._subscribed.values()}
        return found | ({RR.name: RR} if "heart_rate" in found else {}) | {BATTERY.name: BATTERY}

    def span_s(self, frame: Frame) -> float:
        """Return the sum of the intervals that a notification tells."""
        try:
            message = parse_message(frame.data)
            if message.kind == ANSWER or message.reference != SOURCES["heart_rate"].reference:
                return 0.0
            return sum(parse_payload(message.payload, Resource("hr")).rr_ms) * MS
        except MalformedFrameError:
            return 0.0

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode notification by notification: each brings some samples."""
        waves: defaultdict[int, list[Piece]] = defaultdict(list)
        rates: list[Row] = []
        intervals: list[Row] = []
        for frame in frames:
            if frame.channel != MEASUREMENT_CHANNEL:
                continue
            try:
                message = parse_message(frame.data)
            except MalformedFrameError as problem:
                self.faults[str(problem)] += 1
                continue
            if message.kind == ANSWER:
                continue
            for payload in self._parts.add(frame.arrival_ns, message):
                self._on_payload(payload, waves, rates, intervals)
        read_now = (self._read(self._subscribed[reference], pieces) for reference, pieces in waves.items())
        found = [packet for packet in read_now if packet is not None]
        heart = SOURCES["heart_rate"].spec(0)
        rest = (packet_of(heart, rates), packet_of(RR, intervals), battery_packet(frames, self.faults))
        return found + [packet for packet in rest if packet is not None]

    def _is_whole(self, reference: int, data: bytes) -> bool:
        subscription = self._subscribed.get(reference)
        try:
            return subscription is not None and samples_in(data, subscription.resource) > 0
        except MalformedFrameError:
            return False

    def _on_payload(
        self, payload: Payload, waves: Mapping[int, list[Piece]], rates: list[Row], intervals: list[Row]
    ) -> None:
        subscription = self._subscribed.get(payload.reference)
        if subscription is None:
            self.faults["a measurement that was not asked for"] += 1
            return
        try:
            count = samples_in(payload.data, subscription.resource)
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1
            return
        stamp_ms = stamp_of(payload.data, subscription.resource)
        if stamp_ms is None:
            self._on_heart(payload, rates, intervals)
        else:
            place = subscription.place(stamp_ms, count)
            waves[payload.reference].append(Piece(payload.arrival_ns, place, payload.data))

    def _on_heart(self, payload: Payload, rates: list[Row], intervals: list[Row]) -> None:
        measured = parse_payload(payload.data, Resource("hr"))
        rate = float(measured.samples[0, 0])
        if not 0 < rate < SOURCES["heart_rate"].limits[0]:
            rate = np.nan  # nothing that beats
        rates.append(Row(payload.arrival_ns, (rate,), Flag.LOSS_UNKNOWN))
        intervals += [Row(payload.arrival_ns, (rr * MS,), Flag.LOSS_UNKNOWN) for rr in measured.rr_ms]

    def _read(self, subscription: Subscription, pieces: Sequence[Piece]) -> Packet | None:
        """Read the samples of a resource all at once."""
        source = subscription.source
        many = [piece.place.samples for piece in pieces]
        alike = (list(group) for _, group in groupby((piece.data for piece in pieces), key=len))
        samples = np.concatenate([read(payloads, subscription.resource) for payloads in alike]) * np.array(source.scale)
        if source.stream == "sensor_temperature":
            samples -= KELVIN
        ticks = ticks_of([piece.place for piece in pieces]) % _MODULUS
        arrival = np.repeat(np.array([piece.arrival_ns for piece in pieces], np.int64), many)
        good = (np.abs(samples) <= np.array(source.limits)).all(axis=1)  # NaN compares false
        if not good.all():
            self.faults["impossible values"] += int((~good).sum())
            arrival, ticks, samples = arrival[good], ticks[good], samples[good]
        name = subscription.spec.name
        return Packet(name, arrival, ticks, samples, np.zeros(len(ticks), np.uint8)) if len(ticks) else None
