"""Compiled kernels: what is kept of them, and what is loaded of that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPILE_S = 300.0  # on a busy machine

INNER = """
from dsp.kernel import kernel

@kernel
def twice(value):
    total = 0.0
    for _ in range(2):
        total += value
    return total
"""
OUTER = """
from dsp.kernel import kernel
from inner import twice

@kernel
def thrice(value):
    return twice(value) + value
"""
LOAD = """
import llvmlite.binding
from inner import twice

read, parse = [], llvmlite.binding.parse_bitcode
llvmlite.binding.parse_bitcode = lambda *args: read.append(len(args)) or parse(*args)
assert twice(2.0) == 4.0
loaded = sum(twice.stats.cache_hits.values()), len(read)
from outer import thrice
assert thrice(2.0) == 6.0
print(*loaded, len(read), sum(thrice.stats.cache_hits.values()))
"""

MIDDLE = """
from dsp.kernel import kernel

@kernel
def middle(values):
    if values.size == 0:
        raise ValueError("of nothing")
    return values.mean()
"""
OFF_MIDDLE = """
from dsp.kernel import kernel
from middle import middle

@kernel
def off_middle(values):
    return values.max() - middle(values) + 0.0 * values.mean()
"""
LOAD_ARRAYS = """
import sys
import numpy as np
from middle import middle

assert middle(np.arange(5.0)) == 2.0
try:
    middle(np.zeros(0))
except ValueError as error:
    told = str(error)
numbas = [name for name in ("numba.np.arrayobj", "numba.np.arraymath") if name in sys.modules]
from off_middle import off_middle
assert off_middle(np.arange(5.0)) == 2.0
print(told, numbas, *(sum(each.stats.cache_hits.values()) for each in (middle, off_middle)), sep="; ")
"""


class Programs:
    """Processes that have modules of a test, and a cache of kernels between them."""

    def __init__(self, folder: Path, **modules: str) -> None:
        for name, code in modules.items():
            (folder / f"{name}.py").write_text(code, "utf-8")
        path = os.pathsep.join([str(folder), str(ROOT)])
        self._environment = os.environ | {"NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": path}
        self._environment.pop("NUMBA_DISABLE_JIT", None)

    def printed(self, code: str) -> str:
        """Return what a new process prints."""
        return subprocess.run(  # this interpreter
            [sys.executable, "-c", code], env=self._environment, capture_output=True, text=True, check=True,
            timeout=COMPILE_S,
        ).stdout.strip()  # fmt: skip


def test_what_only_a_caller_needs_is_read_when_one_is_compiled(tmp_path: Path) -> None:
    programs = Programs(tmp_path, inner=INNER, outer=OUTER)
    programs.printed("from inner import twice; twice(1.0)")
    assert programs.printed(LOAD) == "1 0 1 0"  # loaded without it; read once for the caller, which is compiled
    assert programs.printed(LOAD) == "1 0 0 1"


def test_what_numba_has_for_arrays_is_imported_when_something_is_compiled(tmp_path: Path) -> None:
    """Six megabytes of it: a kernel that was kept has what it calls of that in its machine code."""
    programs = Programs(tmp_path, middle=MIDDLE, off_middle=OFF_MIDDLE)
    programs.printed("import numpy; from middle import middle; middle(numpy.ones(3))")
    assert programs.printed(LOAD_ARRAYS) == "of nothing; []; 1; 0"
    assert programs.printed(LOAD_ARRAYS) == "of nothing; []; 1; 1"
