"""A recording gives way before anything else does, says why, and stays readable."""

from __future__ import annotations

import errno
import os
from fcntl import LOCK_NB, LOCK_SH, flock
from pathlib import Path
from threading import Event

import pytest

from drivers.packet import Frame
from gateway.recordings.recorder import BACKLOG_STEPS, DISK_TOO_SLOW, LOOK_EVERY_STEPS, RECORDING_STOPPED, Recorder
from gateway.recordings.recording import Header, RecordingReader, RecordingWriter
from tests.servers import wait_until

HEADER = Header({}, {}, 0, 0, "0")
STEP = [(0, Frame(7, "data", b"abc"))]


def frames_in(path: Path) -> tuple[int, bool]:
    reader = RecordingReader(path)
    count = sum(len(frames) for _, frames in reader.blocks())
    reader.close()
    return count, reader.whole


def test_what_is_recorded_is_read(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.rgrec", HEADER)
    for end in range(1, 51):
        recorder.step(end, STEP)
    recorder.close()
    assert frames_in(recorder.path) == (50, True)
    state = recorder.state()
    assert (state.recording, state.file, state.dropped, state.error) == (True, "run.rgrec", {}, "")
    assert state.bytes == recorder.path.stat().st_size


def test_a_disk_that_fills_up_ends_the_recording_first_and_leaves_it_readable(tmp_path: Path) -> None:
    free = [100]
    recorder = Recorder(tmp_path / "run.rgrec", HEADER, keep_free=50, free=lambda _: free[0])
    empty = recorder.state().bytes
    for end in range(1, LOOK_EVERY_STEPS + 1):
        recorder.step(end, STEP)
    wait_until(lambda: recorder.state().bytes > empty)
    free[0] = 49
    for end in range(LOOK_EVERY_STEPS + 1, 3 * LOOK_EVERY_STEPS + 1):
        recorder.step(end, STEP)
    wait_until(lambda: recorder.error)
    assert recorder.error == "recording stopped: the disk is nearly full"
    free[0] = 100  # room again: a recording with a hole would be no recording
    recorder.close()
    assert recorder.dropped == {RECORDING_STOPPED: 2 * LOOK_EVERY_STEPS}
    assert frames_in(recorder.path) == (LOOK_EVERY_STEPS, False)


def test_a_full_disk_is_reported_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(tmp_path / "run.rgrec", HEADER)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(RecordingWriter, "step", full)
    for end in range(1, 11):
        recorder.step(end, STEP)
    recorder.close()
    assert recorder.error == "recording stopped: no space left on device"
    assert not recorder.state().recording


def test_a_disk_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    hang, hangs = Event(), Event()

    def free(_: Path) -> int:
        hangs.set()
        hang.wait(30)
        return 100

    recorder = Recorder(tmp_path / "run.rgrec", HEADER, keep_free=50, free=free)
    for end in range(1, LOOK_EVERY_STEPS + 1):
        recorder.step(end, STEP)
    assert hangs.wait(30)
    for end in range(LOOK_EVERY_STEPS + 1, LOOK_EVERY_STEPS + BACKLOG_STEPS + 101):
        recorder.step(end, STEP)
    assert recorder.dropped[DISK_TOO_SLOW] >= 100
    assert recorder.state().error == "recording stopped: the disk is too slow"
    hang.set()
    recorder.close()


def test_a_file_that_is_removed_ends_the_recording_with_a_word(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.rgrec", HEADER)
    recorder.path.unlink()
    for end in range(1, 2 * LOOK_EVERY_STEPS):
        recorder.step(end, STEP)
    recorder.close()
    assert recorder.state().error == "recording stopped: its file was removed"


def test_a_recording_is_closed_to_others_and_held_while_it_is_written(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        recorder = Recorder(tmp_path / "recordings" / "run.rgrec", HEADER)
    finally:
        os.umask(before)
    with recorder.path.open("rb") as other:
        with pytest.raises(BlockingIOError):
            flock(other, LOCK_SH | LOCK_NB)
        recorder.close()
        flock(other, LOCK_SH | LOCK_NB)
    assert recorder.path.stat().st_mode & 0o777 == 0o640
    assert recorder.path.parent.stat().st_mode & 0o777 == 0o750
