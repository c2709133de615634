"""Which kernels the devices of one person need, by the names of `gateway.analysis.warm_up.PARTS`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from config.settings import Device
from drivers.packet import Frame
from gateway.analysis.contacts import Part, steps_by
from gateway.analysis.joints import pairs
from gateway.analysis.operators import placements
from gateway.intake.frames import NO_DEVICE, Numbered

CLOCKS: Final = "device clocks"
BY_PART: Final[Mapping[Part, str]] = {"foot": "feet", "shank": "shanks"}

UNREADY_CHANNEL = "unready"
"""Frames of no device. Payload: the names of the kernels that are not ready from the begin of the step on."""
BETWEEN = ","


def needs_of(devices: Mapping[int, Device]) -> set[str]:
    """Return the names of the kernels that the devices of one slot need; their numbers tell them apart."""
    found = {CLOCKS}
    worn = placements(devices)
    found |= {BY_PART[part] for _, part in steps_by(worn).values()}
    if pairs(worn):
        found.add("joints")
    if "lower_back" in worn:
        found.add("lower back")
    return found | {"axes"} if len(found) > 1 else found


def unready_frame(arrival_ns: int, names: Collection[str]) -> Numbered:
    """Return what goes into the pipeline's input when kernels are not ready, or other ones; none: all are."""
    return NO_DEVICE, Frame(arrival_ns, UNREADY_CHANNEL, BETWEEN.join(sorted(names)).encode())


def unready_of(payload: bytes) -> frozenset[str]:
    """Return the names that a frame of `UNREADY_CHANNEL` holds."""
    return frozenset(filter(None, payload.decode(errors="replace").split(BETWEEN)))
