"""Messages that end the process: which one was being worked on is on disk, and what ended it twice is set apart.

While all is well one short note says that a process is at work. A process that finds such a note was preceded by one
that did not end in good order: for a while it takes messages one at a time and notes each before it touches it. Only
the end of a process matters here, not that of the machine, so nothing waits for the disk.
"""

from __future__ import annotations

import logging
import re
from hashlib import sha256
from pathlib import Path

import orjson

from gateway.broker.link import Incoming

log = logging.getLogger(__name__)

TIMES = 2
"""Ends of the process that one message is allowed to be found at."""
CAREFUL = 1_000
"""Messages that are taken one at a time after an end without good order."""
MOST_PARKED = 64
MOST_PARKED_BYTES = 16 * 2**20
"""What is kept for whoever looks into it; the oldest go first."""
NUMBER = re.compile(rb'"seq"\s{0,8}:\s{0,8}([0-9]{1,16})(?![0-9.eE])')
"""The number of an entry, read off without parsing what ends the parser."""
EPOCH = re.compile(rb'"epoch"\s{0,8}:\s{0,8}"([0-9a-f]{16})"')


class Parked:
    """The note, and the messages that were set apart.

    Args:
        history: Path of the history; the note and the folder lie beside it.
    """

    def __init__(self, history: Path) -> None:
        self._note = history.with_name(history.name + ".working")
        self._folder = history.with_name(history.name + ".parked")
        self.sums = {path.stem for path in self._folder.glob("*.message")}
        self._careful, self._suspect, self._times = self._read()
        self._write(b"at work")

    @property
    def careful(self) -> bool:
        """Whether messages are to be taken one at a time."""
        return self._careful > 0

    def begin(self, message: Incoming) -> bool:
        """Note that a message is worked on now; False if it has ended too many processes and is to be parked."""
        if not self.sums and not self.careful:
            return True
        found = sum_of(message)
        if found in self.sums:
            return False
        if not self.careful:
            return True
        times = self._times if found == self._suspect else 0
        if times >= TIMES:
            self._suspect = ""
            return False
        self._write(orjson.dumps({"sum": found, "times": times + 1}))
        return True

    def done(self) -> None:
        """Note that nothing is worked on: the message is stored, or what failed was an error in words."""
        if self.careful:
            self._careful -= 1
            self._write(b"at work")

    def park(self, message: Incoming) -> str:
        """Keep a message that ended the process; return the name of its file."""
        found = sum_of(message)
        path = self._folder / f"{found}.message"
        if found not in self.sums:
            self._folder.mkdir(mode=0o750, exist_ok=True)
            path.write_bytes(orjson.dumps({"topic": message.topic}) + b"\n" + message.payload)
            path.chmod(0o640)
            self.sums.add(found)
            self._make_room()
        return path.name

    def close(self) -> None:
        """Note that the process ends in good order."""
        self._note.unlink(missing_ok=True)

    def _read(self) -> tuple[int, str, int]:
        try:
            raw = self._note.read_bytes()
        except FileNotFoundError:
            return 0, "", 0
        try:
            fields = orjson.loads(raw)
            return CAREFUL, str(fields["sum"]), int(fields["times"])
        except (ValueError, KeyError, TypeError):
            return CAREFUL, "", 0

    def _write(self, text: bytes) -> None:
        try:
            self._note.write_bytes(text)
        except OSError as error:  # a full disk: then nothing is stored either
            log.debug("the note of what is worked on cannot be written: %s", error)

    def _make_room(self) -> None:
        kept = sorted(self._folder.glob("*.message"), key=lambda path: path.stat().st_mtime_ns)
        size = sum(path.stat().st_size for path in kept)
        while len(kept) > 1 and (len(kept) > MOST_PARKED or size > MOST_PARKED_BYTES):
            oldest = kept.pop(0)
            size -= oldest.stat().st_size
            oldest.unlink()
            self.sums.discard(oldest.stem)


def sum_of(message: Incoming) -> str:
    """Return by what a message is known again."""
    return sha256(message.topic.encode() + b"\0" + message.payload).hexdigest()


def numbers_in(payload: bytes, most: int) -> list[int]:
    """Return the numbers of the entries of a message, at most so many, without parsing it."""
    found: list[int] = []
    for match in NUMBER.finditer(payload):
        found.append(int(match[1]))
        if len(found) >= most:
            break
    return found


def epoch_in(payload: bytes) -> str:
    """Return the epoch that a message names, without parsing it; empty if there is none."""
    found = EPOCH.search(payload)
    return found[1].decode() if found else ""
