"""What the segment and joint kernels are told and keep: rows of plain arrays."""

from __future__ import annotations

from typing import Final

import numpy as np

# Kinds of segment: they differ in how their axis to the left is found.
PELVIS: Final = 0  # hardly swings: the nominal axis, set level
THIGH: Final = 1
SHANK: Final = 2
FOOT: Final = 3

# What a calibration rests on (bits).
STATIC: Final = 1  # a neutral standing pose that walking has confirmed
FUNCTIONAL: Final = 2  # the axis that walking turns about; of a pelvis, the nominal one
HEADING: Final = 4  # of a joint: the axes of both segments agree about where left is

HISTORY: Final = 512  # newest samples of a segment that wait for the other one: 2.5 s at 200 Hz; a power of two

SEGMENT_PARAMS: Final = np.dtype(
    [
        ("dt", "f8"),  # s a sample
        ("kind", "i8"),
        ("still", "i8"),  # samples without rotation that make rest
        ("pose", "i8"),  # samples of rest that make a neutral pose
        ("gap", "i8"),  # lost samples in a row after which the heading is not the one before
    ]
)

SEGMENT: Final = np.dtype(
    [
        ("started", "i8"),
        ("index", "i8"),  # newest good sample
        ("time_s", "f8"),  # its time on the gateway clock
        ("written", "i8"),  # samples written to the history
        ("epoch", "i8"),  # changes when what was known of its heading does not hold any more
        ("still", "i8"),  # samples in a row without rotation
        ("rest_up", "f8", (3,)),  # sum of the vertical in this rest, sensor frame
        ("up", "f8", (3,)),  # the vertical in the neutral pose
        ("posed", "i8"),  # 0 no neutral pose yet, 1 one that may be a chair's or a table's, 2 confirmed by walking
        ("walk_up", "f8", (3,)),  # fading sum of the vertical in motion
        ("walked_s", "f8"),  # time in motion
        ("adopted_s", "f8"),  # the same when the axis was last renewed
        ("bits", "i8"),  # STATIC | FUNCTIONAL
        ("frame", "f8", (3, 3)),  # rows forward, left, up in the sensor's frame
        # Which way a leg swings (dsp.swing)
        ("swings", "f8", (3,)),
        ("swings_sum", "f8"),
        ("turns", "f8", (3,)),
        ("turns_sum", "f8"),
    ]
)

JOINT: Final = np.dtype(
    [
        ("proximal", "i8"),
        ("distal", "i8"),
        ("sign", "f8"),  # -1 where bending turns the distal segment's top backward
        ("neutral", "f8"),  # rad: the angle in the neutral pose
        ("read", "i8"),  # samples of the proximal segment that are done with
        ("behind", "i8"),  # newest distal sample that is known to lie before them
        ("epochs", "i8", (2,)),
        ("heading", "f8", (2,)),  # fading sum of (cos, sin) of proximal minus distal heading
        ("weight", "f8"),  # what its length would be if the axes always agreed
        ("bits", "i8"),  # STATIC | FUNCTIONAL | HEADING
    ]
)

ANGLE: Final = np.dtype(
    [
        ("joint", "i8"),
        ("sensor", "i8"),  # of the proximal segment
        ("time_s", "f8"),  # of the proximal segment's sample, gateway clock
        ("angle_deg", "f8"),  # flexion or dorsiflexion positive
        ("bits", "i8"),  # what it rests on
    ]
)
