"""Compile a kernel once, cache it on disk, and let it run without the interpreter's lock.

numba's cache watches the file of a kernel, not the files of the functions and constants that were compiled into it. So
the cache folder is named after the contents of the whole package, rooms and all, and of the kernel files of the package
of a kernel from elsewhere: no edit is ever answered with old machine code.

Where nothing can be kept (no home, a read-only folder, a full disk), kernels are compiled in memory, and `not_kept`
says why: numba itself would write into the folder of the code without a word, or refuse to start. What is in the cache
is loaded without the compiler, which numba would make ready too, at 28 MB of memory; and without what only a kernel
that calls it would need, at another 13 MB.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar, cast

import llvmlite.binding
import numba
from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, UserProvidedCacheLocator
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen
from numba.core.runtime import _nrt_python
from numba.core.types.misc import unliteral

Function = TypeVar("Function", bound=Callable[..., object])

SPOILT = (OSError, EOFError, pickle.UnpicklingError, ValueError, LookupError, AttributeError, ImportError, TypeError)
"""What reading a cache file raises that was cut off by a power cut, or that another user owns."""

_failed: list[str] = []  # why kernels were not kept, as the disk said it


def _top(folder: Path) -> Path:
    """Return the folder of the whole package that a folder belongs to."""
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    return folder


PACKAGE = _top(Path(__file__).parent)


def cache_base() -> Path | None:
    """Return the folder below which kernels are cached; None where the user has no home and nobody named a folder."""
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(named)
    if users := os.environ.get("XDG_CACHE_HOME"):
        return Path(users) / "rehab-gateway"
    try:
        return Path.home() / ".cache" / "rehab-gateway"
    except RuntimeError:  # HOME is not set, and the user id has no name
        return None


@cache
def cache_folder(package: Path = PACKAGE) -> Path | None:
    """Return where the kernels of this very source are cached; None where `cache_base` is."""
    base = cache_base()
    digest = hashlib.sha256()
    for root in dict.fromkeys((PACKAGE, _top(package))):
        for source in sorted(root.rglob("*.py")):
            text = source.read_bytes()
            if root == PACKAGE or b"@kernel\n" in text:
                digest.update(str(source.relative_to(root)).encode() + b"\0" + text)
    return base and base / f"kernels-{digest.hexdigest()[:16]}"


def not_kept() -> str:
    """Return why a kernel that was compiled in this process could not be kept; empty if all were."""
    return _failed[0] if _failed else ""


def kernel(function: Function) -> Function:
    """Return the compiled function with the types of the plain one (numba itself is untyped)."""
    return compiled(function)


def compiled(function: Function, **options: object) -> Function:
    """Do as ``kernel``, with further options of numba."""
    made = njit(nogil=True, **options)(function)
    if made is not function:
        _treat_constants_as_variables(made)
        folder = cache_folder(_top(Path(function.__code__.co_filename).parent))
        if folder is None:
            _failed.append("this user has no home folder")
        else:
            numba.config.CACHE_DIR = str(folder)
            made._cache = _Cache(function)  # noqa: SLF001 - numba has no other place to say it; its version is locked
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


class _Locator(UserProvidedCacheLocator):  # type: ignore[misc] # numba is untyped
    """The named folder and no other, also when it can only be read."""

    @classmethod
    def from_function(cls, py_func: object, py_file: str) -> _Locator:
        """Return the place of a function's files; nothing is written yet."""
        return cls(py_func, py_file)


class _Files(CompileResultCacheImpl):  # type: ignore[misc] # numba is untyped
    """What numba keeps of a function."""

    _locator_classes = (_Locator,)

    def rebuild(self, target_context: Any, payload: object) -> object:
        """Return a function from what was kept of it."""
        target_context.codegen().__class__ = _Codegen  # numba has made it long ago, of the class below
        return super().rebuild(target_context, payload)


class _Codegen(JITCPUCodegen):  # type: ignore[misc] # numba is untyped
    """numba's maker of machine code, but for what it loads of a kernel that was kept."""

    def unserialize_library(self, serialized: tuple[str, str, tuple[bytes, bytes]]) -> _Kept:
        """Return the machine code of a kernel."""
        name, _, (code, for_callers) = serialized
        return _Kept(self, name, code, for_callers)

    def address_of(self, name: str) -> int:
        """Return where a function of a kernel begins."""
        address: int = self._engine.get_function_address(name)
        return address


class _Kept(JITCodeLibrary):  # type: ignore[misc] # numba is untyped
    """Machine code that was kept. The form that is compiled into callers is read when a caller is compiled."""

    _shared_module: Any

    def __init__(self, codegen: _Codegen, name: str, code: bytes, for_callers: bytes) -> None:
        super().__init__(codegen, name)
        self._for_callers = for_callers
        self.enable_object_caching()
        self._set_compiled_object(code)
        self._finalize_final_module()

    def get_pointer_to_function(self, name: str) -> int:
        """Return where one of its functions begins."""
        address: int = self._codegen.address_of(name)
        return address

    def _get_module_for_linking(self) -> object:
        if self._shared_module is None:
            self._shared_module = llvmlite.binding.parse_bitcode(self._for_callers)
        return self._shared_module


class _Cache(FunctionCache):  # type: ignore[misc] # numba is untyped
    """numba's cache, but for the compiler that it makes ready before it looks: compiling makes it ready by itself."""

    _impl_class = _Files

    def load_overload(self, sig: object, target_context: object) -> object:
        """Return the machine code for a signature; None where there is none, or none that can be read."""
        _know_the_runtime()
        try:
            return self._load_overload(sig, target_context)
        except SPOILT:
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: object, data: object) -> None:
        """Keep machine code where the disk lets us; where it does not, it is compiled again at the next start."""
        try:
            super().save_overload(sig, data)
        except SPOILT as error:
            _failed.append(f"{getattr(error, 'strerror', None) or error}: {self.cache_path}")


@cache
def _know_the_runtime() -> None:
    """Tell the loader where numba's own functions are, which machine code calls to get arrays."""
    for name, address in _nrt_python.c_helpers.items():
        llvmlite.binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
