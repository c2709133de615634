"""Compile every kernel once, or load it from the cache, so that the first patient does not wait for a compiler.

The cache (see `dsp.kernel`) belongs to one processor, one Python and one version of the sources.
"""

from __future__ import annotations

import gc
import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import llvmlite.binding
import numba
import numpy as np

from config.settings import Settings
from dsp import kernel
from gateway.analysis.modalities import MODALITIES
from gateway.analysis.needs import CLOCKS, needs_of
from gateway.analysis.operators import numbered

RATE_HZ = 100.0
SAMPLES = 10
ADVICE = "set NUMBA_CACHE_DIR to a folder of this user"

FIRST_WORD_S = 2.0  # what is in the cache is loaded before anybody has to be told
EVERY_S = 5.0  # then somebody who waits, or reads the log, is told again

_ready: set[str] = set()  # the names of `PARTS` that this process has loaded

OnReady = Callable[[str, float], None]  # what was made ready, and the seconds that it took
OnProgress = Callable[[str], None]  # a sentence for whoever waits


def warm_up(
    on_ready: OnReady | None = None,
    settings: Settings | None = None,
    *,
    on_progress: OnProgress | None = None,
    only: Collection[str] | None = None,
) -> float:
    """Make kernels ready; return the seconds that it took.

    Args:
        on_ready: Called after each step with its name and seconds.
        settings: Only the kernels that these devices need; by default all.
        on_progress: Called every few seconds, from a thread of its own, with what is being compiled; and at the end
            where nothing could be kept.
        only: Only these of `PARTS`.
    """
    begun = last = time.perf_counter()
    needed = only if settings is None else needs(settings)
    parts = [name for name in PARTS if needed is None or name in needed]
    at = [""]
    with _progress_shown(on_progress, at):
        for number, name in enumerate(parts, 1):
            at[0] = f"{name} ({number} of {len(parts)})"
            PARTS[name]()
            now = time.perf_counter()
            if on_ready is not None:
                on_ready(name, now - last)
            last = now
    note_ready(parts)
    if on_progress is not None and (why := kernel.not_kept()):
        on_progress(f"the signal processing cannot be kept ({why}): each start compiles it again; {ADVICE}")
    # The compiler's many objects stay as long as the process: the garbage collector need not look at them ever again.
    gc.collect()
    gc.freeze()
    return time.perf_counter() - begun


def make_ready(name: str) -> None:
    """Compile or load one of `PARTS`, and note that it is ready here, and kept for the next process if it is."""
    PARTS[name]()
    note_ready([name])


def note_ready(names: Collection[str]) -> None:
    """Note that some of `PARTS` are ready here, and for the next process that they are kept, if they are."""
    _ready.update(names)
    for mark in filter(None, map(_mark, names)):
        if not kernel.not_kept():
            with suppress(OSError):
                mark.touch()


def ready_here() -> AbstractSet[str]:
    """Return the names of `PARTS` that this process has loaded: nobody waits for them."""
    return PARTS.keys() if numba.config.DISABLE_JIT else _ready


def is_kept(name: str) -> bool:
    """Whether one of `PARTS` was compiled for this processor before, and only has to be loaded."""
    mark = _mark(name)
    return mark is not None and mark.exists()


def can_keep() -> bool:
    """Whether another process can compile for this one: both may write what is kept."""
    folders = cache_folders()
    with suppress(OSError):
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
    return bool(folders) and all(os.access(folder, os.W_OK) for folder in folders)


def _mark(name: str) -> Path | None:
    """Return the empty file that says that a part was compiled: for this processor and place, beside what it calls.

    numba looks for what it kept by where the code is: the same version in another folder is compiled anew.
    """
    folder = kernel.cache_folder(Path(__file__).parent)
    processor = f"{llvmlite.binding.get_host_cpu_name()} {llvmlite.binding.get_host_cpu_features().flatten()}"
    number = hashlib.sha256(f"{processor} {kernel.PACKAGE}".encode()).hexdigest()[:16]
    return folder and folder / f"{name.replace(' ', '-')}-{sys.implementation.cache_tag}-{number}.ready"


@contextmanager
def _progress_shown(on_progress: OnProgress | None, at: list[str]) -> Iterator[None]:
    """Say every few seconds what is being made ready: a first start on a small computer takes minutes."""
    done, began = threading.Event(), time.monotonic()

    def watch() -> None:
        wait_s = FIRST_WORD_S
        while on_progress is not None and not done.wait(wait_s):
            took = time.monotonic() - began
            on_progress(f"compiling the signal processing for this processor: {at[0]}, {took:.0f} s so far, once")
            wait_s = EVERY_S

    watcher = threading.Thread(target=watch, name="warm-up-words", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def needs(settings: Settings) -> set[str]:
    """Return the names of the kernels that the devices of a configuration need."""
    return {CLOCKS}.union(*(needs_of(devices) for devices in numbered(settings).values()))


def cache_folders() -> list[Path]:
    """Return where compiled kernels are kept; nowhere, where this user has no place for them."""
    folders = (kernel.cache_folder(), kernel.cache_folder(Path(__file__).parent))
    return [folder for folder in folders if folder is not None]


def _clocks() -> None:
    from drivers.packet import Packet, StreamSpec
    from gateway.clocks.timeline import Timelines

    timelines = Timelines(0)
    timeline = timelines.add(StreamSpec("imu", ("x",), ("1",), RATE_HZ, 1e6))
    stamps = np.arange(SAMPLES) * 10_000
    flags = np.zeros(SAMPLES, np.uint8)
    timelines.place_packets([timeline], [Packet("imu", stamps * 1000, stamps, np.zeros((SAMPLES, 1)), flags)])
    timeline.at(np.zeros(1))
    timelines.at(np.zeros(1, np.int64), np.zeros(1))


PARTS: Final[Mapping[str, Callable[[], None]]] = {CLOCKS: _clocks} | {
    name: make_ready for modality in MODALITIES for name, make_ready in modality.operators().kernels().items()
}
"""Every kernel of the live path by name, with a call that makes it ready."""
