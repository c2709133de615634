"""The metrics of freezing of gait."""

from __future__ import annotations

from typing import Final

from dsp.metric import Metric

FREEZING: Final[tuple[Metric, ...]] = (
    Metric(
        "freeze_index_multitaper",
        "Freeze index (multitaper, ln)",
        unit="1",
        unit_text="",
        kind="window",
        sides=("left", "right", "none"),
        group="freezing",
        digits=1,
        low=-20.0,
        high=20.0,
        description="Natural logarithm of the power of the leg's acceleration from 3 to 8 Hz by that from 0.5 to 3 Hz,"
        " over 4 s, all axes together, with five sine tapers: it lags by 2 s. Above 0 a leg trembles more than it"
        " walks. Not comparable with other variants (Moore 2008; Riedel & Sidorenko 1995).",
    ),
    Metric(
        "freezing_episode",
        "Freezing episode",
        unit="s",
        unit_text="s",
        kind="window",
        sides=("left", "right", "none"),
        group="freezing",
        digits=1,
        low=1.0,
        description="How long a leg's freeze index (multitaper) was above ln 2 while it moved: it trembled with twice"
        " the power that it walked with. Pauses up to 1 s are part of it; one of less than 1 s is none. Freezing"
        " without trembling is not found.",
    ),
    Metric(
        "n_fog",
        "Freezing episodes",
        unit="1",
        unit_text="",
        kind="test",
        sides=("left", "right", "none"),
        group="freezing",
        digits=0,
        low=0.0,
        description="Number of freezing episodes in the session.",
    ),
    Metric(
        "pct_time_frozen",
        "Time frozen",
        unit="%",
        unit_text="%",
        kind="test",
        sides=("left", "right", "none"),
        group="freezing",
        digits=0,
        low=0.0,
        high=100.0,
        description="Freezing episodes by the time in which the leg moves, over the session.",
    ),
)
