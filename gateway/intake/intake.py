"""One device on its way in: its decoder, its streams, and what is counted of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from config.settings import Device
from drivers.driver import Decoder
from drivers.kept_records import KeptRecords
from drivers.packet import Frame, StreamSpec
from gateway.clocks.device_clock import NS
from gateway.clocks.timeline import Floats
from gateway.intake.placeable import Decoded
from gateway.intake.repeats import Repeats
from gateway.intake.streams import Stream, StreamCount
from gateway.intake.unread import open_driver

REPEATED = "repeated"  # the fault: a notification that was delivered twice


class Intake:
    """Decoder and streams of one device.

    Attributes:
        device: Its settings, as of where it is worn at present, or was last.
        slot: Id of the slot that wears it; None while nobody does.
        decoder: Of the present connection.
        placed: Its streams that have brought samples, by name.
        latest: Newest sample of each stream that comes when it comes.
        sent: Which records the device has sent, over all its connections and before this run.
        unread: Why nothing can be read from the device, such as a driver that is not installed; empty if it can.
        kept: Samples that came and were not placed: they wait for a kernel, or waited in vain.
    """

    def __init__(self, device: Device, slot: str | None, sent: KeptRecords | None = None) -> None:
        self.device = device
        self.slot = slot
        self.sent = sent or KeptRecords()
        self.placed: dict[str, Stream] = {}
        self.latest: dict[str, Floats] = {}
        self.kept = 0
        self._kept_until_s = -np.inf
        self._driver, self.unread = open_driver(device)
        self.decoder: Decoder = self._new_decoder()
        self._old_faults: Counter[str] = Counter()
        self._repeats: dict[str, Repeats] = {}
        self._old_repeated = 0

    @property
    def repeated(self) -> int:
        """Notifications without a counter that were delivered twice, and left out, over all connections."""
        return self._old_repeated + sum(each.counted for each in self._repeats.values())

    @property
    def faults(self) -> Counter[str]:
        """Bad input by reason, over all connections."""
        return self._old_faults + self.decoder.faults + Counter({REPEATED: self.repeated})

    @property
    def transport(self) -> str:
        """How the device is reached: ``"ble"``, ``"serial"`` or ``"udp"``."""
        return self._driver.transport

    @property
    def silence_s(self) -> float:
        """How long the device may be silent, as its driver says; seconds."""
        return self._driver.silence_s

    @property
    def streams(self) -> dict[str, StreamSpec]:
        """The streams as the device announced them."""
        return dict(self.decoder.streams)

    @property
    def counts(self) -> dict[str, StreamCount]:
        """What each stream has delivered."""
        return {
            name: StreamCount(*(stream.timeline.count(what) for what in ("samples", "lost", "resets", "repeated")))
            for name, stream in self.placed.items()
        }

    @property
    def samples(self) -> int:
        """How many samples came, also those that are not placed yet."""
        return self.kept + sum(stream.timeline.count("samples") for stream in self.placed.values())

    @property
    def newest_s(self) -> float:
        """Gateway time of the newest sample of any stream; -inf before the first."""
        return max(self._kept_until_s, *(stream.timeline.newest_s for stream in self.placed.values()), -np.inf)

    def keep(self, decoded: Decoded, now_s: float) -> None:
        """Count a packet that is kept, and came in a step that ends at this gateway time."""
        self.kept += len(decoded.packet.arrival_ns)
        self._kept_until_s = now_s

    def release(self, decoded: Decoded) -> None:
        """Count a packet that was kept no more: it is placed now."""
        self.kept -= len(decoded.packet.arrival_ns)

    def note(self, fault: str) -> None:
        """Count what is wrong with the device beside its bytes."""
        self._old_faults[fault] += 1

    def connected(self) -> None:
        """Begin with a fresh decoder."""
        self._old_faults += self.decoder.faults
        self._old_repeated = self.repeated
        self._repeats.clear()
        self.sent.connected()
        self.decoder = self._new_decoder()

    def _new_decoder(self) -> Decoder:
        decoder = self._driver.decoder()
        decoder.kept = self.sent
        return decoder

    def once(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Return the frames without those that were delivered twice and carry no counter by which it would show."""
        uncounted = self.decoder.uncounted
        return [frame for frame in frames if not self._again(frame, uncounted)] if uncounted else frames

    def _again(self, frame: Frame, uncounted: Mapping[str, float]) -> bool:
        least_s = uncounted.get(frame.channel)
        if least_s is None:
            return False
        among = self.decoder.compared(frame)
        if among is None:
            return False
        repeats = self._repeats.get(among)
        if repeats is None:
            repeats = self._repeats[among] = Repeats(least_s)
        return repeats.again(frame.arrival_ns / NS, frame.data, self.decoder.span_s(frame))
