"""``rehab-gateway replay``: the measurements again, in a table, as JSON, or beside the live run's."""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from dsp.catalogue import CATALOGUE
from gateway.analysis.warm_up import EVERY_S, FIRST_WORD_S, warm_up
from gateway.cli.terminal import Terminal
from gateway.history.reader import HistoryReader
from gateway.machine.arithmetic import arithmetic
from gateway.machine.plain_text import plain_json, visible
from gateway.model.measurement import Measurement
from gateway.model.usage import UsageError
from gateway.recordings.comparison import RELATIVE, furthest_apart
from gateway.recordings.replay import Replay

PAGE = 50_000  # rows of the history read at once


def replay(recordings: Sequence[Path], *, as_json: bool, against: Path | None) -> int:
    """Run recordings through the pipeline, one after the other; return the exit status.

    Raises:
        gateway.recordings.recording.RecordingError: for a file that is not a recording.
        UsageError: when there is no such history.
    """
    if against is not None and not against.is_file():
        raise UsageError(f"{against}: there is no such history; it is history.db in the data folder of the live run")
    errors = Terminal(stderr=True)
    console = errors if as_json else Terminal()
    measurements: list[Measurement] = []
    sessions: dict[str, None] = {}
    cut_off, machines = [], set()
    for run in [Replay(recording) for recording in recordings]:
        warm_up(settings=run.settings, on_progress=errors.print)
        measurements += measure(run, errors.print, "replaying")
        sessions |= run.sessions
        machines.add(run.arithmetic)
        cut_off += [] if run.whole else [run.path]
    if as_json:
        for measurement in measurements:
            sys.stdout.buffer.write(plain_json(measurement.as_dict()))
        sys.stdout.flush()
    else:
        console.print(summary(measurements))
    warn_cut_off(cut_off, console)
    if against is None:
        return 0
    return report_differences(measurements, of_sessions(against, sessions), machines, (console, visible(against)))


class Waiting:
    """Tells somebody who waits longer than `FIRST_WORD_S` how far it is.

    Args:
        show: Called with a sentence.
        doing: What is waited for.
    """

    def __init__(self, show: Callable[[str], None], doing: str) -> None:
        self._show, self._doing = show, doing
        self._began = time.monotonic()
        self._due = self._began + FIRST_WORD_S

    def at(self, share: float) -> None:
        """Say it, where it is time to: ``share`` is 0 to 1."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + EVERY_S
            self._show(f"{self._doing}: {share:.0%} after {now - self._began:.0f} s")


def measure(run: Replay, show: Callable[[str], None], doing: str) -> list[Measurement]:
    """Return all measurements of a replay; whoever waits for them is told how far it is."""
    measurements: list[Measurement] = []
    waiting = Waiting(show, doing)
    for step in run.steps():
        measurements += step
        waiting.at(run.share_read)
    return measurements


def warn_cut_off(recordings: Sequence[Path], console: Terminal) -> None:
    """Say of which recordings the end is missing."""
    for recording in recordings:
        text = f"The recording {visible(recording.name)} was cut off: what was open at its end is missing."
        console.print(text, style="yellow")


def report_differences(
    measurements: Sequence[Measurement], live: Sequence[Measurement], machines: set[str], to: tuple[Terminal, str]
) -> int:
    """Say what differs from the history of the live run; return the exit status.

    Args:
        measurements: The replay's.
        live: The history's.
        machines: What computed the recorded runs, as far as that is known: the last digits of another machine are its
            own, those of this one are the same or something is wrong.
        to: Where it is said, and what the history is called.
    """
    console, history = to
    differences = list(compare(measurements, live))
    if not differences:
        console.print(f"Identical with {history}: {len(measurements)} measurements, field by field.")
        return 0
    apart = furthest_apart(measurements, live)
    here = arithmetic()
    if apart <= RELATIVE and here not in machines and "" not in machines:
        others = sum(a != b for a, b in zip(measurements, live, strict=True))
        console.print(
            f"The same within {RELATIVE:g} with {history}: {len(measurements)} measurements, {others} of them not to "
            f"the last digit ({apart:.1g} at most). Then {visible('; '.join(sorted(machines)))} computed them, now "
            f"{visible(here)}."
        )
        return 0
    for difference in differences:
        console.print(Text(visible(difference), "red"))
    if apart <= RELATIVE:
        told = "this very machine" if here in machines else "a machine that the recording does not name"
        console.print(f"All are the same within {RELATIVE:g}, and were computed on {told}.")
    return 1


def summary(measurements: Sequence[Measurement]) -> Table:
    """Return what was measured, a line for each slot, metric and side."""
    groups: dict[tuple[str, str, str], list[Measurement]] = defaultdict(list)
    for measurement in measurements:
        groups[measurement.slot, measurement.metric, measurement.side].append(measurement)
    table = Table("slot", "metric", "side", title=f"{len(measurements)} measurements", title_justify="left")
    for heading in ("count", "ok", "median"):
        table.add_column(heading, justify="right")
    for (slot, metric, side), group in sorted(groups.items()):
        known = CATALOGUE[metric]
        values = [m.value for m in group if m.value is not None]
        median = f"{statistics.median(values):.{known.digits}f} {known.unit_text}" if values else "-"
        ok = sum(m.quality == "ok" for m in group)
        table.add_row(
            visible(slot), known.title, side, str(len(group)), str(ok), "" if known.kind == "event" else median
        )
    return table


def of_sessions(history: Path, sessions: Iterable[str]) -> list[Measurement]:
    """Return the measurements of sessions as they were made, and in that order."""
    reader = HistoryReader(history)
    rows = []
    for session in sessions:
        after = 0
        while page := reader.stored(after_id=after, session=session, limit=PAGE):
            rows += [row for row in page if row.made_as[0] == session]
            after = page[-1].id
    return [row.as_made() for row in sorted(rows, key=lambda row: (row.epoch, row.seq))]


def compare(again: Sequence[Measurement], live: Sequence[Measurement]) -> Iterable[str]:
    """Yield what differs between a replay and the live run: nothing, when each field of each is the same."""
    if len(again) != len(live):
        yield f"The replay has {len(again)} measurements, the history {len(live)}."
    for number, (a, b) in enumerate(zip(again, live, strict=False), start=1):
        if a != b:
            was, now = b.as_dict(), a.as_dict()
            fields = (f"{name} {was[name]!r} was, {now[name]!r} is" for name in was if was[name] != now[name])
            yield f"Measurement {number} ({a.metric}, {a.side}): {'; '.join(fields)}."
            return
