"""What the foot-contact kernel is told and keeps: parameters and state of a sensor as rows of plain arrays."""

from __future__ import annotations

from typing import Final

import numpy as np

from dsp.contact.events import MAX_LANDING, MAX_TAPS

# How much of a step has been seen since samples were lost.
SEEN: Final = 0
LATE: Final = 1  # its push-off: how far the heel rose is not known
BLIND: Final = 2  # less: no final contact can be told

PARAMS: Final = np.dtype(
    [
        ("dt", "f8"),  # s a sample
        ("half", "i8"),  # samples on each side of the smoothing window
        ("taps", "f8", (MAX_TAPS,)),
        ("again", "i8"),  # samples that are gone through again when another axis is found
        ("bridge", "i8"),  # lost samples in a row that are interpolated
        ("landing_min", "i8"),  # samples after the pitch rate turned negative until the slap is looked up
        ("landing_max", "i8"),
        ("swing_max", "i8"),  # samples: a swing longer than this was none
        ("lift_max", "i8"),  # samples in which a rise must become a swing
        ("min_phase", "f8"),  # samples: shortest stance and shortest swing
        ("ringing", "f8"),  # samples after an initial contact in which the impact may still ring
        ("push_age", "f8"),  # samples from push-off to the start of swing beyond which they do not belong together
        ("calm", "i8"),  # samples without rotation that end a swing without slap
        ("still", "i8"),  # samples without any rotation after which nothing before counts as the start of a step
        ("hidden", "i8"),  # longest gap between two samples in which no stance can be hidden
        ("stand", "i8"),  # samples without any rotation after which the foot stands, whatever a gap has hidden
        ("quiet", "i8"),  # samples of quiet that make foot-flat
        ("flat_search", "i8"),  # samples after that in which its stillest instant is looked for
        ("rate_floor", "f8"),  # rad/s: slowest swing peak
        ("angle_floor", "f8"),  # rad: smallest rotation of a swing
        ("fade", "f8"),  # factor a sample by which the memory of earlier strides fades
    ]
)

# Instants are fractional sample numbers of the device; NEVER while there is none.
STATE: Final = np.dtype(
    [
        # The stream
        ("sensor", "i8"),
        ("started", "i8"),
        ("index", "i8"),  # newest good sample
        ("first", "i8"),  # first sample since the last restart
        ("present", "f8", (3,)),  # room for what of the present sample is looked at
        ("rate", "f8"),  # pitch rate of the present sample, toe-up positive, rad/s
        ("turn", "f8"),  # its angular rate (norm), rad/s
        ("jolt", "f8"),  # its change of specific force, squared, (m/s^2)^2
        ("filled", "i8"),  # samples in the smoothing window
        ("window", "f8", (MAX_TAPS,)),
        ("bridge_start", "f8"),  # the newest interpolated stretch: events within it are less sure
        ("bridge_end", "f8"),
        ("w", "f8"),  # smoothed pitch rate of the step before; NaN after a restart
        ("settled", "f8"),  # no event before this instant will come any more
        ("told_up_to", "f8"),  # the newest event told
        # What this step has to tell
        ("told", "i8"),
        ("told_index", "f8"),
        ("told_confidence", "f8"),
        # The cycle
        ("phase", "i8"),
        ("resumed", "i8"),  # the swing went on unseen in a gap
        ("blind", "i8"),  # what of the beginning of the step fell into a gap: SEEN, LATE or BLIND
        ("peak", "f8"),  # of the swing so far, rad/s
        ("angle", "f8"),  # of the swing so far, rad
        ("rise", "f8"),  # where the pitch rate turned positive
        ("tipped", "i8"),  # 1 after a toe-up rotation that was a small step if the foot now comes down
        ("heel", "f8"),  # rad: how far the heel has risen since the foot last lay flat
        ("heel_top", "f8"),  # its highest since then
        ("dip", "f8"),  # deepest rate of the present negative excursion
        ("dip_level", "f8"),  # where that had died down to PUSH_LEVEL
        ("push", "f8"),  # the same two of the push-off candidate
        ("push_level", "f8"),
        ("last_initial", "f8"),
        ("last_final", "f8"),
        ("zero", "f8"),  # where the pitch rate turned negative at the end of swing
        ("landing", "f8", (MAX_LANDING,)),  # smoothed rate since then; [0] is the last one before
        ("landed", "i8"),
        ("slap_at", "i8"),  # deepest of them
        ("back", "f8"),  # rad: toe-up rotation since the slap
        ("impact", "f8"),  # energy of the jolts late in swing, (m/s^2)^2
        ("impact_at", "f8"),  # the first of them
        ("impact_lag", "f8"),  # samples from there to their middle
        ("calm", "i8"),  # samples in a row without rotation late in swing
        ("still", "i8"),  # the same below STILL_RATE
        ("quiet", "i8"),  # the same below FLAT_RATE
        ("flat_told", "i8"),
        ("flat_for", "i8"),  # samples since the foot came to lie flat, while the stillest of them is looked for
        ("flat_energy", "f8"),  # of the stillest so far
        ("flat_at", "f8"),
        ("flat_before", "f8"),  # the foot-flat before
        ("steps", "i8"),  # initial contacts since then
        ("stride_from", "f8"),  # the initial contact before the last one
        # What is typical of the recent strides, fading
        ("typical_peak", "f8"),
        ("typical_angle", "f8"),
        ("typical_slap", "f8"),
    ]
)
