"""What is wrong with a configuration, in sentences that say where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        file: Name of the file as the user gave it.
        line: Line, counted from 1; None when it is about the whole file.
        sentence: What is wrong and what to do, without a full stop.
    """

    file: str
    line: int | None
    sentence: str

    def __str__(self) -> str:
        """Return ``file, line 12: sentence``."""
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{where}: {self.sentence}"


class ConfigError(Exception):
    """A configuration that cannot be used: nothing has been started.

    Attributes:
        problems: Everything found wrong, in the order of the file; at least one.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line or 0))
        super().__init__("\n".join(map(str, self.problems)))
