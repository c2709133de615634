"""What the segment and joint kernels are given and keep: rows of plain arrays."""

from __future__ import annotations

from typing import Annotated, Final

from dsp.contact.swing import SwingSense
from dsp.record import Floats, Ints, Record, Vector

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


class SegmentParams(Record):
    """What one segment is, and its times in samples."""

    dt: float  # s a sample
    kind: int
    still: int  # samples without rotation that make rest
    pose: int  # samples of rest that make a neutral pose
    gap: int  # lost samples in a row after which the heading is not the one before


SEGMENT_PARAMS: Final = SegmentParams.layout()


class SegmentState(SwingSense):
    """How a sensor is turned against its segment, and since when."""

    started: int
    index: int  # newest good sample
    time_s: float  # its time on the gateway clock
    written: int  # samples written to the history
    epoch: int  # changes when what was known of its heading does not hold any more
    still: int  # samples in a row without rotation
    rest_up: Vector  # sum of the vertical in this rest, sensor frame
    up: Vector  # the vertical in the neutral pose
    posed: int  # 0 no neutral pose yet, 1 one that may be a chair's or a table's, 2 confirmed by walking
    walk_up: Vector  # fading sum of the vertical in motion
    walked_s: float  # time in motion
    adopted_s: float  # the same when the axis was last renewed
    bits: int  # STATIC | FUNCTIONAL
    frame: Annotated[Floats, 3, 3]  # rows forward, left, up in the sensor's frame


SEGMENT: Final = SegmentState.layout()


class JointState(Record):
    """Two segments, and how far their headings lie apart."""

    proximal: int
    distal: int
    sign: float  # -1 where bending turns the distal segment's top backward
    neutral: float  # rad: the angle in the neutral pose
    read: int  # samples of the proximal segment that are done with
    behind: int  # newest distal sample that is known to lie before them
    epochs: Annotated[Ints, 2]
    heading: Annotated[Floats, 2]  # fading sum of (cos, sin) of proximal minus distal heading
    weight: float  # what its length would be if the axes always agreed
    bits: int  # STATIC | FUNCTIONAL | HEADING


JOINT: Final = JointState.layout()


class JointAngle(Record):
    """The angle of a joint at one sample of its proximal segment."""

    joint: int
    sensor: int  # of the proximal segment
    time_s: float  # of the proximal segment's sample, gateway clock
    angle_deg: float  # flexion or dorsiflexion positive
    bits: int  # what it rests on


ANGLE: Final = JointAngle.layout()
