"""What all simulated devices have in common, whatever they are connected by."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from simulators.motion.timeline import Timeline
from simulators.motion.wearer import Wearer
from simulators.radio.counts import Counts

MOST_TICKS = 100  # of the source in one turn, where the reader has not read or the computer has not run: two seconds
DRIFT = 500e-6  # of a crystal that is hot, or bad: ten times what they are sold as
FLOOD = 20  # times that each packet is sent by a device that floods: over a thousand packets a second of a DOT

Misbehaviour = Literal["", "flood", "repeat", "garbage"]


class SimulatedDevice(ABC):
    """A device that is not there: pulls samples from its source in step with simulated time, and sends them.

    Args:
        name: Unique name in the scene, such as ``bed-1-left-foot``.
        timeline: Simulated time.

    Attributes:
        counts: What became of the samples.
        streaming: Whether the gateway has started the stream.
        finished: Set when the source has ended.
        wearer: The person whose time the source goes by; None for the time of the scene.
    """

    def __init__(self, *, name: str, timeline: Timeline) -> None:
        self.name = name
        self.timeline = timeline
        self.counts = Counts()
        self.streaming = False
        self.finished = asyncio.Event()
        self.wearer: Wearer | None = None
        self._muted = False
        self._misbehaviour: Misbehaviour = ""
        self._random = random.Random(name)
        self._power_on_s = 0.0  # device clock at its last power-on, on the source's device clock
        self._reset_wanted = False
        self._drifts = False
        self._ahead_s = 0.0  # by which drifting has moved the clock
        self._clock_seen_s: float | None = None  # of the source, when the clock was looked at last
        self._looked_s = 0.0  # how far the source has been looked at, on the source's time
        self._ending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Switch on."""
        await self._switch_on()
        self.timeline.rounds.join(self._turn)

    async def stop(self) -> None:
        """Switch off."""
        self.timeline.rounds.leave(self._turn)
        if self._ending is not None:
            await self._ending
            self._ending = None
        self.streaming = False
        await self._switch_off()

    async def drop(self) -> None:
        """Lose the link once; the device can be found again at once."""
        self.streaming = False
        await self._drop()

    async def silence(self, for_s: float) -> None:
        """Keep the link, but send nothing for a while (simulated seconds): a hung sensor."""
        self._muted = True
        await self.timeline.reach(self.timeline.now_s + for_s)
        self._muted = False

    async def misbehave(self, how: Misbehaviour, for_s: float) -> None:
        """Send each packet many times, or twice, or bytes at random in its place, for a while (simulated seconds)."""
        self._misbehaviour = how
        await self.timeline.reach(self.timeline.now_s + for_s)
        self._misbehaviour = ""

    async def drift(self, for_s: float) -> None:
        """Have the device's clock run fast for a while (simulated seconds); it stays ahead by what it gained."""
        self._drifts = True
        await self.timeline.reach(self.timeline.now_s + for_s)
        self._drifts = False

    def reset(self) -> None:
        """Have the device's clock start at nought again, as firmware does that falls over; the link stays."""
        self._reset_wanted = True

    async def leave(self, for_s: float) -> None:
        """Go out of range: the link is lost, and there is nothing to be found for a while (simulated seconds)."""
        self.streaming = False
        await self._switch_off()
        await self.timeline.reach(self.timeline.now_s + for_s)
        if not self.finished.is_set():
            await self._switch_on()

    async def power_cycle(self, for_s: float = 0.0) -> None:
        """Switch off and on: the link is lost and the device's clock starts at nought again."""
        await self.leave(for_s)
        self._reset_wanted = True

    def clock_s(self, source_s: float) -> float:
        """Return the device's clock since its last power-on, from that of its source; seconds."""
        if self._reset_wanted:
            self._reset_wanted = False
            self._power_on_s, self._ahead_s = source_s, 0.0
        if self._drifts and self._clock_seen_s is not None:
            self._ahead_s += DRIFT * max(0.0, source_s - self._clock_seen_s)
        self._clock_seen_s = source_s
        return source_s - self._power_on_s + self._ahead_s

    def _as_sent(self, packets: Sequence[bytes]) -> Sequence[bytes]:
        """Return what goes out in place of packets."""
        match self._misbehaviour:
            case "flood":
                return [packet for packet in packets for _ in range(FLOOD)]
            case "repeat":
                return [packet for packet in packets for _ in range(2)]
            case "garbage":
                return [self._random.randbytes(len(packet)) for packet in packets]
            case _:
                return packets

    @property
    def wanted(self) -> bool:
        """Whether a gateway takes what the device sends."""
        return self.streaming

    def _turn(self) -> None:
        """Send what is due; at the end of the source, disappear."""
        if not self.timeline.running or not self._may_send() or self._send_due():
            return
        self.timeline.rounds.leave(self._turn)
        self.streaming = False
        self.finished.set()
        self._ending = asyncio.get_running_loop().create_task(self._switch_off(), name=f"end {self.name}")

    def _may_send(self) -> bool:
        """Whether who reads takes more at present; what is not sent is sent later."""
        return True

    def _send_due(self) -> bool:
        """Send what is due now; False at the end of the source."""
        until_s: float | None = self.timeline.now_s
        if self.wearer is not None:
            if self.wanted:
                self.wearer.begin(self.timeline.now_s)
            until_s = self.wearer.own_s(self.timeline.now_s)
        if until_s is None:
            return True
        self._looked_s = min(until_s, self._looked_s + MOST_TICKS * self.timeline.tick_s * self.timeline.speed)
        return self._send(self._looked_s)

    @abstractmethod
    def _send(self, until_s: float) -> bool:
        """Send what the source has up to its time ``until_s``; False at the end of the source."""

    @abstractmethod
    async def _switch_on(self) -> None:
        """Appear."""

    @abstractmethod
    async def _switch_off(self) -> None:
        """Deliver what was sent, and disappear."""

    @abstractmethod
    async def _drop(self) -> None:
        """Lose the link, and be found again."""
