"""The shank-contact kernel: one pass over the new samples of many shank sensors, state in plain arrays.

In the sagittal plane the shank leans forward all through stance, quickest at push-off, is thrown forward in swing, and
turns back when the foot meets the floor (Aminian 2002, Salarian 2004, Catalfamo 2010). ``w`` below is the pitch rate
with swing positive, smoothed by a short symmetric window whose delay is known exactly. Mid-swing is its peak. Initial
contact lies between the turn of sign after it and the trough that follows: where the rate has reached ``LAND_LEVEL`` of
that. Final contact is where the last trough before swing has faded to ``PUSH_LEVEL``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.contact.events import FINAL_CONTACT, GAP, GROUND, INITIAL_CONTACT, LANDING, MAX_LANDING, NEVER, NOTHING, SWING
from dsp.contact.swing import begin_swings, see_any, see_leg
from dsp.kernel import kernel
from dsp.mounting.alignment import MOVING_RATE, adopt, begin_alignment, contradicted, see_rest, see_turn
from dsp.shank.layout import MID_SWING

# Levels as shares of the trough. On people who wear both, the foot sensor's contacts lie at 0.15 and 0.65 of the
# shank's troughs; on textbook curves stretched to slow walks at 0.45 and right at the trough.
LAND_LEVEL = 0.3
PUSH_LEVEL = 0.65

# A swing must reach this share of the recent typical peak and rotation: more while the impact may still ring.
RINGING_SHARE = 0.4
SMALL_SHARE = 0.15
LEAN_SHARE = 0.5  # the forward lean that comes before, as a share of the rotation needed
RELIEF_SHARE = 0.1  # a rate that rises and falls again by this share of the last trough makes another
RELIEF_FLOOR = 0.04  # rad/s: less is noise
PUSH_FLOOR = 0.1  # rad/s: weaker rates are no push-off
TROUGH_FLOOR = 0.1  # rad/s: weaker ones are no landing; then the impact, or the turn of sign, is the contact
REBOUND = 0.8  # of the trough: a rate that has come back to this will go no deeper
RESUME = 0.2  # forward rotation of this share of the swing's after the turn of sign: the foot was still in the air
LATE_SHARE = 0.5  # swing is late once the rate is below this share of its peak
CALM_SHARE = 0.1  # slower than this share of the peak late in swing: the leg has come to rest
CALM_TIME = 0.2  # for at least this share of the swing: a slow swing also ends slowly
IMPACT_FLOOR = 2.0  # m/s^2 from one sample to the next: less is no impact
HARDEST = 1e4  # m/s^2: far beyond any sensor's range; also keeps squares finite
FASTEST = 1e3  # rad/s: likewise
STILL_RATE = 0.2  # rad/s: above any gyroscope's bias
LEARN = 0.3  # weight of the newest stride in what is typical
SURE = 1.0  # confidence of an event that looked as it should
UNSURE = 0.5  # factor for each thing that was missing: a push-off, a trough, the samples beside it


@kernel
def smooth(s: Any, p: Any) -> float:
    """Take the present pitch rate; return the smoothed one ``half`` samples back, NaN until the window is full."""
    width = 2 * p.half + 1
    for i in range(width - 1):
        s.window[i] = s.window[i + 1]
    s.window[width - 1] = s.rate
    if s.filled < width:
        s.filled += 1
        if s.filled < width:
            return math.nan
    total = 0.0
    for i in range(width):
        total += p.taps[i] * s.window[i]
    return total


@kernel
def tell(s: Any, kind: int, index: float, confidence: float) -> None:
    """Leave an event for the caller of the step."""
    s.told = kind
    s.told_index = index
    s.told_confidence = confidence


@kernel
def write(out: Any, n: int, sensor: int, s: Any, newest: int) -> int:
    """Append what the step has told while there is room; return how many events there are."""
    if s.told == NOTHING or n == len(out):
        return n
    e = out[n]
    e.sensor = sensor
    e.kind = s.told
    e.index = s.told_index
    e.decided_index = newest
    e.confidence = s.told_confidence
    return n + 1


@kernel
def learn(typical: float, newest: float) -> float:
    """Return what is typical after one more stride."""
    return typical + LEARN * (newest - typical) if typical > 0.0 else newest


@kernel
def note_impact(s: Any, k: float) -> None:
    """Remember the hardest jolt late in swing."""
    if s.jolt > s.impact:
        s.impact = s.jolt
        s.impact_at = k


@kernel
def forget_step(s: Any) -> None:
    """Forget what looked like the beginning of a step."""
    s.lean = 0.0
    s.lean_top = 0.0
    s.low = 0.0
    s.low_at = -NEVER
    s.low_level = NEVER
    s.low_cut = 0
    s.top = 0.0
    s.rise = NEVER
    s.peak = 0.0
    s.peak_at = NEVER
    s.angle = 0.0


@kernel
def restart(s: Any) -> None:
    """Forget the present stride (a gap or the start of the stream); what is typical stays."""
    s.filled = 0
    s.w = math.nan
    s.phase = GROUND
    s.blind = 1
    forget_step(s)
    s.last_initial = -math.inf
    s.last_final = -math.inf
    s.bridge_start = NEVER
    s.bridge_end = NEVER
    s.still = 0
    s.calm = 0
    s.impact_at = NEVER


@kernel
def follow_trough(s: Any, t: float, w: float) -> None:
    """Keep the latest trough of the rate, and where it has faded to the level of final contact."""
    relief = max(RELIEF_FLOOR, -RELIEF_SHARE * s.low)
    if w < s.low or (s.low_level != NEVER and w < min(0.0, s.top - relief)):
        s.low_cut = 1 if math.isnan(s.w) else 0
        s.low = w
        s.low_at = t
        s.low_level = NEVER
        s.top = w
        return
    s.top = max(s.top, w)
    level = PUSH_LEVEL * s.low
    if w <= level:
        s.low_level = NEVER
    elif s.low_level == NEVER:
        s.low_level = t - (w - level) / (w - s.w) if w > s.w else t


@kernel
def is_swing(s: Any, p: Any, t: float) -> bool:
    """Return whether the forward rotation so far is that of a step."""
    since = t - s.last_initial
    if since <= p.min_phase:
        return False
    share = RINGING_SHARE if since < p.ringing else SMALL_SHARE
    if s.peak < max(p.rate_floor, share * s.typical_peak):
        return False
    needed = max(p.angle_floor, share * s.typical_angle)
    return bool(s.angle >= needed and (s.blind == 1 or s.lean_top >= LEAN_SHARE * needed))


@kernel
def on_ground(s: Any, p: Any, t: float, w: float) -> None:
    """Follow the lean, push-off and the rise into swing; tell final contact once it is a swing."""
    s.lean = max(0.0, s.lean - w * p.dt)
    s.lean_top = max(s.lean_top, s.lean)
    if s.still > p.swing_max:
        s.lean_top = 0.0
    if w < 0.0:
        follow_trough(s, t, w)
        s.blind = 0
        s.rise = NEVER
        s.angle = 0.0
        s.peak = 0.0
        return
    if s.low_level == NEVER:
        follow_trough(s, t, w)
    if t - s.rise > p.lift_max:
        s.rise = NEVER
        s.angle = 0.0
        s.peak = 0.0
    if s.rise == NEVER:
        s.rise = t - w / (w - s.w) if s.w < 0.0 else t
    s.angle += w * p.dt
    note_peak(s, t, w)
    if is_swing(s, p, t):
        begin_swing(s, p, t)


@kernel
def note_peak(s: Any, t: float, w: float) -> None:
    """Remember the highest rate of the swing."""
    if w > s.peak:
        s.peak = w
        s.peak_at = t


@kernel
def begin_swing(s: Any, p: Any, t: float) -> None:
    """Enter swing and tell its final contact, unless that fell into a gap."""
    s.phase = SWING
    s.impact = IMPACT_FLOOR**2
    s.impact_at = NEVER
    s.calm = 0
    s.peak_told = 0
    s.last_final = t
    pushed = s.low <= -PUSH_FLOOR and s.rise - s.low_at <= p.push_age
    if s.blind == 1 or (pushed and s.low_cut == 1):
        return
    if pushed:
        tell(s, FINAL_CONTACT, s.low_level, SURE)
    else:
        tell(s, FINAL_CONTACT, s.rise, UNSURE)
    s.last_final = s.told_index


@kernel
def in_swing(s: Any, p: Any, t: float, w: float) -> None:
    """Follow swing past its peak to the turn of sign that begins the landing, or to rest."""
    note_peak(s, t, w)
    s.angle += w * p.dt
    if t - s.last_final > p.swing_max:
        restart(s)
        return
    if p.mid_swing == 1 and s.peak_told == 0 and w < LATE_SHARE * s.peak and t - s.last_final > p.min_phase:
        tell(s, MID_SWING, s.peak_at, SURE)
        s.peak_told = 1
        return
    if t - s.last_final <= p.min_phase:
        return
    k = t + p.half
    late = w < LATE_SHARE * s.peak
    if late:
        note_impact(s, k)
    s.calm = s.calm + 1 if late and s.turn < CALM_SHARE * s.peak else 0
    if s.calm >= max(p.calm, CALM_TIME * (t - s.last_final)):
        land(s, s.impact_at if s.impact_at != NEVER else k - s.calm + 1, UNSURE)
    elif w < 0.0:
        s.phase = LANDING
        s.zero = t - w / (w - s.w) if s.w >= 0.0 else t
        s.landing[0] = max(s.w, 0.0)
        s.landing[1] = w
        s.landed = 2
        s.trough = 1
        s.back = 0.0


@kernel
def in_landing(s: Any, p: Any, t: float, w: float) -> None:
    """Follow the trough; tell initial contact when it is known, go back to swing if the foot was in the air."""
    note_impact(s, t + p.half)
    s.landing[s.landed] = w
    last = s.landed
    s.landed += 1
    if w < s.landing[s.trough]:
        s.trough = last
    s.back = s.back + w * p.dt if w > 0.0 else 0.0
    if s.back > RESUME * s.angle:
        s.phase = SWING
        return
    depth = -s.landing[s.trough]
    deep = depth > TROUGH_FLOOR
    if deep and last >= p.landing_min and w > -REBOUND * depth:
        land(s, crossing(s), SURE)
    elif last >= p.landing_max or s.landed == MAX_LANDING:
        if deep:
            land(s, crossing(s), SURE)
        else:
            land(s, s.impact_at if s.impact_at != NEVER else s.zero, UNSURE)


@kernel
def crossing(s: Any) -> float:
    """Return the instant at which the trough had grown to the level of initial contact."""
    level = LAND_LEVEL * s.landing[s.trough]
    i = s.trough
    while i > 1 and s.landing[i - 1] < level:
        i -= 1
    before, after = s.landing[i - 1], s.landing[i]
    share = (before - level) / (before - after) if before > after else 0.0
    return float(math.ceil(s.zero) + (i - 2) + share)  # landing[1] lies on the first sample after the turn of sign


@kernel
def land(s: Any, at: float, confidence: float) -> None:
    """Tell initial contact and begin stance."""
    tell(s, INITIAL_CONTACT, at, confidence)
    s.typical_peak = learn(s.typical_peak, s.peak)
    s.typical_angle = learn(s.typical_angle, s.angle)
    s.last_initial = at
    s.phase = GROUND
    forget_step(s)


@kernel
def settle(s: Any, p: Any, t: float) -> None:
    """Move the instant before which no event will come any more."""
    if s.phase == LANDING:
        earliest = min(s.zero, s.impact_at)
        if p.mid_swing == 1 and s.peak_told == 0:
            earliest = min(earliest, s.peak_at)
    elif s.phase == SWING:
        earliest = min(t, s.impact_at, t + p.half - s.calm)
        if p.mid_swing == 1 and s.peak_told == 0:
            earliest = min(earliest, s.peak_at)
    else:
        earliest = min(t, s.rise)
        if s.low_at >= earliest - p.push_age:
            earliest = min(earliest, s.low_at)
    s.settled = max(s.settled, earliest)


@kernel
def step(s: Any, p: Any, a: Any, k: int) -> None:
    """Advance one sensor by its present sample, of number ``k`` on the uniform grid."""
    s.told = NOTHING
    s.still = s.still + 1 if s.turn < STILL_RATE else 0
    s.rate = -(a.used[0] * s.gyr[0] + a.used[1] * s.gyr[1] + a.used[2] * s.gyr[2])
    w = smooth(s, p)
    t = float(k - p.half)
    if math.isnan(w):
        return
    s.typical_peak *= p.fade
    s.typical_angle *= p.fade
    if s.phase == GROUND:
        on_ground(s, p, t, w)
    elif s.phase == SWING:
        in_swing(s, p, t, w)
    else:
        in_landing(s, p, t, w)
    if s.told != NOTHING and s.bridge_start - p.half - 1 <= s.told_index <= s.bridge_end + p.half + 1:
        s.told_confidence *= UNSURE
    s.w = w


@kernel
def read(acc: NDArray[np.float64], gyr: NDArray[np.float64], now: NDArray[np.float64]) -> bool:
    """Copy a sample to ``now`` (2, 3), NaN where no sensor can have measured it; return whether its rate is known."""
    known = True
    for c in range(3):
        now[0, c] = acc[c] if abs(acc[c]) < HARDEST else math.nan
        now[1, c] = gyr[c]
        known = known and abs(gyr[c]) < FASTEST
    return known


@kernel
def take(s: Any, acc: NDArray[np.float64], gyr: NDArray[np.float64]) -> None:
    """Make a sample the present one."""
    jolt = (acc[0] - s.acc[0]) ** 2 + (acc[1] - s.acc[1]) ** 2 + (acc[2] - s.acc[2]) ** 2
    s.jolt = jolt if s.filled > 0 and math.isfinite(jolt) else 0.0
    s.turn = math.sqrt(gyr[0] ** 2 + gyr[1] ** 2 + gyr[2] ** 2)
    for c in range(3):
        s.acc[c] = acc[c]
        s.gyr[c] = gyr[c]


@kernel
def advance(s: Any, p: Any, a: Any, k: int, out: Any, n: int, sensor: int, newest: int) -> int:  # noqa: PLR0917 - numba takes positional arguments
    """Run the step on the present sample, learn the mounting, write what is told."""
    step(s, p, a, k)
    if s.told == INITIAL_CONTACT:
        adopt(a)
        a.agreed += 1
    if s.still >= p.still:
        see_rest(a, s.acc)
    see_turn(a, s.turn, p.still)
    see_any(s, a, s.gyr, p.dt)
    if s.turn > MOVING_RATE:
        see_leg(s, a, s.gyr, p.dt)
        if s.told == NOTHING and contradicted(a):
            adopt(a)
            a.agreed = 0
            s.typical_peak = 0.0
            s.typical_angle = 0.0
            restart(s)
    settle(s, p, float(k - p.half))
    return write(out, n, sensor, s, newest)


@kernel
def contacts(  # noqa: PLR0917 - numba takes positional arguments
    sensors: NDArray[np.int64],
    start: NDArray[np.int64],
    index: NDArray[np.int64],
    acc: NDArray[np.float64],
    gyr: NDArray[np.float64],
    params: Any,
    state: Any,
    alignment: Any,
    out: Any,
) -> int:
    """Run all sensors of a batch; return how many events were written to ``out``."""
    n = 0
    now = np.zeros((2, 3))
    between = np.zeros((2, 3))
    last = np.zeros((2, 3))
    for j in range(len(sensors)):
        sensor = sensors[j]
        s, p, a = state[sensor], params[sensor], alignment[sensor]
        for row in range(start[j], start[j + 1]):
            k = index[row]
            if not read(acc[row], gyr[row], now) or (s.started == 1 and k <= s.index):
                continue
            lost = k - s.index - 1
            if s.started == 0:
                s.started = 1
                s.settled = -math.inf
                restart(s)
                begin_alignment(a)
                begin_swings(s)
            elif lost > p.bridge:
                tell(s, GAP, float(s.index), SURE)
                n = write(out, n, sensor, s, k)
                restart(s)
            elif lost > 0:
                s.bridge_start, s.bridge_end = float(s.index + 1), float(k - 1)
                for c in range(3):
                    last[0, c] = s.acc[c]
                    last[1, c] = s.gyr[c]
                for i in range(1, lost + 1):
                    share = i / (lost + 1.0)
                    for c in range(3):
                        between[0, c] = last[0, c] + share * (now[0, c] - last[0, c])
                        between[1, c] = last[1, c] + share * (now[1, c] - last[1, c])
                    take(s, between[0], between[1])
                    n = advance(s, p, a, s.index + i, out, n, sensor, k)
            take(s, now[0], now[1])
            n = advance(s, p, a, k, out, n, sensor, k)
            s.index = k
    return n
