"""Measurements to send through the delivery chain."""

from __future__ import annotations

import random

from gateway.model.measurement import Measurement

START_US = 1_760_000_000_000_000
"""2025-10-09, so that retention and time zones have something to bite on."""


def measurement(i: int = 0, *, slot: str = "bay-1", event: bool = False, value: float | None = 1.25) -> Measurement:
    """Return the i-th measurement of a slot: one a second, a window of ten seconds or an instant."""
    end_us = START_US + i * 1_000_000
    return Measurement(
        metric="initial_contact" if event else "cadence",
        value=value,
        unit="1" if event else "{steps}/min",
        side="left" if event else "both",
        start_us=end_us if event else end_us - 10_000_000,
        end_us=end_us,
        sync_ms=2.5,
        n=7,
        n_rejected=1,
        quality="ok" if value is not None else "invalid",
        reason="" if value is not None else "too few steps",
        algorithm="cadence/1",
        devices=("dot-1", "dot-2"),
        placement=("left_foot", "right_foot"),
        slot=slot,
        session="s-1",
        subject="p-01",
        simulated=True,
    )


def ward(n: int, *, slots: int = 3, seed: int = 1) -> list[Measurement]:
    """Return n measurements of several slots in turn, some of them events, some without a value."""
    rng = random.Random(seed)
    return [
        measurement(
            i,
            slot=f"bay-{i % slots}",
            event=rng.random() < 0.2,
            value=None if rng.random() < 0.05 else rng.gauss(90, 20),
        )
        for i in range(n)
    ]
