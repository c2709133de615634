"""Which subjects were erased from a history, without their pseudonyms: what comes late of them is refused.

The file keeps a salted sum (HMAC-SHA-256) of each. A pseudonym that can be guessed can be found again by whoever has
the file and tries all of them; it cannot be read from it.
"""

from __future__ import annotations

import hmac
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from config.section import IDENTIFIER

ERASED = "of a subject that was erased"
"""Reason of the gap that stands for the number of a measurement that was erased, or came after."""
WORD = re.compile(IDENTIFIER.encode())
"""What may be a pseudonym in the bytes of a record, or of a message that was set apart."""
KNOWN_MOST = 20_000
"""Texts whose sums are kept in memory: those of a ward, many times over."""


class ErasedSubjects:
    """The erased subjects of one history. False while there are none.

    Args:
        db: The history, of the current schema.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._salt = bytes(db.execute("SELECT salt FROM salt").fetchone()[0])
        self._sums = {text for (text,) in db.execute("SELECT sum FROM erased")}
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._sums)

    def sum_of(self, subject: str) -> str:
        """Return what the file keeps of a pseudonym."""
        return hmac.digest(self._salt, subject.encode(), "sha256").hex()

    def add(self, subject: str) -> None:
        """Refuse a subject from now on."""
        self._sums.add(self.sum_of(subject))
        self._known.clear()

    def discard(self, subject: str) -> None:
        """Take a subject again."""
        self._sums.discard(self.sum_of(subject))
        self._known.clear()

    def holds(self, subject: str) -> bool:
        """Whether a subject was erased."""
        if (known := self._known.get(subject)) is None:
            if len(self._known) >= KNOWN_MOST:
                self._known.clear()
            known = self._known[subject] = self.sum_of(subject) in self._sums
        return known

    def mentioned(self, raw: bytes) -> bool:
        """Whether some bytes name a subject that was erased."""
        return any(self.holds(word.decode()) for word in set(WORD.findall(raw)))


def was_erased(history: Path, subject: str) -> bool:
    """Whether a subject was erased from a history; False where there is none on this machine, or none that is read."""
    try:
        with closing(sqlite3.connect(f"{history.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return ErasedSubjects(db).holds(subject)
    except sqlite3.Error:
        return False
