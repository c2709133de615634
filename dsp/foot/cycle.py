"""The cycle of a foot: ground, swing, landing, and the contacts between them.

The method follows the gyroscope literature (Aminian 2002, Salarian 2004): in the sagittal plane the foot turns
toe-down at push-off, toe-up through swing, and toe-down again when it slaps the floor. ``w`` below is the pitch rate
with toe-up positive, smoothed by a short symmetric window whose delay is known exactly, so every event keeps its true
time. Final contact is where push-off has died down to ``PUSH_LEVEL`` of its peak; initial contact is where the
slap has grown to ``SLAP_LEVEL`` of its peak, or, when the foot comes down flat, the middle of its jolts before rest.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.contact.events import (
    FINAL_CONTACT,
    FOOT_FLAT,
    GROUND,
    HISTORY,
    INITIAL_CONTACT,
    LANDING,
    MAX_LANDING,
    NEVER,
    SWING,
)
from dsp.foot.layout import BLIND, LATE, SEEN
from dsp.kernel import kernel
from dsp.mounting.alignment import AGREED_STRIDES

# Timing levels as shares of the peak: both sit on the steep part of the flank, where noise moves the crossing least.
# At these levels the crossings coincide with hand-checked contacts of healthy walkers.
PUSH_LEVEL = 0.65
SLAP_LEVEL = 0.5

# A swing must reach this share of the recent typical peak and rotation: more while the impact may still ring (which
# looks like short, fast rotations), less later, because the steps of a turn or a stop are small.
RINGING_SHARE = 0.35
SMALL_SHARE = 0.1
HEEL_SHARE = 0.5  # a step begins with the heel: toe-down rotation before swing, as a share of the toe-up one needed
LEARN = 0.3  # weight of the newest stride in what is typical
SECOND_DIP = 0.5  # a later dip of this share of the push-off before it replaces it
PUSH_FLOOR = 0.3  # rad/s: weaker toe-down rates are no push-off
SLAP_FLOOR = 0.3  # rad/s: weaker ones are no slap; then the turn of sign is the contact
SURE_SLAP = 0.6  # a minimum of this share of the typical slap, already rising again, needs no more waiting
WEAK_SLAP = 0.35  # a minimum below this share of the typical slap may be the foot braking in the air: wait for more
RESUME = 0.2  # toe-up rotation of this share of the swing's after the turn of sign: the foot was still in the air
LATE_SHARE = 0.5  # swing is late once the rate is below this share of its peak: impacts before that are the push-off's
CALM_SHARE = 0.15  # rotation slower than this share of the peak late in swing: the foot landed flat, without a slap
CALM_TIME = 0.2  # and for at least this share of the swing: a slow swing also ends slowly
IMPACT_FLOOR = 2.0  # m/s^2 from one sample to the next: less is no impact
IMPACT_TOP = 1000.0  # m/s^2: more than any accelerometer measures
STEP_JOLT = 5.0  # m/s^2: a foot that comes down so hard was in the air, however little it has turned
STEP_SHARE = 0.5  # share of the rotation else needed that then is enough
LIFTED = 0.5  # a heel that has risen by this share of a typical swing is on its way into one
FLAT_RATE = 0.6  # rad/s: a foot that turns slower lies on the floor
FLAT_SHARE = 0.25  # and slower than this share of the typical peak: a brisk walker's foot never lies quite still
FLAT_ANGLE = 0.05  # rad: a foot that lies still within this of flat has not begun a step
STILL_RATE = 0.2  # rad/s: above any gyroscope's bias and below the slowest heel rise
SURE = 1.0  # confidence of an event that looked as it should
UNSURE = 0.5  # factor for each thing that was missing: a push-off, a slap, the samples beside it


@kernel
def smooth(s: Any, p: Any) -> float:
    """Take the present pitch rate; return the smoothed one ``half`` samples back, NaN until the window is full."""
    newest = 2 * p.half
    total = 0.0
    for i in range(newest):
        s.window[i] = s.window[i + 1]
        total += p.taps[i] * s.window[i]
    s.window[newest] = s.rate
    if s.filled <= newest:
        s.filled += 1
        if s.filled <= newest:
            return math.nan
    return float(total + p.taps[newest] * s.rate)


@kernel
def forget_lift(s: Any) -> None:
    """Forget what looked like the beginning of a step: heel rise, push-off and toe-up rotation."""
    s.heel = 0.0
    s.heel_top = 0.0
    s.push = 0.0
    s.push_level = NEVER
    s.dip = 0.0
    s.dip_level = NEVER
    s.rise = NEVER
    s.peak = 0.0
    s.angle = 0.0
    s.tipped = 0


@kernel
def forget_impacts(s: Any) -> None:
    """Begin to look for the landing."""
    s.impact = 0.0
    s.impact_at = NEVER
    s.impact_lag = 0.0
    s.calm = 0


@kernel
def restart(s: Any) -> None:
    """Forget the present stride (a gap or the start of the stream); what is typical stays."""
    s.filled = 0
    s.w = math.nan
    s.phase = GROUND
    s.blind = BLIND
    s.resumed = 0
    forget_lift(s)
    s.last_initial = -math.inf
    s.last_final = -math.inf
    s.bridge_start = NEVER
    s.bridge_end = NEVER
    s.still = 0
    s.quiet = 0
    s.flat_told = 1
    s.flat_for = 0
    s.flat_before = NEVER
    s.steps = 0


@kernel
def resume(s: Any) -> None:
    """Go on after a gap in the swing before it, provided that the next samples show the foot still swinging."""
    s.filled = 0
    s.w = math.nan
    s.phase = SWING
    s.resumed = 1
    forget_impacts(s)
    s.bridge_start = NEVER
    s.bridge_end = NEVER
    s.still = 0
    s.quiet = 0
    s.flat_before = NEVER


@kernel
def tell(s: Any, kind: int, index: float, confidence: float) -> None:
    """Leave an event for the caller of the step."""
    s.told = kind
    s.told_index = index
    s.told_confidence = confidence


@kernel
def close_dip(s: Any, p: Any, t: float) -> None:
    """End a negative excursion: it is the push-off, unless the one before was recent and much deeper."""
    if s.dip_level == NEVER:
        s.dip_level = t
    stale = s.push_level == NEVER or t - s.push_level > p.push_age
    if stale or s.dip <= SECOND_DIP * s.push:
        s.push = s.dip
        s.push_level = s.dip_level
    s.dip = 0.0
    s.dip_level = NEVER


@kernel
def push_off(s: Any, p: Any, t: float, w: float) -> None:
    """Follow a toe-down rotation: how far the heel rises, and where its rate dies down."""
    if w < s.dip < 0.0 or w <= -PUSH_LEVEL * s.typical_peak:
        s.blind = min(s.blind, LATE)
    if w < s.dip:
        s.dip = w
        s.dip_level = NEVER
    elif s.dip_level == NEVER and w > PUSH_LEVEL * s.dip:
        s.dip_level = t - (w - PUSH_LEVEL * s.dip) / (w - s.w) if w > s.w else t
    s.angle = max(0.0, s.angle + w * p.dt)
    if s.angle == 0.0:
        s.peak = 0.0
        s.rise = NEVER
        s.tipped = 0


@kernel
def needed(s: Any, p: Any, t: float) -> float:
    """Return the toe-up rotation that makes a step at this time of the cycle; infinite while nothing does."""
    since = t - s.last_initial
    share = RINGING_SHARE if since < p.ringing else SMALL_SHARE
    if since <= p.min_phase or s.peak < max(p.rate_floor, share * s.typical_peak):
        return math.inf
    return float(max(p.angle_floor, share * s.typical_angle))


@kernel
def turn_down(s: Any, t: float, w: float) -> None:
    """Begin to follow a toe-down rotation that may be the slap of a landing."""
    s.zero = t - w / (w - s.w)
    s.landing[0] = s.w
    s.landing[1] = w
    s.landed = 2
    s.slap_at = 1
    s.back = 0.0


@kernel
def follow_down(s: Any, w: float) -> None:
    """Take one more sample of it."""
    s.landing[s.landed] = w
    if w < s.landing[s.slap_at]:
        s.slap_at = s.landed
    s.landed += 1


@kernel
def is_swing(s: Any, p: Any, a: Any, t: float, w: float) -> bool:
    """Return whether the toe-up rotation so far is that of a step."""
    least = needed(s, p, t)
    if is_step(s, least) or (s.blind != SEEN and s.angle >= least):
        return True
    return bool(has_landed(s, a, w) and is_small_step(s, least))


@kernel
def is_step(s: Any, needed: float) -> bool:
    """Return whether the foot has turned toe-down and toe-up by as much as a step needs."""
    return bool(s.angle >= needed and s.heel_top >= HEEL_SHARE * needed)


@kernel
def is_small_step(s: Any, needed: float) -> bool:
    """Return the same of a step without push-off, or of a smaller one, to be believed if the foot then comes down."""
    return bool(s.angle >= needed or is_step(s, STEP_SHARE * needed))


@kernel
def has_landed(s: Any, a: Any, w: float) -> bool:
    """Return whether a foot that lay flat before comes down hard: the small steps with which one comes to a stand.

    A foot on the ground may tip as far as in such a step but does not come down on it. While the axis is not sure, or
    rest before the motion was not seen, a jolt may be anything.
    """
    rested = s.flat_before != NEVER and s.flat_told == 1
    return bool(rested and a.agreed >= AGREED_STRIDES and s.jolt >= STEP_JOLT**2 and w <= LATE_SHARE * s.peak)


@kernel
def on_ground(s: Any, p: Any, a: Any, t: float, w: float) -> None:
    """Follow push-off and the rise into swing; tell final contact once it is a swing, and foot-flat before."""
    if (s.still >= p.still and s.heel < FLAT_ANGLE) or s.still > p.lift_max or t - s.rise > p.lift_max:
        forget_lift(s)
    if s.still >= p.stand:
        s.blind = SEEN
    s.heel = max(0.0, s.heel - w * p.dt)
    s.heel_top = max(s.heel_top, s.heel)
    if w < 0.0:
        tip_down(s, p, t, w)
        push_off(s, p, t, w)
        if s.tipped == 1 and has_landed(s, a, w):
            begin_swing(s, p, t, w)
            s.phase = LANDING
            return
    else:
        tip_up(s, p, t, w)
        if is_swing(s, p, a, t, w):
            begin_swing(s, p, t, w)
            return
    if s.flat_told == 0 and s.quiet == p.quiet:
        forget_lift(s)


@kernel
def tip_up(s: Any, p: Any, t: float, w: float) -> None:
    """Follow a toe-up rotation."""
    s.tipped = 0
    zero = t - w / (w - s.w) if s.w < 0.0 else t
    if s.w < 0.0:
        close_dip(s, p, zero)
    if s.rise == NEVER:
        s.rise = zero
    s.angle += w * p.dt
    s.peak = max(s.peak, w)


@kernel
def tip_down(s: Any, p: Any, t: float, w: float) -> None:
    """Follow the toe-down rotation after one that was a small step if the foot now comes down."""
    if s.w >= 0.0:
        s.tipped = 1 if is_small_step(s, needed(s, p, t)) else 0
        turn_down(s, t, w)
    elif s.landed >= p.landing_max:
        s.tipped = 0
    elif s.tipped == 1:
        follow_down(s, w)


@kernel
def find_flat(s: Any, p: Any, history: NDArray[np.float64], k: int) -> None:
    """Look for the stillest instant of foot-flat; tell it when the time for that is over or the foot moves again."""
    if s.flat_for == 0 and s.quiet < p.quiet:
        return
    if s.quiet >= p.quiet:
        half = p.quiet // 2
        energy = 0.0
        for i in range(k - 2 * half, k + 1):
            j = i & (HISTORY - 1)
            energy += history[j, 3] ** 2 + history[j, 4] ** 2 + history[j, 5] ** 2
        if s.flat_for == 0 or energy < s.flat_energy:
            s.flat_energy = energy
            s.flat_at = float(k - half)
    s.flat_for += 1
    if s.flat_for > p.flat_search or s.quiet < p.quiet or s.phase != GROUND:
        tell(s, FOOT_FLAT, s.flat_at, SURE)
        s.flat_told = 1
        s.flat_for = 0


@kernel
def begin_swing(s: Any, p: Any, t: float, w: float) -> None:
    """Enter swing and tell its final contact, unless that fell into a gap."""
    s.phase = SWING
    forget_impacts(s)
    if w <= LATE_SHARE * s.peak:
        note_impact(s, t + p.half)
    s.last_final = t
    if s.blind == BLIND:
        return
    if s.push <= -PUSH_FLOOR and s.rise - s.push_level <= p.push_age:
        tell(s, FINAL_CONTACT, s.push_level, SURE if s.blind == SEEN else UNSURE)
    else:
        tell(s, FINAL_CONTACT, s.rise, UNSURE)
    s.last_final = s.told_index


@kernel
def note_impact(s: Any, k: float) -> None:
    """Remember the jolts late in swing: when they began, their energy, and its mean lag behind that."""
    if s.jolt > IMPACT_FLOOR**2:
        energy = min(s.jolt, IMPACT_TOP**2)
        s.impact_at = min(s.impact_at, k)
        s.impact += energy
        s.impact_lag += (k - s.impact_at - s.impact_lag) * energy / s.impact


@kernel
def land_flat(s: Any, otherwise: float, slap: float) -> None:
    """Tell the initial contact of a foot that came down flat: the middle of its jolts, each by its energy."""
    land(s, s.impact_at + s.impact_lag if s.impact_at != NEVER else otherwise, UNSURE, slap)


@kernel
def before_gap(s: Any, p: Any, t: float) -> None:
    """Tell the contact that was seen whole before samples were lost, although what follows it was not."""
    if s.phase == LANDING:
        slap = -s.landing[s.slap_at]
        if slap > SLAP_FLOOR and s.landed - 1 > s.slap_at:
            land(s, slap_crossing(s), UNSURE, slap)
    elif s.phase == GROUND and s.typical_angle > 0.0 and s.heel_top >= LIFTED * s.typical_angle:
        if s.dip_level != NEVER:
            close_dip(s, p, t)
        if s.push <= -PUSH_FLOOR and t - s.push_level <= p.push_age:
            tell(s, FINAL_CONTACT, s.push_level, UNSURE)
            s.last_final = s.push_level
            s.phase = SWING


@kernel
def in_swing(s: Any, p: Any, t: float, w: float) -> None:
    """Follow swing to the turn of sign that begins the landing, or to rest when the foot came down flat."""
    if s.resumed == 1:
        s.resumed = 0
        if w < CALM_SHARE * s.peak:
            restart(s)
            return
    s.peak = max(s.peak, w)
    s.angle += w * p.dt
    if t - s.last_final <= p.min_phase:
        return
    k = t + p.half
    late = w < LATE_SHARE * s.peak
    if late:
        note_impact(s, k)
    s.calm = s.calm + 1 if late and s.turn < CALM_SHARE * s.peak else 0
    if s.calm >= max(p.calm, CALM_TIME * (t - s.last_final)):
        land_flat(s, k - s.calm + 1, 0.0)
    elif w < 0.0 <= s.w:
        s.phase = LANDING
        turn_down(s, t, w)
    elif t - s.last_final > p.swing_max:
        restart(s)


@kernel
def in_landing(s: Any, p: Any, t: float, w: float) -> None:
    """Follow the slap; tell initial contact when it can be timed, go back to swing if the foot was in the air."""
    note_impact(s, t + p.half)
    follow_down(s, w)
    last = s.landed - 1
    s.back = s.back + w * p.dt if w > 0.0 else 0.0
    if s.back > RESUME * s.angle:
        s.phase = SWING
        return
    slap = -s.landing[s.slap_at]
    past = last > s.slap_at
    rising = past and w > -0.8 * slap and slap > SLAP_FLOOR
    known = rising and s.typical_slap > 0.0 and slap >= SURE_SLAP * s.typical_slap
    weak = slap < WEAK_SLAP * s.typical_slap and s.quiet == 0
    timed = last >= p.landing_min and past and not weak and slap > SLAP_FLOOR
    longest = max(p.landing_max, CALM_TIME * (s.zero - s.last_final))
    if known or timed:
        land(s, slap_crossing(s), SURE, slap)
    elif last >= longest or s.landed == MAX_LANDING:
        if slap > SLAP_FLOOR:
            land(s, slap_crossing(s), SURE, slap)
        else:
            land_flat(s, s.zero, max(0.0, slap))


@kernel
def land(s: Any, at: float, confidence: float, slap: float) -> None:
    """Tell initial contact and begin stance."""
    tell(s, INITIAL_CONTACT, at, confidence)
    begin_stance(s, at, slap)


@kernel
def slap_crossing(s: Any) -> float:
    """Return the instant at which the slap had grown to its level."""
    level = SLAP_LEVEL * s.landing[s.slap_at]
    i = s.slap_at
    while i > 1 and s.landing[i - 1] < level:
        i -= 1
    before, after = s.landing[i - 1], s.landing[i]
    share = (before - level) / (before - after) if before > after else 0.0
    return float(math.ceil(s.zero) + (i - 2) + share)  # landing[1] lies on the first sample after the turn of sign


@kernel
def learn(typical: float, newest: float) -> float:
    """Return what is typical after one more stride."""
    return typical + LEARN * (newest - typical) if typical > 0.0 else newest


@kernel
def begin_stance(s: Any, at: float, slap: float) -> None:
    """Close the stride at its initial contact."""
    s.typical_peak = learn(s.typical_peak, s.peak)
    s.typical_angle = learn(s.typical_angle, s.angle)
    s.typical_slap = learn(s.typical_slap, slap)
    s.stride_from = s.last_initial
    s.last_initial = at
    s.steps += 1
    s.flat_for = 0
    s.phase = GROUND
    s.blind = SEEN
    forget_lift(s)
    s.quiet = 0
    s.flat_told = 0
