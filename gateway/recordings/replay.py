"""A recording through the same pipeline: what the live run computed, again, or would have with other settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from config.settings import Settings
from gateway.analysis.pipeline import Pipeline
from gateway.intake.frames import NO_DEVICE, STEP_NS, WARD_CHANNEL, Numbered, Origin
from gateway.intake.intakes import Intakes
from gateway.model.measurements import Measurements
from gateway.model.ward import Ward, decode_ward, encode_ward, sessions_of, settings_of, ward_of
from gateway.recordings.recording import RecordingReader
from gateway.recordings.trial import Trial


class Replay:
    """Measurements of a recording, step by step.

    Args:
        path: The recording.
        trial: What is tried in place of what the recording says; None for the run as it was.

    Attributes:
        path: The recording.
        settings: The configuration of the recorded run, with what is tried.
        pipeline: The pipeline that the recording is fed to.
        arithmetic: What computed the recorded run; empty where that is not known.
        sessions: Ids of the sessions that were in force in the run, as far as it has been replayed.

    Raises:
        gateway.recordings.recording.RecordingError: The file is not a recording.
    """

    def __init__(self, path: Path, trial: Trial | None = None) -> None:
        self.path = path
        self._reader = RecordingReader(path)
        header = self._reader.header
        self.arithmetic = header.arithmetic
        self._trial = trial
        recorded = Settings.model_validate(header.settings)
        ward = ward_of(recorded, header.sessions, header.going_on)
        self.settings = recorded if trial is None else settings_of(recorded, trial.put_into(ward))
        self.pipeline = Pipeline(
            self.settings, Origin(header.origin_ns, header.origin_us), header.sessions, going_on=header.going_on
        )
        self.sessions = dict.fromkeys(header.sessions.values())
        self._recorded = Intakes(header.origin_ns)  # numbers the devices as the recorded run did
        self._wear(ward)

    @property
    def whole(self) -> bool:
        """After the end: whether the recording had been stopped in order, rather than cut off."""
        return self._reader.whole

    @property
    def share_read(self) -> float:
        """How much of the recording has been read, 0 to 1."""
        return self._reader.share_read

    def steps(self) -> Iterator[Measurements]:
        """Yield the measurements of each step, then those that were still open when the run was stopped."""
        for end_ns, frames in self._reader.blocks():
            yield from self._block(end_ns, frames)
        if self.whole:
            yield self.pipeline.finish()
        self._reader.close()

    def _block(self, end_ns: int, frames: list[Numbered]) -> Iterator[Measurements]:
        at = 0
        while self.pipeline.end_ns < end_ns:
            until = self.pipeline.end_ns + STEP_NS
            begin = at
            while at < len(frames) and frames[at][1].arrival_ns < until:
                at += 1
            yield self.pipeline.step(self._as_tried(frames[begin:at]))

    def _as_tried(self, frames: Sequence[Numbered]) -> Sequence[Numbered]:
        """Note the changes of the ward in a step; return its frames as what is tried has them."""
        payloads = [f.data for number, f in frames if number == NO_DEVICE and f.channel == WARD_CHANNEL]
        wards = [ward for payload in payloads if (ward := _ward(payload)) is not None]
        for ward in wards:
            self.sessions |= dict.fromkeys(sessions_of(ward).values())
        if self._trial is None:
            return frames
        numbers = {intake.device.id: number for number, intake in enumerate(self.pipeline.intakes)}
        tried = [self._tried(numbered, self._trial, numbers) for numbered in frames]
        for ward in wards:
            self._wear(ward)
        return tried

    def _tried(self, numbered: Numbered, trial: Trial, numbers: Mapping[str, int]) -> Numbered:
        """Return a frame as what is tried has it: with its device's number there, a ward with other settings.

        A device whose options were changed in the run became another one then, with a number of its own; with the tried
        ones throughout it may have stayed the same.
        """
        number, frame = numbered
        if number != NO_DEVICE:
            return numbers.get(self._name(number), number), frame
        ward = _ward(frame.data) if frame.channel == WARD_CHANNEL else None
        return numbered if ward is None else (number, frame._replace(data=encode_ward(trial.put_into(ward))))

    def _wear(self, ward: Ward) -> None:
        self._recorded.wear([(device, bed.slot.id) for bed in ward for device in bed.slot.device])

    def _name(self, recorded: int) -> str:
        """Return the id of a device by its number in the recorded run."""
        return self._recorded.all[recorded].device.id


def wards_in(path: Path, looked: Callable[[float], None]) -> Iterator[Ward]:
    """Yield the ward that a recording begins with, and that after each change in it.

    Args:
        path: The recording.
        looked: Told, now and then, how much has been read, 0 to 1.

    Raises:
        gateway.recordings.recording.RecordingError: The file is not a recording.
    """
    reader = RecordingReader(path)
    try:
        header = reader.header
        yield ward_of(Settings.model_validate(header.settings), header.sessions, header.going_on)
        for payload in reader.wards(looked):
            if (ward := _ward(payload)) is not None:
                yield ward
    finally:
        reader.close()


def _ward(payload: bytes) -> Ward | None:
    """Return a recorded ward; None where the pipeline passes it over too."""
    try:
        return decode_ward(payload)
    except ValueError:
        return None
