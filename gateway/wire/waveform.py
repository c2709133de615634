"""The bytes of raw samples, and what says whose they are."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HEADER = struct.Struct("<BBHfq")  # version, channels, samples, rate in Hz, first sample in UTC microseconds
VERSION = 1
FLOAT_BYTES = 4

Properties = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TakenFrom:
    """What a waveform is of: user properties of its message, since readers of the payload know its length.

    Attributes:
        before: Number of the sample that came before these; -1 before the first.
        first: Number of the first sample since the start of the run; lost ones count.
        slot: The bed.
        subject: Who wears the device, by pseudonym.
        session: Id of the session in force.
        placement: Where it is worn.
        axes: Which of its axes point forward, left and up, as ``axes`` of the configuration.
        channels: Names of the columns.
        units: UCUM units of the columns.
        simulated: Whether a simulator made the samples.
    """

    before: int
    first: int
    slot: str
    subject: str
    session: str
    placement: str
    axes: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    simulated: bool

    def properties(self) -> Properties:
        """Return user properties of MQTT 5."""
        return (
            ("before", str(self.before)), ("first", str(self.first)), ("slot", self.slot), ("subject", self.subject),
            ("session", self.session), ("placement", self.placement), ("axes", self.axes),
            ("channels", " ".join(self.channels)),
            ("units", " ".join(self.units)), ("simulated", "true" if self.simulated else "false"),
        )  # fmt: skip


def taken_from(properties: Iterable[tuple[str, str]]) -> TakenFrom:
    """Return what user properties say; raises ValueError where something is missing, or is of another kind."""
    fields = dict(properties)
    try:
        return TakenFrom(
            int(fields["before"]), int(fields["first"]), fields["slot"], fields["subject"], fields["session"],
            fields["placement"], fields["axes"], tuple(fields["channels"].split(" ")),
            tuple(fields["units"].split(" ")),
            fields["simulated"] == "true",
        )  # fmt: skip
    except KeyError as missing:
        raise ValueError(f"a waveform that does not say its {missing.args[0]}") from None


def encode(start_us: int, rate_hz: float, samples: NDArray[np.float64]) -> bytes:
    """Return a payload of the waveform topic from samples (n, channels); NaN marks lost ones."""
    n, channels = samples.shape
    return HEADER.pack(VERSION, channels, n, rate_hz, start_us) + samples.astype("<f4").tobytes()


def decode(payload: bytes) -> tuple[int, float, NDArray[np.float32]]:
    """Return start (UTC microseconds), rate in Hz and samples (n, channels) of a payload; raises ValueError."""
    if not is_frame(payload):
        raise ValueError("not a waveform of this version")
    _, channels, n, rate_hz, start_us = HEADER.unpack_from(payload)
    samples = np.frombuffer(payload, "<f4", offset=HEADER.size).astype(np.float32).reshape(n, channels)
    return start_us, rate_hz, samples


def is_frame(payload: bytes) -> bool:
    """Whether a payload is a waveform that can be read: right version and exactly as long as it says."""
    if len(payload) < HEADER.size:
        return False
    version, channels, samples, rate_hz, _ = HEADER.unpack_from(payload)
    return bool(
        version == VERSION
        and channels > 0
        and rate_hz > 0
        and len(payload) == HEADER.size + channels * samples * FLOAT_BYTES
    )


def times_us(start_us: int, rate_hz: float, n: int) -> NDArray[np.int64]:
    """Return UTC microseconds of n samples in a row."""
    times: NDArray[np.int64] = start_us + np.rint(np.arange(n) * (1e6 / rate_hz)).astype(np.int64)
    return times
