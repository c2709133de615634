"""A recording through the same pipeline: what the live run computed, again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from config.settings import Settings
from gateway.analysis.pipeline import Pipeline
from gateway.intake.frames import STEP_NS, Numbered, Origin
from gateway.model.measurement import Measurement
from gateway.recordings.recording import RecordingReader


class Replay:
    """Measurements of a recording, step by step.

    Attributes:
        settings: The configuration of the recorded run.
        pipeline: The pipeline that the recording is fed to.
    """

    def __init__(self, path: Path) -> None:
        """Open a recording; raises gateway.recording.RecordingError."""
        self._reader = RecordingReader(path)
        header = self._reader.header
        self.settings = Settings.model_validate(header.settings)
        self.pipeline = Pipeline(self.settings, Origin(header.origin_ns, header.origin_us), header.sessions)

    @property
    def whole(self) -> bool:
        """After the end: whether the recording had been stopped in order, rather than cut off."""
        return self._reader.whole

    def steps(self) -> Iterator[list[Measurement]]:
        """Yield the measurements of each step, then those that were still open when the run was stopped."""
        for end_ns, frames in self._reader.blocks():
            yield from self._block(end_ns, frames)
        if self.whole:
            yield self.pipeline.finish()
        self._reader.close()

    def _block(self, end_ns: int, frames: list[Numbered]) -> Iterator[list[Measurement]]:
        at = 0
        while self.pipeline.end_ns < end_ns:
            until = self.pipeline.end_ns + STEP_NS
            begin = at
            while at < len(frames) and frames[at][1].arrival_ns < until:
                at += 1
            yield self.pipeline.step(frames[begin:at])
