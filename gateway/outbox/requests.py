"""What the outbox's thread is asked to do with the next commit, beside adding rows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Requests:
    """Guarded by the condition of what is pending.

    Attributes:
        release: Everything up to this number may go.
        given_up: Class and reason, by number, of rows that nobody can take.
        facts: Texts to keep beside the rows, by name.
        contradicted: What a receipt said of numbers that were never given, and up to where ours are surely ours.
    """

    release: int = 0
    given_up: dict[int, tuple[int, str]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    contradicted: tuple[int, int] | None = None

    def done(self, given_up: dict[int, tuple[int, str]], facts: dict[str, str]) -> None:
        """Forget what a commit has done; what was asked for meanwhile stays."""
        self.given_up = {seq: of for seq, of in self.given_up.items() if seq not in given_up}
        self.facts = {key: value for key, value in self.facts.items() if facts.get(key) != value}
