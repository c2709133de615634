"""What follows from results of one person, whatever device they came from: nothing here sees a sample.

A row of `DERIVED` says which metrics an operator is told of, and what comes out. Rows are asked in their order, so one
may take what those before it gave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from config.protocol import read_protocol
from dsp.result import Result
from gateway.analysis.ward_operators import DeviceResult
from gateway.model.ward import Bed


class DerivedOperator(Protocol):
    """Takes results of one person in one session."""

    def process(self, results: Sequence[Result]) -> Iterable[Result]:
        """Return what follows from some more results; those of one device come in order, those of two need not."""
        ...

    def mark(self, text: str, at_s: float) -> None:
        """Take what was marked in the session at a gateway time, in lower case (`config.protocol.START` and others)."""
        ...

    def finish(self) -> Iterable[Result]:
        """Return what was still open: the session is over."""
        ...


@dataclass(frozen=True, slots=True)
class Derived:
    """A row of the table.

    Attributes:
        name: In code.
        of: Ids of the metrics that it is told of.
        metrics: Ids of all that comes out.
        make: Imports and makes the operator for a bed and a session.
        protocols: The words of the sessions that it runs in; empty: always.
    """

    name: str
    of: frozenset[str]
    metrics: tuple[str, ...]
    make: Callable[[Bed], DerivedOperator]
    protocols: frozenset[str] = frozenset()

    def fits(self, bed: Bed) -> bool:
        """Whether it runs in the session of a bed."""
        return not self.protocols or read_protocol(bed.slot.protocol).word in self.protocols


DERIVED: Final[tuple[Derived, ...]] = ()


class DerivedOfPerson:
    """All that follows from the results of one person.

    Args:
        bed: Who it is, in which session.
        rows: The table.
    """

    def __init__(self, bed: Bed, rows: Sequence[Derived] = DERIVED) -> None:
        self._operators = [(row, row.make(bed)) for row in rows if row.fits(bed)]
        self._of = frozenset(metric for row, _ in self._operators for metric in row.of)
        self._devices: dict[str, dict[int, None]] = {}  # by row, those that its results came from, in order

    def follow(self, results: list[DeviceResult]) -> None:
        """Add to results what follows from them."""
        if any(result.metric in self._of for result, _ in results):
            for row, operator in self._operators:
                results += self._told(row, operator, results)

    def mark(self, text: str, now_s: float) -> None:
        """Take what was marked in the session."""
        for _, operator in self._operators:
            operator.mark(text.strip().lower(), now_s)

    def finish(self, results: list[DeviceResult]) -> None:
        """Add to the last results of a person what follows from them, and what was still open."""
        for row, operator in self._operators:
            results += self._told(row, operator, results)
            results += self._named(row, operator.finish())

    def _told(self, row: Derived, operator: DerivedOperator, results: Sequence[DeviceResult]) -> list[DeviceResult]:
        told = [(result, numbers) for result, numbers in results if result.metric in row.of]
        if not told:
            return []
        self._devices.setdefault(row.name, {}).update(dict.fromkeys(n for _, numbers in told for n in numbers))
        return self._named(row, operator.process([result for result, _ in told]))

    def _named(self, row: Derived, results: Iterable[Result]) -> list[DeviceResult]:
        """Return results with the devices of all that they may rest on."""
        devices = tuple(self._devices.get(row.name, ()))
        return [(result, devices) for result in results]
