"""What the foot-contact kernel is given and keeps: parameters and state of a sensor as rows of plain arrays."""

from __future__ import annotations

from typing import Final

from dsp.contact.layout import ContactParams, ContactState
from dsp.record import Vector

# How much of a step has been seen since samples were lost.
SEEN: Final = 0
LATE: Final = 1  # its propulsion: how far the heel rose is not known
BLIND: Final = 2  # less: no final contact can be reported


class FootKernelParams(ContactParams):
    """Physical limits of what counts as a step of a foot, at the rate of one sensor: times in samples of it."""

    again: int  # samples that are gone through again when another axis is found
    hidden: int  # longest gap between two samples in which no stance can be hidden
    stand: int  # samples without any rotation after which the foot stands, whatever a gap has hidden
    quiet: int  # samples of quiet that make foot-flat
    flat_search: int  # samples after that in which its stillest instant is looked for


class FootKernelState(ContactState):
    """Where one foot is in its cycle. Instants are fractional sample numbers of the device; NEVER while there is none.

    The swing of a foot turns its toes up. ``impact`` is the energy of its jolts, ``impact_at`` the first of them.
    """

    sensor: int
    first: int  # first sample since the last restart
    present: Vector  # room for what of the present sample is looked at
    newest_event: float  # the newest event that was written
    resumed: int  # the swing went on unseen in a gap
    tipped: int  # 1 after a toe-up rotation that was a small step if the foot now comes down
    heel: float  # rad: how far the heel has risen since the foot last lay flat
    heel_top: float  # its highest since then
    dip: float  # deepest rate of the present negative excursion, rad/s
    dip_level: float  # where that had died down to PROPULSION_LEVEL
    propulsion: float  # the same two of what may be propulsion
    propulsion_level: float
    impact_lag: float  # samples from the first jolt to the middle of all
    quiet: int  # samples in a row below FLAT_RATE
    flat_found: int
    flat_for: int  # samples since the foot came to lie flat, while the stillest of them is looked for
    flat_energy: float  # of the stillest so far
    flat_at: float
    flat_before: float  # the foot-flat before
    steps: int  # initial contacts since then
    stride_from: float  # the initial contact before the last one
    typical_slap: float  # of the recent strides, rad/s, fading


PARAMS: Final = FootKernelParams.layout()
STATE: Final = FootKernelState.layout()
