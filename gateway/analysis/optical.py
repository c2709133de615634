"""Variability of the heart from optical sensors: of a body that moves it is none, and has to be marked.

What a wrist band or an ear clip calls intervals between beats is noise of movement as soon as the body moves: against
an ECG, the RMSSD of four of them was two to five times too large in walking, and right in standing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from config.settings import Device
from gateway.analysis.ward_operators import DeviceResult

ELECTRIC: Final = "chest"
"""Where a strap with electrodes is worn; all that tell intervals elsewhere do it by light."""
VARIABILITY: Final = frozenset({"hrv_rmssd", "hrv_sdnn"})
MOVING: Final = frozenset({"initial_contact", "final_contact", "cadence", "exercise_cadence"})
"""Metrics of somebody who moves."""
TELL_OF_MOVEMENT: Final = frozenset(
    {"left_foot", "right_foot", "left_shank", "right_shank", "lower_back"}
)  # fmt: skip
"""Placements of the sensors that give them."""
MOVED: Final = "optical sensor while the body moved: not a variability of the heart"
UNKNOWN: Final = "optical sensor, and nothing is worn that tells whether the body moved"


class OpticalDoubt:
    """Whether what one person's optical sensors tell of variability is to be believed.

    Args:
        devices: What they wear, by number.
    """

    def __init__(self, devices: Mapping[int, Device]) -> None:
        self._electric = {number for number, device in devices.items() if device.placement == ELECTRIC}
        self._told = any(device.placement in TELL_OF_MOVEMENT for device in devices.values())
        self._moved_s = -math.inf

    def mark(self, results: Iterable[DeviceResult]) -> list[DeviceResult]:
        """Return results, in their order, with variability marked where it is none."""
        found = list(results)
        for at, (result, numbers) in enumerate(found):
            if result.metric in MOVING:
                self._moved_s = max(self._moved_s, result.end_s)
            elif result.metric in VARIABILITY and self._electric.isdisjoint(numbers) and result.value is not None:
                doubt = MOVED if self._moved_s >= result.start_s else "" if self._told else UNKNOWN
                if doubt:
                    reason = "; ".join(filter(None, (result.reason, doubt)))
                    found[at] = (result._replace(quality="degraded", reason=reason), numbers)
        return found
