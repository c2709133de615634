"""One value of a catalogue metric, with everything that a reader needs to trust it or not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Side = Literal["left", "right", "both", "none"]
Quality = Literal["ok", "degraded", "invalid"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value of one metric over one time window (metrics reference, section 0).

    Attributes:
        metric: Identifier in ``dsp.catalogue``.
        value: In the unit of the catalogue; None when there is none, and then ``reason`` says why.
        unit: UCUM code, from the catalogue.
        side: Which side of the body.
        start_us: First instant that the value describes, UTC microseconds.
        end_us: Last instant, UTC microseconds; equal to ``start_us`` for an event.
        sync_ms: Uncertainty of those instants between devices (1 sigma), milliseconds; None if unknown.
        n: Strides, steps, beats or samples that went in.
        n_rejected: How many were left out as implausible.
        quality: ``ok``, ``degraded`` or ``invalid``.
        reason: Why the quality is not ok or the value is missing; empty otherwise.
        algorithm: Name and version, ``"foot-contacts/2"``.
        devices: Ids of the devices it came from.
        placement: Where they were worn, in the order of ``devices``.
        slot: The bed or bay.
        session: Session id.
        subject: Pseudonym; never a name or a hospital number.
        simulated: True if any device was simulated or replayed from a recording by a simulator.
    """

    metric: str
    value: float | None
    unit: str
    side: Side
    start_us: int
    end_us: int
    sync_ms: float | None
    n: int
    n_rejected: int
    quality: Quality
    reason: str
    algorithm: str
    devices: tuple[str, ...]
    placement: tuple[str, ...]
    slot: str
    session: str
    subject: str
    simulated: bool

    def as_dict(self) -> dict[str, Any]:
        """Return plain types, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Build from decoded JSON; raises TypeError or KeyError when fields are missing or unknown."""
        return cls(**{**fields, "devices": tuple(fields["devices"]), "placement": tuple(fields["placement"])})
