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


def test_what_only_a_caller_needs_is_read_when_one_is_compiled(tmp_path: Path) -> None:
    (tmp_path / "inner.py").write_text(INNER, "utf-8")
    (tmp_path / "outer.py").write_text(OUTER, "utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": path}
    environment.pop("NUMBA_DISABLE_JIT", None)

    def printed(code: str) -> str:
        return subprocess.run(  # this interpreter
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=COMPILE_S
        ).stdout.strip()

    printed("from inner import twice; twice(1.0)")
    assert printed(LOAD) == "1 0 1 0"  # loaded without it; read once for the caller, which is compiled
    assert printed(LOAD) == "1 0 0 1"
