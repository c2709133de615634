"""What goes wrong in a historian, and what it cannot understand: counted, and told once."""

from __future__ import annotations

import logging
from collections import Counter

from gateway.machine.plain_text import printable

log = logging.getLogger(__name__)


class Troubles:
    """Counts since the start, from all threads.

    Attributes:
        bad: What could not be understood, by kind.
        errors: What went wrong, by kind.
        last_error: The latest of the latter, in words.
    """

    def __init__(self) -> None:
        self.bad: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.last_error = ""

    def note(self, kind: str, error: Exception) -> None:
        """Count an error, and log it unless it is the same as the one before."""
        self.errors[kind] += 1
        if self.last_error != str(error):
            self.last_error = str(error)
            log.error("%s: %s", kind, error)

    def count_bad(self, kind: str, topic: str) -> None:
        """Count a message, or a part of one, that cannot be understood; the first of its kind is logged."""
        self.bad[kind] += 1
        if self.bad[kind] == 1:
            log.warning(
                "a message on %s cannot be understood: %s (further ones are only counted)", printable(topic), kind
            )
