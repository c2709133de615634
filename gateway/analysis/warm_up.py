"""Compile every kernel once, or load it from the cache, so that the first patient does not wait for a compiler.

What a package ships (see `dsp.kernel_cache`) is only loaded. What is kept on a machine belongs to one processor, one
Python and one version of the sources.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Final

import numba
import numpy as np

from config.settings import Settings
from dsp import kernel_cache
from gateway.analysis.modalities import MODALITIES
from gateway.analysis.needs import CLOCKS, needs_of
from gateway.analysis.operators import numbered
from gateway.machine.garbage import leave_alone

HERE: Final = Path(__file__).parent  # of the package whose kernels these are, beside those of dsp
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
    if on_progress is not None and (why := kernel_cache.not_kept()):
        on_progress(f"the signal processing cannot be kept ({why}): each start compiles it again; {ADVICE}")
    leave_alone()  # the compiler's many objects
    return time.perf_counter() - begun


def make_ready(name: str) -> None:
    """Compile or load one of `PARTS`, and note that it is ready here, and kept for the next process if it is."""
    PARTS[name]()
    note_ready([name])


def note_ready(names: Collection[str]) -> None:
    """Note that some of `PARTS` are ready here, and for the next process that they are kept, if they are."""
    _ready.update(names)
    for name in names:
        if not is_kept(name) and (folder := kernel_cache.cache_folder(HERE)) and not kernel_cache.not_kept():
            with suppress(OSError):
                (folder / _mark(name)).touch()


def ready_here() -> AbstractSet[str]:
    """Return the names of `PARTS` that this process has loaded: nobody waits for them."""
    return PARTS.keys() if numba.config.DISABLE_JIT else _ready


def is_shipped(name: str) -> bool:
    """Whether one of `PARTS` was compiled for processors like this one when the program was packed."""
    folder = kernel_cache.shipped_folder(HERE)
    return folder is not None and (folder / _mark(name)).exists()


def is_kept(name: str) -> bool:
    """Whether one of `PARTS` was shipped, or compiled for this processor before, and only has to be loaded."""
    folder = kernel_cache.cache_folder(HERE)
    return is_shipped(name) or (folder is not None and (folder / _mark(name)).exists())


def can_keep() -> bool:
    """Whether another process can compile for this one: both may write what is kept."""
    folders = cache_folders()
    with suppress(OSError):
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
    return bool(folders) and all(os.access(folder, os.W_OK) for folder in folders)


def _mark(name: str) -> str:
    """Return the name of the empty file, beside the kernels, that says that a part was compiled for this processor."""
    number = hashlib.sha256(kernel_cache.compiled_for().encode()).hexdigest()[:16]
    return f"{name.replace(' ', '-')}-{sys.implementation.cache_tag}-{number}.ready"


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
    folders = (kernel_cache.cache_folder(), kernel_cache.cache_folder(HERE))
    return [folder for folder in folders if folder is not None]


def where() -> str:
    """Return in a sentence what this process's kernels are made for, and where they come from."""
    made_for = kernel_cache.target()
    shipped = [name for name in PARTS if is_shipped(name)]
    if not shipped:
        return f"made on this machine for its processor, kept in {kernel_cache.cache_base() or 'memory'}"
    folder = kernel_cache.shipped_base() / made_for
    if len(shipped) < len(PARTS):
        missing = ", ".join(name for name in PARTS if name not in shipped)
        return f"made for {made_for}, shipped in {folder}; made on this machine: {missing}"
    return f"made for {made_for}, shipped in {folder}"


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


class _Parts(Mapping[str, Callable[[], None]]):
    """What there is is found out when it is first asked for: until then no operator is imported."""

    @cached_property
    def _calls(self) -> dict[str, Callable[[], None]]:
        rows = (modality.operators().kernels() for modality in MODALITIES)
        return {CLOCKS: _clocks} | {name: make_ready for kernels in rows for name, make_ready in kernels.items()}

    def __getitem__(self, name: str) -> Callable[[], None]:
        return self._calls[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._calls)

    def __len__(self) -> int:
        return len(self._calls)


PARTS: Final[Mapping[str, Callable[[], None]]] = _Parts()
"""Every kernel of the live path by name, with a call that makes it ready."""
