"""``rehab-gateway days``: what each day and week of a subject gave, as a table, as CSV or as JSON."""

from __future__ import annotations

import csv
import sys
import time
from collections import Counter
from itertools import groupby
from typing import Final

from rich.table import Table

from config.settings import Settings
from gateway.cli.report import read_from
from gateway.cli.terminal import Terminal
from gateway.dashboard.results_api import json_of
from gateway.results.day_sums import DAY_US
from gateway.results.days import Days, Outcomes, make_days
from gateway.results.milestones import monday
from gateway.results.wording import number
from gateway.texts.languages import text

SHOWN: Final = {
    "wear_time": ("worn h", 1),
    "upright_time": ("upright h", 2),
    "sedentary_time": ("seated h", 2),
    "n_steps": ("steps", 0),
    "total_walking_duration_min": ("walked min", 1),
    "wb_all__count": ("bouts", 0),
    "wb_30__walking_speed_mps__avg": ("m/s >30 s", 2),
}
"""Outcomes of a table, what they are called, and how many decimals are worth showing; CSV and JSON have all."""


def print_days(settings: Settings, subject: str, *, back: int, as_json: bool, as_csv: bool) -> None:
    """Print the days of a subject; raises UsageError."""
    now_us = time.time_ns() // 1000
    found = read_from(settings, lambda reader: make_days(reader, subject, now_us - back * DAY_US, now_us))
    if as_json:
        sys.stdout.buffer.write(json_of(found) + b"\n")
    elif as_csv:
        _write_csv(found)
    else:
        _print_table(found)


def _date(at_us: int) -> str:
    """Return a day of UTC, as days are told apart by it."""
    return time.strftime("%Y-%m-%d", time.gmtime(at_us // 1_000_000))


def _print_table(found: Days) -> None:
    console = Terminal()
    if not found.days:
        console.print("Nothing was measured within this time.")
        return
    table = Table("day", *(title for title, _ in SHOWN.values()), box=None, pad_edge=False)
    weeks = {week.at_us: week for week in found.weeks}
    for at_us, days in groupby(found.days, lambda day: monday(day.at_us)):
        for day in days:
            *cells, last = _cells(day.outcomes)
            table.add_row(_date(day.at_us), *cells, f"{last}{'*' if day.reason else ''}")
        table.add_row("  week", *_cells(weeks[at_us].outcomes), end_section=True)
    console.print(table)
    console.print("A week is the mean of its days that were worn for ten hours or more.")
    for reason, n in Counter(day.reason for day in found.days if day.reason).items():
        console.print(f"* {text('common.days', n=n)}: {reason}.")


def _cells(outcomes: Outcomes) -> list[str]:
    return [number(outcomes.get(name), digits) for name, (_, digits) in SHOWN.items()]


def _write_csv(found: Days) -> None:
    names = list(dict.fromkeys(name for day in found.days for name in day.outcomes))
    lines = csv.writer(sys.stdout, lineterminator="\n")
    lines.writerow(["day", "quality", "reason", *names])
    for day in found.days:
        values = ["" if (value := day.outcomes.get(name)) is None else repr(value) for name in names]
        lines.writerow([_date(day.at_us), day.quality, day.reason, *values])
