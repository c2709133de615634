"""One target without any instruments: ``python -m tests.fuzz.plain NAME INPUTS FOLDER`` says how memory goes.

The guided fuzzer never frees the array that a traced comparison of arrays makes (atheris 3.0.0: a function that
compares an array of a kilobyte grows by a kilobyte a call, and not without instruments), so what its process holds says
nothing of the product. Here inputs are what the guided fuzzer found worth keeping, each spoilt a little; nothing else
is loaded.
"""

from __future__ import annotations

import logging
import random
import sys
from pathlib import Path

from tests.fuzz.everything import targets
from tests.fuzz.target import resident_mb

SEED = 20260101
SPOILT = 0.9  # of the inputs; the others are run as they are


def spoilt(data: bytes, others: list[bytes], rng: random.Random, longest: int) -> bytes:
    """Return an input with a few bytes changed, cut out, or taken from another."""
    if rng.random() > SPOILT:
        return data
    new = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(new))
        kind = rng.randrange(4)
        if kind == 0 and at < len(new):
            new[at] = rng.randrange(256)
        elif kind == 1:
            del new[at : at + rng.randint(1, 16)]
        elif kind == 2:
            new[at:at] = rng.randbytes(rng.randint(1, 8))
        else:
            other = rng.choice(others)
            begin = rng.randint(0, len(other))
            new[at:at] = other[begin : begin + rng.randint(1, 64)]
    return bytes(new[:longest])


def main() -> None:
    """Run the inputs; print how many there were, and the memory after a quarter of them and at the end."""
    name, inputs, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    logging.disable(logging.CRITICAL)
    target, rng = targets()[name], random.Random(SEED)
    found = [path for part in ("corpus", "seeds") for path in sorted((folder / part).glob("*"))]
    known = [path.read_bytes() for path in found] or list(target.seeds)
    quarter = resident_mb()
    for n in range(inputs):
        data = spoilt(rng.choice(known), known, rng, target.longest)
        try:
            target.run(data)
        except BaseException:
            (folder / f"failed-plain-{n}").write_bytes(data)
            raise
        if n == inputs // 4:
            quarter = resident_mb()
    sys.stdout.write(f"{inputs} {quarter:.0f} {resident_mb():.0f}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
