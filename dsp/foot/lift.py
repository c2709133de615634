"""A foot on the ground: propulsion (push-off), the rise into swing, and the final contact between them.

The method follows the gyroscope literature (Aminian 2002, Salarian 2004): in the sagittal plane the foot turns
toe-down in propulsion, toe-up through swing, and toe-down again when it slaps the floor. ``rate`` is the pitch rate
(rad/s) with toe-up positive, smoothed by a short symmetric window whose delay is known exactly, so every event keeps
its true time; ``at`` is the sample number in the middle of that window. Final contact is where propulsion has died down
to ``PROPULSION_LEVEL`` of its peak. What comes after it stands in ``dsp.foot.landing``.
"""

from __future__ import annotations

import math

from dsp.contact.cycle import SURE, UNSURE, report_event
from dsp.contact.events import FINAL_CONTACT, LANDING, NEVER, SWING
from dsp.foot.layout import BLIND, LATE, SEEN, FootKernelParams, FootKernelState
from dsp.kernel import kernel
from dsp.mounting.alignment import AGREED_STRIDES, Alignment

# Timing levels as shares of the peak: both sit on the steep part of the flank, where noise moves the crossing least.
# At these levels the crossings coincide with hand-checked contacts of healthy walkers.
PROPULSION_LEVEL = 0.65

# A swing must reach this share of the recent typical peak and rotation: more while the impact may still ring (which
# looks like short, fast rotations), less later, because the steps of a turn or a stop are small.
RINGING_SHARE = 0.35
SMALL_SHARE = 0.1
HEEL_SHARE = 0.5  # a step begins with the heel: toe-down rotation before swing, as a share of the toe-up one needed
SECOND_DIP = 0.5  # a later dip of this share of the propulsion before it replaces it
PROPULSION_FLOOR = 0.3  # rad/s: weaker toe-down rates are no propulsion
LATE_SHARE = 0.5  # swing is late once the rate is below this share of its peak: impacts before that are of propulsion
IMPACT_FLOOR = 2.0  # m/s^2 from one sample to the next: less is no impact
IMPACT_TOP = 1000.0  # m/s^2: more than any accelerometer measures
STEP_JOLT = 5.0  # m/s^2: a foot that comes down so hard was in the air, however little it has turned
STEP_SHARE = 0.5  # share of the rotation else needed that then is enough
FLAT_ANGLE = 0.05  # rad: a foot that lies still within this of flat has not begun a step


@kernel
def forget_lift(state: FootKernelState) -> None:
    """Forget what looked like the beginning of a step: heel rise, propulsion and toe-up rotation."""
    state.heel = 0.0
    state.heel_top = 0.0
    state.propulsion = 0.0
    state.propulsion_level = NEVER
    state.dip = 0.0
    state.dip_level = NEVER
    state.rise = NEVER
    state.peak = 0.0
    state.angle = 0.0
    state.tipped = 0


@kernel
def close_dip(state: FootKernelState, params: FootKernelParams, at: float) -> None:
    """End a negative excursion: it is the propulsion, unless the one before was recent and much deeper."""
    if state.dip_level == NEVER:
        state.dip_level = at
    stale = state.propulsion_level == NEVER or at - state.propulsion_level > params.propulsion_age
    if stale or state.dip <= SECOND_DIP * state.propulsion:
        state.propulsion = state.dip
        state.propulsion_level = state.dip_level
    state.dip = 0.0
    state.dip_level = NEVER


@kernel
def follow_propulsion(state: FootKernelState, params: FootKernelParams, at: float, rate: float) -> None:
    """Follow a toe-down rotation: how far the heel rises, and where its rate dies down."""
    if rate < state.dip < 0.0 or rate <= -PROPULSION_LEVEL * state.typical_peak:
        state.blind = min(state.blind, LATE)
    if rate < state.dip:
        state.dip = rate
        state.dip_level = NEVER
    elif state.dip_level == NEVER and rate > PROPULSION_LEVEL * state.dip:
        state.dip_level = (
            at - (rate - PROPULSION_LEVEL * state.dip) / (rate - state.rate_before) if rate > state.rate_before else at
        )
    state.angle = max(0.0, state.angle + rate * params.dt)
    if state.angle == 0.0:
        state.peak = 0.0
        state.rise = NEVER
        state.tipped = 0


@kernel
def needed(state: FootKernelState, params: FootKernelParams, at: float) -> float:
    """Return the toe-up rotation that makes a step at this time of the cycle; infinite while nothing does."""
    since = at - state.last_initial
    share = RINGING_SHARE if since < params.ringing else SMALL_SHARE
    if since <= params.min_phase or state.peak < max(params.rate_floor, share * state.typical_peak):
        return math.inf
    return float(max(params.angle_floor, share * state.typical_angle))


@kernel
def turn_down(state: FootKernelState, at: float, rate: float) -> None:
    """Begin to follow a toe-down rotation that may be the slap of a landing."""
    state.zero = at - rate / (rate - state.rate_before)
    state.landing[0] = state.rate_before
    state.landing[1] = rate
    state.landed = 2
    state.deepest_at = 1
    state.back = 0.0


@kernel
def follow_down(state: FootKernelState, rate: float) -> None:
    """Take one more sample of it."""
    state.landing[state.landed] = rate
    if rate < state.landing[state.deepest_at]:
        state.deepest_at = state.landed
    state.landed += 1


@kernel
def is_swing(state: FootKernelState, params: FootKernelParams, alignment: Alignment, at: float, rate: float) -> bool:
    """Return whether the toe-up rotation so far is that of a step."""
    least = needed(state, params, at)
    if is_step(state, least) or (state.blind != SEEN and state.angle >= least):
        return True
    return bool(has_landed(state, alignment, rate) and is_small_step(state, least))


@kernel
def is_step(state: FootKernelState, needed: float) -> bool:
    """Return whether the foot has turned toe-down and toe-up by as much as a step needs."""
    return bool(state.angle >= needed and state.heel_top >= HEEL_SHARE * needed)


@kernel
def is_small_step(state: FootKernelState, needed: float) -> bool:
    """Return the same of a step without propulsion, or of a smaller one, to be believed if the foot then comes down."""
    return bool(state.angle >= needed or is_step(state, STEP_SHARE * needed))


@kernel
def has_landed(state: FootKernelState, alignment: Alignment, rate: float) -> bool:
    """Return whether a foot that lay flat before comes down hard: the small steps with which one comes to a stand.

    A foot on the ground may tip as far as in such a step but does not come down on it. While the axis is not sure, or
    rest before the motion was not seen, a jolt may be anything.
    """
    rested = state.flat_before != NEVER and state.flat_found == 1
    return bool(
        rested and alignment.agreed >= AGREED_STRIDES and state.jolt >= STEP_JOLT**2 and rate <= LATE_SHARE * state.peak
    )


@kernel
def on_ground(state: FootKernelState, params: FootKernelParams, alignment: Alignment, at: float, rate: float) -> None:
    """Follow propulsion and the rise into swing; report final contact once it is a swing, and foot-flat before."""
    if (
        (state.still >= params.still and state.heel < FLAT_ANGLE)
        or state.still > params.lift_max
        or at - state.rise > params.lift_max
    ):
        forget_lift(state)
    if state.still >= params.stand:
        state.blind = SEEN
    state.heel = max(0.0, state.heel - rate * params.dt)
    state.heel_top = max(state.heel_top, state.heel)
    if rate < 0.0:
        tip_down(state, params, at, rate)
        follow_propulsion(state, params, at, rate)
        if state.tipped == 1 and has_landed(state, alignment, rate):
            begin_swing(state, params, at, rate)
            state.phase = LANDING
            return
    else:
        tip_up(state, params, at, rate)
        if is_swing(state, params, alignment, at, rate):
            begin_swing(state, params, at, rate)
            return
    if state.flat_found == 0 and state.quiet == params.quiet:
        forget_lift(state)


@kernel
def tip_up(state: FootKernelState, params: FootKernelParams, at: float, rate: float) -> None:
    """Follow a toe-up rotation."""
    state.tipped = 0
    zero = at - rate / (rate - state.rate_before) if state.rate_before < 0.0 else at
    if state.rate_before < 0.0:
        close_dip(state, params, zero)
    if state.rise == NEVER:
        state.rise = zero
    state.angle += rate * params.dt
    state.peak = max(state.peak, rate)


@kernel
def tip_down(state: FootKernelState, params: FootKernelParams, at: float, rate: float) -> None:
    """Follow the toe-down rotation after one that was a small step if the foot now comes down."""
    if state.rate_before >= 0.0:
        state.tipped = 1 if is_small_step(state, needed(state, params, at)) else 0
        turn_down(state, at, rate)
    elif state.landed >= params.landing_max:
        state.tipped = 0
    elif state.tipped == 1:
        follow_down(state, rate)


@kernel
def begin_swing(state: FootKernelState, params: FootKernelParams, at: float, rate: float) -> None:
    """Enter swing and report its final contact, unless that fell into a gap."""
    state.phase = SWING
    forget_impacts(state)
    if rate <= LATE_SHARE * state.peak:
        note_impact(state, at + params.half)
    state.last_final = at
    if state.blind == BLIND:
        return
    if state.propulsion <= -PROPULSION_FLOOR and state.rise - state.propulsion_level <= params.propulsion_age:
        report_event(state, FINAL_CONTACT, state.propulsion_level, SURE if state.blind == SEEN else UNSURE)
    else:
        report_event(state, FINAL_CONTACT, state.rise, UNSURE)
    state.last_final = state.event_index


@kernel
def forget_impacts(state: FootKernelState) -> None:
    """Begin to look for the landing."""
    state.impact = 0.0
    state.impact_at = NEVER
    state.impact_lag = 0.0
    state.calm = 0


@kernel
def note_impact(state: FootKernelState, at: float) -> None:
    """Remember the jolts late in swing: when they began, their energy, and its mean lag behind that."""
    if state.jolt > IMPACT_FLOOR**2:
        energy = min(state.jolt, IMPACT_TOP**2)
        state.impact_at = min(state.impact_at, at)
        state.impact += energy
        state.impact_lag += (at - state.impact_at - state.impact_lag) * energy / state.impact
