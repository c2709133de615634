"""One target under the coverage-guided fuzzer: ``python -m tests.fuzz.guided NAME INPUTS FOLDER``.

Runs in the fuzzer's own environment (``make fuzz`` makes it). First hypothesis makes inputs that are nearly good; they
and the seeds are where the coverage-guided fuzzer begins.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import atheris
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.target import SLOWEST_S, Target, resident_mb

# Modules whose branches guide the fuzzer; compiled kernels cannot be among them.
INSTRUMENTED = (
    "config", "drivers", "gateway.delivery.inbox", "gateway.dashboard", "gateway.outbox.file", "gateway.wire.payload",
    "gateway.wire.receipt", "gateway.recordings.recording", "gateway.wire.waveform",
)  # fmt: skip
FROM_HYPOTHESIS = 400  # inputs; slow to make, and soon overtaken
ROUND_S = 300  # seconds of one process; the next one goes on with what was found
ROUND_MB = 512  # memory at which a round ends: the fuzzer never frees the arrays that traced comparisons of arrays make
LOOK_EVERY = 500  # inputs between two looks at memory
MOST_MB = 2048  # memory; an input that takes more than that is a defect


def begin(target: Target, folder: Path) -> None:
    """Write the first inputs to a folder, and run them."""
    seeds = folder / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)

    def keep(data: bytes, name: str) -> None:
        target.run(data)
        (seeds / name).write_bytes(data)

    for n, data in enumerate(target.seeds):
        keep(data, f"seed-{n}")
    count = iter(range(10**9))

    @settings(
        max_examples=FROM_HYPOTHESIS, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(target.inputs)
    def try_it(data: bytes) -> None:
        keep(data, f"hypothesis-{next(count)}")

    try_it()
    (folder / "words").write_text("".join(f"{_quoted(word)}\n" for word in target.words if word), "ascii")


def _quoted(word: str) -> str:
    """Return a word as libFuzzer's dictionaries want it; one that begins with a backslash is written already."""
    if word.startswith("\\x"):
        return f'"{word}"'
    return '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"'


def fuzz(run: Callable[[bytes], None], longest: int, inputs: int, folder: Path) -> None:
    """Run so many inputs, or fewer if the time is up; ends the process: 0, or the input is in a file ``failed-…``."""
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    words = folder / "words"
    options = [
        f"-runs={inputs}", f"-max_len={longest}", f"-timeout={SLOWEST_S:g}", f"-rss_limit_mb={MOST_MB}",
        f"-artifact_prefix={folder}/failed-", f"-max_total_time={ROUND_S}", "-print_final_stats=1", "-len_control=20",
        *([f"-dict={words}"] if words.stat().st_size else []),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus), str(folder / "seeds")], _bounded(run))
    atheris.Fuzz()


def _bounded(run: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Return ``run``, which ends the process in good order when that has grown too large; what was found is on disk."""
    count = 0

    def bounded(data: bytes) -> None:
        nonlocal count
        run(data)
        count += 1
        if count % LOOK_EVERY == 0 and resident_mb() > ROUND_MB:
            sys.stderr.write(f"#{count}\tmemory: {resident_mb():.0f} MB\n")
            sys.stderr.flush()
            os._exit(0)

    return bounded


def main() -> None:
    """Read the command line, and fuzz."""
    name, inputs, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    logging.disable(logging.CRITICAL)
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        from tests.fuzz.everything import targets

        target = targets()[name]
    if not (folder / "words").exists():
        begin(target, folder)
    fuzz(target.run, target.longest, inputs, folder)


if __name__ == "__main__":
    main()
