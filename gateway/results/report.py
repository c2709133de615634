"""A session's report as data: who and when, what was measured with what, beside what, and where each number is from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from config.bands import BandFile
from dsp.catalogue import CATALOGUE
from dsp.metric import Metric
from gateway.history.reader import HistoryReader
from gateway.results.change import Comparison, Result, compare, newest_ok, oldest_ok
from gateway.results.notes import Notes, notes_of
from gateway.results.past_sessions import PastSession, UnknownSessionError, beside, find_session, sessions_of
from gateway.results.plans import plan_at, plans_of
from gateway.results.sources import Source, Trial, sources_of, trials_of
from gateway.results.spans import Curve, Gap, curves_of, gaps_of
from gateway.results.values import Measured, kinds_of_sensors, measured_in, nearest

LOOKS = (1, 3, 6, 10)
"""Sessions of the same protocol that are looked through for an earlier result, from either end, and how many at once:
most have what the one beside them has."""


Key = tuple[str, str]
Choose = Callable[[Sequence[Result]], Result | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One result with what it is beside.

    Attributes:
        metric: Of the catalogue.
        measured: The value, and what measured it.
        previous: Beside the last earlier session of the same protocol that gave it.
        baseline: Beside the first one, or the one that was chosen.
        source: Number of the source that it is from.
        trials: The single results of a test, as far as their rows are there.
    """

    metric: Metric
    measured: Measured
    previous: Comparison
    baseline: Comparison
    source: int
    trials: Sequence[Trial] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that stands in a report; times in UTC microseconds.

    Attributes:
        session: The session, whose.
        made_us: When the report was made.
        bands: Those that the changes are held against; None: none was chosen, or it is not here.
        bands_missing: Group that was chosen and of which no file is here; empty otherwise.
        baseline: Id of the session that was chosen as baseline; empty: the first that there is.
        choices: Sessions that may be chosen as baseline: earlier ones of its protocol.
        lines: The results, tests first.
        sources: Where each number is from.
        curves: What changed within the session.
        gaps: Stretches of a minute and more without any measurement.
        notes: Body, sensors, marks, corrections.
    """

    session: PastSession
    made_us: int
    bands: BandFile | None
    bands_missing: str
    baseline: str
    choices: Sequence[PastSession]
    lines: Sequence[Line] = ()
    sources: Sequence[Source] = ()
    curves: Sequence[Curve] = ()
    gaps: Sequence[Gap] = ()
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which report: a session, whose where that is not clear, and the session that is the baseline."""

    session: str
    subject: str = ""
    gateway: str = ""
    baseline: str = ""


def make_report(reader: HistoryReader, wanted: Wanted, groups: dict[str, BandFile], *, now_us: int) -> Report:
    """Return the report of a session; raises UnknownSessionError, sqlite3.Error.

    Args:
        reader: The history.
        wanted: Which.
        groups: The band files that there are, by group.
        now_us: Now, UTC microseconds.
    """
    session = find_session(reader, wanted.session, wanted.subject, wanted.gateway)
    others = beside(sessions_of(reader, session.subject), session)
    earlier = [one for one in others if one.started_us < session.started_us]  # what came later is no change since
    chosen = [one for one in earlier if one.session == wanted.baseline]
    if wanted.baseline and not chosen:
        raise UnknownSessionError(
            f"'{wanted.baseline}' is no other session of {session.subject} of this protocol that was before this one."
        )
    plan = plan_at(plans_of(reader, session.subject), session.ended_us or now_us)
    bands = groups.get(plan.bands)
    kinds = kinds_of_sensors(reader)
    measured = measured_in(reader, [session], kinds)[session.session]
    looks = _Looks(reader, kinds, {one.key for one in measured})
    previous = looks.through(earlier[::-1])
    baseline = looks.through(chosen or earlier)
    trials = trials_of(reader, measured)
    lines = [
        Line(
            CATALOGUE[one.metric], one,
            _beside(one, previous, newest_ok, bands, session), _beside(one, baseline, oldest_ok, bands, session),
            number, trials.get(one.series, ()),
        )
        for number, one in enumerate(measured, 1)
    ]  # fmt: skip
    return Report(
        session, now_us, bands, "" if bands or not plan.bands else plan.bands, wanted.baseline, earlier, lines,
        sources_of(reader, measured), curves_of(reader, measured), gaps_of(reader, session, now_us),
        notes_of(reader, session),
    )  # fmt: skip


class _Looks:
    """Looks through sessions for results of some metrics, a few sessions at a time, until all are found."""

    def __init__(self, reader: HistoryReader, kinds: dict[str, str], keys: set[Key]) -> None:
        self._reader = reader
        self._kinds = kinds
        self._keys = keys

    def through(self, sessions: Sequence[PastSession]) -> dict[Key, list[list[Measured]]]:
        """Return for each metric and side what each session gave that did, in the order of the sessions."""
        found: dict[Key, list[list[Measured]]] = {key: [] for key in self._keys}
        wanting = set(self._keys)
        at = 0
        for look in LOOKS:
            here = sessions[at : at + look]
            if not wanting or not here:
                break
            at += look
            gave = measured_in(self._reader, here, self._kinds, sorted({metric for metric, _ in wanting}))
            for session in here:
                for key in wanting:
                    if same := [one for one in gave[session.session] if one.key == key]:
                        found[key].append(same)
            wanting = {key for key in wanting if not any(_is_good(same) for same in found[key])}
        return found


def _is_good(same: Sequence[Measured]) -> bool:
    return any(one.result.quality == "ok" for one in same)


def _beside(
    one: Measured, found: dict[Key, list[list[Measured]]], which: Choose, bands: BandFile | None, session: PastSession
) -> Comparison:
    near = [nearest(same, one.result.algorithm) for same in found.get(one.key, ())]
    results: list[Result] = [other.result for other in near if other is not None]
    earlier = which(results)
    held = bands.band if bands else ()
    return compare(one.result, earlier, held, measure=one.metric, protocol=session.protocol)
