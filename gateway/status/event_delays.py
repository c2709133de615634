"""Which events were decided lately, when the samples that decided them had arrived, and when the broker had them.

The status carries a few of these pairs. Whoever shows events can then say how late they were: no message has to be
larger.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway.clocks.device_clock import NS
from gateway.intake.frames import Numbered
from gateway.intake.intake import Intake
from gateway.model.latency import Latency
from gateway.model.measurement import Measurement
from gateway.model.measurements import DEVICES, Measurements
from gateway.model.status import Percentiles
from gateway.outbox.outbox import Outbox

SHOWN = 32
"""Events of one status: a sample of them is enough for a percentile, and a full ward makes more in a second."""
OPEN = 4096
"""Events that the broker has not taken yet: a minute of a full ward. What is older is backlog, not latency."""


class EventDelays:
    """Hands measurements to the outbox, and notes when the newest sample of each event arrived.

    Args:
        outbox: Where the measurements go, in the same order.
        intakes: The devices, in the order of their numbers; it grows.
        to_real_ns: Turns an arrival stamp into this machine's monotonic clock; simulated time may run faster.
    """

    def __init__(self, outbox: Outbox, intakes: Sequence[Intake], to_real_ns: Callable[[int], int]) -> None:
        self._outbox = outbox
        self._intakes = intakes
        self._numbers: dict[str, int] = {}
        self._known = 0
        self._to_real_ns = to_real_ns
        self._lock = threading.Lock()  # of what the publisher's thread changes too
        self._epoch = ""
        self._open: OrderedDict[int, int] = OrderedDict()
        self._latency = Latency()
        self._lately: deque[tuple[int, int]] = deque(maxlen=SHOWN)

    def append(self, measurements: Sequence[Measurement], frames: Sequence[Numbered]) -> None:
        """Hand what a step completed to the outbox, at once where there is an event among it."""
        if not measurements:
            return
        if self._outbox.epoch != self._epoch:  # the first, or the file had to be replaced: numbers begin anew
            with self._lock:
                self._epoch = self._outbox.epoch
                self._open.clear()
            self._lately.clear()
        completed = Measurements.of(measurements)
        events = completed.events()
        with self._lock:  # the broker may have them before they are noted; that has to wait
            first = self._outbox.append(completed, urgent=bool(events))
            if events:
                self._note([(first + at, completed.rows[at][DEVICES]) for at in events], frames)

    def taken(self, epoch: str, numbers: Iterable[tuple[int, int]]) -> None:
        """Note that the broker took these; called on the publisher's thread."""
        now_ns = time.monotonic_ns()
        with self._lock:
            if epoch != self._epoch:
                return
            for first, last in numbers:
                # A gap may be millions of numbers long.
                several = range(first, last + 1)
                for seq in several if len(several) <= OPEN else list(self._open):
                    if seq not in several:
                        continue
                    arrived_ns = self._open.pop(seq, None)
                    if arrived_ns is not None:
                        self._latency.add((now_ns - arrived_ns) / NS)

    @property
    def waiting(self) -> int:
        """Return how many events the broker has not taken yet, as far as they are counted."""
        return len(self._open)

    def summary_ms(self) -> Percentiles:
        """Return how long events take from the arrival of their last sample until the broker has them."""
        with self._lock:
            return self._latency.summary_ms()

    def drain(self) -> dict[str, Any]:
        """Return the events since the last call, for the status."""
        lately, self._lately = list(self._lately), deque(maxlen=SHOWN)
        return {"epoch": self._epoch, "arrived_us": lately}

    def _note(self, events: Sequence[tuple[int, Sequence[str]]], frames: Sequence[Numbered]) -> None:
        """Note when events, each with its number and devices, were decided; the caller holds the lock."""
        for number, intake in enumerate(self._intakes[self._known :], self._known):  # those that were put on since
            self._numbers[intake.device.id] = number
        self._known = len(self._intakes)
        newest = {number: frame.arrival_ns for number, frame in frames}
        to_wall_ns = time.time_ns() - time.monotonic_ns()
        for seq, devices in events:
            arrivals = [newest[n] for device in devices if (n := self._numbers.get(device, -1)) in newest]
            if not arrivals:
                continue  # it was time that decided, not a sample
            arrived_ns = self._to_real_ns(max(arrivals))
            self._lately.append((seq, (arrived_ns + to_wall_ns) // 1000))
            self._open[seq] = arrived_ns
            if len(self._open) > OPEN:
                self._open.popitem(last=False)
