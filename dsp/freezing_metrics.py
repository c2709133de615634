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
)
