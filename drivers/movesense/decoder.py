"""Notifications of a Movesense to samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

import numpy as np

from drivers.columns import Columns, Told
from drivers.driver import Decoder
from drivers.errors import MalformedFrameError
from drivers.gathered import IMPOSSIBLE, count
from drivers.gatt.battery import BATTERY
from drivers.gatt.notified import NotifiedDecoder
from drivers.gatt.profile import MEASUREMENT_CHANNEL
from drivers.gatt.spacing import Place, Spacing, ticks_of
from drivers.heart_rate.driver import LEAST_BEAT_S, RR
from drivers.movesense.messages import (
    ANSWER,
    HEART,
    Resource,
    parse_heart,
    parse_message,
    read,
    samples_in,
    stamp_of,
)
from drivers.movesense.parts import Parts, Payload
from drivers.movesense.streams import KELVIN, SOURCES, STEPS_A_MS, TICK_BITS, TICK_HZ, Source
from drivers.packet import Flag, Frame, Packets, Samples, StreamSpec

_MODULUS: Final = 1 << TICK_BITS
MS: Final = 1e-3
_BY_REFERENCE: Final = {source.reference: source for source in SOURCES.values()}


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


class MovesenseDecoder(NotifiedDecoder):
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
            return sum(parse_heart(message.payload)[1]) * MS
        except MalformedFrameError:
            return 0.0

    def measured(self, arrival_ns: int, data: bytes, told: Told) -> None:
        """Take a notification: it brings some samples, or a part of them."""
        message = parse_message(data)
        if message.kind != ANSWER:
            for payload in self._parts.add(arrival_ns, message):
                self._on_payload(payload, told)

    def _is_whole(self, reference: int, data: bytes) -> bool:
        subscription = self._subscribed.get(reference)
        try:
            return subscription is not None and samples_in(data, subscription.resource) > 0
        except MalformedFrameError:
            return False

    def _on_payload(self, payload: Payload, told: Told) -> None:
        arrival_ns, reference, data = payload
        subscription = self._subscribed.get(reference)
        if subscription is None:
            self.faults["a measurement that was not asked for"] += 1
            return
        resource = subscription.resource
        try:
            samples = samples_in(data, resource)
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1
            return
        if resource == HEART:
            _tell_heart(arrival_ns, data, told)
            return
        columns = told[reference]
        columns.arrival_ns.append(arrival_ns)
        columns.rows.append((data, subscription.place(stamp_of(data, resource), samples)))

    @classmethod
    def read(cls, decoders: Sequence[Decoder], how: str | int, columns: Columns) -> list[Packets]:
        """Read the samples of one resource: each of the rows is a notification's, and the places of its samples."""
        if isinstance(how, str):
            return super().read(decoders, how, columns)
        source = _BY_REFERENCE[how]
        payloads, places = zip(*columns.rows, strict=True)
        many = [place.samples for place in places]
        samples = _samples(payloads, many, source) * source.scale
        if source.stream == "sensor_temperature":
            samples -= KELVIN
        ticks = ticks_of(places) % _MODULUS
        arrival_ns = np.array(columns.arrival_ns, np.int64).repeat(many)
        owner = columns.owners().repeat(many)
        good = (np.abs(samples) <= source.limits).all(axis=1)  # NaN compares false
        if not good.all():
            count([decoder.faults for decoder in decoders], IMPOSSIBLE, owner[~good])
            owner, arrival_ns, ticks, samples = owner[good], arrival_ns[good], ticks[good], samples[good]
        counts = np.bincount(owner, minlength=len(decoders)).tolist()
        return Packets.counted(source.stream, counts, arrival_ns, ticks, samples, np.zeros(len(ticks), np.uint8))


def _tell_heart(arrival_ns: int, payload: bytes, told: Told) -> None:
    rate, intervals_ms = parse_heart(payload)
    if not 0 < rate < SOURCES["heart_rate"].limits[0]:
        rate = np.nan  # nothing that beats
    told.numbers("heart_rate", arrival_ns, (rate,), Flag.LOSS_UNKNOWN)
    for rr in intervals_ms:
        told.numbers(RR.name, arrival_ns, (rr * MS,), Flag.LOSS_UNKNOWN)


def _samples(payloads: Sequence[bytes], many: Sequence[int], source: Source) -> Samples:
    """Return the samples of payloads that hold so many each, one behind the other, in the wire's units."""
    resource = Resource.of(source.path.format(rate=source.rate_hz))
    sizes = np.array(many)
    begins = np.cumsum(sizes) - sizes
    found = np.empty((sizes.sum(), len(source.channels)))
    for size in set(many):
        own = np.flatnonzero(sizes == size)
        places = (begins[own][:, None] + np.arange(size)).ravel()
        found[places] = read([payloads[at] for at in own.tolist()], resource)
    return found
