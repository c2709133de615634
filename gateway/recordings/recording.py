r"""Recordings of what the devices sent: every frame with its arrival, in blocks that survive a torn end.

Layout: ``RGREC1\n``, then blocks of ``<IIIq`` (stored bytes, raw bytes, CRC-32 of the stored bytes, end of the
pipeline step in monotonic nanoseconds) and a zstd-compressed body. The first body is the header (JSON); all others
are frames: ``<HBIq`` (device number, length of the channel name, length of the data, arrival), name, data.
A body of raw length 0 with step end 0 closes a recording that was stopped in order.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any, Self

import orjson
import zstandard

from config import plain_file
from drivers.packet import Frame
from gateway.intake.frames import NO_DEVICE, WARD_CHANNEL, Numbered
from gateway.machine.file_place import identity
from gateway.machine.private_files import FOLDER_MODE, create_private

MAGIC = b"RGREC1\n"
BLOCK = struct.Struct("<IIIq")
RECORD = struct.Struct("<HBIq")
LEVEL = 1  # zstd: sensor noise does not get smaller for more work
MAX_BODY = 64 << 20  # a larger raw block is not one of ours
STEPS_A_BLOCK = 20  # one second: what a power cut may cost the recording


class RecordingError(Exception):
    """A file that is not a recording, or of a version that this program does not read."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a replay needs to be the same run.

    Attributes:
        settings: The configuration as loaded, in plain types; no secrets (these live in files of their own).
        sessions: Session id of each slot.
        origin_ns: Monotonic time that is second 0 of the pipeline.
        origin_us: UTC at that instant, microseconds.
        version: Version of the product that recorded.
        arithmetic: What computed the run (`gateway.machine.arithmetic`); empty where that is not known.
        going_on: Slots whose session began before the run, each with what was marked in it until then.
    """

    settings: dict[str, Any]
    sessions: dict[str, str]
    origin_ns: int
    origin_us: int
    version: str
    arithmetic: str = ""
    going_on: dict[str, list[str]] = field(default_factory=dict)


class RecordingWriter:
    """Appends pipeline steps to a file; one block a second."""

    def __init__(self, path: Path, header: Header) -> None:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self.path = path
        # Locked while it is written: whoever clears up old recordings can tell, and a second writer is refused.
        self._file = create_private(path)
        flock(self._file, LOCK_EX | LOCK_NB)
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)
        self._body = bytearray()
        self._steps = 0
        self._end_ns = 0
        self.bytes = 0
        self._file.write(MAGIC)
        self._write(orjson.dumps(header), header.origin_ns)

    def step(self, end_ns: int, frames: Sequence[Numbered]) -> None:
        """Record the frames of one pipeline step; ``end_ns`` is the end of its window of arrival."""
        for device, frame in frames:
            channel = frame.channel.encode()
            self._body += RECORD.pack(device, len(channel), len(frame.data), frame.arrival_ns) + channel + frame.data
        self._end_ns = end_ns
        self._steps += 1
        if self._steps >= STEPS_A_BLOCK:
            self._flush()

    def has_its_name(self) -> bool:
        """Whether the file still is what its path names: one that was removed is lost with the end of the run."""
        here = os.fstat(self._file.fileno())
        return identity(self.path) == (here.st_dev, here.st_ino)

    def close(self) -> None:
        """Write what is left and mark the recording as whole."""
        if not self._file.closed:
            self._flush()
            self._write(b"", 0)
            self._file.close()

    def break_off(self) -> None:
        """Write what is left and end before the run does: a reader finds the recording cut off, which it is."""
        if not self._file.closed:
            self._flush()
            self._file.close()

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _flush(self) -> None:
        if self._steps:
            self._write(bytes(self._body), self._end_ns)
            self._body.clear()
            self._steps = 0

    def _write(self, body: bytes, end_ns: int) -> None:
        stored = self._compressor.compress(body)
        self._file.write(BLOCK.pack(len(stored), len(body), zlib.crc32(stored), end_ns) + stored)
        self._file.flush()
        self.bytes = self._file.tell()


class RecordingReader:
    """Reads a recording back, as far as it is whole.

    Attributes:
        header: What the run was.
        whole: After reading to the end: False if the recording was cut off.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.whole = False
        try:
            plain_file.look(path)
            self._file = path.open("rb")
            self._size = max(1, os.fstat(self._file.fileno()).st_size)
        except OSError as problem:
            raise RecordingError(f"{path}: cannot be read ({problem.strerror})") from None
        try:
            self.header = self._read_header()
        except RecordingError:
            self._file.close()
            raise

    def blocks(self) -> Iterator[tuple[int, list[Numbered]]]:
        """Yield (end of the last step in the block, frames) in order; stop at the end or where it is torn."""
        while (block := self._read()) is not None:
            end_ns, body = block
            if end_ns == 0:
                self.whole = True
                return
            try:
                frames = list(_frames(body))
            except (struct.error, UnicodeDecodeError):  # its check sum is right, and yet it is none of ours
                return
            yield end_ns, frames

    @property
    def share_read(self) -> float:
        """How much of the file has been read, 0 to 1."""
        return min(1.0, self._file.tell() / self._size) if not self._file.closed else 1.0

    def wards(self, looked: Callable[[float], None] | None = None) -> Iterator[bytes]:
        """Yield each change of the ward that was recorded; ``looked`` is told how much has been read, 0 to 1."""
        for _, frames in self.blocks():
            if looked is not None:
                looked(self.share_read)
            for number, frame in frames:
                if number == NO_DEVICE and frame.channel == WARD_CHANNEL:
                    yield frame.data

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read_header(self) -> Header:
        if self._file.read(len(MAGIC)) != MAGIC:
            raise RecordingError(f"{self.path}: not a recording of this gateway (it does not start with {MAGIC!r})")
        first = self._read()
        if first is None:
            raise RecordingError(f"{self.path}: the recording is cut off before its header ends")
        try:
            header = Header(**orjson.loads(first[1]))
        except (TypeError, ValueError):
            raise RecordingError(f"{self.path}: the header is not one that this program reads") from None
        numbers = type(header.origin_ns) is int and type(header.origin_us) is int
        if not (
            numbers
            and isinstance(header.arithmetic, str)
            and isinstance(header.settings, dict)
            and isinstance(header.sessions, dict)
            and isinstance(header.going_on, dict)
        ):
            raise RecordingError(f"{self.path}: the header is not one that this program reads")
        return header

    def _read(self) -> tuple[int, bytes] | None:
        head = self._file.read(BLOCK.size)
        if len(head) < BLOCK.size:
            return None
        stored_size, raw_size, crc, end_ns = BLOCK.unpack(head)
        stored = self._file.read(min(stored_size, MAX_BODY))
        if len(stored) != stored_size or zlib.crc32(stored) != crc or raw_size > MAX_BODY:
            return None
        if not raw_size:
            return end_ns, b""
        try:
            # zstandard makes room for what the frame itself says, whatever we allow: ask first.
            if zstandard.frame_content_size(stored) != raw_size:
                return None
            return end_ns, zstandard.ZstdDecompressor().decompress(stored, max_output_size=raw_size)
        except zstandard.ZstdError:
            return None


def _frames(body: bytes) -> Iterator[Numbered]:
    at = 0
    while at < len(body):
        device, name_size, size, arrival_ns = RECORD.unpack_from(body, at)
        at += RECORD.size
        channel = body[at : at + name_size].decode()
        at += name_size
        yield device, Frame(arrival_ns, channel, body[at : at + size])
        at += size
