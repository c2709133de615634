"""Tremor of a hand, wrist or leg from one sensor, strapped on anyhow: whether there is one, how fast and how strong.

A tremor is one narrow peak between 3.5 and 7.5 Hz that stays where it is. All axes are taken together, so it does not
matter how the sensor is turned. Where there is a gyroscope, acceleration and rotation have to show the same peak: the
spectrum that is searched is the geometric mean of both. Three things look like a tremor and are none:

- harmonics of a slower movement (a leg that taps at 2 Hz shakes at 4 and 6 Hz): a peak at a whole multiple of a slower
  one that is as strong is passed over;
- movement that is willed and fast (pronation and supination go to and fro up to 4.5 times a second): while a limb
  otherwise moves too, a peak has to be faster than that;
- noise and the beat of the heart: there is a floor, in m/s².

A value is of the window of 4 s that ends at ``last``, one a second, so it lags by about 2 s; a tremor has to show in
one of the two windows before as well. While a limb moves and no tremor stands out there is no amplitude: what is in
the band then is the movement.

Sources: Salarian et al. 2007, doi 10.1109/TBME.2006.886670 (band, rest and action apart); Riedel and Sidorenko 1995,
doi 10.1109/78.365298 (tapers).

Measured on one patient, acceleration alone (share of the time with tremor, by the clinician's score): legs at rest
scored 0 none; hands at rest scored 1 and 2 .54 and .46, held up, scored 1, .57 and .39, on the way to the nose, scored
1, 0 and .04, since movement hides it; agility of legs and pronation none. Wrists of twelve healthy people who rise,
walk and sit down: none, and .004 of the time with the acceleration alone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.tapers import power_spectrum, sine_tapers
from dsp.tremor.peak import FLANK_HZ, HALF_WIDTH_HZ, TREMOR_HZ, Peak, band, find_peak, is_harmonic
from dsp.windows import SlidingWindows, Window

Floats = NDArray[np.float64]
State = Literal["rest", "action", "unknown"]

ALGORITHM: Final = "tremor/1"
WINDOW_S: Final = 4.0
EVERY_S: Final = 1.0
TAPERS: Final = 3
PADDING: Final = 2
"""Frequencies lie an eighth of a hertz apart."""
SLOW_HZ: Final = (0.3, 3.0)
"""Movement that is willed; slower than this is the sensor's turning in gravity."""
POWER_HZ: Final = (3.5, 7.0)
REST_POWER_HZ: Final = (4.0, 6.0)
"""The bands of the metrics ``tremor_power_35_7`` and ``tremor_power_4_6``."""
LEAST_AMPLITUDE: Final = 0.02
"""m/s², root mean square within `TREMOR_HZ`: a hundredth of a millimetre at 5 Hz, what a limb at rest has anyway."""
REST_MOVEMENT: Final = 0.3
"""m/s², root mean square within `SLOW_HZ`: a limb that moves more is not at rest."""
REST_SHARE: Final = 0.25
"""Of the tremor's own amplitude: a strong tremor shakes a limb at rest that much besides."""
WILLED_HZ: Final = 4.5
"""Hands go to and fro on purpose up to here: while a limb moves, a slower peak may be the movement itself."""
SAME_HZ: Final = 0.5
"""A tremor's frequency stays this near from one second to the next; the tapers tell no finer."""
CONFIRMED_WITHIN: Final = 2
"""Windows."""
LEAST_RATE_HZ: Final = 2.5 * (TREMOR_HZ[1] + FLANK_HZ)

LOST: Final = "samples lost"
HIDDEN: Final = "hidden by movement"


class TremorValue(NamedTuple):
    """Tremor in one window.

    Attributes:
        last: Number of the window's last sample, on the sensor's own grid.
        present: Whether there is one, in this window and one of the two before.
        state: Whether the limb is at rest or moves besides; unknown where samples are lost.
        frequency_hz: Of the tremor; NaN where there is none.
        amplitude: Root mean square of the acceleration within `TREMOR_HZ`, m/s²; NaN where movement hides it.
        rotation_dps: The same of the rotation, deg/s; NaN without a gyroscope.
        power_35_7: Mean square of the acceleration from 3.5 to 7 Hz, (m/s²)².
        power_4_6: The same from 4 to 6 Hz.
        rotation_power_35_7: Mean square of the rotation from 3.5 to 7 Hz, (deg/s)²; NaN without a gyroscope.
        rotation_power_4_6: The same from 4 to 6 Hz.
        movement: Root mean square of the slow acceleration, within `SLOW_HZ`, m/s².
        reason: Why there is no amplitude; empty if there is one.
    """

    last: int
    present: bool
    state: State
    frequency_hz: float
    amplitude: float
    rotation_dps: float
    power_35_7: float
    power_4_6: float
    rotation_power_35_7: float
    rotation_power_4_6: float
    movement: float
    reason: str = ""


NO_VALUE: Final = TremorValue(
    last=-1,
    present=False,
    state="unknown",
    frequency_hz=math.nan,
    amplitude=math.nan,
    rotation_dps=math.nan,
    power_35_7=math.nan,
    power_4_6=math.nan,
    rotation_power_35_7=math.nan,
    rotation_power_4_6=math.nan,
    movement=math.nan,
    reason=LOST,
)


class Tremor:
    """Tremor under one sensor, as its samples come; the same in any chunking.

    Args:
        rate_hz: Samples a second, at least 24.

    Raises:
        ValueError: the rate is too low for 7.5 Hz and what is beside it.
    """

    def __init__(self, rate_hz: float) -> None:
        if not LEAST_RATE_HZ <= rate_hz < math.inf:
            raise ValueError(f"tremor needs {LEAST_RATE_HZ:.0f} samples a second, not {rate_hz:g}")
        length = round(WINDOW_S * rate_hz)
        hop = round(EVERY_S * rate_hz)
        self._windows = SlidingWindows(length, hop, 6)
        self._tapers = sine_tapers(length, TAPERS)
        hz: Floats = np.fft.rfftfreq(PADDING * length, 1 / rate_hz).astype(np.float64)
        self._hz = hz[: np.searchsorted(hz, TREMOR_HZ[1] + FLANK_HZ) + 2]
        self._before: deque[tuple[int, float]] = deque(maxlen=CONFIRMED_WITHIN)
        """Last sample and frequency of each of the last windows that held a peak."""
        self._reach = CONFIRMED_WITHIN * hop

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike | None = None) -> Iterator[TremorValue]:
        """Yield what each window holds that samples complete.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s², in any frame that is fixed to the limb.
            gyr: (n, 3) angular rate in the same frame, rad/s; None or NaN without a gyroscope.
        """
        force = np.asarray(acc, float).reshape(-1, 3)
        turn = np.full_like(force, math.nan) if gyr is None else np.asarray(gyr, float).reshape(-1, 3)
        for window in self._windows.process(index, np.hstack([force, turn])):
            yield self._value(window)

    def _value(self, window: Window) -> TremorValue:
        acc, gyr = window.filled(0, 3), window.filled(3, 6)
        if gyr is not None and not np.ptp(gyr, axis=1).any():
            gyr = None  # a gyroscope that is dead or switched off says the same for ever
        if acc is None:
            return NO_VALUE._replace(last=window.last)
        power = self._power(acc)
        rotation = np.full_like(power, math.nan) if gyr is None else self._power(np.degrees(gyr))
        searched = power if gyr is None else np.sqrt(power * rotation)
        slow, amplitude = self._rms(power, SLOW_HZ), self._rms(power, TREMOR_HZ)
        peak = find_peak(self._hz, searched)
        strength = 0.0 if peak is None else self._rms(power, (peak.hz - HALF_WIDTH_HZ, peak.hz + HALF_WIDTH_HZ))
        rests = slow <= max(REST_MOVEMENT, REST_SHARE * strength)
        hz = self._tremor_hz(peak, searched, rests) if amplitude >= LEAST_AMPLITUDE else math.nan
        present = self._confirm(window.last, hz)
        hidden = not rests and not present
        return TremorValue(
            last=window.last,
            present=present,
            state="rest" if rests else "action",
            frequency_hz=hz if present else math.nan,
            amplitude=math.nan if hidden else amplitude,
            rotation_dps=math.nan if hidden else self._rms(rotation, TREMOR_HZ),
            power_35_7=self._mean_square(power, POWER_HZ),
            power_4_6=self._mean_square(power, REST_POWER_HZ),
            rotation_power_35_7=self._mean_square(rotation, POWER_HZ),
            rotation_power_4_6=self._mean_square(rotation, REST_POWER_HZ),
            movement=slow,
            reason=HIDDEN if hidden else "",
        )

    def _tremor_hz(self, peak: Peak | None, searched: Floats, rests: bool) -> float:
        if peak is None or (not rests and peak.hz < WILLED_HZ) or is_harmonic(self._hz, searched, peak):
            return math.nan
        return peak.hz

    def _confirm(self, last: int, hz: float) -> bool:
        """Return whether a peak was there shortly before as well, and remember it."""
        if math.isnan(hz):
            return False
        found = any(last - at <= self._reach and abs(hz - before) <= SAME_HZ for at, before in self._before)
        self._before.append((last, hz))
        return found

    def _power(self, movement: Floats) -> Floats:
        return power_spectrum(movement - movement.mean(axis=1, keepdims=True), self._tapers, PADDING, len(self._hz))

    def _mean_square(self, power: Floats, within_hz: tuple[float, float]) -> float:
        return float(power[band(self._hz, *within_hz)].sum())

    def _rms(self, power: Floats, within_hz: tuple[float, float]) -> float:
        return math.sqrt(self._mean_square(power, within_hz))
