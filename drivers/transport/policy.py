"""What to do after a failure: pure functions, so that the policy can be read and tested without a radio."""

from __future__ import annotations

from enum import Enum, auto

from drivers.errors import (
    AdapterError,
    AmbiguousDeviceError,
    ConnectError,
    ForbiddenWriteError,
    LinkError,
    LinkLostError,
    NotFoundError,
    SilentStreamError,
)
from drivers.transport.troubles import IN_USE, NO_ADAPTER, NO_ROOM, SWITCHED_OFF, UNPAIRED

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0  # a patient who comes back from the corridor should not wait longer
SOON_S = 4.0  # the longest where several devices answer: somebody is switching them on and off at this moment
OFTEN_S = 5.0  # the longest where to look again costs little: somebody comes back, plugs in, ends the other program
PAIR_EVERY = 2  # failures in a row of a device that wants to be paired, before it is tried
RESET_EVERY = 3  # failures in a row of the adapter or of connecting, before it is helped along
STABLE_S = 10.0  # a stream that lasted so long was a success: the next failure counts as the first


class Action(Enum):
    """What the supervisor does next."""

    RETRY = auto()  # at once
    BACK_OFF = auto()  # after a delay
    RESET = auto()  # the transport, then as BACK_OFF
    GIVE_UP = auto()  # nothing that time would heal


def decide(error: Exception, failures: int) -> Action:
    """Return what to do after the ``failures``-th failure in a row (1 for the first)."""
    if isinstance(error, ForbiddenWriteError):
        return Action.GIVE_UP
    if isinstance(error, (LinkLostError, SilentStreamError)) and failures == 1:
        return Action.RETRY
    problem = error.problem if isinstance(error, LinkError) else ""
    if problem in {IN_USE, NO_ADAPTER, NO_ROOM, SWITCHED_OFF}:
        return Action.BACK_OFF  # nothing of ours is wrong
    if problem == UNPAIRED:
        return Action.RESET if failures % PAIR_EVERY == 0 else Action.BACK_OFF
    if isinstance(error, (AdapterError, ConnectError)) and failures % RESET_EVERY == 0:
        return Action.RESET
    return Action.BACK_OFF


def delay_s(failures: int, chance: float) -> float:
    """Return how long to wait after the ``failures``-th failure in a row, seconds.

    Doubles up to LONGEST_DELAY_S; ``chance`` in [0, 1) spreads it over the upper half, so that devices that were
    lost together do not come back together.
    """
    longest = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures - 1, 16))
    return longest * (0.5 + chance / 2)


def longest_s(error: Exception, *, streamed: bool) -> float:
    """Return how long to wait at most, seconds.

    Args:
        error: What went wrong.
        streamed: Whether samples had come just before: the device is there.
    """
    if isinstance(error, AmbiguousDeviceError) or streamed:
        return SOON_S
    often = isinstance(error, (NotFoundError, AdapterError)) or (
        isinstance(error, LinkError) and error.problem in {IN_USE, NO_ROOM}
    )
    return OFTEN_S if often else LONGEST_DELAY_S
