"""What one commit of the outbox adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.model.row import Chain, Gap, Row


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that have got their numbers, and the numbers among them that are gaps.

    Attributes:
        rows: In the order of their numbers, each with the time when it was made, UTC microseconds.
        gaps: Numbers among those of the rows that never were rows.
        last_seq: The last number given with them.
        lost: What the gaps were, by reason and class; unknown if left out.
        chain: How far the audit has come with these rows; no further than before if left out.
    """

    rows: Sequence[tuple[Row, int]] = ()
    gaps: Sequence[Gap] = ()
    last_seq: int = 0
    lost: Mapping[tuple[str, int], int] | None = None
    chain: Chain | None = None

    @property
    def first_new(self) -> int:
        """The number of the first row; one beyond the last number where there is none."""
        return self.rows[0][0].seq if self.rows else self.last_seq + 1
