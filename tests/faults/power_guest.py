"""What runs inside the virtual machine: an outbox on the machine's own disk, filled until the power goes.

Speaks over the serial console: ``OPENED epoch last_seq rows wrong set_aside``, then ``DURABLE epoch seq`` after each
commit.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import orjson

from gateway.outbox.outbox import Outbox
from tests.faults.content import RUN_FACTOR, made

RATE = 100
"""Measurements a second: the emulated processor is slow."""
STEP_S = 0.05
PAGE = 1_000


def main() -> None:
    """Open, say what is there, and unless told to stop there, append for ever."""
    folder, run, only_look = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "look"
    outbox = Outbox(folder / "outbox.db")
    state = outbox.state()
    rows, wrong = 0, 0
    while page := outbox.read(rows, PAGE):
        wrong += sum(row.seq != rows + i or not whole(row.payload) for i, row in enumerate(page, 1))
        rows += len(page)
    write_line("")  # ends what the firmware left on the line
    write_line(f"OPENED {state.epoch} {state.durable_seq} {rows} {wrong} {state.set_aside}")
    if only_look:
        return
    outbox.subscribe(lambda: write_line(f"DURABLE {outbox.epoch} {outbox.state().durable_seq}"))
    number = run * RUN_FACTOR
    while True:
        n = int(RATE * STEP_S)
        outbox.append([made(number + k) for k in range(n)])
        number += n
        time.sleep(STEP_S)


def whole(payload: bytes) -> bool:
    """Whether a row is what was made."""
    fields = orjson.loads(payload)
    expected: dict[str, object] = orjson.loads(orjson.dumps(made(int(fields["value"]))))
    return all(fields[name] == value for name, value in expected.items())


def write_line(text: str) -> None:
    """Write a line to the console at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
