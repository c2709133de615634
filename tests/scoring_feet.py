"""What the shared foot scorer calls, for feet and for shanks: the product's own operators, fed in packets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.contact.events import FINAL_CONTACT, GAP, INITIAL_CONTACT
from dsp.foot.contacts import FootContacts
from dsp.gait.gait import TURNING
from dsp.shank.contacts import ShankContacts

KINDS = {INITIAL_CONTACT: "ic", FINAL_CONTACT: "fc"}


class FootDetector:
    """One sensor on a foot or shank behind the scorer's interface."""

    def __init__(self, contacts: FootContacts | ShankContacts, rate_hz: float) -> None:
        self._contacts = contacts
        self._sensor = self._contacts.attach(rate_hz)
        self._straight = True

    def push(
        self, index: NDArray[np.int64], acc: NDArray[np.float64], gyr: NDArray[np.float64]
    ) -> Iterator[dict[str, Any]]:
        """Take a packet; yield contacts, and steady strides (no turn in them or just before) at foot-flat."""
        for event in self._contacts.process(Batch.single(index, acc, gyr, self._sensor)):
            if event["kind"] in KINDS:
                yield {"kind": KINDS[int(event["kind"])], "index": float(event["index"])}
            elif event["kind"] == GAP:
                self._straight = False  # nobody saw whether the stride before turned
        for stride in self._contacts.strides:
            straight, self._straight = self._straight, abs(stride["turn"]) < TURNING
            if straight and self._straight and np.isfinite(stride["time_s"]):
                yield {
                    "kind": "stride",
                    "index": float(stride["initial"]),
                    "time_s": float(stride["time_s"]),
                    "length_m": float(stride["length"]),
                }


def detector(placement: str, rate_hz: float, **info: Any) -> FootDetector:
    """Return a detector for a foot's or a shank's placement."""
    if "foot" in placement:
        return FootDetector(FootContacts(), rate_hz)
    if "shank" in placement:
        return FootDetector(ShankContacts(), rate_hz)
    raise ValueError(f"neither foot nor shank: {placement}")
