"""Samples of people whose kernels are still being compiled: kept step by step, and analysed when these are ready.

What is kept has been decoded and not yet been placed in time. So the numbers are those that a gateway would have given
which had been ready from the start; they only come later. What is kept, dropped and caught up with in which step
follows from the frames alone: a recording of a cold start replays bit for bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from gateway.intake.intake import Intake
from gateway.intake.placeable import Decoded, Placeable

MOST_BYTES = 128 << 20
"""Two minutes of 60 movement sensors: what has no room is left out, the oldest first, and said."""
OBJECT_BYTES = 700  # of the Python objects about the samples of one device in one step
CAUGHT_UP_STEPS = 16
"""Kept steps in each step: a minute is caught up with in four seconds, and a step of a few beds takes milliseconds."""
CAUGHT_UP_SAMPLES = 3_000  # together: twice what a full ward sends meanwhile, which still fits into a step's 50 ms


@dataclass(slots=True)
class KeptStep:
    """What one step brought of those who wait.

    Attributes:
        number: Of the step.
        now_s: Its end on the gateway clock.
        slots: Who is analysed in it: those who waited then.
        packets: Their samples, in the decoder's order.
    """

    number: int
    now_s: float
    slots: Collection[str]
    packets: list[Decoded] = field(default_factory=list)

    def split_off(self, slot: str, devices: Collection[int]) -> KeptStep:
        """Take out what is of a slot, which wears these devices, and return it."""
        packets = [packet for packet in self.packets if packet.number in devices]
        slots = [slot] if slot in self.slots else []
        self.packets = [packet for packet in self.packets if packet.number not in devices]
        self.slots = [other for other in self.slots if other != slot]
        return KeptStep(self.number, self.now_s, slots, packets)


@dataclass(slots=True)
class LeftOut:
    """Samples of a device that no analysis will see: from the first to the last, on the monotonic clock."""

    first_ns: int
    last_ns: int
    samples: int = 0


class Backlog:
    """The steps that wait for kernels.

    Args:
        intakes: The devices by number: each is told how many of its samples are kept.
        compiled: Names of the streams that kernels are called with, at whatever rate they come.
        most_bytes: How much is kept.

    Attributes:
        unready: Names of the kernels that are not ready.
        waiting: Numbers of the devices of each slot that waits: for kernels, or for those before it in the row.
    """

    def __init__(self, intakes: list[Intake], compiled: Collection[str], most_bytes: int = MOST_BYTES) -> None:
        self.unready: frozenset[str] = frozenset()
        self.waiting: dict[str, frozenset[int]] = {}
        self._intakes = intakes
        self._compiled = compiled
        self._most_bytes = most_bytes
        self._bytes = 0
        self._steps: deque[KeptStep] = deque()
        self._devices: frozenset[int] = frozenset()
        self._left_out: dict[int, LeftOut] = {}

    def hold(self, slot: str, devices: Iterable[int]) -> None:
        """Keep what the devices of a slot sample from now on."""
        self.waiting[slot] = frozenset(devices)
        self._devices = frozenset().union(*self.waiting.values())

    def keep(self, number: int, now_s: float, packets: list[Placeable]) -> list[Placeable]:
        """Keep what a step brought of those who wait, where a kernel is called with it; return the rest."""
        step = KeptStep(number, now_s, tuple(self.waiting))
        rest: list[Decoded] = []
        for packet in (packet for several in packets for packet in several.each()):
            if packet.number in self._devices and self._waits(packet):
                step.packets.append(packet)
                self._intakes[packet.number].keep(packet, now_s)
                self._bytes += _bytes(packet)
            else:
                rest.append(packet)
        self._steps.append(step)
        while self._bytes > self._most_bytes:
            self._leave_out(self._steps.popleft().packets)
        return Placeable.of(rest)

    def due(self) -> Iterator[KeptStep]:
        """Yield what this step can catch up with, in order; when all is, nobody waits any more."""
        samples = steps = 0
        while self._steps and not self.unready and steps < CAUGHT_UP_STEPS and samples < CAUGHT_UP_SAMPLES:
            step = self._steps.popleft()
            steps, samples = steps + 1, samples + sum(len(each.packet.arrival_ns) for each in step.packets)
            self._release(step.packets)
            yield step
        if not self._steps and not self.unready:
            self.waiting.clear()
            self._devices = frozenset()

    def of(self, slot: str) -> Iterator[KeptStep]:
        """Take a slot out, which ends or is worked on no more: yield what is kept of it, if its kernels are ready."""
        devices = self.waiting.pop(slot)
        self._devices = frozenset().union(*self.waiting.values())
        for step in self._steps:
            part = step.split_off(slot, devices)
            if self.unready:
                self._leave_out(part.packets)
            else:
                self._release(part.packets)
                yield part
        if not self.waiting:
            self._steps.clear()

    def left_out(self, devices: Iterable[int]) -> Iterator[tuple[int, LeftOut]]:
        """Yield what no analysis saw of devices, once."""
        for number in devices:
            if (gone := self._left_out.pop(number, None)) is not None:
                yield number, gone

    def _waits(self, packet: Decoded) -> bool:
        """Whether a kernel is called with a packet: to place what is sampled at a rate, or to measure by it."""
        return packet.spec.rate_hz is not None or packet.packet.stream in self._compiled

    def _release(self, packets: Iterable[Decoded]) -> None:
        for packet in packets:
            self._intakes[packet.number].release(packet)
            self._bytes -= _bytes(packet)

    def _leave_out(self, packets: Iterable[Decoded]) -> None:
        for packet in packets:
            self._bytes -= _bytes(packet)
            first_ns, last_ns = int(packet.packet.arrival_ns[0]), int(packet.packet.arrival_ns[-1])
            gone = self._left_out.setdefault(packet.number, LeftOut(first_ns, last_ns))
            gone.last_ns, gone.samples = last_ns, gone.samples + len(packet.packet.arrival_ns)


def _bytes(packet: Decoded) -> int:
    of = packet.packet
    return OBJECT_BYTES + of.arrival_ns.nbytes + of.ticks.nbytes + of.samples.nbytes + of.flags.nbytes
