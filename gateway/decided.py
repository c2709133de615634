"""Which events were decided lately, and when the samples that decided them had arrived.

The status carries these few pairs. Whoever shows events can then say how late they were: no message has to be larger.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from gateway.intake import Intake
from gateway.measurement import Measurement
from gateway.outbox import Outbox
from gateway.pipeline import Numbered

TOLD = 32
"""Events of one status: a sample of them is enough for a percentile, and a full ward makes more in a second."""


class Decided:
    """Numbers the measurements as the outbox does, and notes when the newest sample of each event arrived.

    Args:
        outbox: Where the measurements go, in the same order.
        intakes: The devices, in the order of their numbers.
        to_wall_us: Tells when, by the wall clock, something arrived that has this arrival stamp.
    """

    def __init__(self, outbox: Outbox, intakes: Sequence[Intake], to_wall_us: Callable[[int], int]) -> None:
        self._outbox = outbox
        self._numbers = {intake.device.id: number for number, intake in enumerate(intakes)}
        self._to_wall_us = to_wall_us
        self._epoch = ""
        self._seq = 0
        self._lately: deque[tuple[int, int]] = deque(maxlen=TOLD)

    def append(self, measurements: Sequence[Measurement], frames: Sequence[Numbered]) -> None:
        """Hand what a step completed to the outbox, at once where there is an event among it."""
        if not measurements:
            return
        if self._outbox.epoch != self._epoch:  # the first, or the file had to be replaced: numbers begin anew
            self._epoch, self._seq = self._outbox.epoch, self._outbox.state().last_seq
            self._lately.clear()
        events = [(number, m) for number, m in enumerate(measurements, start=self._seq + 1) if is_event(m)]
        self._seq += len(measurements)
        self._outbox.append(measurements, urgent=bool(events))
        if events:
            newest = {number: frame.arrival_ns for number, frame in frames}
            for seq, event in events:
                arrivals = [newest[n] for device in event.devices if (n := self._numbers.get(device, -1)) in newest]
                if arrivals:  # or it was time that decided, not a sample
                    self._lately.append((seq, self._to_wall_us(max(arrivals))))

    def take(self) -> dict[str, Any]:
        """Return the events since the last call, for the status."""
        lately, self._lately = list(self._lately), deque(maxlen=TOLD)
        return {"epoch": self._epoch, "arrived_us": lately}


def is_event(measurement: Measurement) -> bool:
    """Whether a measurement is of an instant."""
    return measurement.start_us == measurement.end_us
