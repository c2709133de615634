"""An operator behind the interface of the shared scorers: fed in packets, asked for what it finds as they want it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Found_co = TypeVar("Found_co", covariant=True)
Found = TypeVar("Found")


class Operator(Protocol[Found_co]):
    """Finds something in the samples of one sensor."""

    def process(
        self, index: NDArray[np.int64], acc: NDArray[np.float64], gyr: NDArray[np.float64]
    ) -> Iterable[Found_co]:
        """Return what samples complete."""


class Scored(Generic[Found]):
    """One sensor behind the scorer's interface.

    Args:
        operator: What is scored.
        event: What the scorer is to get of each thing found; None for nothing.
        finish: What is still found at the end of the stream.
    """

    def __init__(
        self,
        operator: Operator[Found],
        event: Callable[[Found], dict[str, Any] | None],
        finish: Callable[[], Iterable[Found]] = tuple,
    ) -> None:
        self._operator, self._event, self._finish = operator, event, finish

    def push(
        self, index: NDArray[np.int64], acc: NDArray[np.float64], gyr: NDArray[np.float64]
    ) -> Iterator[dict[str, Any]]:
        return self._events(self._operator.process(index, acc, gyr))

    def flush(self) -> Iterator[dict[str, Any]]:
        return self._events(self._finish())

    def _events(self, found: Iterable[Found]) -> Iterator[dict[str, Any]]:
        for one in found:
            if (event := self._event(one)) is not None:
                yield event
