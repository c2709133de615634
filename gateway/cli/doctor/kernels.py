"""Where the compiled signal processing comes from: shipped with the program, or made here and kept."""

from __future__ import annotations

from pathlib import Path

from dsp.kernel_cache import INDEX, PACKAGE, cache_base, cache_folder, shipped_base, shipped_folder, target
from gateway.analysis import warm_up
from gateway.cli.doctor.finding import Finding
from gateway.machine import facts

NAME = "kernel cache"
ADVICE = "Every start would compile for minutes: set NUMBA_CACHE_DIR to a folder of this user."
OTHERS = "Were files of the program edited, or packages of it updated? Install the package again."


def judge_kernels() -> Finding:
    """The compiled kernels were shipped, or can be kept, so that only the first start waits for the compiler."""
    packages = (PACKAGE, warm_up.HERE)
    missing = [name for name in warm_up.PARTS if not warm_up.is_shipped(name)]
    shipped = count(*map(shipped_folder, packages))
    if not missing:
        return Finding(NAME, "ok", f"{shipped} kernels for {target()}, as shipped in {shipped_base() / target()}")
    folder = cache_base()
    kept = _judge_kept(folder, count(*map(cache_folder, packages)))
    if not shipped_base().is_dir():
        return kept
    found = f"{shipped} kernels for {target()} from {shipped_base()}, without {', '.join(missing)}; {kept.found}"
    return Finding(NAME, "warn", found, kept.advice or OTHERS)


def count(*folders: Path | None) -> int:
    """Return how many compiled kernels are in folders."""
    return sum(1 for folder in folders if folder for _ in folder.rglob(INDEX))


def _judge_kept(folder: Path | None, kernels: int) -> Finding:
    """What is made on this machine can be kept."""
    if folder is None:
        return Finding(NAME, "warn", "this user has no home folder", ADVICE)
    known = f"{kernels} kernels for this processor, kept in {folder}"
    if facts.writable(folder):
        return Finding(NAME, "ok", known)
    if kernels:
        return Finding(NAME, "ok", f"{known}, to be read only")
    return Finding(NAME, "warn", f"{folder} is not writable", ADVICE)
