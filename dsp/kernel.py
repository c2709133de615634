"""Compile a kernel once, cache it on disk, and let it run without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Return the compiled function with the types of the plain one (numba itself is untyped)."""
    return cast("Function", njit(cache=True, nogil=True)(function))
