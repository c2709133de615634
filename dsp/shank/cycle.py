"""The cycle of a shank: lean, swing and landing, and the contacts between them.

In the sagittal plane the shank leans forward all through stance, quickest in propulsion (push-off), is thrown forward
in swing, and turns back when the foot meets the floor (Aminian 2002, Salarian 2004, Catalfamo 2010). ``rate`` is the
pitch rate (rad/s) with swing positive, smoothed by a short symmetric window whose delay is known exactly; ``at`` is the
sample number in the middle of that window. Mid-swing is its peak. Initial contact lies between the turn of sign after
it and the trough that follows: where the rate has reached ``LAND_LEVEL`` of that. Final contact is where the last
trough before swing has faded to ``PROPULSION_LEVEL``.
"""

from __future__ import annotations

import math

from dsp.contact.cycle import SURE, UNSURE, landing_crossing, learn, report_event, restart_cycle
from dsp.contact.events import FINAL_CONTACT, GROUND, INITIAL_CONTACT, LANDING, MAX_LANDING, NEVER, SWING
from dsp.kernel import kernel
from dsp.shank.layout import MID_SWING, ShankKernelParams, ShankKernelState

# Levels as shares of the trough. On people who wear both, the foot sensor's contacts lie at 0.15 and 0.65 of the
# shank's troughs; on textbook curves stretched to slow walks at 0.45 and right at the trough.
LAND_LEVEL = 0.3
PROPULSION_LEVEL = 0.65

# A swing must reach this share of the recent typical peak and rotation: more while the impact may still ring.
RINGING_SHARE = 0.4
SMALL_SHARE = 0.15
LEAN_SHARE = 0.5  # the forward lean that comes before, as a share of the rotation needed
RELIEF_SHARE = 0.1  # a rate that rises and falls again by this share of the last trough makes another
RELIEF_FLOOR = 0.04  # rad/s: less is noise
PROPULSION_FLOOR = 0.1  # rad/s: weaker rates are no propulsion
TROUGH_FLOOR = 0.1  # rad/s: weaker ones are no landing; then the impact, or the turn of sign, is the contact
REBOUND = 0.8  # of the trough: a rate that has come back to this will go no deeper
RESUME = 0.2  # forward rotation of this share of the swing's after the turn of sign: the foot was still in the air
LATE_SHARE = 0.5  # swing is late once the rate is below this share of its peak
CALM_SHARE = 0.1  # slower than this share of the peak late in swing: the leg has come to rest
CALM_TIME = 0.2  # for at least this share of the swing: a slow swing also ends slowly
IMPACT_FLOOR = 2.0  # m/s^2 from one sample to the next: less is no impact


@kernel
def note_impact(state: ShankKernelState, at: float) -> None:
    """Remember the hardest jolt late in swing."""
    if state.jolt > state.impact:
        state.impact = state.jolt
        state.impact_at = at


@kernel
def forget_step(state: ShankKernelState) -> None:
    """Forget what looked like the beginning of a step."""
    state.lean = 0.0
    state.lean_top = 0.0
    state.low = 0.0
    state.low_at = -NEVER
    state.low_level = NEVER
    state.low_cut = 0
    state.top = 0.0
    state.rise = NEVER
    state.peak = 0.0
    state.peak_at = NEVER
    state.angle = 0.0


@kernel
def restart(state: ShankKernelState) -> None:
    """Forget the present stride (a gap or the start of the stream); what is typical stays."""
    restart_cycle(state, 1)
    forget_step(state)
    state.calm = 0
    state.impact_at = NEVER


@kernel
def follow_trough(state: ShankKernelState, at: float, rate: float) -> None:
    """Keep the latest trough of the rate, and where it has faded to the level of final contact."""
    relief = max(RELIEF_FLOOR, -RELIEF_SHARE * state.low)
    if rate < state.low or (state.low_level != NEVER and rate < min(0.0, state.top - relief)):
        state.low_cut = 1 if math.isnan(state.rate_before) else 0
        state.low = rate
        state.low_at = at
        state.low_level = NEVER
        state.top = rate
        return
    state.top = max(state.top, rate)
    level = PROPULSION_LEVEL * state.low
    if rate <= level:
        state.low_level = NEVER
    elif state.low_level == NEVER:
        state.low_level = at - (rate - level) / (rate - state.rate_before) if rate > state.rate_before else at


@kernel
def is_swing(state: ShankKernelState, params: ShankKernelParams, at: float) -> bool:
    """Return whether the forward rotation so far is that of a step."""
    since = at - state.last_initial
    if since <= params.min_phase:
        return False
    share = RINGING_SHARE if since < params.ringing else SMALL_SHARE
    if state.peak < max(params.rate_floor, share * state.typical_peak):
        return False
    needed = max(params.angle_floor, share * state.typical_angle)
    return bool(state.angle >= needed and (state.blind == 1 or state.lean_top >= LEAN_SHARE * needed))


@kernel
def on_ground(state: ShankKernelState, params: ShankKernelParams, at: float, rate: float) -> None:
    """Follow the lean, propulsion and the rise into swing; report final contact once it is a swing."""
    state.lean = max(0.0, state.lean - rate * params.dt)
    state.lean_top = max(state.lean_top, state.lean)
    if state.still > params.swing_max:
        state.lean_top = 0.0
    if rate < 0.0:
        follow_trough(state, at, rate)
        state.blind = 0
        state.rise = NEVER
        state.angle = 0.0
        state.peak = 0.0
        return
    if state.low_level == NEVER:
        follow_trough(state, at, rate)
    if at - state.rise > params.lift_max:
        state.rise = NEVER
        state.angle = 0.0
        state.peak = 0.0
    if state.rise == NEVER:
        state.rise = at - rate / (rate - state.rate_before) if state.rate_before < 0.0 else at
    state.angle += rate * params.dt
    note_peak(state, at, rate)
    if is_swing(state, params, at):
        begin_swing(state, params, at)


@kernel
def note_peak(state: ShankKernelState, at: float, rate: float) -> None:
    """Remember the highest rate of the swing."""
    if rate > state.peak:
        state.peak = rate
        state.peak_at = at


@kernel
def begin_swing(state: ShankKernelState, params: ShankKernelParams, at: float) -> None:
    """Enter swing and report its final contact, unless that fell into a gap."""
    state.phase = SWING
    state.impact = IMPACT_FLOOR**2
    state.impact_at = NEVER
    state.calm = 0
    state.peak_reported = 0
    state.last_final = at
    propelled = state.low <= -PROPULSION_FLOOR and state.rise - state.low_at <= params.propulsion_age
    if state.blind == 1 or (propelled and state.low_cut == 1):
        return
    if propelled:
        report_event(state, FINAL_CONTACT, state.low_level, SURE)
    else:
        report_event(state, FINAL_CONTACT, state.rise, UNSURE)
    state.last_final = state.event_index


@kernel
def in_swing(state: ShankKernelState, params: ShankKernelParams, at: float, rate: float) -> None:
    """Follow swing past its peak to the turn of sign that begins the landing, or to rest."""
    note_peak(state, at, rate)
    state.angle += rate * params.dt
    if at - state.last_final > params.swing_max:
        restart(state)
        return
    if at - state.last_final <= params.min_phase:
        return
    late = rate < LATE_SHARE * state.peak
    if params.mid_swing == 1 and state.peak_reported == 0 and late:
        report_event(state, MID_SWING, state.peak_at, SURE)
        state.peak_reported = 1
        return
    newest = at + params.half
    if late:
        note_impact(state, newest)
    state.calm = state.calm + 1 if late and state.turn < CALM_SHARE * state.peak else 0
    if state.calm >= max(params.calm, CALM_TIME * (at - state.last_final)):
        land(state, state.impact_at if state.impact_at != NEVER else newest - state.calm + 1, UNSURE)
    elif rate < 0.0:
        state.phase = LANDING
        state.zero = at - rate / (rate - state.rate_before) if state.rate_before >= 0.0 else at
        state.landing[0] = max(state.rate_before, 0.0)
        state.landing[1] = rate
        state.landed = 2
        state.deepest_at = 1
        state.back = 0.0


@kernel
def in_landing(state: ShankKernelState, params: ShankKernelParams, at: float, rate: float) -> None:
    """Follow the trough; report initial contact when it is known, go back to swing if the foot was in the air."""
    note_impact(state, at + params.half)
    state.landing[state.landed] = rate
    last = state.landed
    state.landed += 1
    if rate < state.landing[state.deepest_at]:
        state.deepest_at = last
    state.back = state.back + rate * params.dt if rate > 0.0 else 0.0
    if state.back > RESUME * state.angle:
        state.phase = SWING
        return
    depth = -state.landing[state.deepest_at]
    deep = depth > TROUGH_FLOOR
    if deep and last >= params.landing_min and rate > -REBOUND * depth:
        land(state, landing_crossing(state, LAND_LEVEL), SURE)
    elif last >= params.landing_max or state.landed == MAX_LANDING:
        if deep:
            land(state, landing_crossing(state, LAND_LEVEL), SURE)
        else:
            land(state, state.impact_at if state.impact_at != NEVER else state.zero, UNSURE)


@kernel
def land(state: ShankKernelState, at: float, confidence: float) -> None:
    """Report initial contact and begin stance."""
    report_event(state, INITIAL_CONTACT, at, confidence)
    state.typical_peak = learn(state.typical_peak, state.peak)
    state.typical_angle = learn(state.typical_angle, state.angle)
    state.last_initial = at
    state.phase = GROUND
    forget_step(state)
