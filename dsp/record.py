"""Rows of structured arrays as compiled loops see them: their fields are attributes, each with its type and its unit.

A record is written down once, as a class; the layout of the array follows from it, and the checker of types knows it.
"""

from __future__ import annotations

from typing import Annotated, Any, Protocol, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Vector = Annotated[Floats, 3]
"""Three numbers along the axes of the sensor, or of the body."""

Row_co = TypeVar("Row_co", covariant=True)


class Record:
    """Base of what is written down field by field; nobody makes one: rows of arrays have its fields.

    A field is ``float``, ``int`` or an array of such with its shape: ``Annotated[Floats, 3, 3]``.
    """

    @classmethod
    def layout(cls) -> np.dtype[np.void]:
        """Return the type of an array with such rows, the fields of the classes below first."""
        return np.dtype([(name, *_field(of)) for name, of in get_type_hints(cls, include_extras=True).items()])


class Rows(Protocol[Row_co]):
    """A record array: one row for each sensor, joint or event."""

    def __len__(self) -> int:
        """Return how many rows there are."""

    def __getitem__(self, number: int, /) -> Row_co:
        """Return a row: what is written to its fields is written to the array."""


def _field(of: Any) -> tuple[str] | tuple[str, tuple[int, ...]]:
    if get_origin(of) is not Annotated:
        return ("i8",) if of is int else ("f8",)
    array, *shape = get_args(of)
    return "i8" if array == Ints else "f8", tuple(shape)
