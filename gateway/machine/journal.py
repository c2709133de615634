"""Log lines for systemd's journal: each begins with its priority; time and service are added there."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from gateway.machine.plain_text import FORMAT, OneLine

STREAM = "JOURNAL_STREAM"
"""systemd names here the device and inode of what leads to the journal (systemd.exec(5))."""
JOURNAL_FORMAT = "%(name)s: %(message)s"
PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Level of Python's logging from which on a line has a priority of syslog (sd-daemon(3)); below all it is 7."""


class JournalLines(OneLine):
    """Writes a record as lines that begin with ``<N>``: those of a traceback too, as they are entries of their own."""

    def __init__(self) -> None:
        super().__init__(JOURNAL_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines."""
        priority = next((number for level, number in PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).split("\n"))


def leads_to_journal(descriptor: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether what is written to a file descriptor goes to the journal: a pipe or file in between does not."""
    device, _, inode = environment.get(STREAM, "").partition(":")
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino))


def log_lines(descriptor: int = 2) -> logging.Formatter:
    """Return what writes log lines for whoever reads a file descriptor: the journal, or a person."""
    return JournalLines() if leads_to_journal(descriptor) else OneLine(FORMAT)
