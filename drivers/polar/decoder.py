"""Frames of a Polar sensor to samples: heart rate as any strap sends it, and waves with a stamp each notification."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.driver import Decoder
from drivers.errors import MalformedFrameError
from drivers.gatt.battery import BATTERY
from drivers.gatt.profile import MEASUREMENT_CHANNEL
from drivers.gatt.rows import Row, packet_of
from drivers.gatt.spacing import Place, Spacing, between, ticks_of
from drivers.heart_rate.driver import HEART_RATE, LEAST_BEAT_S, RR, HeartRateDecoder
from drivers.packet import Flag, Frame, Packet, Samples, StreamSpec
from drivers.polar.control import (
    FACTOR,
    FEATURES,
    RATE,
    REPLY,
    START,
    parse_features,
    parse_reply,
    parse_settings,
)
from drivers.polar.frame import (
    MAGNETIC_FIELD,
    PPG,
    PPI,
    ROTATION,
    TICK_BITS,
    TICK_HZ,
    Content,
    Layout,
    PmdFrame,
    content_of,
    intervals,
    parse_frame,
    read,
)
from drivers.polar.streams import BY_KIND, KINDS, PULSE_INTERVALS, PULSES, WAVES

DATA_CHANNEL: Final = "data"
CONTROL_CHANNEL: Final = "control"

INVALID, CONTACT = 0x01, 0x02  # flags of an interval between pulses
MS: Final = 1e-3
AXES: Final = 3
CLAIMED_HZ, REAL_HZ = 135.0, 55.0  # of the light of a Verity Sense with firmware 1.1.5 to 2.0


class Piece(NamedTuple):
    """Samples of one frame, not yet read.

    Attributes:
        arrival_ns: Of the frame.
        place: Where they lie in time.
        content: Their bytes.
        written: How they are written.
        factor: What differences are multiplied by; 0 for samples as they are.
    """

    arrival_ns: int
    place: Place
    content: Content
    written: Layout
    factor: float


class WaveState:
    """One wave of a device, as its start was answered.

    Attributes:
        spec: Its stream at its rate.
        factor: What differences are multiplied by; None before the device has said so.
    """

    def __init__(self, spec: StreamSpec) -> None:
        self.spec = spec
        self.factor: float | None = None
        self._spacing = Spacing(spec.rate_hz or 1.0, TICK_HZ)
        self._before: int | None = None

    def place(self, stamp: int, count: int) -> Place:
        """Return when so many samples were taken, of which the last has the stamp. Raises MalformedFrameError."""
        if stamp >> TICK_BITS:
            raise MalformedFrameError("impossible time stamp")
        before, spacing = self._before, self._spacing
        adjoins = before is not None and spacing.adjoins(stamp - before, count)
        place = between(before, stamp, count) if adjoins and before is not None else spacing.up_to(stamp, count)
        if place.begins < 0:
            raise MalformedFrameError("impossible time stamp")
        if before is None or stamp > before or before - stamp > TICK_HZ:  # else it was delivered twice, or late
            self._before = stamp
        if spacing.rate_hz != self.spec.rate_hz:
            self.spec = replace(self.spec, rate_hz=spacing.rate_hz)
        return place


class PolarDecoder(Decoder):
    """What is subscribed to of one sensor.

    Args:
        chosen: Names of the streams that are to be started (`CHOICES`), those that the sensor has.
    """

    uncounted: ClassVar[Mapping[str, float]] = {MEASUREMENT_CHANNEL: LEAST_BEAT_S, DATA_CHANNEL: LEAST_BEAT_S}

    def __init__(self, chosen: Sequence[str]) -> None:
        super().__init__()
        self._heart = HeartRateDecoder()
        self._heart.faults = self.faults
        self._pulses = PULSES in chosen
        self._features = frozenset(KINDS.values())
        self._sent: set[int] = set()  # what has sent something is there, whatever the sensor says of itself later
        self._waves = {WAVES[name].kind: WaveState(WAVES[name].spec) for name in chosen if name in WAVES}

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """Those that were chosen and the sensor has, at their rates."""
        there = self._features | self._sent
        waves = [wave.spec for kind, wave in self._waves.items() if kind in there]
        rest = (HEART_RATE, PULSE_INTERVALS if self._pulses else RR, BATTERY)
        return {spec.name: spec for spec in (*waves, *rest)}

    def span_s(self, frame: Frame) -> float:
        """Return the sum of the intervals that a notification tells."""
        if frame.channel != DATA_CHANNEL:
            return self._heart.span_s(frame)
        if not frame.data or frame.data[0] != PPI:
            return 0.0
        try:
            return sum(each.ppi_ms for each in intervals(parse_frame(frame.data))) * MS
        except MalformedFrameError:
            return 0.0

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode frame by frame: each brings tens of samples."""
        waves: defaultdict[int, list[Piece]] = defaultdict(list)
        pulses: list[Row] = []
        for frame in frames:
            try:
                if frame.channel == DATA_CHANNEL:
                    self._on_data(frame, waves, pulses)
                elif frame.channel == CONTROL_CHANNEL:
                    self._on_control(frame.data)
            except MalformedFrameError as problem:
                self.faults[str(problem)] += 1
        read_now = (self._read(kind, pieces) for kind, pieces in waves.items())
        found = [packet for packet in read_now if packet is not None]
        if pulses and (packet := packet_of(PULSE_INTERVALS, pulses)) is not None:
            found.append(packet)
        heart = [packet for packet in self._heart.decode(frames) if not (self._pulses and packet.stream == RR.name)]
        return found + heart

    def _on_data(self, frame: Frame, waves: Mapping[int, list[Piece]], pulses: list[Row]) -> None:
        data = parse_frame(frame.data)
        if data.kind == PPI and self._pulses:
            pulses += [
                Row(frame.arrival_ns, _interval(each.ppi_ms, each.error_ms, each.flags), _flags(each.flags))
                for each in intervals(data)
            ]
        elif (wave := self._waves.get(data.kind)) is not None and data.kind in self._features:
            piece = _piece(wave, data, frame.arrival_ns)
            waves[data.kind].append(piece)
            self._sent.add(data.kind)
        else:
            raise MalformedFrameError("a measurement that was not asked for")

    def _read(self, kind: int, pieces: Sequence[Piece]) -> Packet | None:
        """Read the samples of a wave all at once."""
        spec = self._waves[kind].spec
        many = [piece.content.samples for piece in pieces]
        samples = np.concatenate([_samples(kind, len(spec.channels), alike) for alike in _alike(pieces)])
        ticks = ticks_of([piece.place for piece in pieces])
        arrival = np.repeat(np.array([piece.arrival_ns for piece in pieces], np.int64), many)
        good = _sane(samples, BY_KIND[kind].limit)
        if not good.all():
            self.faults["impossible values"] += int((~good).sum())
            arrival, ticks, samples = arrival[good], ticks[good], samples[good]
        return Packet(spec.name, arrival, ticks, samples, np.zeros(len(ticks), np.uint8)) if len(ticks) else None

    def _on_control(self, data: bytes) -> None:
        """Learn what the sensor has, what it is told to start, and what it answers."""
        if data[:1] == bytes((FEATURES,)):
            self._features = parse_features(data)
        elif data[:1] == bytes((START,)) and len(data) > 1 and (wave := BY_KIND.get(data[1])) is not None:
            rates = parse_settings(data[2:]).get(RATE) or (wave.spec.rate_hz or 1.0,)
            if data[1] in self._waves and rates[0]:
                rate_hz = self._real_hz(data[1], float(rates[0]))
                self._waves[data[1]] = WaveState(replace(wave.spec, rate_hz=rate_hz))
        elif data[:1] == bytes((REPLY,)):
            self._on_reply(data)

    def _on_reply(self, data: bytes) -> None:
        reply = parse_reply(data)
        wave = self._waves.get(reply.kind)
        if reply.operation != START or reply.problem or wave is None:
            return
        factors = parse_settings(reply.params).get(FACTOR) or (1.0,)
        if not np.isfinite(factors[0]) or not 0 < factors[0] < 1e6:
            raise MalformedFrameError("impossible conversion factor")
        wave.factor = float(factors[0])

    def _real_hz(self, kind: int, claimed_hz: float) -> float:
        """Return the rate at which a measurement really comes: some firmware names another."""
        verity = ROTATION in self._features and KINDS["ecg"] not in self._features
        return REAL_HZ if kind == PPG and claimed_hz == CLAIMED_HZ and verity else claimed_hz


def _piece(wave: WaveState, data: PmdFrame, arrival_ns: int) -> Piece:
    content, written = content_of(data)
    if data.compressed and wave.factor is None:
        raise MalformedFrameError("differences before the answer to the start")
    place = wave.place(data.stamp, content.samples)
    return Piece(arrival_ns, place, content, written, (wave.factor or 0.0) if data.compressed else 0.0)


def _alike(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Yield neighbours that are written alike: as a rule all of them."""
    for _, alike in groupby(pieces, key=itemgetter(3, 4)):
        yield list(alike)


def _samples(kind: int, columns: int, pieces: Sequence[Piece]) -> Samples:
    """Return the samples of frames that are written alike, in the units of their stream; NaN where a channel is not."""
    written, factor = pieces[0].written, pieces[0].factor
    raw = read([piece.content for piece in pieces], written, compressed=factor > 0.0)
    samples = np.full((len(raw), columns), np.nan)
    np.multiply(raw, written.scale * (factor or 1.0), out=samples[:, : written.channels])
    if kind == MAGNETIC_FIELD and written.channels > AXES:
        samples[:, AXES:] = raw[:, AXES:]  # how well it is calibrated has no unit
    return samples


def _sane(samples: Samples, limit: float) -> NDArray[np.bool_]:
    """Return (n,) whether no axis is beyond what the sensor can mean; what lies behind has a scale of its own."""
    return np.asarray((np.abs(samples[:, :AXES]) <= limit).all(axis=1), np.bool_)


def _interval(ppi_ms: int, error_ms: int, flags: int) -> tuple[float, float]:
    """Return interval and error, seconds. One that the sensor calls none is NaN: so its neighbours do not adjoin."""
    return (np.nan if flags & INVALID or not ppi_ms else ppi_ms * MS, error_ms * MS)


def _flags(flags: int) -> int:
    """Return what is known to be wrong with an interval.

    Polar's texts differ on which sense bit 2 has (contact can, or cannot, be told); that bit 1 says "contact" stands in
    all of them, and every sensor with these intervals can tell.
    """
    return Flag.LOSS_UNKNOWN | (Flag.NONE if flags & CONTACT else Flag.NO_CONTACT)
