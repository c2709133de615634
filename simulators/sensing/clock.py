"""Clocks of devices: they start when the device is switched on, run a little fast or slow, and may start again.

Device time is ``offset + E(t) - E(start)``, where ``E(t) = t + drift t + wander(t)`` and t is true time in seconds.
Wander is a sum of slow sines, as the day's temperature does to a crystal, so that it is exact, needs no state and is
the same however far apart it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from simulators.motion.blocks import BLOCK_SAMPLES
from simulators.motion.source import Floats

PPM = 1e-6
REBOOT_S = 1.5
"""From a power cut to the first sample after it; small radio sensors boot in one to two seconds."""
WANDER_PERIODS_S = (311.0, 977.0, 3541.0)
"""Minutes to an hour: warming up on the skin, air conditioning, the room. No common multiple worth the name."""
INVERSE_STEPS = 5
"""Each step of the inverse gains a factor of 1 / drift, a thousand and more: five reach the last bit."""


class Clock:
    """A device's clock.

    Args:
        seed: Chooses the phases of the wander.
        offset_s: What the device clock says at true time zero, seconds: how long the device has been on.
        drift_ppm: Constant rate error, parts per million; positive runs fast. Crystals: within +-50.
        wander_ppm: Standard deviation of the slow change of rate, parts per million.
        resets_s: True times of power cuts: the clock starts at zero again ``reboot_s`` later.
        reboot_s: Time without samples after a reset, seconds.

    Raises:
        ValueError: When a rate error is not below one per cent, or resets are not in order and apart.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        offset_s: float = 0.0,
        drift_ppm: float = 0.0,
        wander_ppm: float = 0.0,
        resets_s: Sequence[float] = (),
        reboot_s: float = REBOOT_S,
    ) -> None:
        if abs(drift_ppm) + abs(wander_ppm) >= 10_000:
            raise ValueError("drift and wander of a clock must stay below 10 000 ppm")
        starts = [0.0, *(at + reboot_s for at in resets_s)]
        ends = [*resets_s, np.inf]
        if any(end <= start for start, end in zip(starts, ends, strict=True)):
            raise ValueError("resets_s must be positive, in order and more than reboot_s apart")
        self.offset_s = offset_s
        self.drift = drift_ppm * PPM
        self.lives: tuple[tuple[float, float], ...] = tuple(zip(starts, ends, strict=True))
        random = np.random.default_rng([seed, 0xC10C])
        self._pulsation = 2 * np.pi / np.array(WANDER_PERIODS_S)
        self._phase = random.uniform(0, 2 * np.pi, len(WANDER_PERIODS_S))
        self._depth = wander_ppm * PPM * np.sqrt(2 / len(WANDER_PERIODS_S))

    def _ahead(self, true_s: Floats) -> Floats:
        """Return E(t) - t, seconds."""
        ahead = self.drift * true_s
        if self._depth:
            for w, phase in zip(self._pulsation, self._phase, strict=True):
                ahead = ahead + self._depth / w * (np.sin(w * true_s + phase) - np.sin(phase))
        return ahead

    def _start(self, life: int) -> tuple[float, float]:
        """Return E(start of that life) and what the clock said then."""
        start = self.lives[life][0]
        return start + float(self._ahead(np.array([start]))[0]), self.offset_s if life == 0 else 0.0

    def device_s(self, true_s: Floats) -> Floats:
        """Return what the clock says at true times (n,), seconds; NaN while the device is off."""
        true_s = np.asarray(true_s, dtype=np.float64)
        shown = np.full(true_s.shape, np.nan)
        for life, (start, end) in enumerate(self.lives):
            on = (true_s >= start) & (true_s < end)
            origin, first = self._start(life)
            shown[on] = first + (true_s[on] + self._ahead(true_s[on]) - origin)
        return shown

    def true_s(self, device_s: Floats, life: int = 0) -> Floats:
        """Return the true times (n,) at which the clock said ``device_s`` in its life after ``life`` resets."""
        origin, first = self._start(life)
        elapsed = np.asarray(device_s, dtype=np.float64) - first + origin
        true = elapsed
        for _ in range(INVERSE_STEPS):
            true = elapsed - self._ahead(true)
        return true

    def ticks(self, rate_hz: float) -> Iterator[tuple[Floats, Floats]]:
        """Yield blocks of true and device times of samples taken every ``1 / rate_hz`` of device time, for ever."""
        for life, (_, end) in enumerate(self.lives):
            first = self.offset_s if life == 0 else 0.0
            done = 0
            while True:
                device = first + np.arange(done, done + BLOCK_SAMPLES) / rate_hz
                true = self.true_s(device, life)
                alive = int(np.searchsorted(true, end, side="left"))
                if alive:
                    yield true[:alive], device[:alive]
                if alive < BLOCK_SAMPLES:
                    break
                done += BLOCK_SAMPLES
