"""``rehab-gateway report`` and ``trend``: what the dashboard shows of them, in files or on the terminal."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar, get_args

from rich.table import Table

from config.settings import Settings
from config.wording import suggestion
from dsp.catalogue import CATALOGUE
from gateway.cli.terminal import Terminal
from gateway.dashboard.results_api import json_of, styles
from gateway.history.reader import HistoryReader
from gateway.machine.ownership import acting_as_owner_of
from gateway.machine.plain_text import visible
from gateway.model.usage import UsageError
from gateway.results import page, pdf
from gateway.results.bands import band_groups
from gateway.results.day_sums import DAY_US
from gateway.results.past_sessions import UnknownSessionError, UnknownSubjectError
from gateway.results.report import Wanted, make_report
from gateway.results.trend import By, Window, make_trend
from gateway.results.wording import day, with_unit

Made = TypeVar("Made")
PRIVATE = 0o600
"""A report is about somebody: nobody else on this computer reads the file."""


def write(settings: Settings, wanted: Wanted, *, html: Path | None, pdf_file: Path | None, as_json: bool) -> None:
    """Write the report of a session into files, or print it as JSON; raises UsageError, ConfigError, PdfError."""
    if html is None and pdf_file is None and not as_json:
        raise UsageError("say where to: --pdf FILE, --html FILE, or --json")
    for file, suffix in ((html, ".html"), (pdf_file, ".pdf")):
        if file is not None and file.suffix.lower() != suffix:  # a slip names what is no report, and would replace it
            raise UsageError(f"{file}: the name of such a report ends in {suffix}")
    now_us, groups = time.time_ns() // 1000, band_groups(settings)
    with acting_as_owner_of(settings.history_file.parent):
        report = read_from(settings, lambda reader: make_report(reader, wanted, groups, now_us=now_us))
    if as_json:
        sys.stdout.buffer.write(json_of(report) + b"\n")
    text = page.render(report, head=styles())
    if html is not None:
        _write(html, text.encode())
    if pdf_file is not None:
        _write(pdf_file, pdf.make_pdf(text))


def open_reader(settings: Settings) -> HistoryReader:
    """Return a reader of the history; raises UsageError where there is none."""
    path = settings.history_file
    if not path.is_file():
        raise UsageError(f"{path}: there is no such history; run this where the historian runs")
    return HistoryReader(path)


def read_from(settings: Settings, make: Callable[[HistoryReader], Made]) -> Made:
    """Return what is made of the history; raises UsageError where it knows no such session or subject, or is unread."""
    with closing(open_reader(settings)) as reader:
        try:
            return make(reader)
        except (UnknownSessionError, UnknownSubjectError) as error:
            raise UsageError(str(error).rstrip(".")) from None
        except sqlite3.Error as error:
            raise UsageError(f"{reader.path} cannot be read: {error}") from None


def print_trend(settings: Settings, subject: str, *, days: float, metric: str, by: str, as_json: bool) -> None:
    """Print the trend of a subject; raises UsageError."""
    step: By | None = next((one for one in get_args(By) if one == by), None)
    if by and step is None:
        raise UsageError(f"--by is one of {', '.join(get_args(By))}, not '{by}'")
    if metric and metric not in CATALOGUE:
        raise UsageError(f"'{metric}' is no metric{suggestion(metric, CATALOGUE)}")
    now_us = time.time_ns() // 1000
    window = Window(now_us - int(days * DAY_US), now_us, metric, step)
    trend = read_from(settings, lambda reader: make_trend(reader, subject, window))
    if as_json:
        sys.stdout.buffer.write(json_of(trend) + b"\n")
        return
    table = Table("from", "side", "value", "quality", "measurements", "algorithm", box=None, pad_edge=False)
    for line in trend.lines:
        for point in line.points:
            value = with_unit(point.value, CATALOGUE[trend.metric])
            table.add_row(day(point.at_us), line.side, value, point.quality, f"{point.n:,}", line.algorithm)
    Terminal().print(table if trend.lines else "Nothing was measured within this time.")


def _write(file: Path, content: bytes) -> None:
    try:
        with acting_as_owner_of(file.parent):
            number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
        with os.fdopen(number, "wb") as out:
            out.write(content)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
    Terminal().print(f"Written: {visible(file)}", soft_wrap=True)
