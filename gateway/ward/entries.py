"""What people enter into a session by hand: how hard it was, answers in a form, a note, and other times of a test.

Each becomes a measurement of its own, in the history beside what the sensors gave and never in its place: what is
reported by `REPORTED`, a test of which somebody corrected the start and the end by `BY_HAND`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from config.protocol import DISTANCES_M, read_protocol
from config.settings import Section
from dsp.catalogue import CATALOGUE
from gateway.model.entered import BY_HAND, REPORTED, form_answer
from gateway.ward.refusals import refused
from gateway.ward.rules import find_session, is_blank, with_session
from gateway.ward.state import FREE_TEXT, Entered, Mark, Session, WardState

FORM_ANSWER: Final = "form_answer"
MOST: Final = 300
"""Values entered into one session: a dozen forms with twenty items, and more."""
NOTE: Final = "note: "
"""Before the text of a note among the marks of a session: no test goes by it, whatever it says."""
TIMED: Final[Mapping[str, str]] = {
    "10mwt": "tmwt10_time", "4mwt": "tmwt4_time", "tug": "tug_total", "5xsts": "sts5_time", "stairs": "stairs_time",
}  # fmt: skip
"""By the word of a protocol: the result that is nothing but the time from a start to an end."""
FARTHEST_S: Final = 60.0
"""A start or an end is moved by so much at most: beyond, it is another trial, or a slip."""
EDGE_S: Final = 1.0
"""What was found may begin or end so much beside its session: sensors are late, and steps have a length."""
TYPED_S: Final = 1.0
"""As exactly as a person types when something was found: a report shows whole seconds."""
SHORTEST_S: Final = 0.2
"""No test that is timed is over sooner."""
MICRO: Final = 1_000_000
LONGEST_TEXT: Final = 200  # characters of a mark

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Numbers = dict[Name, float]
Said = tuple[str, str, float]
"""Metric, algorithm and value."""


class ReportSession(Section):
    """What somebody said of a session, or answered after it; the session may be over.

    Attributes:
        session: Its id.
        values: By metric: Borg, pain.
        form: Id of a form, if it was answered.
        version: Of that form.
        answers: By item of the form, the number of the answer.
        note: Free text; no names.
    """

    session: str
    values: Numbers = Field(default_factory=dict)
    form: Name | None = None
    version: int = Field(1, ge=1, le=9999)
    answers: Numbers = Field(default_factory=dict)
    note: FREE_TEXT = ""

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Put it to the session."""
        session = find_session(ward, self.session, "running", "paused", "ended")
        if bool(self.answers) != (self.form is not None):
            raise refused("form_and_answers")
        if not (self.values or self.answers or not is_blank(self.note)):
            raise refused("nothing_reported")
        made = [_entered(session, at_us, nth, one) for nth, one in enumerate(self._said())]
        marks = session.marks
        if not is_blank(self.note):
            marks = (*marks, Mark(at_us=at_us, text=f"{NOTE}{self.note.strip()}"[:LONGEST_TEXT]))
        return with_session(ward, _with(session, made).model_copy(update={"marks": marks}))

    def _said(self) -> Iterator[Said]:
        """Yield all that is reported."""
        known = sorted(m.id for m in CATALOGUE.values() if m.kind == "reported" and m.id != FORM_ANSWER)
        for metric, value in self.values.items():
            if metric not in known:
                raise refused("not_reported", name=metric, known=", ".join(known))
            yield metric, REPORTED, value
        for item, value in self.answers.items():
            yield FORM_ANSWER, form_answer(self.form or "", item, self.version), value


class CorrectTest(Section):
    """A test began or ended at another time than the sensors found.

    Attributes:
        session: Id of the session, which is over.
        metric: Its result that is a time.
        found_start_us: When it was found to begin, UTC microseconds.
        found_end_us: And to end.
        start_us: When it began, by who corrects it.
        end_us: And ended.
        why: What was wrong; no names.
    """

    session: str
    metric: str
    found_start_us: int
    found_end_us: int
    start_us: int
    end_us: int
    why: FREE_TEXT = ""

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Compute what follows from the corrected times, and put it beside what was found."""
        session = find_session(ward, self.session, "running", "paused", "ended")
        if session.state != "ended":
            raise refused("not_ended", session=session.id, state=session.state)
        self._refuse_times()
        self._refuse_elsewhere(session)
        when = {"start_us": self.start_us, "end_us": self.end_us, "at_us": at_us}
        made = [
            Entered(metric=metric, value=value, algorithm=BY_HAND, **when)
            for metric, value in retimed(session.protocol, self.metric, self.end_us - self.start_us).items()
        ]
        return with_session(ward, _with(session, made))

    def corrects(self, start_us: int, end_us: int) -> bool:
        """Whether this is of what was found from one time to another; whoever types the times leaves digits out."""
        return max(abs(self.found_start_us - start_us), abs(self.found_end_us - end_us)) < TYPED_S * MICRO

    def _refuse_elsewhere(self, session: Session) -> None:
        """Raise RefusedError for times at which the session, as it holds now, was not: they are of no test of it.

        Where it was made shorter nothing beside it counts: what reaches beyond would stand in the stay.
        """
        ended_us = session.ended_us or session.started_us
        before_us = 0 if session.started_us > session.made_started_us else EDGE_S * MICRO
        after_us = 0 if ended_us < (session.made_ended_us or ended_us) else EDGE_S * MICRO
        if self.start_us < session.started_us - before_us or self.end_us > ended_us + after_us:
            raise refused("wrong_test", session=session.id)

    def _refuse_times(self) -> None:
        if self.end_us - self.start_us < SHORTEST_S * MICRO:
            raise refused("test_ends_before")
        moved = (self.start_us - self.found_start_us, self.end_us - self.found_end_us)
        if max(map(abs, moved)) > FARTHEST_S * MICRO:
            raise refused("moved_too_far", seconds=FARTHEST_S)
        if moved == (0, 0):
            raise refused("as_found")


def retimed(protocol: str, metric: str, lasted_us: int) -> dict[str, float]:
    """Return, by metric, what a test comes to that lasted so long; raises RefusedError where nothing follows from it.

    Steps, turns and the parts of a test do not follow from two times: they stay as they were found.
    """
    read = read_protocol(protocol)
    if TIMED.get(read.word) != metric:
        raise refused("does_not_follow", name=metric, protocol=read.word)
    lasted_s = lasted_us / MICRO
    found = {metric: lasted_s}
    if read.word in DISTANCES_M:
        found[metric.replace("_time", "_speed")] = read.number("distance_m", DISTANCES_M[read.word]) / lasted_s
    for name, value in found.items():
        _refuse_implausible(name, value)
    return found


def measurement_fields(session: Session, entered: Entered) -> dict[str, Any]:
    """Return what was entered as the fields of a measurement, all but whether it is simulated."""
    return {
        "metric": entered.metric, "value": entered.value, "unit": CATALOGUE[entered.metric].unit, "side": "none",
        "start_us": entered.start_us, "end_us": entered.end_us, "sync_ms": None, "n": 1, "n_rejected": 0,
        "quality": "ok", "reason": "", "algorithm": entered.algorithm, "devices": [], "placement": [],
        "slot": session.bed, "session": session.parts[-1], "subject": session.subject,
    }  # fmt: skip


def _entered(session: Session, at_us: int, nth: int, said: Said) -> Entered:
    """Return a value of a whole session: it stands in its middle, where no correction of its ends leaves it out.

    No two of a session have one time: what is entered twice is two values, what is told twice is one.
    """
    metric, algorithm, value = said
    _refuse_implausible(metric, value)
    ended_us = at_us if session.ended_us is None else session.ended_us
    middle_us = (session.started_us + max(session.started_us, ended_us)) // 2 + len(session.entered) + nth
    return Entered(metric=metric, value=value, algorithm=algorithm, start_us=middle_us, end_us=middle_us, at_us=at_us)


def _refuse_implausible(metric: str, value: float) -> None:
    known = CATALOGUE[metric]
    if not math.isfinite(value) or not known.plausible(value):
        low, high = known.limits()
        if high is None:
            raise refused("too_small", metric=metric, low=low or 0, value=value)
        raise refused("implausible", metric=metric, low=low or 0, high=high, value=value)


def _with(session: Session, made: Iterable[Entered]) -> Session:
    entered = (*session.entered, *made)
    if len(entered) > MOST:
        raise refused("too_many_values", session=session.id, most=MOST)
    return session.model_copy(update={"entered": entered})
