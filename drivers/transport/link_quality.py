"""How good the way to one device is, measured from what arrives: nothing is asked of the device or of the radio.

BlueZ tells neither the connection interval nor the signal of a link. So the interval is the usual time between two
arrivals that are not of one burst (a link whose device sends in every interval shows exactly that; one that sends more
rarely shows its own rhythm), and the signal is that of the last advertisement before it was connected.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

NS = 1_000_000
BURST_NS = 2 * NS  # frames of one connection event reach us within a moment
KEPT = 256  # gaps that the usual one is found among: some seconds of a stream


@dataclass(frozen=True, slots=True)
class LinkState:
    """A link, as the gateway's status has it.

    Attributes:
        radio: Adapter that has it; empty for a serial device, or before the first connection.
        signal_dbm: Signal of the last advertisement before it was connected; None where that is not known.
        links: How often it was connected.
        frames: Frames that have arrived over all its connections.
        interval_ms: Usual time between two arrivals; None before there are two.
        longest_gap_ms: The longest since this was asked before; None where nothing arrived.
    """

    radio: str
    signal_dbm: int | None
    links: int
    frames: int
    interval_ms: float | None
    longest_gap_ms: float | None


class LinkQuality:
    """Measures one device's link over all its connections."""

    def __init__(self) -> None:
        self._radio = ""
        self._signal_dbm: int | None = None
        self._links = 0
        self._frames = 0
        self._last_ns: int | None = None
        self._gaps: deque[int] = deque(maxlen=KEPT)
        self._longest_ns: int | None = None

    def connected(self, radio: str, signal_dbm: int | None) -> None:
        """Begin another connection."""
        self._radio, self._signal_dbm = radio, signal_dbm
        self._links += 1
        self._last_ns = None
        self._gaps.clear()

    def arrived(self, arrival_ns: int) -> None:
        """Take the arrival of a frame."""
        self._frames += 1
        last_ns, self._last_ns = self._last_ns, arrival_ns
        if last_ns is not None and (gap := arrival_ns - last_ns) > BURST_NS:
            self._gaps.append(gap)
            if self._longest_ns is None or gap > self._longest_ns:
                self._longest_ns = gap

    def state(self) -> LinkState:
        """Return how it is; the longest gap counts anew from here."""
        longest_ns, self._longest_ns = self._longest_ns, None
        return LinkState(
            self._radio,
            self._signal_dbm,
            self._links,
            self._frames,
            round(median(self._gaps) / NS, 1) if self._gaps else None,
            round(longest_ns / NS, 1) if longest_ns is not None else None,
        )
