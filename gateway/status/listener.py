"""What the gateway and its devices are doing: the payload of the retained status topic."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Unpack, cast

from config.settings import Settings, Slot
from drivers.transport.link_quality import LinkQuality
from drivers.transport.supervisor import DeviceState
from gateway.intake.intake import Intake
from gateway.model.status import (
    DeviceClockStatus,
    DeviceStatus,
    LinkStatus,
    MountingStatus,
    OutboxStatus,
    Sections,
    SlotStatus,
    Status,
    StreamStatus,
)
from gateway.model.ward import Ward
from gateway.outbox.outbox import Outbox

if TYPE_CHECKING:  # whoever wears no motion sensor need not load what makes them
    from dsp.mounting.alignment import Mounting


def slot_status(slot: Slot, session: str) -> SlotStatus:
    """Describe a slot to the dashboard."""
    return {
        "id": slot.id,
        "label": slot.label or slot.id,
        "subject": slot.subject,
        "session": session,
        "protocol": slot.protocol,
        "devices": [device.id for device in slot.device],
    }


def device_status(
    intake: Intake,
    state: DeviceState | None,
    now_s: float,
    rate_hz: float,
    mounting: Mounting | None = None,
    *,
    units: str = "",
    link: LinkQuality | None = None,
) -> DeviceStatus:
    """Describe a device: link, what it sends (``rate_hz`` as measured, all streams together), clock, strap, units."""
    counts = intake.counts.values()
    return {
        "id": intake.device.id,
        "slot": cast("str", intake.slot),  # a device in a status is worn
        "placement": intake.device.placement,
        "driver": intake.device.driver,
        "transport": intake.transport,
        "state": state.state if state else "stopped",
        "samples": intake.samples,
        "rate_hz": rate_hz,
        "lost": sum(count.lost for count in counts),
        "resets": sum(count.resets for count in counts),
        "faults": dict(intake.faults),
        "repeated": intake.repeated + intake.sent.again + sum(count.repeated for count in counts),
        "units": [units] if units else [],
        "age_s": round(now_s - intake.newest_s, 3) if math.isfinite(intake.newest_s) else None,
        "silence_s": intake.silence_s,
        "battery": _latest(intake, "battery"),
        "error": state.error if state else "",
        "advice": state.advice if state else "",
        "problem": state.problem if state else "",
        "doubt": (state.doubt if state else "") or intake.decoder.doubt,
        "told": asdict(state.identity) if state else None,
        "link": cast("LinkStatus", asdict(link.state())) if link is not None else None,
        "clock": _clock(intake),
        "mounting": _mounting(mounting),
        "streams": _streams(intake),
    }


def _streams(intake: Intake) -> dict[str, StreamStatus]:
    return {
        name: {"channels": list(spec.channels), "units": list(spec.units), "rate_hz": spec.rate_hz}
        for name, spec in intake.streams.items()
    }


def outbox_status(outbox: Outbox) -> OutboxStatus:
    """Describe the outbox."""
    found = {**asdict(outbox.state()), "max_bytes": outbox.limits.max_bytes, "classes": outbox.classes()}
    return cast("OutboxStatus", found)


def gateway_status(
    settings: Settings, *, time_us: int, ward: Ward, devices: list[DeviceStatus], **parts: Unpack[Sections]
) -> Status:
    """Put the payload together; ``parts`` are pipeline, outbox, publisher and the like."""
    return {
        "v": 1,
        "gateway": settings.site.gateway,
        "state": "online",
        "simulated": settings.simulated,
        "time_us": time_us,
        "slots": [slot_status(bed.slot, bed.session) for bed in ward],
        "devices": devices,
        **parts,
    }


def _latest(intake: Intake, stream: str) -> float | None:
    value = intake.latest.get(stream)
    return None if value is None or not math.isfinite(value[0]) else float(value[0])


def _clock(intake: Intake) -> DeviceClockStatus | None:
    """Return the fit of the stream with a device clock; None where arrival is all there is."""
    for stream in intake.placed.values():
        fit = stream.timeline.fit
        if fit is not None:
            return {
                "offset_s": round(fit.offset_s, 4),
                "drift_ppm": round(-fit.skew * 1e6, 1),
                "uncertainty_ms": round(fit.uncertainty_s * 1000, 2),
            }
    return None


def _mounting(found: Mounting | None) -> MountingStatus | None:
    """Return how far from its configured axes a sensor is worn, and whether that is sure; None if nobody looks."""
    if found is None or math.isnan(found.askew):
        return None
    return {"askew_deg": round(math.degrees(found.askew), 1), "sure": found.sure}
