"""What staff choose for somebody: which movement notices are raised of them, and what a screen shows themselves.

Both end with the stay: who comes back is asked again.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import model_validator

from config.settings import Identifier, Section
from gateway.ward.refusals import refused
from gateway.ward.rules import find_subject, refuse_changed
from gateway.ward.state import SHOWN_OF, Feedback, NoticeKind, Subject, WardState

MOVEMENT_KINDS: Final[dict[NoticeKind, str]] = {
    "fall_event": "a fall that may have happened",
    "ceiling_exceeded": "a heart rate above the ceiling set",
}
"""What may be raised of a person, by the metric that raises it (`dsp.metric.Metric.review`, as a test sees)."""


class ChooseNotices(Section):
    """Which movement notices are raised of somebody; none is off, as in the beginning of every stay.

    Attributes:
        kinds: Those that are raised.
        was: Those that were, as whoever asks has seen it.
    """

    subject: Identifier
    kinds: tuple[NoticeKind, ...] = ()
    was: tuple[NoticeKind, ...] | None = None

    def apply(self, ward: WardState, at_us: int) -> WardState:  # noqa: ARG002 - every change has a time
        """Choose them."""
        there = find_subject(ward, self.subject)
        kinds = tuple(kind for kind in MOVEMENT_KINDS if kind in self.kinds)
        if kinds != there.notices:
            refuse_changed(None if self.was is None else sorted(self.was), sorted(there.notices))
        return _with_subject(ward, there.model_copy(update={"notices": kinds}))


class ChooseFeedback(Section):
    """What somebody sees of their own movement, and the band that they are to stay in.

    Attributes:
        kind: ``lean`` or ``turning`` of the segment ``of`` (a placement), ``joint`` of an exoskeleton (a channel),
            ``metric`` (an id, of ``side``), or ``none``.
        low: Lower edge of the band, in the unit of what is shown.
        high: Upper edge.
        shape: One bar, or one number.
    """

    subject: Identifier
    kind: Literal["lean", "turning", "joint", "metric", "none"]
    of: SHOWN_OF | None = None
    side: Literal["left", "right", "both", "none"] = "none"
    low: float | None = None
    high: float | None = None
    shape: Literal["bar", "number"] = "bar"

    @model_validator(mode="after")
    def _is_whole(self) -> ChooseFeedback:
        if self.kind != "none" and (self.of is None or self.low is None or self.high is None):
            raise ValueError("needs 'of', 'low' and 'high'")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError("'low' has to be below 'high'")
        return self

    def apply(self, ward: WardState, at_us: int) -> WardState:  # noqa: ARG002
        """Choose it."""
        there = find_subject(ward, self.subject)
        chosen = None if self.kind == "none" else Feedback.model_validate(self.model_dump(exclude={"subject"}))
        return _with_subject(ward, there.model_copy(update={"feedback": chosen}))


def _with_subject(ward: WardState, subject: Subject) -> WardState:
    if subject == ward.subject(subject.id):
        raise refused("chosen_already", subject=subject.id)
    found = tuple(subject if one.id == subject.id else one for one in ward.subjects)
    return ward.model_copy(update={"subjects": found})


Preference = ChooseNotices | ChooseFeedback
PREFERENCES: Final[dict[str, type[Preference]]] = {"notices-choose": ChooseNotices, "feedback-choose": ChooseFeedback}
