"""Numbered measurements with content that follows from their number, so that nothing can be lost or doubled unseen."""

from __future__ import annotations

from gateway.model.measurement import Measurement

START_US = 1_760_000_000_000_000
SLOTS = 20
EVENT_EVERY = 5
RUN_FACTOR = 10_000_000
"""Number of a measurement: which start of the generator made it, times this, and how many that one had made before."""


def made(number: int) -> Measurement:
    """Return measurement ``number``: always the same, and no two alike."""
    event = number % EVENT_EVERY == 0
    end_us = START_US + (number % RUN_FACTOR) * 3_000
    return Measurement(
        metric="initial_contact" if event else "cadence",
        value=float(number),
        unit="1" if event else "{steps}/min",
        side="left" if event else "both",
        start_us=end_us if event else end_us - 10_000_000,
        end_us=end_us,
        sync_ms=2.5,
        n=number % 11,
        n_rejected=number % 3,
        quality="ok",
        reason="",
        algorithm="faults/1",
        devices=("dot-1", "dot-2"),
        placement=("left_foot", "right_foot"),
        slot=f"bay-{number % SLOTS}",
        session=f"run-{number // RUN_FACTOR}",
        subject="p-01",
        simulated=True,
    )
