"""What was last told of each session that has ended: the registry tells of a few, and what was corrected stays so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.dashboard.registry import MOST, sessions_of
from gateway.model.entered import is_reported
from gateway.model.measurement import Measurement

KEPT = 2 * MOST["ended"]
"""Sessions, those that were told of last: more than the results of a full ward are of."""

Json = dict[str, Any]


class EndedSessions:
    """Says which results are none of whom they were measured of, or none at all, by what people have corrected."""

    def __init__(self) -> None:
        self._told: dict[str, Json] = {}

    def note(self, ended: Iterable[Json]) -> None:
        """Take what the registry tells now; of the others holds what it told last."""
        for session in ended:
            self._told.pop(session["id"], None)
            self._told[session["id"]] = session
        for name in list(self._told)[:-KEPT]:
            del self._told[name]

    def sets_aside(self, made: Measurement) -> bool:
        """Whether a measurement is none of its subject: its session was discarded, is another's, or ends before it."""
        of = self._of(made)
        return of is not None and (of["discarded"] or of["subject"] != made.subject or _leaves_out(of, made))

    def cuts_off(self, made: Measurement) -> bool:
        """Whether a measurement reaches beyond the corrected times of its session, and is none of it any more."""
        of = self._of(made)
        return of is not None and _leaves_out(of, made)

    def _of(self, made: Measurement) -> Json | None:
        """Return the session of a measurement, which may stand under one of its parts."""
        return next((self._told[one] for one in sessions_of(made.session) if one in self._told), None)


def _leaves_out(of: Json, made: Measurement) -> bool:
    """Whether corrected times leave a measurement out.

    As the history has it (`gateway.history.books.ward_book`), which may hear of a correction later than we do.
    """
    if is_reported(made.algorithm):  # what is reported is of the whole session, whatever its times
        return False
    began, ended = of["made_started_us"] or of["started_us"], of["made_ended_us"] or of["ended_us"]
    return bool(
        (of["started_us"] > began and made.start_us < of["started_us"])
        or (of["ended_us"] < ended and made.end_us > of["ended_us"])
    )
