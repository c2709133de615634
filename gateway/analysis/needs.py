"""Which kernels the devices of one person need, as the table of modalities says, and how a step stream tells of them.

The names are those of `gateway.analysis.warm_up.PARTS`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from config.settings import Device
from drivers.packet import Frame
from gateway.analysis.modalities import MODALITIES
from gateway.analysis.modality import Modality
from gateway.analysis.ward_operators import placements
from gateway.intake.frames import NO_DEVICE, Numbered

CLOCKS: Final = "device clocks"
"""The one kernel that belongs to no modality: it places what is sampled at a rate, whatever that is."""

UNREADY_CHANNEL = "unready"
"""Frames of no device. Payload: the names of the kernels that are not ready from the begin of the step on."""
BETWEEN = ","


def needs_of(devices: Mapping[int, Device], modalities: Iterable[Modality] = MODALITIES) -> set[str]:
    """Return the names of the kernels that the devices of one slot need; their numbers tell them apart."""
    placed = placements(devices)
    return {CLOCKS}.union(*(modality.operators().kernels_for(placed) for modality in modalities))


def compiled_streams(modalities: Iterable[Modality] = MODALITIES) -> frozenset[str]:
    """Return the names of the streams whose operators call kernels."""
    return frozenset(signal.stream for m in modalities if m.operators().kernels() for signal in m.signals)


def unready_frame(arrival_ns: int, names: Collection[str]) -> Numbered:
    """Return what goes into the pipeline's input when kernels are not ready, or other ones; none: all are."""
    return NO_DEVICE, Frame(arrival_ns, UNREADY_CHANNEL, BETWEEN.join(sorted(names)).encode())


def unready_of(payload: bytes) -> frozenset[str]:
    """Return the names that a frame of `UNREADY_CHANNEL` holds."""
    return frozenset(filter(None, payload.decode(errors="replace").split(BETWEEN)))
