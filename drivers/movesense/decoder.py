"""Notifications of a Movesense to samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final, NamedTuple

import numpy as np

from drivers.driver import Decoder
from drivers.errors import MalformedFrameError
from drivers.gatt.battery import BATTERY, battery_packet
from drivers.gatt.profile import MEASUREMENT_CHANNEL
from drivers.gatt.rows import Row, packet_of
from drivers.gatt.spacing import Spacing
from drivers.heart_rate.driver import LEAST_BEAT_S, RR
from drivers.movesense.messages import ANSWER, Measured, Resource, parse_message, parse_payload
from drivers.movesense.parts import Parts, Payload
from drivers.movesense.streams import KELVIN, SOURCES, STEPS_A_MS, TICK_BITS, TICK_HZ, Source
from drivers.packet import Flag, Frame, Packet, Samples, StreamSpec, Ticks

_MODULUS: Final = 1 << TICK_BITS
MS: Final = 1e-3


class Piece(NamedTuple):
    """Samples of one notification."""

    arrival_ns: int
    ticks: Ticks
    samples: Samples


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

    def ticks(self, stamp_ms: int, count: int) -> Ticks:
        """Return when so many samples were taken, of which the first has the stamp."""
        stamp = stamp_ms * STEPS_A_MS
        if self._before is not None:
            before, samples = self._before
            self._spacing.adjoins((stamp - before) % _MODULUS, samples)
        self._before = (stamp, count)
        if self.source.rates and self._spacing.rate_hz != self.spec.rate_hz:
            self.spec = replace(self.spec, rate_hz=self._spacing.rate_hz)
        return self._spacing.since(stamp, count) % _MODULUS


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
        found = [_joined(self._subscribed[reference].spec, pieces) for reference, pieces in waves.items()]
        heart = SOURCES["heart_rate"].spec(0)
        rest = (packet_of(heart, rates), packet_of(RR, intervals), battery_packet(frames, self.faults))
        return found + [packet for packet in rest if packet is not None]

    def _is_whole(self, reference: int, data: bytes) -> bool:
        subscription = self._subscribed.get(reference)
        try:
            return subscription is not None and bool(parse_payload(data, subscription.resource))
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
            measured = parse_payload(payload.data, subscription.resource)
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1
            return
        if measured.stamp_ms is None:
            self._on_heart(payload.arrival_ns, measured, rates, intervals)
        elif (piece := self._piece(subscription, measured, payload.arrival_ns)) is not None:
            waves[payload.reference].append(piece)

    def _on_heart(self, arrival_ns: int, measured: Measured, rates: list[Row], intervals: list[Row]) -> None:
        rate = float(measured.samples[0, 0])
        if not 0 < rate < SOURCES["heart_rate"].limits[0]:
            rate = np.nan  # nothing that beats
        rates.append(Row(arrival_ns, (rate,), Flag.LOSS_UNKNOWN))
        intervals += [Row(arrival_ns, (rr * MS,), Flag.LOSS_UNKNOWN) for rr in measured.rr_ms]

    def _piece(self, subscription: Subscription, measured: Measured, arrival_ns: int) -> Piece | None:
        source = subscription.source
        assert measured.stamp_ms is not None
        ticks = subscription.ticks(measured.stamp_ms, len(measured.samples))
        samples = measured.samples * np.array(source.scale)
        if source.stream == "sensor_temperature":
            samples -= KELVIN
        good = (np.abs(samples) <= np.array(source.limits)).all(axis=1)  # NaN compares false
        if not good.all():
            self.faults["impossible values"] += int((~good).sum())
            ticks, samples = ticks[good], samples[good]
        return Piece(arrival_ns, ticks, samples) if len(ticks) else None


def _joined(spec: StreamSpec, pieces: Sequence[Piece]) -> Packet:
    sizes = [len(piece.ticks) for piece in pieces]
    arrival = np.repeat(np.array([piece.arrival_ns for piece in pieces], np.int64), sizes)
    ticks = np.concatenate([piece.ticks for piece in pieces])
    samples = np.concatenate([piece.samples for piece in pieces])
    return Packet(spec.name, arrival, ticks, samples, np.zeros(len(ticks), np.uint8))
