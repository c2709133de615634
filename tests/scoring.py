"""What the shared scorers call: the product's own decoders and operators, fed in packets."""

from __future__ import annotations

from typing import Any

from tests.scoring_falls import falls
from tests.scoring_feet import FootDetector
from tests.scoring_feet import detector as foot_detector
from tests.scoring_freezing import freezing
from tests.scoring_heart import beats
from tests.scoring_lower_back import LowerBackDetector
from tests.scoring_lower_back import detector as lower_back_detector
from tests.scoring_orientation import orientation
from tests.scoring_posture import posture
from tests.scoring_sway import sway
from tests.scoring_tremor import tremor
from tests.scoring_vectors import decode

__all__ = ["beats", "decode", "detector", "falls", "freezing", "orientation", "posture", "sway", "transfers", "tremor"]
from tests.scoring_transfers import transfers


def detector(placement: str, rate_hz: float, **info: Any) -> FootDetector | LowerBackDetector:
    """Return a streaming detector for a placement; raises ValueError for one that the product does not know."""
    if placement == "lower_back":
        return lower_back_detector(placement, rate_hz, **info)
    return foot_detector(placement, rate_hz, **info)
