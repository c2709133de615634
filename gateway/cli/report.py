"""``rehab-gateway report``: the report of a session as a page or a PDF, the same that the dashboard shows."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from config.settings import Settings
from gateway.cli.terminal import Terminal
from gateway.dashboard.results_api import styles
from gateway.history.reader import HistoryReader
from gateway.machine.plain_text import visible
from gateway.model.usage import UsageError
from gateway.results import page, pdf
from gateway.results.bands import band_groups
from gateway.results.past_sessions import UnknownSessionError
from gateway.results.report import Wanted, make_report

PRIVATE = 0o600
"""A report is about somebody: nobody else on this computer reads the file."""


def write(settings: Settings, wanted: Wanted, *, html: Path | None, pdf_file: Path | None) -> None:
    """Write the report of a session into files; raises UsageError, ConfigError, PdfError."""
    if html is None and pdf_file is None:
        raise UsageError("say where to: --pdf FILE, --html FILE, or both")
    path = settings.historian.database or settings.site.data / "history.db"
    if not path.is_file():
        raise UsageError(f"{path}: there is no such history; run this where the historian runs")
    with closing(HistoryReader(path)) as reader:
        try:
            report = make_report(reader, wanted, band_groups(settings), now_us=time.time_ns() // 1000)
        except UnknownSessionError as error:
            raise UsageError(str(error).rstrip(".")) from None
        except sqlite3.Error as error:
            raise UsageError(f"{path} cannot be read: {error}") from None
    text = page.render(report, head=styles())
    if html is not None:
        _write(html, text.encode())
    if pdf_file is not None:
        _write(pdf_file, pdf.make_pdf(text))


def _write(file: Path, content: bytes) -> None:
    try:
        number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
        with os.fdopen(number, "wb") as out:
            out.write(content)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
    Terminal().print(f"Written: {visible(file)}", soft_wrap=True)
