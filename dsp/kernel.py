"""Compile a kernel once, cache it on disk, and let it run without the interpreter's lock.

numba's cache watches the file of a kernel, not the files of the functions and constants that were compiled into it. So
the cache folder is named after the contents of the whole package, and of the kernel files beside a kernel of another
package: no edit is ever answered with old machine code.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar, cast

import numba
from numba import njit

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
    numba.config.CACHE_DIR = str(cache_folder(Path(function.__code__.co_filename).parent))
    return cast("Function", njit(cache=True, nogil=True)(function))
