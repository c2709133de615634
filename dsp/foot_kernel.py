"""The foot-contact kernel: one pass over the new samples of many foot sensors, state in plain arrays.

The method follows the gyroscope literature (Aminian 2002, Salarian 2004): in the sagittal plane the foot turns
toe-down at push-off, toe-up through swing, and toe-down again when it slaps the floor. ``w`` below is the pitch rate
with toe-up positive, smoothed by a short symmetric window whose delay is known exactly, so every event keeps its true
time. Final contact is where push-off has died down to ``PUSH_LEVEL`` of its peak; initial contact is where the
slap has grown to ``SLAP_LEVEL`` of its peak.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

INITIAL_CONTACT, FINAL_CONTACT, FOOT_FLAT, GAP = 0, 1, 2, 3

# Where the foot is in its cycle.
GROUND, SWING, LANDING = 0, 1, 2

MAX_TAPS = 31  # the smoothing window at 350 Hz takes 27
MAX_LANDING = 128  # samples of a landing kept to look back into: LANDING_MAX_S at 208 Hz is 62

PARAMS = np.dtype(
    [
        ("dt", "f8"),  # s a sample
        ("half", "i8"),  # samples on each side of the smoothing window
        ("taps", "f8", (MAX_TAPS,)),
        ("bridge", "i8"),  # lost samples in a row that are interpolated
        ("landing_min", "i8"),  # samples after the pitch rate turned negative until the slap is looked up
        ("landing_max", "i8"),
        ("swing_max", "i8"),  # a swing longer than this was none
        ("min_phase", "f8"),  # samples: shortest stance and shortest swing
        ("ringing", "f8"),  # samples after an initial contact in which the impact may still ring
        ("push_age", "f8"),  # samples from push-off to the start of swing beyond which they do not belong together
        ("calm", "i8"),  # samples without rotation that end a swing without slap
        ("still", "i8"),  # samples without any rotation after which nothing before counts as the start of a step
        ("flat", "i8"),  # samples of quiet that make foot-flat
        ("rate_floor", "f8"),  # rad/s: slowest swing peak
        ("angle_floor", "f8"),  # rad: smallest rotation of a swing
        ("fade", "f8"),  # factor a sample by which the memory of earlier strides fades
    ]
)

STATE = np.dtype(
    [
        ("started", "i8"),
        ("index", "i8"),  # newest good sample
        ("rate", "f8"),  # its pitch rate, toe-up positive, rad/s
        ("turn", "f8"),  # its angular rate (norm), rad/s
        ("acc", "f8", (3,)),  # its specific force, m/s^2
        ("filled", "i8"),  # samples in the smoothing window
        ("window", "f8", (MAX_TAPS,)),
        ("bridged", "f8"),  # newest interpolated sample, for the confidence of events beside it
        ("w", "f8"),  # smoothed pitch rate of the step before
        ("has_w", "i8"),
        ("phase", "i8"),
        ("blind", "i8"),  # the rise into swing fell into a gap: no final contact can be told
        ("peak", "f8"),  # of the swing so far, rad/s
        ("angle", "f8"),  # of the swing so far, rad
        ("rise", "f8"),  # where the pitch rate last turned positive
        ("heel", "f8"),  # rad: how far the heel has risen since the foot last lay flat
        ("dip", "f8"),  # deepest rate of the present negative excursion
        ("dip_level", "f8"),  # where it had died down to PUSH_LEVEL; NaN while it has not
        ("push", "f8"),  # the same of the push-off candidate
        ("push_level", "f8"),
        ("last_initial", "f8"),
        ("last_final", "f8"),
        ("typical_peak", "f8"),  # running typical swing peak, fading
        ("typical_angle", "f8"),
        ("typical_slap", "f8"),
        ("zero", "f8"),  # where the pitch rate turned negative at the end of swing
        ("landing", "f8", (MAX_LANDING,)),  # smoothed rate since then; [0] is the last one before
        ("landed", "i8"),
        ("slap_at", "i8"),
        ("back", "f8"),  # rad: toe-up rotation since the slap
        ("jolt", "f8"),  # hardest change of acceleration late in swing
        ("jolt_at", "f8"),
        ("calm", "i8"),  # samples in a row without rotation late in swing
        ("still", "i8"),  # the same below STILL_RATE
        ("quiet", "i8"),  # the same below FLAT_RATE
        ("flat_told", "i8"),
    ]
)

# Timing levels as fractions of the peak; both sit on the steepest part of the flank, where noise moves the crossing
# least. At these levels the crossing coincides with hand-checked contacts of healthy walkers.
PUSH_LEVEL = 0.65
SLAP_LEVEL = 0.5

# A swing must reach this share of the recent typical peak and rotation: more while the impact may still ring (which
# looks like short, fast rotations), less later, because the steps of a turn or a stop are small.
RINGING_SHARE = 0.35
SMALL_SHARE = 0.1
HEEL_SHARE = 0.5  # a step begins with the heel: toe-down rotation before swing, as a share of the toe-up one needed
LEARN = 0.3  # weight of the newest stride in what is typical
SURE_SLAP = 0.6  # a minimum of this share of the typical slap, already rising again, needs no more waiting
RESUME = 0.2  # toe-up rotation of this share of the swing's after the turn of sign: the foot was still in the air
WEAK_SLAP = 0.35  # a minimum below this share of the typical slap may be the foot braking in the air: wait for more
CALM_SHARE = 0.15  # rotation slower than this share of the peak late in swing: the foot landed flat, without a slap
PUSH_FLOOR = 0.3  # rad/s: weaker toe-down rates are no push-off
SLAP_FLOOR = 0.3  # rad/s: a flat landing has no slap; then the turn of sign is the contact
SECOND_DIP = 0.5  # a later dip of this share of the push-off before it replaces it
FLAT_RATE = 0.6  # rad/s: a foot that turns slower lies on the floor
STILL_RATE = 0.2  # rad/s: above any gyroscope's bias and below the slowest heel rise


@njit(cache=True, nogil=True)
def smooth(s: Any, p: Any, rate: float) -> float:
    """Take the next pitch rate; return the smoothed one ``half`` samples back, NaN until the window is full."""
    width = 2 * p.half + 1
    for i in range(width - 1):
        s.window[i] = s.window[i + 1]
    s.window[width - 1] = rate
    if s.filled < width:
        s.filled += 1
        if s.filled < width:
            return math.nan
    total = 0.0
    for i in range(width):
        total += p.taps[i] * s.window[i]
    return total


@njit(cache=True, nogil=True)
def forget_lift(s: Any) -> None:
    """Forget what looked like the beginning of a step: heel rise, push-off and toe-up rotation."""
    s.heel = 0.0
    s.push = 0.0
    s.push_level = math.nan
    s.dip = 0.0
    s.dip_level = math.nan
    s.peak = 0.0
    s.angle = 0.0


@njit(cache=True, nogil=True)
def restart(s: Any) -> None:
    """Forget the present stride (a gap or the start of the stream); what is typical stays."""
    s.filled = 0
    s.has_w = 0
    s.phase = GROUND
    s.blind = 1
    s.rise = math.nan
    forget_lift(s)
    s.last_initial = -math.inf
    s.last_final = -math.inf
    s.bridged = -math.inf
    s.still = 0
    s.quiet = 0
    s.flat_told = 1
    s.landed = 0


@njit(cache=True, nogil=True)
def emit(out: Any, n: int, sensor: int, kind: int, index: float, newest: int, confidence: float) -> int:
    """Append an event while there is room; return how many there are."""
    if n < len(out):
        e = out[n]
        e.sensor = sensor
        e.kind = kind
        e.index = index
        e.decided_index = newest
        e.confidence = confidence
        return n + 1
    return n


@njit(cache=True, nogil=True)
def close_dip(s: Any, p: Any, t: float) -> None:
    """End a negative excursion: keep it as the push-off unless the one before is fresher in time and deeper."""
    if math.isnan(s.dip_level):
        s.dip_level = t
    stale = math.isnan(s.push_level) or t - s.push_level > p.push_age
    if stale or s.dip <= SECOND_DIP * s.push:
        s.push = s.dip
        s.push_level = s.dip_level
    s.dip = 0.0
    s.dip_level = math.nan


@njit(cache=True, nogil=True)
def on_ground(s: Any, p: Any, t: float, w: float) -> bool:
    """Follow push-off and the rise into swing at instant ``t`` (samples); return True once it is a swing."""
    if w < 0.0:
        s.blind = 0
        s.heel -= w * p.dt
        if w < s.dip:
            s.dip = w
            s.dip_level = math.nan
        elif math.isnan(s.dip_level) and w > PUSH_LEVEL * s.dip:
            level = PUSH_LEVEL * s.dip
            s.dip_level = t - (w - level) / (w - s.w) if w > s.w else t
        s.angle = max(0.0, s.angle + w * p.dt)
        if s.angle == 0.0:
            s.peak = 0.0
        return False
    if s.w < 0.0 and s.has_w == 1:
        zero = t - w / (w - s.w)
        if s.peak == 0.0:
            s.rise = zero
        close_dip(s, p, zero)
    s.angle += w * p.dt
    s.peak = max(s.peak, w)
    since = t - s.last_initial
    if since <= p.min_phase:
        return False
    share = RINGING_SHARE if since < p.ringing else SMALL_SHARE
    if s.peak < max(p.rate_floor, share * s.typical_peak):
        return False
    needed = max(p.angle_floor, share * s.typical_angle)
    return s.angle >= needed and (s.blind == 1 or s.heel >= HEEL_SHARE * needed)


@njit(cache=True, nogil=True)
def final_contact(s: Any, p: Any) -> tuple[float, float]:
    """Return instant and confidence of the final contact of the swing that has just become sure; NaN if unseen."""
    if s.blind == 1:
        return math.nan, 0.0
    if s.push <= -PUSH_FLOOR and s.rise - s.push_level <= p.push_age:
        return s.push_level, 1.0
    return s.rise, 0.5


@njit(cache=True, nogil=True)
def in_landing(s: Any, p: Any, w: float) -> int:
    """Follow the slap; return 1 when it can be timed, -1 when the foot was still in the air, else 0."""
    if s.landed < MAX_LANDING:
        s.landing[s.landed] = w
        s.landed += 1
    last = s.landed - 1
    if w < s.landing[s.slap_at]:
        s.slap_at = last
    slap = s.landing[s.slap_at]
    s.back = s.back + w * p.dt if w > 0.0 else 0.0
    if s.back > RESUME * s.angle:
        return -1
    rising = w > 0.5 * slap and last > s.slap_at
    if rising and slap < -SLAP_FLOOR and -slap >= SURE_SLAP * s.typical_slap and s.typical_slap > 0.0:
        return 1
    if last >= p.landing_max or s.landed == MAX_LANDING:
        return 1
    weak = -slap < WEAK_SLAP * s.typical_slap and s.quiet == 0
    return 1 if last >= p.landing_min and s.slap_at < last and not weak else 0


@njit(cache=True, nogil=True)
def initial_contact(s: Any) -> tuple[float, float]:
    """Return instant and confidence of the initial contact of the landing that has just become sure."""
    slap = s.landing[s.slap_at]
    if slap > -SLAP_FLOOR:
        return s.zero, 0.5
    level = SLAP_LEVEL * slap
    i = s.slap_at
    while i > 1 and s.landing[i - 1] < level:
        i -= 1
    before, after = s.landing[i - 1], s.landing[i]
    share = (before - level) / (before - after) if before > after else 0.0
    first = math.ceil(s.zero)  # landing[1] lies here
    return first + (i - 2) + share, 1.0


@njit(cache=True, nogil=True)
def learn(typical: float, newest: float) -> float:
    """Return what is typical after one more stride."""
    return typical + LEARN * (newest - typical) if typical > 0.0 else newest


@njit(cache=True, nogil=True)
def begin_stance(s: Any, at: float, slap: float) -> None:
    """Close the stride at its initial contact."""
    s.typical_peak = learn(s.typical_peak, s.peak)
    s.typical_angle = learn(s.typical_angle, s.angle)
    s.typical_slap = learn(s.typical_slap, slap)
    s.last_initial = at
    s.phase = GROUND
    forget_lift(s)
    s.quiet = 0
    s.flat_told = 0


@njit(cache=True, nogil=True)
def step(
    s: Any, p: Any, sensor: int, k: int, newest: int, rate: float, turn: float, jolt: float, out: Any, n: int
) -> int:
    """Advance one sensor by one sample of the uniform grid."""
    if turn < FLAT_RATE:
        s.quiet += 1
    else:
        s.quiet = 0
    if turn < STILL_RATE:
        s.still += 1
    else:
        s.still = 0
    w = smooth(s, p, rate)
    if math.isnan(w):
        return n
    t = float(k - p.half)
    sure = 1.0 if t - s.bridged > 2 * p.half + 2 else 0.5
    s.typical_peak *= p.fade
    s.typical_angle *= p.fade
    s.typical_slap *= p.fade
    if s.phase == GROUND:
        if on_ground(s, p, t, w):
            at, confidence = final_contact(s, p)
            if not math.isnan(at):
                n = emit(out, n, sensor, FINAL_CONTACT, at, newest, confidence * sure)
                s.last_final = at
            else:
                s.last_final = t
            s.phase = SWING
            s.jolt = 0.0
            s.jolt_at = math.nan
            s.calm = 0
        elif s.flat_told == 0 and s.quiet >= p.flat:
            n = emit(out, n, sensor, FOOT_FLAT, k - 0.5 * (s.quiet - 1), newest, sure)
            s.flat_told = 1
        if s.still >= p.still:
            forget_lift(s)
    elif s.phase == SWING:
        s.peak = max(s.peak, w)
        s.angle += w * p.dt
        late = t - s.last_final > p.min_phase and w < 0.5 * s.peak
        if late and jolt > s.jolt:
            s.jolt = jolt
            s.jolt_at = float(k)
        s.calm = s.calm + 1 if late and turn < CALM_SHARE * s.peak else 0
        if s.calm >= p.calm:
            at = float(k - s.calm + 1)
            if not math.isnan(s.jolt_at):
                at = min(at, s.jolt_at)
            n = emit(out, n, sensor, INITIAL_CONTACT, at, newest, 0.5 * sure)
            begin_stance(s, at, 0.0)
        elif w < 0.0 and s.w >= 0.0 and t - s.last_final > p.min_phase:
            s.phase = LANDING
            s.zero = t - w / (w - s.w)
            s.landing[0] = s.w
            s.landing[1] = w
            s.landed = 2
            s.slap_at = 1
            s.back = 0.0
        elif t - s.last_final > p.swing_max:
            restart(s)
    else:
        verdict = in_landing(s, p, w)
        if verdict < 0:
            s.phase = SWING
        elif verdict > 0:
            at, confidence = initial_contact(s)
            n = emit(out, n, sensor, INITIAL_CONTACT, at, newest, confidence * sure)
            begin_stance(s, at, max(0.0, -s.landing[s.slap_at]))
    s.w = w
    s.has_w = 1
    return n


@njit(cache=True, nogil=True)
def contacts(
    sensors: NDArray[np.int64],
    start: NDArray[np.int64],
    index: NDArray[np.int64],
    acc: NDArray[np.float64],
    gyr: NDArray[np.float64],
    params: Any,
    state: Any,
    out: Any,
) -> int:
    """Run all sensors of a batch; return how many events were written to ``out``."""
    n = 0
    for j in range(len(sensors)):
        sensor = sensors[j]
        s = state[sensor]
        p = params[sensor]
        for row in range(start[j], start[j + 1]):
            rate = -gyr[row, 1]
            turn = math.sqrt(gyr[row, 0] ** 2 + gyr[row, 1] ** 2 + gyr[row, 2] ** 2)
            if not math.isfinite(turn):
                continue
            k = index[row]
            jolt = 0.0
            for i in range(3):
                jolt += (acc[row, i] - s.acc[i]) ** 2
            if not math.isfinite(jolt):
                jolt = 0.0
            if s.started == 1:
                lost = k - s.index - 1
                if lost < 0:
                    continue
                if lost > p.bridge:
                    n = emit(out, n, sensor, GAP, float(s.index), k, 1.0)
                    restart(s)
                elif lost > 0:
                    for i in range(1, lost + 1):
                        share = i / (lost + 1.0)
                        between = s.rate + share * (rate - s.rate)
                        turning = s.turn + share * (turn - s.turn)
                        s.bridged = float(s.index + i)
                        n = step(s, p, sensor, s.index + i, k, between, turning, 0.0, out, n)
            else:
                restart(s)
                s.started = 1
            n = step(s, p, sensor, k, k, rate, turn, jolt, out, n)
            s.index = k
            s.rate = rate
            s.turn = turn
            for i in range(3):
                s.acc[i] = acc[row, i]
    return n
