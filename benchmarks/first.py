"""Run by `benchmarks.start` in a process of its own: a recording until its first stride is on disk."""

from __future__ import annotations

import sys
from pathlib import Path

from gateway.analysis.warm_up import warm_up
from gateway.outbox.outbox import Outbox
from gateway.recordings.replay import Replay


def main() -> None:
    """Take the recording and a folder for the outbox from the command line."""
    warm_up()
    outbox = Outbox(Path(sys.argv[2]) / "outbox.db")
    for measurements in Replay(Path(sys.argv[1])).steps():
        outbox.append(measurements)
        if any(measurement.metric == "stride_time" for measurement in measurements):
            outbox.flush()
            print("stored", flush=True)
            return
    raise SystemExit("the recording holds no stride")


if __name__ == "__main__":
    main()
