"""``rehab-gateway replay --config``: other settings on the bytes of a recording, beside what was recorded."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from config.settings import Settings
from dsp.catalogue import CATALOGUE
from gateway.analysis.warm_up import warm_up
from gateway.cli.replay import Waiting, measure, warn_cut_off
from gateway.cli.terminal import Terminal
from gateway.machine.plain_text import plain_json, visible
from gateway.model.measurement import Measurement
from gateway.model.usage import UsageError
from gateway.recordings.comparison import Row, compare_runs
from gateway.recordings.replay import Replay, wards_in
from gateway.recordings.trial import Difference, Trial, TrialError, stays, trial_of

DIGITS = 3  # differences are smaller than what they are of


def replay_trial(recordings: Sequence[Path], settings: Settings, *, as_json: bool, as_csv: bool) -> int:
    """Run recordings as they were and with the devices of a configuration, and print both beside each other.

    Args:
        recordings: The files, in order.
        settings: What is tried.
        as_json: Print lines of JSON: each setting that differs, then each row.
        as_csv: Print the rows as CSV.

    Raises:
        gateway.recordings.recording.RecordingError: for a file that is not a recording.
        UsageError: when the configuration cannot be tried on them.
    """
    errors = Terminal(stderr=True)
    looking = Waiting(errors.print, "looking who wore what")
    wards = [ward for recording in recordings for ward in wards_in(recording, looking.at)]
    try:
        trial, differences = trial_of(settings, wards)
    except TrialError as problem:
        raise UsageError(str(problem)) from None
    console = errors if as_json or as_csv else Terminal()
    for difference in differences:
        console.print(visible(difference))
    if not differences:
        console.print("Nothing that the analysis goes by differs: axes, placements, drivers and options are the same.")
    for sentence in stays(settings, wards):
        console.print(Text(visible(sentence), "yellow"))
    recorded, cut_off = _run(recordings, None, errors, "as recorded")
    tried, _ = _run(recordings, trial, errors, "as tried")
    rows = compare_runs(recorded, tried)
    if as_json:
        _write_json(differences, rows)
    elif as_csv:
        _write_csv(rows)
    else:
        console.print(comparison_table(rows))
    warn_cut_off(cut_off, console)
    return 0


def comparison_table(rows: Sequence[Row]) -> Table:
    """Return two runs beside each other: a line for each bed, metric and side that is not the same in both."""
    same = sum(row.is_same for row in rows)
    title = f"Recorded and tried: {same} of {len(rows)} lines are the same, these differ by (tried less recorded)"
    table = Table("bed", "metric", "side", title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("in both", "only\nrecorded", "only\ntried", "mean", "median", "largest"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        if row.is_same:
            continue
        known = CATALOGUE[row.metric]
        unit = "s" if known.kind == "event" else known.unit_text
        table.add_row(
            visible(row.slot), f"{known.title}, {unit}" if unit else known.title, row.side,
            *map(str, (row.both, row.only_recorded, row.only_tried)),
            *map(_signed, (row.mean, row.median, row.largest)),
        )  # fmt: skip
    return table


def _run(
    recordings: Sequence[Path], trial: Trial | None, errors: Terminal, doing: str
) -> tuple[list[Measurement], list[Path]]:
    measurements: list[Measurement] = []
    cut_off = []
    for recording in recordings:
        run = Replay(recording, trial)
        warm_up(settings=run.settings, on_progress=errors.print)
        measurements += measure(run, errors.print, doing)
        cut_off += [] if run.whole else [recording]
    return measurements, cut_off


def _write_json(differences: Sequence[Difference], rows: Sequence[Row]) -> None:
    for difference in differences:
        sys.stdout.buffer.write(plain_json({"kind": "setting", **asdict(difference)}))
    for row in rows:
        sys.stdout.buffer.write(plain_json({"kind": "metric", **asdict(row)}))
    sys.stdout.flush()


def _write_csv(rows: Sequence[Row]) -> None:
    out = csv.writer(sys.stdout)
    names = [field.name for field in fields(Row)]
    out.writerow(names)
    out.writerows([getattr(row, name) for name in names] for row in rows)
    sys.stdout.flush()


def _signed(value: float | None) -> str:
    if value is None:
        return "-"
    if value and not round(value, DIGITS):
        return "~0"  # not the same, and nothing that anybody could see
    return f"{value:+.{DIGITS}f}" if value else "0"
