"""``rehab-gateway replay --offsets``: how far apart the clocks of the devices on one body are."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rich.table import Table

from drivers.exoskeleton import SIDES, STREAM
from gateway.cli.terminal import Terminal
from gateway.clocks.common_motion import KNEE_ALONE_S, Offset, Series, joint_offset
from gateway.machine.plain_text import plain_json, visible
from gateway.recordings.offsets import tap_offsets
from gateway.recordings.samples import Sampled, samples_of

ACCELERATION: Final = ("acc_x", "acc_y", "acc_z")
TURNING: Final = ("gyr_x", "gyr_y", "gyr_z")
STREAMS: Final = ("imu", "acceleration", "rotation", STREAM)
LEAST_SAMPLES: Final = 10
NOTHING: Final = "Nothing to compare: no two motion sensors on one body, and no exoskeleton with a sensor on a shank."
AS_WORDS: Final = {"taps": "three taps or stamps", "walking": "joint rate and shank"}


@dataclass(frozen=True, slots=True)
class Found:
    """One offset, and what it is between."""

    slot: str
    device: str
    reference: str
    by: str
    offset: Offset | None


def show_offsets(recordings: Sequence[Path], *, as_json: bool) -> int:
    """Print the offsets of each recording; return the exit status: 1 where none is found.

    Raises:
        gateway.recordings.recording.RecordingError: for a file that is not a recording.
    """
    found = [each for path in recordings for each in offsets_of(path)]
    if as_json:
        for each in found:
            sys.stdout.buffer.write(plain_json(asdict(each)))
        sys.stdout.flush()
    else:
        Terminal().print(_table(found) if found else NOTHING)
    return 0 if any(each.offset is not None for each in found) else 1


def offsets_of(path: Path) -> Iterator[Found]:
    """Yield what can be said of each body: sensors against the first one, an exoskeleton against each shank."""
    slots: defaultdict[str, list[Sampled]] = defaultdict(list)
    for sampled in samples_of(path, STREAMS):
        if len(sampled.series.time_s) >= LEAST_SAMPLES:
            slots[sampled.slot].append(sampled)
    for slot, own in slots.items():
        yield from _of_sensors(slot, own)
        yield from _of_exoskeletons(slot, own)


def _of_sensors(slot: str, own: Sequence[Sampled]) -> Iterator[Found]:
    sensors = {each.device: series for each in own if (series := _part(each, ACCELERATION)) is not None}
    if len(sensors) < 2:
        return
    reference = min(sensors)
    offsets = tap_offsets(sensors, reference)
    for device in sorted(sensors):
        if device != reference:
            yield Found(slot, device, reference, "taps", offsets.get(device))


def _of_exoskeletons(slot: str, own: Sequence[Sampled]) -> Iterator[Found]:
    for side in SIDES:
        shanks = [(each, _part(each, TURNING)) for each in own if each.placement == f"{side}_shank"]
        for worn in own:
            rate, unlike_s = _shank_rate(worn, side) if worn.spec.name == STREAM else (None, 0.0)
            for shank, turning in shanks:
                if rate is not None and turning is not None:
                    offset = joint_offset(rate, turning, unlike_s=unlike_s)
                    yield Found(slot, shank.device, worn.device, "walking", offset)


def _shank_rate(worn: Sampled, side: str) -> tuple[Series | None, float]:
    """Return the rate of the shank against the pelvis: what the hip turns it forward, less what the knee bends it.

    And what an offset by it may be off by, 1 sigma, where it is the knee alone.
    """
    hip, knee = _part(worn, (f"{side}_hip_velocity",)), _part(worn, (f"{side}_knee_velocity",))
    if knee is None or np.isnan(knee.values).all():
        return None, 0.0
    if hip is None or np.isnan(hip.values).all():
        return knee, KNEE_ALONE_S
    return Series(knee.time_s, hip.values - knee.values), 0.0


def _part(sampled: Sampled, channels: Sequence[str]) -> Series | None:
    places: Mapping[str, int] = {channel: at for at, channel in enumerate(sampled.spec.channels)}
    if not all(channel in places for channel in channels):
        return None
    return Series(sampled.series.time_s, sampled.series.values[:, [places[channel] for channel in channels]])


def _table(found: Sequence[Found]) -> Table:
    table = Table("slot", "device", "against", "by", title="Offsets between devices on one body", title_justify="left")
    for heading in ("later by", "±", "times"):
        table.add_column(heading, justify="right")
    for each in found:
        offset = each.offset
        numbers = ["not felt by both", "", ""]
        if offset is not None:
            numbers = [f"{1000 * offset.seconds:.1f} ms", f"{1000 * offset.uncertainty_s:.1f} ms", str(offset.count)]
        table.add_row(visible(each.slot), visible(each.device), visible(each.reference), AS_WORDS[each.by], *numbers)
    return table
