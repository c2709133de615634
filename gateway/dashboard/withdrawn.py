"""What once stood in a private file and was taken out or changed: an older copy of the file brings it back.

Nobody makes the same line twice, as a hash has its salt and a secret is random. So a line that was taken out and stands
there again was put back with a copy, and whoever had been removed could sign in again without anybody's knowing. It is
kept beside the other data, so that it is seen across restarts too.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

from gateway.dashboard import private_lines
from gateway.model.usage import UsageError

log = logging.getLogger(__name__)

MOST = 2000
"""Lines that were taken out: those of a large staff over years; the oldest is forgotten first."""


class Withdrawn:
    """The lines that were taken out of one file, by their sums.

    Args:
        file: The file of which they are, for the sentence.
        path: Where they are kept; None for this run only.
    """

    def __init__(self, file: Path, path: Path | None = None) -> None:
        self._file = file
        self._path = path
        self._there: set[str] = set()
        self._gone: dict[str, None] = {}
        if path is None or not path.exists():
            return
        try:
            for _, fields in private_lines.read(path, "what was withdrawn"):
                self._take(fields or {})
        except UsageError as error:
            log.warning("%s Nothing is known of what had been withdrawn before", error)

    def look(self, lines: Mapping[str, str]) -> str:
        """Note what stands in the file now, by name; return, and log, whom an older copy has brought back: or ''."""
        back = self._brought_back(lines)
        if not back:
            return ""
        problem = f"{self._file} was put back to an older state: {', '.join(back)} may come in as before the change"
        log.warning("%s", problem)
        return problem

    def _brought_back(self, lines: Mapping[str, str]) -> list[str]:
        now = {name: hashlib.sha256(line.encode()).hexdigest() for name, line in lines.items()}
        there = set(now.values())
        if there != self._there:
            self._gone |= dict.fromkeys(sorted(self._there - there))
            self._gone = dict.fromkeys(list(self._gone)[-MOST:])
            self._there = there
            self._keep()
        return sorted(name for name, known in now.items() if known in self._gone)

    def _take(self, fields: Mapping[str, object]) -> None:
        known = fields.get("sum")
        if isinstance(known, str) and fields.get("gone") is True:
            self._gone[known] = None
        elif isinstance(known, str):
            self._there.add(known)

    def _keep(self) -> None:
        if self._path is None:
            return
        rows = [{"sum": one, "gone": True} for one in self._gone] + [{"sum": one} for one in sorted(self._there)]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            private_lines.write(self._path, rows)
        except OSError as error:
            log.warning("%s cannot be kept (%s): an older copy is not known as such after a restart", self._path, error)
