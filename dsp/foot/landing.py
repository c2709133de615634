"""A foot in swing and landing: its initial contact, and the foot-flat after it.

Initial contact is where the slap of the foot has grown to ``SLAP_LEVEL`` of its peak, or, when the foot comes down
flat, the middle of its jolts before rest. Foot-flat is the stillest instant after that. ``rate`` and ``at`` are those
of ``dsp.foot.lift``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dsp.contact.cycle import SURE, UNSURE, landing_crossing, learn, report_event, restart_cycle
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
from dsp.foot.layout import BLIND, SEEN, FootKernelParams, FootKernelState
from dsp.foot.lift import (
    LATE_SHARE,
    PROPULSION_FLOOR,
    close_dip,
    follow_down,
    forget_impacts,
    forget_lift,
    note_impact,
    turn_down,
)
from dsp.kernel import kernel

# Timing level as a share of the peak, as that of propulsion: on the steep part of the flank, and agreeing with contacts
# of healthy walkers that were checked by hand.
SLAP_LEVEL = 0.5

SLAP_FLOOR = 0.3  # rad/s: weaker ones are no slap; then the turn of sign is the contact
SURE_SLAP = 0.6  # a minimum of this share of the typical slap, already rising again, needs no more waiting
WEAK_SLAP = 0.35  # a minimum below this share of the typical slap may be the foot braking in the air: wait for more
RESUME = 0.2  # toe-up rotation of this share of the swing's after the turn of sign: the foot was still in the air
CALM_SHARE = 0.15  # rotation slower than this share of the peak late in swing: the foot landed flat, without a slap
CALM_TIME = 0.2  # and for at least this share of the swing: a slow swing also ends slowly
LIFTED = 0.5  # a heel that has risen by this share of a typical swing is on its way into one


@kernel
def in_swing(state: FootKernelState, params: FootKernelParams, at: float, rate: float) -> None:
    """Follow swing to the turn of sign that begins the landing, or to rest when the foot came down flat."""
    if state.resumed == 1:
        state.resumed = 0
        if rate < CALM_SHARE * state.peak:
            restart(state)
            return
    state.peak = max(state.peak, rate)
    state.angle += rate * params.dt
    if at - state.last_final <= params.min_phase:
        return
    newest = at + params.half
    late = rate < LATE_SHARE * state.peak
    if late:
        note_impact(state, newest)
    state.calm = state.calm + 1 if late and state.turn < CALM_SHARE * state.peak else 0
    if state.calm >= max(params.calm, CALM_TIME * (at - state.last_final)):
        land_flat(state, newest - state.calm + 1, 0.0)
    elif rate < 0.0 <= state.rate_before:
        state.phase = LANDING
        turn_down(state, at, rate)
    elif at - state.last_final > params.swing_max:
        restart(state)


@kernel
def in_landing(state: FootKernelState, params: FootKernelParams, at: float, rate: float) -> None:
    """Follow the slap; report initial contact when it can be timed, go back to swing if the foot was in the air."""
    note_impact(state, at + params.half)
    follow_down(state, rate)
    last = state.landed - 1
    state.back = state.back + rate * params.dt if rate > 0.0 else 0.0
    if state.back > RESUME * state.angle:
        state.phase = SWING
        return
    slap = -state.landing[state.deepest_at]
    past = last > state.deepest_at
    rising = past and rate > -0.8 * slap and slap > SLAP_FLOOR
    known = rising and state.typical_slap > 0.0 and slap >= SURE_SLAP * state.typical_slap
    weak = slap < WEAK_SLAP * state.typical_slap and state.quiet == 0
    timed = last >= params.landing_min and past and not weak and slap > SLAP_FLOOR
    longest = max(params.landing_max, CALM_TIME * (state.zero - state.last_final))
    if known or timed:
        land(state, landing_crossing(state, SLAP_LEVEL), SURE, slap)
    elif last >= longest or state.landed == MAX_LANDING:
        if slap > SLAP_FLOOR:
            land(state, landing_crossing(state, SLAP_LEVEL), SURE, slap)
        else:
            land_flat(state, state.zero, max(0.0, slap))


@kernel
def land(state: FootKernelState, at: float, confidence: float, slap: float) -> None:
    """Report initial contact and begin stance."""
    report_event(state, INITIAL_CONTACT, at, confidence)
    begin_stance(state, at, slap)


@kernel
def land_flat(state: FootKernelState, otherwise: float, slap: float) -> None:
    """Report the initial contact of a foot that came down flat: the middle of its jolts, each by its energy."""
    land(state, state.impact_at + state.impact_lag if state.impact_at != NEVER else otherwise, UNSURE, slap)


@kernel
def begin_stance(state: FootKernelState, at: float, slap: float) -> None:
    """Close the stride at its initial contact."""
    state.typical_peak = learn(state.typical_peak, state.peak)
    state.typical_angle = learn(state.typical_angle, state.angle)
    state.typical_slap = learn(state.typical_slap, slap)
    state.stride_from = state.last_initial
    state.last_initial = at
    state.steps += 1
    state.flat_for = 0
    state.phase = GROUND
    state.blind = SEEN
    forget_lift(state)
    state.quiet = 0
    state.flat_found = 0


@kernel
def before_gap(state: FootKernelState, params: FootKernelParams, at: float) -> None:
    """Report the contact that was seen whole before samples were lost, although what follows it was not."""
    if state.phase == LANDING:
        slap = -state.landing[state.deepest_at]
        if slap > SLAP_FLOOR and state.landed - 1 > state.deepest_at:
            land(state, landing_crossing(state, SLAP_LEVEL), UNSURE, slap)
    elif state.phase == GROUND and state.typical_angle > 0.0 and state.heel_top >= LIFTED * state.typical_angle:
        if state.dip_level != NEVER:
            close_dip(state, params, at)
        if state.propulsion <= -PROPULSION_FLOOR and at - state.propulsion_level <= params.propulsion_age:
            report_event(state, FINAL_CONTACT, state.propulsion_level, UNSURE)
            state.last_final = state.propulsion_level
            state.phase = SWING


@kernel
def restart(state: FootKernelState) -> None:
    """Forget the present stride (a gap or the start of the stream); what is typical stays."""
    restart_cycle(state, BLIND)
    state.resumed = 0
    forget_lift(state)
    state.quiet = 0
    state.flat_found = 1
    state.flat_for = 0
    state.flat_before = NEVER
    state.steps = 0


@kernel
def resume(state: FootKernelState) -> None:
    """Go on after a gap in the swing before it, provided that the next samples show the foot still swinging."""
    state.filled = 0
    state.rate_before = math.nan
    state.phase = SWING
    state.resumed = 1
    forget_impacts(state)
    state.bridge_start = NEVER
    state.bridge_end = NEVER
    state.still = 0
    state.quiet = 0
    state.flat_before = NEVER


@kernel
def find_flat(state: FootKernelState, params: FootKernelParams, history: NDArray[np.float64], newest: int) -> None:
    """Look for the stillest instant of foot-flat; report it when the time for that is over or the foot moves again."""
    if state.flat_for == 0 and state.quiet < params.quiet:
        return
    if state.quiet >= params.quiet:
        half = params.quiet // 2
        energy = 0.0
        for i in range(newest - 2 * half, newest + 1):
            slot = i & (HISTORY - 1)
            energy += history[slot, 3] ** 2 + history[slot, 4] ** 2 + history[slot, 5] ** 2
        if state.flat_for == 0 or energy < state.flat_energy:
            state.flat_energy = energy
            state.flat_at = float(newest - half)
    state.flat_for += 1
    if state.flat_for > params.flat_search or state.quiet < params.quiet or state.phase != GROUND:
        report_event(state, FOOT_FLAT, state.flat_at, SURE)
        state.flat_found = 1
        state.flat_for = 0
