"""Keeps what arrives: a thread writes recordings so that a slow disk never holds up a radio."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gateway.recording import Header, Numbered, RecordingWriter

BACKLOG_STEPS = 1200  # one minute of steps: a disk that is away for longer costs the recording, not the run


class Recorder:
    """Writes pipeline steps to a recording on a thread of its own.

    Attributes:
        path: The file.
        dropped: Steps that the disk was too slow for, by reason.
        error: Why recording ended before the run did; empty while all is well.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.dropped: Counter[str] = Counter()
        self.error = ""
        self._writer = RecordingWriter(path, header)
        self._steps: queue.Queue[tuple[int, Sequence[Numbered]] | None] = queue.Queue(BACKLOG_STEPS)
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    def step(self, end_ns: int, frames: Sequence[Numbered]) -> None:
        """Queue the frames of one step."""
        try:
            self._steps.put_nowait((end_ns, frames))
        except queue.Full:
            self.dropped["disk too slow"] += 1

    def close(self) -> None:
        """Write what is queued and end the recording."""
        self._steps.put(None)
        self._thread.join()

    def _write(self) -> None:
        try:
            with self._writer:
                while (item := self._steps.get()) is not None:
                    self._writer.step(*item)
        except OSError as problem:
            self.error = f"recording stopped: {problem.strerror}"
            while self._steps.get() is not None:
                self.dropped["recording stopped"] += 1
