"""Compile a kernel once, cache it on disk, and let it run without the interpreter's lock.

numba's cache watches the file of a kernel, not the files of the functions and constants that were compiled into it. So
the cache folder is named after the contents of the whole package, and of the kernel files beside a kernel of another
package: no edit is ever answered with old machine code.

What is in the cache is loaded without the compiler: numba would make that ready too, at 28 MB of memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar, cast

import llvmlite.binding
import numba
from numba import njit
from numba.core.caching import FunctionCache
from numba.core.runtime import _nrt_python

Function = TypeVar("Function", bound=Callable[..., object])

PACKAGE = Path(__file__).parent


@cache
def cache_folder(package: Path = PACKAGE) -> Path:
    """Return where the kernels of this very source are cached: below NUMBA_CACHE_DIR, or the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    base = os.environ.get("NUMBA_CACHE_DIR") or Path(home) / "rehab-gateway"
    digest = hashlib.sha256()
    for source in sorted({*PACKAGE.glob("*.py"), *package.glob("*.py")}):
        text = source.read_bytes()
        if source.parent == PACKAGE or b"@kernel\n" in text:
            digest.update(source.name.encode() + b"\0" + text)
    return Path(base) / f"kernels-{digest.hexdigest()[:16]}"


def kernel(function: Function) -> Function:
    """Return the compiled function with the types of the plain one (numba itself is untyped)."""
    return compiled(function)


def compiled(function: Function, **options: object) -> Function:
    """Do as ``kernel``, with further options of numba."""
    numba.config.CACHE_DIR = str(cache_folder(Path(function.__code__.co_filename).parent))
    made = njit(cache=True, nogil=True, **options)(function)
    if made is not function:
        made._cache = _LoadedAlone(function)  # noqa: SLF001 - numba has no other place to say it; its version is locked
    return cast("Function", made)


class _LoadedAlone(FunctionCache):  # type: ignore[misc] # numba is untyped
    """numba's cache, but for the compiler that it makes ready before it looks: compiling makes it ready by itself."""

    def load_overload(self, sig: object, target_context: object) -> object:
        """Return the machine code for a signature; None where there is none."""
        _know_the_runtime()
        return self._load_overload(sig, target_context)


@cache
def _know_the_runtime() -> None:
    """Tell the loader where numba's own functions are, which machine code calls to get arrays."""
    for name, address in _nrt_python.c_helpers.items():
        llvmlite.binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
