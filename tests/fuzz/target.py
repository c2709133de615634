"""What a fuzzer needs to know of one reader of untrusted bytes."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

SLOWEST_S = 5.0
"""An input that takes longer hangs; the slowest good one takes milliseconds, on a machine that others use too."""


@dataclass(frozen=True, slots=True)
class Target:
    """One reader.

    Attributes:
        name: For the table and the command line.
        run: Reads one input. Whatever the reader promises to raise is caught in there: an exception out of it is a
            defect of the reader.
        seeds: Good inputs to begin with, and those that were defects once.
        inputs: Inputs that are nearly good.
        share: Part of all inputs that this target gets, in parts of the sum; slow readers get few.
        longest: Bytes of the longest input.
        words: What it helps to know of the language of the input.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Sequence[bytes]
    inputs: st.SearchStrategy[bytes]
    share: float
    longest: int = 1024
    words: tuple[str, ...] = ()


def resident_mb() -> float:
    """Return this process's resident memory in megabytes."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 2**20
