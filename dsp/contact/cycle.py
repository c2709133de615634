"""What the cycles of foot and shank do alike: smooth the rate, report events, learn what is typical, time a landing."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dsp.contact.events import GROUND, NEVER, NOTHING, ContactEvent
from dsp.contact.layout import ContactParams, ContactState
from dsp.kernel import kernel
from dsp.record import Rows

LEARN = 0.3  # weight of the newest stride in what is typical
STILL_RATE = 0.2  # rad/s: above any gyroscope's bias and below the slowest heel rise
SURE = 1.0  # confidence of an event that looked as it should
UNSURE = 0.5  # factor for each thing that was missing: propulsion, a landing, the samples beside it


@kernel
def smooth(state: ContactState, params: ContactParams) -> float:
    """Return the smoothed pitch rate ``half`` samples before the present one, NaN until the window is full."""
    newest = 2 * params.half
    total = 0.0
    for i in range(newest):
        state.window[i] = state.window[i + 1]
        total += params.taps[i] * state.window[i]
    state.window[newest] = state.rate
    if state.filled <= newest:
        state.filled += 1
        if state.filled <= newest:
            return math.nan
    return float(total + params.taps[newest] * state.rate)


@kernel
def report_event(state: ContactState, kind: int, index: float, confidence: float) -> None:
    """Leave an event for the caller of the step."""
    state.event_kind = kind
    state.event_index = index
    state.event_confidence = confidence


@kernel
def doubt_bridged(state: ContactState, params: ContactParams) -> None:
    """Make the event of this step less sure where interpolated samples went into it."""
    if state.event_kind == NOTHING:
        return
    if state.bridge_start - params.half - 1 <= state.event_index <= state.bridge_end + params.half + 1:
        state.event_confidence *= UNSURE


@kernel
def write_event(events: Rows[ContactEvent], count: int, sensor: int, state: ContactState, newest: int) -> int:
    """Append what the step has reported, while there is room; return how many events there are."""
    if state.event_kind == NOTHING or count == len(events):
        return count
    event = events[count]
    event.sensor = sensor
    event.kind = state.event_kind
    event.index = state.event_index
    event.detected_index = newest
    event.confidence = state.event_confidence
    return count + 1


@kernel
def learn(typical: float, newest: float) -> float:
    """Return what is typical after one more stride."""
    return typical + LEARN * (newest - typical) if typical > 0.0 else newest


@kernel
def restart_cycle(state: ContactState, blind: int) -> None:
    """Forget the present stride (a gap or the start of the stream); what is typical stays."""
    state.filled = 0
    state.rate_before = math.nan
    state.phase = GROUND
    state.blind = blind
    state.last_initial = -math.inf
    state.last_final = -math.inf
    state.bridge_start = NEVER
    state.bridge_end = NEVER
    state.still = 0


@kernel
def landing_crossing(state: ContactState, share_of_depth: float) -> float:
    """Return the instant at which the rate of the landing had grown to this share of its depth."""
    level = share_of_depth * state.landing[state.deepest_at]
    i = state.deepest_at
    while i > 1 and state.landing[i - 1] < level:
        i -= 1
    before, after = state.landing[i - 1], state.landing[i]
    share = (before - level) / (before - after) if before > after else 0.0
    # landing[1] lies on the first sample after the turn of sign
    return float(math.ceil(state.zero) + (i - 2) + share)


@kernel
def squared_change(force: NDArray[np.float64], before: NDArray[np.float64]) -> float:
    """Return how much specific force has changed, squared, (m/s^2)^2."""
    return float((force[0] - before[0]) ** 2 + (force[1] - before[1]) ** 2 + (force[2] - before[2]) ** 2)
