"""Samples in a row, with their times, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gateway.wire.waveform import decode, taken_from, times_us


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of one stream in about a twentieth of a second.

    Attributes:
        device: Id of the device.
        stream: Name of its stream.
        first: Number of the first sample since the start of the gateway's run; the next batch goes on from here.
        time_us: (n,) gateway time of each sample, UTC microseconds.
        samples: (n, channels) in the device's own frame; NaN in place of samples that the device's radio lost.
        channels: Names of the columns, such as ``acc_x``.
        units: UCUM units of the columns, such as ``m/s2``.
        rate_hz: Samples a second.
        axes: Which axes of the device point forward, left and up as it is worn, such as ``-x -y z``.
        placement: Where it is worn.
        slot: The bed.
        subject: Who wears it, by pseudonym.
        session: Id of the session in force.
        simulated: Whether a simulator made the samples.
        lost: Samples right before these that the device's radio lost.
        missed: Samples before those that the gateway had, and that did not get here: the reader or the network was too
            slow, or nobody had asked for them after another person had put the device on.
    """

    device: str
    stream: str
    first: int
    time_us: NDArray[np.int64]
    samples: NDArray[np.float32]
    channels: tuple[str, ...]
    units: tuple[str, ...]
    rate_hz: float
    axes: str
    placement: str
    slot: str
    subject: str
    session: str
    simulated: bool
    lost: int = 0
    missed: int = 0

    @property
    def end(self) -> int:
        """Number of the sample after the last one."""
        return self.first + len(self.samples)

    def after(self, before: Batch | None) -> Batch | None:
        """Return what a reader who has had another batch gets of this: nothing twice, and told what is missing."""
        if before is None or (self.session != before.session and self.first < before.end):
            return replace(self, lost=0)  # the first, or that of another run of the gateway, which counts anew
        known = max(0, before.end - self.first)
        if known >= len(self.samples):
            return None
        first = self.first + known
        lost = min(self.lost, first - before.end)
        return replace(
            self, first=first, time_us=self.time_us[known:], samples=self.samples[known:],
            lost=lost, missed=first - before.end - lost,
        )  # fmt: skip


def batch_of(device: str, stream: str, payload: bytes, properties: tuple[tuple[str, str], ...]) -> Batch:
    """Return what a message of the waveform topic holds; raises ValueError."""
    start_us, rate_hz, samples = decode(payload)
    of = taken_from(properties)
    if len(of.channels) != samples.shape[1] or len(of.units) != samples.shape[1]:
        raise ValueError("a waveform with other channels than it says")
    return Batch(
        device, stream, of.first, times_us(start_us, rate_hz, len(samples)), samples, of.channels, of.units, rate_hz,
        of.axes, of.placement, of.slot, of.subject, of.session, of.simulated, lost=max(0, of.first - of.before - 1),
    )  # fmt: skip
