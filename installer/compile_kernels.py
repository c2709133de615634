"""Run by `build.py` with the Python of the environment that is being packed: compile the signal processing into it.

    PYTHON compile_kernels.py MADE INSTALLED

numba writes into machine code where an error of one of its own functions would be raised. That names the file as it is
found on the installed system, below ``INSTALLED``, and not below ``MADE``: makings in two folders are the same bytes.
"""

from __future__ import annotations

import sys
from typing import Any

from numba.core import ir

from dsp.kernel_cache import not_kept
from gateway.analysis.warm_up import warm_up


def name_files_as_installed(made: str, installed: str) -> None:
    """Have numba name files as they are found where the environment is installed."""
    begin = ir.Loc.__init__

    def begin_as_installed(self: ir.Loc, filename: str, *args: Any, **options: Any) -> None:
        begin(self, filename.replace(made, installed), *args, **options)

    ir.Loc.__init__ = begin_as_installed


def show(sentence: str) -> None:
    """Print a line at once: somebody waits."""
    print(sentence, flush=True)


def main() -> None:
    """Compile all parts, one after the other: numba numbers functions as they come."""
    name_files_as_installed(*sys.argv[1:3])
    warm_up(lambda name, took: show(f"{name:14} {took:6.1f} s"), on_progress=show)
    if why := not_kept():
        raise SystemExit(f"the machine code could not be written: {why}")


if __name__ == "__main__":
    main()
