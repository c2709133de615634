"""Which processors kernels are compiled for before they are shipped, and which of that serves a processor best."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Target:
    """What machine code is made for.

    Attributes:
        name: As LLVM calls it.
        needs: What a processor must have to run it, as LLVM calls it.
    """

    name: str
    needs: frozenset[str]


GENERIC: Final = Target("generic", frozenset())
"""What every 64-bit processor of its kind runs: x86-64 with SSE2, or ARMv8-A with NEON."""
X86_64_V3: Final = Target(
    "x86-64-v3",
    frozenset({
        "avx", "avx2", "bmi", "bmi2", "cx16", "f16c", "fma", "lzcnt", "movbe", "popcnt", "sahf", "sse3", "sse4.1",
        "sse4.2", "ssse3", "xsave",
    }),
)  # fmt: skip
"""Level 3 of the x86-64 psABI: nearly all since 2015, but not the Atoms and Celerons of small boxes before 2021."""
TARGETS: Final[dict[str, tuple[Target, ...]]] = {"x86_64": (X86_64_V3, GENERIC), "aarch64": (GENERIC,)}
"""What is shipped for each kind of machine, the best first. A tuned one for ARM was not worth its megabytes."""


def fitting(machine: str, features: Collection[str]) -> list[Target]:
    """Return what a processor can run of what is shipped for its kind, the best first."""
    return [target for target in TARGETS.get(machine, ()) if target.needs <= set(features)]
