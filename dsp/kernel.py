"""Compile a kernel once, or load what was shipped or kept of it, and let it run without the interpreter's lock.

Where machine code is found, and when it is not used: `dsp.kernel_cache`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import FunctionType
from typing import Any, TypeVar, cast

import numba
from numba import njit
from numba.core.types.misc import unliteral

from dsp.kernel_cache import Tiers, make_independent_of_place, target

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(function: Function) -> Function:
    """Return the compiled function with the types of the plain one (numba itself is untyped)."""
    return compiled(function)


def compiled(function: Function, **options: object) -> Function:
    """Do as ``kernel``, with further options of numba."""
    if numba.config.DISABLE_JIT:
        return function
    target()  # before numba makes its first machine code
    plain = cast("FunctionType", function)
    package = make_independent_of_place(plain)
    made = njit(nogil=True, **options)(plain)
    _treat_constants_as_variables(made)
    made._cache = Tiers(plain, package)  # noqa: SLF001 - numba has no other place to say it; its version is locked
    return cast("Function", made)


@cache
def as_written(function: Function) -> Function:
    """Return a kernel as plain Python, down through the kernels that it calls: it runs at once, and slowly."""
    plain = getattr(function, "py_func", None)
    if plain is None:  # kernels are not compiled at all
        return function
    inner = {name: plain.__globals__.get(name) for name in plain.__code__.co_names}
    kernels = {name: as_written(value) for name, value in inner.items() if hasattr(value, "py_func")}
    return cast("Function", FunctionType(plain.__code__, plain.__globals__ | kernels, plain.__name__))


def _treat_constants_as_variables(made: Any) -> None:
    """Have one kernel serve calls with any constants: numba compiles it anew for each, a quarter more in all."""
    with_constants = made.get_call_template

    def with_variables(args: Iterable[Any], keywords: Mapping[str, Any]) -> Any:
        return with_constants(tuple(map(unliteral, args)), {name: unliteral(of) for name, of in keywords.items()})

    made.get_call_template = with_variables
