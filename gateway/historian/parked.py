"""Messages that end the process: which one was being worked on is on disk, and what ended it twice is set apart.

A note beside the history says which messages are being stored. A process that finds one was preceded by another that
ended in the middle of these: it takes each of them alone when it comes again, and all the others in groups, as ever. A
note that cannot be read may have named any message: then all are taken alone for a while. Only the end of a process
matters here, not that of the machine, so nothing waits for the disk.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import orjson

from gateway.broker.link import Incoming

log = logging.getLogger(__name__)

TIMES = 2
"""Ends of the process that one message is allowed to be found at."""
CAREFUL = 1_000
"""Messages that are taken one at a time after a note that cannot be read."""
MOST_PARKED = 64
MOST_PARKED_BYTES = 16 * 2**20
"""What is kept for whoever looks into it; the oldest go first."""
NUMBER = re.compile(rb'"seq"\s{0,8}:\s{0,8}([0-9]{1,16})(?![0-9.eE])')
"""The number of an entry, read off without parsing what ends the parser."""
EPOCH = re.compile(rb'"epoch"\s{0,8}:\s{0,8}"([0-9a-f]{16})"')


class Suspect(NamedTuple):
    """A message that was being worked on when a process ended.

    It is known again by its sum, or by its numbers: what an outbox sends once more is often cut into other messages.

    Attributes:
        sum: See `sum_of`.
        gateway: Whose it is.
        epoch: Life of the outbox; empty if it names none.
        first: Its first number; 0 if it has none.
        last: Its last number.
    """

    sum: str
    gateway: str
    epoch: str
    first: int
    last: int

    def is_like(self, other: Suspect) -> bool:
        """Whether a message may hold what another held."""
        same = (self.gateway, self.epoch) == (other.gateway, other.epoch) and bool(self.first and other.first)
        return self.sum == other.sum or (same and self.first <= other.last and other.first <= self.last)


class Parked:
    """The note, and the messages that were set apart.

    Args:
        history: Path of the history; the note and the folder lie beside it.
    """

    def __init__(self, history: Path) -> None:
        self._note = history.with_name(history.name + ".working")
        self._folder = history.with_name(history.name + ".parked")
        self.sums = {path.stem for path in self._folder.glob("*.message")}
        self._careful = 0
        self._suspects: list[Suspect] = []
        self._alone, self._times = "", 0  # the sum of one that was taken alone, and how often that ended a process
        self._working: list[Suspect] = []
        self._read()
        self._write({})

    @property
    def careful(self) -> bool:
        """Whether some messages are to be taken alone."""
        return self._careful > 0 or bool(self._suspects)

    def groups(self, messages: Sequence[Incoming]) -> Iterator[list[Incoming]]:
        """Yield messages in their order, those that are to be taken alone alone and the others together."""
        group: list[Incoming] = []
        for message in messages:
            if self.careful and self._is_suspect(suspect(message)):
                if group:
                    yield group
                yield [message]
                group = []
            else:
                group.append(message)
        if group:
            yield group

    def begin(self, *messages: Incoming) -> list[Incoming]:
        """Note that messages are worked on now; return them without those that have ended too many processes."""
        allowed, working = [], []
        for message in messages:
            found = suspect(message)
            if found.sum in self.sums or (found.sum == self._alone and self._times >= TIMES):
                continue
            allowed.append(message)
            working.append(found)
        note: dict[str, object] = {"working": [tuple(found) for found in working]}
        if len(working) == 1 and self._is_suspect(working[0]):
            times = self._times if working[0].sum == self._alone else 0
            note |= {"sum": working[0].sum, "times": times + 1}
        self._working = working
        self._write(note)
        return allowed

    def done(self) -> None:
        """Note that nothing is worked on: the messages are stored, or what failed was an error in words."""
        if self._suspects:
            stored = {found.sum for found in self._working}
            self._suspects = [each for each in self._suspects if each.sum not in stored]
        self._careful = max(0, self._careful - len(self._working))
        self._working = []
        self._write({})

    def _is_suspect(self, found: Suspect) -> bool:
        return self._careful > 0 or any(found.is_like(each) for each in self._suspects)

    def park(self, message: Incoming) -> str:
        """Keep a message that ended the process; return the name of its file."""
        found = sum_of(message)
        path = self._folder / f"{found}.message"
        if found not in self.sums:
            self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            path.write_bytes(orjson.dumps({"topic": message.topic}) + b"\n" + message.payload)
            path.chmod(0o640)
            self.sums.add(found)
            self._make_room()
        return path.name

    def close(self) -> None:
        """Note that the process ends in good order."""
        self._note.unlink(missing_ok=True)

    def _read(self) -> None:
        try:
            fields = orjson.loads(self._note.read_bytes())
            self._suspects = [
                Suspect(str(named), str(gateway), str(epoch), int(first), int(last))
                for named, gateway, epoch, first, last in fields.get("working", ())
            ]
            if "sum" in fields:
                self._alone, self._times = str(fields["sum"]), int(fields["times"])
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, AttributeError):
            self._careful, self._suspects = CAREFUL, []

    def _write(self, note: dict[str, object]) -> None:
        try:
            self._note.write_bytes(orjson.dumps(note))
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


def suspect(message: Incoming) -> Suspect:
    """Return by what a message is known again, without parsing it."""
    payload = message.payload
    first = NUMBER.search(payload)
    last = NUMBER.search(payload, max(payload.rfind(b'"seq"'), 0)) or first
    gateway = message.topic.split("/")[3] if message.topic.count("/") > 3 else ""
    span = (int(first[1]), int(last[1])) if first and last else (0, 0)
    return Suspect(sum_of(message), gateway, epoch_in(payload), *span)


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
