"""Packets that the radio loses, in bursts.

A Gilbert-Elliott channel (Gilbert 1960, Elliott 1963) is in a good or a bad state; here every packet of a bad state
is lost. Both states last a geometrically distributed number of packets. One bad state cannot give both the many short
bursts and the few long ones that real body-worn radios show (2.4 GHz sensors on both feet and lower back, 27 318
bursts: median 1, 95th percentile 4, longest 64 packets), so one burst in some hundreds is a fade of another length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BURST_PACKETS = 1.6
"""Mean length of an ordinary burst: 95 of 100 are then at most 4 packets."""
FADE_PACKETS = 14.0
"""Mean length of a fade, when a body stands between sensor and receiver."""
FADE_SHARE = 0.003
"""Of all bursts; with 27 thousand bursts the longest is then some 60 packets."""
RUNS_AT_ONCE = 256
"""Good and bad stretches drawn in one go."""


@dataclass(frozen=True, slots=True)
class Channel:
    """How a radio loses packets.

    Attributes:
        loss: Long-run share of packets lost, 0 to below 1.
        burst_packets: Mean length of ordinary bursts, at least 1.
        fade_packets: Mean length of fades, at least 1.
        fade_share: Share of bursts that are fades, 0 to 1.

    Raises:
        ValueError: When a figure is outside its range.
    """

    loss: float = 0.0
    burst_packets: float = BURST_PACKETS
    fade_packets: float = FADE_PACKETS
    fade_share: float = FADE_SHARE

    def __post_init__(self) -> None:
        if not 0 <= self.loss < 1:
            raise ValueError(f"loss must be at least 0 and below 1, got {self.loss}")
        if self.burst_packets < 1 or self.fade_packets < 1:
            raise ValueError("a burst has at least one packet")
        if not 0 <= self.fade_share <= 1:
            raise ValueError(f"fade_share must be between 0 and 1, got {self.fade_share}")
        if self.loss and self.good_packets < 1:
            raise ValueError(f"bursts of {self.bad_packets:.1f} packets cannot make a loss of {self.loss}: too short")

    @property
    def bad_packets(self) -> float:
        """Mean length of all bursts."""
        return self.burst_packets + self.fade_share * (self.fade_packets - self.burst_packets)

    @property
    def good_packets(self) -> float:
        """Mean number of packets between bursts that gives the share lost; infinite where nothing is."""
        return self.bad_packets * (1 - self.loss) / self.loss if self.loss else np.inf


class Loss:
    """The packets of one link, in order; the same for the same seed, however they are asked for."""

    def __init__(self, channel: Channel, seed: int = 0) -> None:
        self.channel = channel
        self._random = np.random.default_rng([seed, 0x1055])
        self._left = np.empty(0, dtype=np.bool_)

    def sent(self, count: int) -> NDArray[np.bool_]:
        """Return (count,) True for each of the next packets that arrives."""
        if not self.channel.loss:
            return np.ones(count, dtype=np.bool_)
        parts, have = [self._left], len(self._left)
        while have < count:
            parts.append(self._runs())
            have += len(parts[-1])
        ready = np.concatenate(parts)
        self._left = ready[count:]
        return ready[:count]

    def _runs(self) -> NDArray[np.bool_]:
        """Return a number of good stretches, each with the burst that ends it."""
        channel, random = self.channel, self._random
        good = random.geometric(1 / channel.good_packets, RUNS_AT_ONCE)
        short = random.geometric(1 / channel.burst_packets, RUNS_AT_ONCE)
        fade = random.geometric(1 / channel.fade_packets, RUNS_AT_ONCE)
        bad = np.where(random.random(RUNS_AT_ONCE) < channel.fade_share, fade, short)
        lengths = np.stack([good, bad], axis=1).ravel()
        return np.repeat(np.tile([True, False], RUNS_AT_ONCE), lengths)
