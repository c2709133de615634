"""Who watches a stream while it is analysed: each tap gets the stream's samples as they go to the operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from config.settings import Device
from drivers.packet import StreamSpec
from gateway.analysis.subject import Subject
from gateway.clocks.timeline import Floats
from gateway.intake.arrived import Arrived, ArrivedBatch
from gateway.model.ward import Ward


@dataclass(frozen=True, slots=True)
class Tapped:
    """Samples in a row of one stream, as they go to the analysis, and whose they are.

    Attributes:
        device: The device, with where and how it is worn.
        spec: The stream: channels, units and rate.
        slot: The bed.
        subject: Who wears it, by pseudonym.
        session: Id of the session in force.
        before: Number of the sample that came before these; -1 before the first of the run.
        first: Number of the first sample since the start of the run; lost ones count.
        start_s: Gateway time of the first sample, seconds.
        samples: (n, channels); NaN in place of lost ones.
    """

    device: Device
    spec: StreamSpec
    slot: str
    subject: str
    session: str
    before: int
    first: int
    start_s: float
    samples: Floats


Tap = Callable[[Tapped], None]


class StreamTaps(dict[tuple[str, str], Tap]):
    """The taps by device id and name of the stream. Another thread may set one while the analysis runs."""

    def feed(self, batch: ArrivedBatch, subjects: Mapping[str, Subject]) -> None:
        """Hand what arrived of devices that are worn to who watches them; what is sampled at no rate is not watched.

        Args:
            batch: What arrived.
            subjects: Who wears them, by slot.
        """
        for at, intake in enumerate(batch.intakes):
            tap = self.get((intake.device.id, batch.name))
            if tap is not None and batch.streams[at].spec.rate_hz:
                tap(_tapped(intake.device, batch.one(at), subjects[str(intake.slot)]))

    def end_of_others(self, before: Ward, after: Ward) -> None:
        """Whoever watches a device watches somebody: they have to ask again when that is somebody else."""
        was, now = (
            {device.id: bed.slot.subject for bed in ward for device in bed.slot.device} for ward in (before, after)
        )
        for key in [key for key in list(self) if was.get(key[0]) != now.get(key[0])]:
            self.pop(key, None)


def _tapped(device: Device, arrived: Arrived, subject: Subject) -> Tapped:
    index = arrived.index
    whole = np.full((int(index[-1] - index[0]) + 1, arrived.samples.shape[1]), np.nan)
    whole[index - index[0]] = arrived.samples
    start_s = float(arrived.timeline.at(index[:1].astype(float))[0])
    return Tapped(device, arrived.spec, subject.slot, subject.pseudonym, subject.session,
                  arrived.before, int(index[0]), start_s, whole)  # fmt: skip
