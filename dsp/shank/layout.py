"""What the shank-contact kernel is told and keeps: parameters and state of a sensor as rows of plain arrays."""

from __future__ import annotations

from typing import Final

import numpy as np

from dsp.contact.events import MAX_LANDING, MAX_TAPS

MID_SWING: Final = 4
"""Kind of event that only shanks have: the leg passes the other one, at the peak of its rate."""

PARAMS: Final = np.dtype(
    [
        ("dt", "f8"),  # s a sample
        ("half", "i8"),  # samples on each side of the smoothing window
        ("taps", "f8", (MAX_TAPS,)),
        ("bridge", "i8"),  # lost samples in a row that are interpolated
        ("landing_min", "i8"),  # samples after the pitch rate turned negative until a trough may be taken for one
        ("landing_max", "i8"),  # the same after which it is looked up, come what may
        ("swing_max", "i8"),  # samples: a swing longer than this was none
        ("lift_max", "i8"),  # samples in which a rise must become a swing
        ("min_phase", "f8"),  # samples: shortest stance and shortest swing
        ("ringing", "f8"),  # samples after an initial contact in which the impact may still ring
        ("push_age", "f8"),  # samples from push-off to the start of swing beyond which they do not belong together
        ("calm", "i8"),  # samples without rotation that end a swing without a trough
        ("still", "i8"),  # samples without any rotation that make rest
        ("rate_floor", "f8"),  # rad/s: slowest swing peak
        ("angle_floor", "f8"),  # rad: smallest rotation of a swing
        ("fade", "f8"),  # factor a sample by which the memory of earlier strides fades
        ("mid_swing", "i8"),  # 1 to tell mid-swing too
    ]
)

# Instants are fractional sample numbers of the device; ``dsp.contact.events.NEVER`` while there is none.
STATE: Final = np.dtype(
    [
        # The stream
        ("started", "i8"),
        ("index", "i8"),  # newest good sample
        ("acc", "f8", (3,)),  # its specific force and angular velocity, to interpolate from
        ("gyr", "f8", (3,)),
        ("rate", "f8"),  # pitch rate of the present sample, leg swinging forward positive, rad/s
        ("turn", "f8"),  # its angular rate (norm), rad/s
        ("jolt", "f8"),  # its change of specific force, squared, (m/s^2)^2
        ("filled", "i8"),  # samples in the smoothing window
        ("window", "f8", (MAX_TAPS,)),
        ("bridge_start", "f8"),  # the newest interpolated stretch: events within it are less sure
        ("bridge_end", "f8"),
        ("w", "f8"),  # smoothed pitch rate of the step before; NaN after a restart
        ("settled", "f8"),  # no event before this instant will come any more
        # What this step has to tell
        ("told", "i8"),
        ("told_index", "f8"),
        ("told_confidence", "f8"),
        # The cycle
        ("phase", "i8"),
        ("blind", "i8"),  # the beginning of the step fell into a gap: no final contact can be told
        ("peak", "f8"),  # of the swing so far, rad/s
        ("peak_at", "f8"),
        ("peak_told", "i8"),
        ("angle", "f8"),  # of the swing so far, rad
        ("rise", "f8"),  # where the pitch rate turned positive
        ("lean", "f8"),  # rad: how far the shank has leaned forward since it last came back
        ("lean_top", "f8"),  # the most since the last swing
        ("low", "f8"),  # deepest rate of the latest trough, rad/s
        ("low_at", "f8"),
        ("low_level", "f8"),  # where that had faded to the level of final contact
        ("low_cut", "i8"),  # the trough began before the stream did
        ("top", "f8"),  # highest rate since the trough
        ("last_initial", "f8"),
        ("last_final", "f8"),
        ("zero", "f8"),  # where the pitch rate turned negative at the end of swing
        ("landing", "f8", (MAX_LANDING,)),  # smoothed rate since then; [0] is the last one before
        ("landed", "i8"),
        ("trough", "i8"),  # deepest of them
        ("back", "f8"),  # rad: forward rotation since then
        ("impact", "f8"),  # hardest jolt late in swing
        ("impact_at", "f8"),
        ("calm", "i8"),  # samples in a row without rotation late in swing
        ("still", "i8"),  # the same below the rate of rest
        # What is typical of the recent strides, fading
        ("typical_peak", "f8"),
        ("typical_angle", "f8"),
        # Which way the leg swings: fading integral of rate x |rate|^2, rad^3/s^2
        ("swings", "f8", (3,)),
        ("swings_sum", "f8"),
        ("turns", "f8", (3,)),  # the same of the rate itself, rad
        ("turns_sum", "f8"),
    ]
)
