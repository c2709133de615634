"""Where compiled kernels are: shipped with the program and only read, or kept on this machine.

numba's cache watches the file of a kernel, not the files of the functions and constants that were compiled into it. So
each folder is named after the contents of the whole package, rooms and all, of the kernel files of the package of a
kernel from elsewhere, and of the versions of Python, numba, LLVM and numpy: nothing that was edited or updated is ever
answered with old machine code. What is in a folder does not depend on where the program is: what was compiled while a
package was made serves where it is installed.

A kernel is looked for among what was shipped, then among what was kept; what is in neither is compiled and kept. Where
nothing can be kept (no home, a read-only folder, a full disk), it is compiled in memory, and `not_kept` says why: numba
itself would write into the folder of the code without a word, or refuse to start. What is found is loaded without the
compiler, which numba would make ready too, at 28 MB of memory; without what only a kernel that calls it would need, at
another 13 MB; and without the modules of numba's functions that were compiled into it, at another 6 MB.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import sys
from collections import Counter
from functools import cache, partial
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import llvmlite.binding
import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache, UserProvidedCacheLocator
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen
from numba.core.environment import Environment
from numba.core.runtime import _nrt_python

from dsp.processor import fitting

CUT_OFF = (EOFError, pickle.UnpicklingError, ValueError, LookupError, AttributeError, ImportError, TypeError)
"""What reading a cache file raises that was cut off by a power cut."""
SPOILT = (OSError, *CUT_OFF)
"""The same, or it belongs to another user."""
ANNOTATION, ENVIRONMENTS = 6, 8
"""Where in what numba keeps the words about types are, and what is looked for by the functions compiled into a kernel;
its version is locked."""
HOST: Final = "host"
"""The target of a process to which nothing is shipped: this very processor."""
INDEX: Final = "*.nbi"
"""One of numba's for each kernel, beside the machine code for each signature."""
NO_HOME: Final = "this user has no home folder"

SHIPPED, KEPT, COMPILED = "shipped", "kept", "compiled"
loaded: Counter[str] = Counter()
"""Of the kernels that this process has, by signature: how many came from which tier, and how many were compiled."""

_failed: list[str] = []  # why kernels were not kept, as the disk said it


def top(folder: Path) -> Path:
    """Return the folder of the whole package that a folder belongs to."""
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    return folder


PACKAGE = top(Path(__file__).parent)


def shipped_base() -> Path:
    """Return the folder below which a package has kernels, a folder for each target; a checkout has none."""
    return Path(sys.prefix) / "kernels"


def cache_base() -> Path | None:
    """Return the folder below which kernels are kept.

    None where nobody named a folder, and the user has no home, or may not enter what is said to be it: whoever goes on
    as another user than the one who typed a command has that one's home in the environment.
    """
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(named)
    try:
        users = os.environ.get("XDG_CACHE_HOME")
        caches = Path(users) if users else Path.home() / ".cache"
    except RuntimeError:  # HOME is not set, and the user id has no name
        return None
    return caches / "rehab-gateway" if _may_be_entered(caches) else None


def _may_be_entered(folder: Path) -> bool:
    try:
        (folder / "rehab-gateway").stat()
    except PermissionError:
        return False
    except OSError:
        return True
    return True


@cache
def folder_name(package: Path = PACKAGE) -> str:
    """Return the name of the folder of the kernels of this very source, compiled by these very programs."""
    digest = hashlib.sha256(_versions().encode())
    for root in dict.fromkeys((PACKAGE, top(package))):
        for source in sorted(root.rglob("*.py")):
            text = source.read_bytes()
            if root == PACKAGE or b"@kernel\n" in text:
                digest.update(str(source.relative_to(root)).encode() + b"\0" + text)
    return f"kernels-{digest.hexdigest()[:16]}"


def cache_folder(package: Path = PACKAGE) -> Path | None:
    """Return where the kernels of this very source are kept; None where `cache_base` is."""
    base = cache_base()
    return base and base / folder_name(package)


def shipped_folder(package: Path = PACKAGE) -> Path | None:
    """Return where the kernels of this very source were shipped for the target of this process; None without any."""
    folder = shipped_base() / target() / folder_name(package)
    return folder if folder.is_dir() else None


@cache
def target() -> str:
    """Return what this process compiles for and loads: the best that was shipped for its processor, else `HOST`.

    ``NUMBA_CPU_NAME`` (with ``NUMBA_CPU_FEATURES``) names another. Called before numba makes its first machine code.
    """
    settings = numba.config
    if settings.CPU_NAME is not None:
        return str(settings.CPU_NAME)
    has = [name for name, is_there in llvmlite.binding.get_host_cpu_features().items() if is_there]
    for fits in fitting(platform.machine(), has):
        if (shipped_base() / fits.name / folder_name()).is_dir():
            settings.CPU_NAME, settings.CPU_FEATURES = fits.name, ""  # those that come with the name
            return fits.name
    return HOST


def compiled_for() -> str:
    """Return what machine code of this process depends on, but for its source: kind, processor, what that has."""
    name, features = numba.config.CPU_NAME, numba.config.CPU_FEATURES
    if name is None:
        name = llvmlite.binding.get_host_cpu_name()
    if features is None:
        features = llvmlite.binding.get_host_cpu_features().flatten()
    return f"{platform.machine()} {name} {features}"


def not_kept() -> str:
    """Return why a kernel that was compiled in this process could not be kept; empty if all were."""
    return _failed[0] if _failed else ""


def make_independent_of_place(function: FunctionType) -> Path:
    """Have a function name its file from its package on, as its machine code then does; return the package's folder."""
    file = Path(function.__globals__.get("__file__") or function.__code__.co_filename)
    package = top(file.parent)
    if (package / "__init__.py").is_file():
        function.__code__ = function.__code__.replace(co_filename=str(file.relative_to(package.parent)))
    return package


class Tiers(NullCache):  # type: ignore[misc] # numba is untyped
    """What numba asks for the machine code of a function: first what was shipped, then what was kept.

    Args:
        function: Named by `make_independent_of_place`.
        package: The folder of its package.
    """

    def __init__(self, function: FunctionType, package: Path) -> None:
        was_shipped, kept = shipped_folder(package), cache_folder(package)
        self._shipped = _Tier(function, was_shipped) if was_shipped else None
        self._kept = _Tier(function, kept) if kept else None

    @property
    def cache_path(self) -> str:
        """Where what is compiled is kept."""
        return str(self._kept.cache_path) if self._kept else ""

    def load_overload(self, sig: object, target_context: object) -> object:
        """Return the machine code for a signature; None where there is none, or none that can be read."""
        _know_the_runtime()
        for tier, name in ((self._shipped, SHIPPED), (self._kept, KEPT)):
            if tier is not None and (found := tier.load_overload(sig, target_context)) is not None:
                loaded[name] += 1
                return found
        return None

    def save_overload(self, sig: object, data: object) -> None:
        """Keep machine code where the disk lets us; where it does not, it is compiled again at the next start."""
        loaded[COMPILED] += 1
        if self._kept is None:
            _failed.append(NO_HOME)
            return
        try:
            self._kept.save_overload(sig, data)
        except SPOILT as error:
            _failed.append(f"{getattr(error, 'strerror', None) or error}: {self.cache_path}")

    def flush(self) -> None:
        """Forget what was kept."""
        if self._kept is not None:
            self._kept.flush()


class _Tier(FunctionCache):  # type: ignore[misc] # numba is untyped
    """numba's cache in one folder, but for the compiler that it makes ready before it looks: compiling does by itself.

    Args:
        function: Whose machine code it is.
        folder: Where it is; written to by `save_overload` alone.
    """

    def __init__(self, function: FunctionType, folder: Path) -> None:
        self._impl_class = partial(_Files, folder=folder)
        super().__init__(function)

    def load_overload(self, sig: object, target_context: object) -> object:
        """Return the machine code for a signature; None where there is none, or none that can be read."""
        try:
            return self._load_overload(sig, target_context)
        except SPOILT:
            return None

    def save_overload(self, sig: object, data: object) -> None:
        """Keep machine code, also where the index beside it was cut off."""
        try:
            super().save_overload(sig, data)
        except CUT_OFF:
            self.flush()
            super().save_overload(sig, data)


class _Files(CompileResultCacheImpl):  # type: ignore[misc] # numba is untyped
    """What numba keeps of a function, but for what nobody needs who only calls it."""

    def __init__(self, function: FunctionType, *, folder: Path) -> None:
        self._locator_classes = [_Place(folder)]
        super().__init__(function)

    def reduce(self, cres: Any) -> tuple[object, ...]:
        """Return what is kept, without the words about types, and the modules of numba's own functions."""
        kept = list(super().reduce(cres))
        kept[ANNOTATION] = ""
        kept[ENVIRONMENTS] = tuple(map(_without_module, kept[ENVIRONMENTS]))
        return tuple(kept)

    def rebuild(self, target_context: Any, reduced_data: object) -> object:
        """Return a function from what was kept of it."""
        target_context.codegen().__class__ = _Codegen  # numba has made it long ago, of the class below
        return super().rebuild(target_context, reduced_data)


def _without_module(environment: Any) -> Any:
    """Return the environment of a function in a kernel, which imports no module if the function is numba's own.

    Compiled code only looks whether it is there, and for its constants.
    """
    if not environment.globals["__name__"].startswith("numba."):
        return environment
    made = Environment(vars(numba))
    made.consts[:], made.env_name = environment.consts, environment.env_name
    return made


class _Place:
    """A folder and no other, also when it can only be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def from_function(self, function: FunctionType, file: str) -> _Locator:
        """Return the place of a function's files; nothing is written yet."""
        return _Locator(function, file, self._folder)


class _Locator(UserProvidedCacheLocator):  # type: ignore[misc] # numba is untyped
    """Where in a folder the files of a function are."""

    def __init__(self, function: FunctionType, file: str, folder: Path) -> None:
        self._py_file, self._lineno = file, function.__code__.co_firstlineno
        room = Path(file).parent
        below = self.get_suitable_cache_subpath(file) if room.is_absolute() else ".".join(room.parts)
        self._cache_path, self._stamp = str(folder / below), folder.name

    def get_source_stamp(self) -> str:
        """Return what the source is known by: the folder's name stands for its contents."""
        return self._stamp


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


@cache
def _know_the_runtime() -> None:
    """Tell the loader where numba's own functions are, which machine code calls to get arrays."""
    for name, address in _nrt_python.c_helpers.items():
        llvmlite.binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


def _versions() -> str:
    made_by = (sys.implementation.cache_tag, numba.__version__, llvmlite.__version__, np.__version__)
    return " ".join(map(str, made_by))
