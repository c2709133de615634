"""What the shank-contact kernel is given and keeps: parameters and state of a sensor as rows of plain arrays."""

from __future__ import annotations

from typing import Final

from dsp.contact.layout import ContactParams, ContactState
from dsp.contact.swing import SwingSense
from dsp.record import Vector

MID_SWING: Final = 4
"""Kind of event that only shanks have: the leg passes the other one, at the peak of its rate."""


class ShankKernelParams(ContactParams):
    """Physical limits of what counts as a step of a shank, at the rate of one sensor: times in samples of it."""

    mid_swing: int  # 1 to report mid-swing too


class ShankKernelState(ContactState, SwingSense):
    """Where one shank is in its cycle. Instants are fractional sample numbers of the device; NEVER while there is none.

    The swing of a shank throws it forward. ``impact`` is the hardest of its jolts, ``blind`` is 1 where the beginning
    of the step fell into a gap: then no final contact can be reported.
    """

    acc: Vector  # specific force of the newest good sample, to interpolate from, m/s^2
    gyr: Vector  # its angular velocity, rad/s
    peak_at: float
    peak_reported: int
    lean: float  # rad: how far the shank has leaned forward since it last came back
    lean_top: float  # the most since the last swing
    low: float  # deepest rate of the latest trough, rad/s
    low_at: float
    low_level: float  # where that had faded to the level of final contact
    low_cut: int  # the trough began before the stream did
    top: float  # highest rate since the trough, rad/s


PARAMS: Final = ShankKernelParams.layout()
STATE: Final = ShankKernelState.layout()
