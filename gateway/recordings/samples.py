"""Samples of a recording on the gateway's time, without any analysis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from config.settings import Settings
from drivers.packet import StreamSpec
from gateway.clocks.common_motion import Series
from gateway.intake.arrived import Arrived
from gateway.intake.frames import WARD_CHANNEL, part_frames
from gateway.intake.intakes import Intakes
from gateway.model.ward import Ward, decode_ward, ward_of
from gateway.recordings.recording import RecordingReader


@dataclass(frozen=True, slots=True)
class Sampled:
    """One stream of a device.

    Attributes:
        slot: Bed.
        device: Id.
        placement: Where it is worn.
        spec: The stream.
        series: Its samples.
    """

    slot: str
    device: str
    placement: str
    spec: StreamSpec
    series: Series


def samples_of(path: Path, streams: Collection[str]) -> list[Sampled]:
    """Return the samples of some streams of a recording, as far as it is whole.

    Raises:
        gateway.recordings.recording.RecordingError: The file is not a recording.
    """
    reader = RecordingReader(path)
    try:
        settings = Settings.model_validate(reader.header.settings)
        intakes = Intakes(reader.header.origin_ns)
        _wear(intakes, ward_of(settings, reader.header.sessions))
        pieces: defaultdict[tuple[int, str], list[Arrived]] = defaultdict(list)
        times: defaultdict[tuple[int, str], list[np.ndarray[tuple[int], np.dtype[np.float64]]]] = defaultdict(list)
        for _, frames in reader.blocks():
            notes, own = part_frames(frames)
            for batch in intakes.place(intakes.decode(own)):
                for at in range(len(batch.intakes)) if batch.name in streams else ():
                    arrived = batch.one(at)
                    pieces[arrived.number, batch.name].append(arrived)
                    times[arrived.number, batch.name].append(arrived.timeline.at(arrived.index.astype(float)))
            for note in notes:
                if note.channel == WARD_CHANNEL:
                    _wear(intakes, decode_ward(note.data))
    finally:
        reader.close()
    return [_sampled(intakes, key, parts, times[key]) for key, parts in pieces.items()]


def _wear(intakes: Intakes, ward: Ward) -> None:
    intakes.wear([(device, bed.slot.id) for bed in ward for device in bed.slot.device])


def _sampled(
    intakes: Intakes,
    key: tuple[int, str],
    parts: list[Arrived],
    times: list[np.ndarray[tuple[int], np.dtype[np.float64]]],
) -> Sampled:
    intake = intakes.all[key[0]]
    width = parts[0].samples.shape[1]
    alike = [number for number, part in enumerate(parts) if part.samples.shape[1] == width]
    time_s = np.concatenate([times[number] for number in alike])
    values = np.concatenate([parts[number].samples for number in alike])
    rising = np.concatenate([[True], time_s[1:] > np.maximum.accumulate(time_s)[:-1]])
    series = Series(time_s[rising], values[rising])
    return Sampled(str(intake.slot), intake.device.id, intake.device.placement, parts[0].spec, series)
