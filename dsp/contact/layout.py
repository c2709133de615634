"""What the kernels of foot and shank are given and keep alike; each adds fields of its own to these."""

from __future__ import annotations

from typing import Annotated

from dsp.contact.events import MAX_LANDING, MAX_TAPS
from dsp.record import Floats, Record


class ContactParams(Record):
    """Physical limits of what counts as a step, at the rate of one sensor: times in samples of it."""

    dt: float  # s a sample
    half: int  # samples on each side of the smoothing window
    taps: Annotated[Floats, MAX_TAPS]  # its weights, oldest first
    bridge: int  # lost samples in a row that are interpolated
    landing_min: int  # samples after the end of swing until its deepest rate may be taken for the landing
    landing_max: int  # the same after which it is looked up, come what may
    swing_max: int  # samples: a swing longer than this was none
    lift_max: int  # samples in which a rise must become a swing
    min_phase: float  # samples: shortest stance and shortest swing
    ringing: float  # samples after an initial contact in which the impact may still ring
    propulsion_age: float  # samples from propulsion (push-off) beyond which a swing that begins is not its own
    calm: int  # samples without rotation that end a swing whose landing turns nothing
    still: int  # samples without any rotation that make rest: nothing before counts as the start of a step
    rate_floor: float  # rad/s: slowest swing peak
    angle_floor: float  # rad: smallest rotation of a swing
    fade: float  # factor a sample by which the memory of earlier strides fades


class ContactState(Record):
    """Where one leg is in its cycle. Instants are fractional sample numbers; NEVER where there is none."""

    # The stream
    started: int
    index: int  # newest good sample
    rate: float  # pitch rate of the present sample, that of swing positive, rad/s
    turn: float  # its angular rate (norm), rad/s
    jolt: float  # its change of specific force, squared, (m/s^2)^2
    filled: int  # samples in the smoothing window
    window: Annotated[Floats, MAX_TAPS]
    bridge_start: float  # the newest interpolated stretch: events within it are less sure
    bridge_end: float
    rate_before: float  # smoothed pitch rate of the step before, rad/s; NaN after a restart
    settled: float  # no event before this instant will come any more
    # What this step has to report
    event_kind: int  # NOTHING where there is nothing
    event_index: float
    event_confidence: float
    # The cycle
    phase: int  # GROUND, SWING or LANDING
    blind: int  # what of the beginning of the step fell into a gap
    peak: float  # of the swing so far, rad/s
    angle: float  # of the swing so far, rad
    rise: float  # where the pitch rate turned positive
    last_initial: float  # initial contact
    last_final: float  # final contact
    zero: float  # where the pitch rate turned negative at the end of swing
    landing: Annotated[Floats, MAX_LANDING]  # smoothed rate since then; [0] is the last one before
    landed: int  # how many of them there are
    deepest_at: int  # which of them is the deepest
    back: float  # rad: rotation in the direction of swing since then
    impact: float  # of the jolts late in swing, (m/s^2)^2
    impact_at: float
    calm: int  # samples in a row without rotation late in swing
    still: int  # the same below STILL_RATE
    # What is typical of the recent strides, fading
    typical_peak: float
    typical_angle: float
