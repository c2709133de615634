"""What the shared foot scorer calls: the product's own operators, fed in packets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.foot import FINAL_CONTACT, GAP, INITIAL_CONTACT, FootContacts

KINDS = {INITIAL_CONTACT: "ic", FINAL_CONTACT: "fc"}


class FootDetector:
    """One foot sensor behind the scorer's interface."""

    def __init__(self, rate_hz: float) -> None:
        self._contacts = FootContacts()
        self._sensor = self._contacts.attach(rate_hz)
        self._rate_hz = rate_hz
        self._last_initial = float("nan")

    def push(
        self, index: NDArray[np.int64], acc: NDArray[np.float64], gyr: NDArray[np.float64]
    ) -> Iterator[dict[str, Any]]:
        for event in self._contacts.push(Batch.single(index, acc, gyr, self._sensor)):
            if event["kind"] == GAP:
                self._last_initial = float("nan")
            elif event["kind"] in KINDS:
                at = float(event["index"])
                yield {"kind": KINDS[int(event["kind"])], "index": at}
                if event["kind"] == INITIAL_CONTACT:
                    time_s = (at - self._last_initial) / self._rate_hz
                    if np.isfinite(time_s) and time_s < 8.0:
                        yield {"kind": "stride", "index": at, "time_s": time_s, "length_m": float("nan")}
                    self._last_initial = at


def detector(placement: str, rate_hz: float, **info: Any) -> FootDetector:
    """Return a detector for a foot placement."""
    if "foot" not in placement:
        raise ValueError(f"no foot: {placement}")
    return FootDetector(rate_hz)
