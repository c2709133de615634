"""Lines for the journal: what systemd reads of them, and that a person's terminal has none of it."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.machine.journal import JournalLines, leads_to_journal

SAY = """
import logging
from gateway.cli.main import options
options(debug=False)
logging.getLogger('gateway.x').warning('low\\nbattery')
"""
LINE = re.compile(r"<([0-7])>(.*)")
"""As sd-daemon(3) says it."""


def record(level: int, text: str, *, error: Exception | None = None) -> logging.LogRecord:
    about = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("gateway.x", level, "x.py", 1, text, (), about)


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7)],
)
def test_a_line_begins_with_its_priority(level: int, priority: int) -> None:
    assert JournalLines().format(record(level, "a\nb")) == rf"<{priority}>gateway.x: a\nb"


def test_every_line_of_a_traceback_has_it() -> None:
    try:
        int("x")
    except ValueError as error:
        lines = JournalLines().format(record(logging.ERROR, "failed", error=error)).split("\n")
    assert len(lines) > 3
    assert all(lines[0] and LINE.fullmatch(line) for line in lines)


def test_only_what_leads_there_is_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w") as file, (tmp_path / "b").open("w") as other:
        found = os.fstat(file.fileno())
        environment = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert leads_to_journal(file.fileno(), environment)
        assert not leads_to_journal(other.fileno(), environment)  # somebody sends it into a file
        assert not leads_to_journal(file.fileno(), {})
        number = other.fileno()
    assert not leads_to_journal(number, environment)


@pytest.mark.parametrize("journal", [True, False])
def test_a_service_s_log_has_priorities_and_a_person_s_has_times(tmp_path: Path, *, journal: bool) -> None:
    log = tmp_path / "log"
    with log.open("w") as file:
        found = os.fstat(file.fileno())
        environment = {name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"}
        if journal:
            environment["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
        subprocess.run(
            [sys.executable, "-c", SAY],
            stderr=file, env=environment, check=True,
        )  # fmt: skip
    text = log.read_text()
    assert (text == "<4>gateway.x: low\\nbattery\n") is journal
    assert bool(re.match(r"\d{4}-\d\d-\d\d .* WARNING gateway\.x: low\\nbattery\n", text)) is not journal
