"""Keeps what arrives: a thread writes recordings so that a slow disk never holds up a radio."""

from __future__ import annotations

import queue
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.intake.frames import Numbered
from gateway.recordings.recording import Header, RecordingWriter

BACKLOG_STEPS = 1200  # one minute of steps: a disk that is away for longer costs the recording, not the run
LOOK_EVERY_STEPS = 20  # one second: between two looks at the free space

DISK_TOO_SLOW = "disk too slow"
RECORDING_STOPPED = "recording stopped"


@dataclass(frozen=True, slots=True)
class RecorderState:
    """How recording goes.

    Attributes:
        recording: Whether what arrives is being written.
        file: Name of the file, without its folder.
        bytes: Its size so far.
        dropped: Steps that are not in it, by reason.
        error: Why recording ended before the run did; empty while all is well.
    """

    recording: bool
    file: str
    bytes: int
    dropped: dict[str, int] = field(default_factory=dict)
    error: str = ""


class Recorder:
    """Writes pipeline steps to a recording on a thread of its own.

    A recording is the first thing to go when the disk fills up: the outbox needs the room more. It does not begin
    again within the run, for a replay needs the run from its start.

    Args:
        path: The file to make.
        header: What a replay needs to know.
        keep_free: Bytes that recording leaves free on the disk.
        free: Tells how many bytes are free there.

    Attributes:
        path: The file.
        dropped: Steps that are not in the recording, by reason.
        error: Why recording ended before the run did; empty while all is well.
    """

    def __init__(
        self, path: Path, header: Header, *, keep_free: int = 0, free: Callable[[Path], int] | None = None
    ) -> None:
        self.path = path
        self.dropped: Counter[str] = Counter()
        self.error = ""
        self._keep_free = keep_free
        self._free = free or free_bytes
        self._writer = RecordingWriter(path, header)
        self._steps: queue.Queue[tuple[int, Sequence[Numbered]] | None] = queue.Queue(BACKLOG_STEPS)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def step(self, end_ns: int, frames: Sequence[Numbered]) -> None:
        """Queue the frames of one step."""
        try:
            self._steps.put_nowait((end_ns, frames))
        except queue.Full:
            # A hole would make every later step of the replay another one: what is whole so far stays whole.
            self.dropped[DISK_TOO_SLOW] += 1
            self.error = self.error or "recording stopped: the disk is too slow"

    def state(self) -> RecorderState:
        """Return how recording goes."""
        return RecorderState(not self.error, self.path.name, self._writer.bytes, dict(self.dropped), self.error)

    def close(self) -> None:
        """Write what is queued and end the recording."""
        self._steps.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._writer:
                self._write()
        except OSError as problem:
            self.error = f"recording stopped: {(problem.strerror or str(problem)).lower()}"
            self._drain()

    def _write(self) -> None:
        number = 0
        while (item := self._steps.get()) is not None:
            if number % LOOK_EVERY_STEPS == 0 and not self.error:
                self._look()
            if self.error:
                self._writer.break_off()
                self.dropped[RECORDING_STOPPED] += 1
            else:
                self._writer.step(*item)
            number += 1

    def _look(self) -> None:
        if not self._writer.has_its_name():
            self.error = "recording stopped: its file was removed"
        elif self._free(self.path) < self._keep_free:
            self.error = "recording stopped: the disk is nearly full"

    def _drain(self) -> None:
        while self._steps.get() is not None:
            self.dropped[RECORDING_STOPPED] += 1


def free_bytes(path: Path) -> int:
    """Return how many bytes a program without privileges may still write beside a file."""
    return shutil.disk_usage(path.parent).free
