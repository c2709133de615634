"""One walking subject: contacts of both feet on one clock become steps, strides, support, symmetry and bouts.

Contacts are taken in order of their time, and only up to the watermark, so the results are a function of contacts and
watermarks alone: the same walk in any portions gives the same results in the same order. A stride that a gap or a
missed contact touches is invalid or absent, never shifted.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from dsp.catalogue import plausible_ranges
from dsp.contact.events import FINAL_CONTACT, FOOT_FLAT, GAP, INITIAL_CONTACT
from dsp.foot.contacts import ALGORITHM as FOOT_ALGORITHM
from dsp.gait.speed import SteadySpeed
from dsp.gait.window import Foot, Interval, Stride, Window, cadence, coordination, halves, symmetry, variability
from dsp.result import Quality, Result, Side

__all__ = ["ALGORITHM", "STRIDE_ALGORITHM", "TURNING", "Contact", "Shape", "Walk"]

ALGORITHM: Final = "walk/1"
STRIDE_ALGORITHM: Final = "foot-stride/1"

OTHER: Final[dict[Foot, Foot]] = {"left": "right", "right": "left"}
EVENTS: Final = {INITIAL_CONTACT: "initial_contact", FINAL_CONTACT: "final_contact", FOOT_FLAT: "foot_flat"}

# An error d between the two clocks lengthens one side's steps by d and shortens the other's: at a step of 0.55 s,
# 10 ms move the symmetry index by 3.6 %, and 20 ms each phase of double support by 17 %.
SYNC_FOR_SYMMETRY_S = 0.010
SYNC_FOR_STEP_S = 0.020

SHAPE = 4  # order of a stride's shape among what happens at the same instant: after the contacts
SAME_S = 0.02  # a contact timed twice through a clock map that was refined in between is still the same
TURNING = math.radians(20.0)  # a stride that turns more is part of a turn and no steady walking
SURE = 0.5  # confidence of a contact below which what rests on it is degraded
UNCERTAIN = "uncertain contact"
MIN_BOUT_STEPS = 3  # fewer are shuffling about, not a walk
WINDOW_STRIDES = 50  # strides kept for variability


class Contact(NamedTuple):
    """One event of one foot on the gateway clock; of a gap the last instant before it."""

    side: Foot
    kind: int
    time_s: float
    confidence: float = 1.0


class Shape(NamedTuple):
    """What is measured of one stride from foot-flat to foot-flat: SI units and rad; NaN where unknown.

    ``start_s`` and ``time_s`` are the two foot-flats, ``initial_s`` the initial contact between them on the gateway
    clock; ``stride_s`` is the time from the initial contact before to that one.
    """

    side: Foot
    time_s: float
    start_s: float
    initial_s: float
    stride_s: float
    length: float
    clearance: float
    strike_angle: float
    toe_off_angle: float
    turn: float


@dataclass(slots=True)
class FootState:
    """What is known of one foot in the present bout.

    Attributes:
        initial: Its last initial contact.
        final: The final contact since then.
        swing: Its last whole swing: final contact and the initial contact after it.
        broken: True if samples were lost since ``initial``.
        strides: Its last valid stride times.
    """

    initial: Contact | None = None
    final: Contact | None = None
    swing: tuple[Contact, Contact] | None = None
    broken: bool = False
    strides: deque[Interval] = field(default_factory=lambda: deque(maxlen=WINDOW_STRIDES))


class Walk:
    """Streaming gait results of one subject.

    Args:
        exoskeleton: Take the wider plausibility limits of exoskeleton gait.
        contacts: Name and version of the algorithm that finds the contacts of each foot; by default that of feet.
            Where they differ, what rests on both feet is degraded: each has an error of its own.
    """

    def __init__(self, *, exoskeleton: bool = False, contacts: Mapping[Foot, str] | None = None) -> None:
        self._plausible_of = plausible_ranges(exoskeleton=exoskeleton)
        given = dict(contacts or {})
        self._algorithms: dict[Foot, str] = {"left": FOOT_ALGORITHM, "right": FOOT_ALGORITHM, **given}
        self._unlike = len(set(given.values())) > 1
        self._pause_s = self._plausible_of["stride_time"][1]
        self._pending: list[tuple[float, Foot, int, Contact | Shape]] = []
        self._sync_s: float | None = None
        self._done_s = -math.inf
        self._out: list[Result] = []
        self.late = 0  # contacts that came too late to be put in order, dropped
        self._begin_bout()

    @property
    def waiting(self) -> bool:
        """Whether a contact or a stride still waits for the watermark."""
        return bool(self._pending)

    @property
    def due_s(self) -> float:
        """Nothing comes of `process` without new contacts before the watermark has reached this instant."""
        pause_s = self._last_step_s + self._pause_s
        return min(self._pending[0][0], pause_s) if self._pending else pause_s

    def process(
        self,
        contacts: Iterable[Contact],
        sync_s: float | None,
        watermark_s: float,
        shapes: Iterable[Shape] = (),
    ) -> list[Result]:
        """Take new contacts and return what they complete.

        Args:
            contacts: In any order.
            sync_s: Uncertainty between the clocks of the two feet (1 sigma), seconds; None if unknown.
            watermark_s: No contact or foot-flat before this instant will come any more.
            shapes: Strides that foot-flats have closed.
        """
        self._sync_s = sync_s
        for contact in contacts:
            if math.isfinite(contact.time_s):
                heapq.heappush(self._pending, (contact.time_s, contact.side, contact.kind, contact))
        for shape in shapes:
            if math.isfinite(shape.time_s):
                heapq.heappush(self._pending, (shape.time_s, shape.side, SHAPE, shape))
        while self._pending and self._pending[0][0] <= watermark_s:
            time_s, _, _, each = heapq.heappop(self._pending)
            if time_s < self._done_s:
                self.late += 1
                continue
            self._done_s = time_s
            if time_s - self._last_step_s > self._pause_s:
                self._end_bout()
            if isinstance(each, Shape):
                self._shape(each)
            else:
                self._add_contact(each)
        if watermark_s - self._last_step_s > self._pause_s:
            self._end_bout()
        out, self._out = self._out, []
        return out

    def finish(self, sync_s: float | None = None) -> list[Result]:
        """End of the session: process what is pending and close the bout; ``sync_s`` where there is a newer one."""
        found = self.process([], self._sync_s if sync_s is None else sync_s, math.inf)
        self._end_bout()
        out, self._out = self._out, []
        return found + out

    def _begin_bout(self) -> None:
        self._feet: dict[Foot, FootState] = {"left": FootState(), "right": FootState()}
        self._steps: deque[Interval] = deque(maxlen=2 * WINDOW_STRIDES)
        self._rejected: deque[float] = deque(maxlen=2 * WINDOW_STRIDES)
        self._count: dict[Foot, int] = {"left": 0, "right": 0}
        self._speed = SteadySpeed()
        self._first_step_s = math.inf
        self._last_step_s = math.inf
        self._paired = False

    def _end_bout(self) -> None:
        n = sum(self._count.values())
        if n == 0:
            return
        start, end = self._first_step_s, self._last_step_s
        missing = [side for side, steps in self._count.items() if steps == 0]
        quality: Quality = "degraded" if missing else "ok"
        reason = f"no contacts of the {missing[0]} foot" if missing else ""
        side = OTHER[missing[0]] if missing else "both"
        rejected = len(self._rejected)
        self._out.append(Result("n_steps", float(n), side, start, end, n, ALGORITHM, rejected, quality, reason))
        if n >= MIN_BOUT_STEPS:
            bout = Result("walking_bout", end - start, "both", start, end, n, ALGORITHM, rejected, quality, reason)
            self._out += [bout, bout._replace(metric="walking_time")]
        self._begin_bout()

    def _add_contact(self, contact: Contact) -> None:
        foot = self._feet[contact.side]
        if contact.kind == GAP:
            foot.broken = True
            foot.final = None
            return
        uncertain = contact.confidence < SURE
        self._out.append(
            Result(
                EVENTS[contact.kind], 1.0, contact.side, contact.time_s, contact.time_s, 1,
                self._algorithms[contact.side], quality="degraded" if uncertain else "ok",
                reason=UNCERTAIN if uncertain else "",
            )
        )  # fmt: skip
        if contact.kind == FINAL_CONTACT:
            foot.final = contact
        elif contact.kind == INITIAL_CONTACT:
            self._initial_contact(contact)

    def _initial_contact(self, contact: Contact) -> None:
        foot = self._feet[contact.side]
        self._count[contact.side] += 1
        self._first_step_s = min(self._first_step_s, contact.time_s)
        self._last_step_s = contact.time_s
        stepped = self._step(contact)
        stride = self._stride(contact)
        foot.swing = (foot.final, contact) if foot.final is not None else None
        foot.initial, foot.final, foot.broken = contact, None, False
        if stepped:
            self._both()
        elif stride and self._feet[OTHER[contact.side]].initial is None:
            self._one_foot(contact.side)

    def _step(self, contact: Contact) -> bool:
        """Time the step from the other foot's last contact, if that is the one before this."""
        own, other = self._feet[contact.side], self._feet[OTHER[contact.side]]
        before = other.initial
        if before is None or other.broken or own.broken:
            return False
        if own.initial is not None and own.initial.time_s >= before.time_s:
            self._rejected.append(contact.time_s)  # the other foot's step in between was missed
            return False
        if not self._plausible("step_time", contact.time_s - before.time_s):
            self._rejected.append(contact.time_s)
            return False
        self._steps.append(Interval(contact.side, before.time_s, contact.time_s))
        confidence = min(before.confidence, contact.confidence)
        self._add_value("step_time", contact.time_s - before.time_s, (before, contact), confidence, SYNC_FOR_STEP_S)
        return True

    def _stride(self, contact: Contact) -> bool:
        """Close the stride of this foot; return whether it was a valid one."""
        foot = self._feet[contact.side]
        before = foot.initial
        if before is None:
            return False
        stride_s = contact.time_s - before.time_s
        if foot.broken:
            self._rejected.append(contact.time_s)
            start_s, end_s, lost = before.time_s, contact.time_s, "samples lost"
            self._out.append(
                Result("stride_time", None, contact.side, start_s, end_s, 0, ALGORITHM, 1, "invalid", lost)
            )
            return False
        if not self._plausible("stride_time", stride_s):
            self._rejected.append(contact.time_s)
            return False
        foot.strides.append(Interval(contact.side, before.time_s, contact.time_s))
        self._add_value("stride_time", stride_s, (before, contact), min(before.confidence, contact.confidence))
        if foot.final is not None:
            self._phases(before, foot.final, contact)
        return True

    def _phases(self, first: Contact, final: Contact, last: Contact) -> None:
        """Split a stride into stance and swing, and by the other foot into double and single support."""
        stride_s = last.time_s - first.time_s
        stance, swing = final.time_s - first.time_s, last.time_s - final.time_s
        if not (self._plausible("stance_time", stance) and self._plausible("swing_time", swing)):
            self._rejected.append(last.time_s)
            return
        whole, add = (first, last), self._add_value
        sure = min(first.confidence, final.confidence, last.confidence)
        add("stance_time", stance, (first, final), min(first.confidence, final.confidence))
        add("swing_time", swing, (final, last), min(final.confidence, last.confidence))
        add("stance_pct", 100.0 * stance / stride_s, whole, sure)
        add("swing_pct", 100.0 * swing / stride_s, whole, sure)
        other = self._feet[OTHER[first.side]]
        if other.swing is None or other.broken:
            return
        lifted, landed = other.swing
        if not first.time_s <= lifted.time_s < landed.time_s <= final.time_s:
            return  # another order than walking has: a missed contact, or a clock error above double support
        both = (lifted.time_s - first.time_s) + (final.time_s - landed.time_s)
        single = landed.time_s - lifted.time_s
        sure = min(sure, lifted.confidence, landed.confidence)
        # An error between the clocks cancels out of both, but a large one may have put the contacts in a wrong order.
        add("double_support_pct", 100.0 * both / stride_s, whole, sure, SYNC_FOR_STEP_S)
        add("single_support_pct", 100.0 * single / stride_s, whole, sure, SYNC_FOR_STEP_S)

    def _both(self) -> None:
        """Add what a window of steps of both feet shows: cadence each step, the rest each second one."""
        rejected, steps = list(self._rejected), list(self._steps)
        self._add_window("cadence", "both", cadence(steps, rejected))
        self._paired = not self._paired
        if self._paired:
            return
        for metric, window in symmetry(steps, rejected).items():
            self._add_window(metric, "both", window, sync_limit_s=SYNC_FOR_SYMMETRY_S)
        strides = {side: list(foot.strides) for side, foot in self._feet.items()}
        self._add_window("stride_time_cv", "both", variability(strides, rejected))
        self._add_window("pci", "both", coordination(steps, strides, rejected), sync_limit_s=SYNC_FOR_SYMMETRY_S)

    def _one_foot(self, side: Foot) -> None:
        """Add what one foot alone can show, and that it is one foot alone."""
        strides, rejected = list(self._feet[side].strides), list(self._rejected)
        self._add_window("cadence", "both", cadence(halves(strides), rejected), reason=f"{side} foot only")
        self._add_window("stride_time_cv", side, variability({side: strides}, rejected))

    def _shape(self, shape: Shape) -> None:
        """Add length, speed and angles of a stride; leave it out of the windows if it was part of a turn."""
        side, end_s, start_s, _, stride_s, length, *_ = shape
        for metric, value in (
            ("stride_length", length),
            ("walking_speed", length / stride_s if stride_s > 0.0 else math.nan),
            ("foot_clearance", shape.clearance),
            ("foot_strike_angle", math.degrees(shape.strike_angle)),
            ("toe_off_angle", math.degrees(shape.toe_off_angle)),
            ("stride_turn", math.degrees(shape.turn)),
        ):
            if self._plausible(metric, value):
                self._out.append(Result(metric, value, side, start_s, end_s, 1, STRIDE_ALGORITHM))
        straight = abs(shape.turn) < TURNING
        stride = Stride(side, shape.initial_s - stride_s, shape.initial_s, length)
        self._add_window("walking_speed", "both", self._speed.add(stride, straight=straight))
        if straight:
            return
        strides = self._feet[shape.side].strides
        if strides and math.isclose(strides[-1].end_s, shape.initial_s, abs_tol=SAME_S):
            strides.pop()
        kept = [s for s in self._steps if s.side != shape.side or abs(s.end_s - shape.initial_s) > SAME_S]
        self._steps = deque(kept, maxlen=self._steps.maxlen)

    def _plausible(self, metric: str, value: float) -> bool:
        low, high = self._plausible_of[metric]
        return low <= value <= high

    def _add_value(
        self,
        metric: str,
        value: float,
        span: tuple[Contact, Contact],
        confidence: float,
        sync_limit_s: float | None = None,
    ) -> None:
        """Add one value from contact to contact, on the side of the later one.

        Args:
            metric: What it is.
            value: How much.
            span: From which contact to which.
            confidence: The least of all contacts that went into it.
            sync_limit_s: How well the clocks of the feet must agree for it; None for a value of one foot.
        """
        reason = self._doubt(sync_limit_s) or (UNCERTAIN if confidence < SURE else "")
        quality: Quality = "degraded" if reason else "ok"
        sync_s = None if sync_limit_s is None else self._sync_s
        start, end = span
        self._out.append(
            Result(metric, value, end.side, start.time_s, end.time_s, 1, ALGORITHM, 0, quality, reason, sync_s)
        )

    def _add_window(
        self, metric: str, side: Side, window: Window | None, *, sync_limit_s: float | None = None, reason: str = ""
    ) -> None:
        """Add one value over a window, if there is one and it is plausible."""
        if window is None or not self._plausible(metric, window.value):
            return
        value, start_s, end_s, n, rejected, window_reason = window
        reason = reason or self._doubt(sync_limit_s) or window_reason
        quality: Quality = "degraded" if reason else "ok"
        sync_s = None if sync_limit_s is None else self._sync_s
        self._out.append(Result(metric, value, side, start_s, end_s, n, ALGORITHM, rejected, quality, reason, sync_s))

    def _doubt(self, sync_limit_s: float | None) -> str:
        """Return why the two feet cannot be compared as closely as what needs both must; empty if they can."""
        if sync_limit_s is None:
            return ""
        if self._unlike:
            return "one side's contacts from the foot, the other's from the shank"
        if self._sync_s is None:
            return "clocks of the feet not compared"
        if self._sync_s > sync_limit_s:
            return f"clocks of the feet uncertain by {1000 * self._sync_s:.0f} ms"
        return ""
