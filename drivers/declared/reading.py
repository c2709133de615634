"""Bytes to the values of whole lines, or of whole structs: what a declaration's form and framing say."""

from __future__ import annotations

import math
import string
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from drivers.declared.checksums import CHECKSUMS
from drivers.declared.declaration import Binary, Declaration, Text
from drivers.errors import MalformedFrameError
from drivers.exo_frame.framing import uncobs
from drivers.fixed_frames import FixedFrames

LONGEST_LINE: Final = 512  # bytes
NO_NUMBERS: Final = frozenset({b"nan", b"inf", b"ovf"})
"""What a microcontroller prints for a value that is no number, or none that it can print."""

PLAIN: Final = string.digits.encode() + b"+-.eE, \n"
"""All that stands in lines of plain numbers."""

UNCHECKED: Final[tuple[int, Callable[[bytes], int]]] = (0, lambda _: 0)

OVERSIZED = "a line that is too long"
OTHER_COUNT = "a line of another number of values than declared"
COMMAS = "a line of twice as many values as declared: has it decimal commas? Print decimal points"
COMMA = "a number with a decimal comma: print it with a decimal point"
NO_NUMBER = "a value that is no number"
NO_MATCH = "a line that the pattern does not fit"
OTHER_SIZE = "a struct of another size than declared"
CHECKSUM = "check sum"


class Reader(ABC):
    """Takes the bytes of one connection; the same values in any chunking.

    Args:
        faults: Where what cannot be read is counted.
    """

    def __init__(self, faults: Counter[str]) -> None:
        self._faults = faults

    @abstractmethod
    def take(self, data: bytes) -> Sequence[Any]:
        """Return the rows that these bytes complete, as `Meaning.table` wants them."""


class TextReader(Reader):
    """Lines of text.

    Args:
        form: What a line looks like.
        count: How many values it has.
        split: Whether lines end with their end; else with the notification.
        faults: As of `Reader`.
    """

    def __init__(self, form: Text, count: int, *, split: bool, faults: Counter[str]) -> None:
        super().__init__(faults)
        self._separator = form.separator if form.separator != b" " else None
        self._regex = form.pattern.regex if form.pattern else None
        self._count, self._split = count, split
        self._rest = b""
        self._lost = True  # the line that is coming has lost its beginning, or is longer than any can be

    def take(self, data: bytes) -> list[bytes]:
        """Return the lines that these bytes complete; not those that are empty."""
        lines = self._lines(data) if self._split else data.replace(b"\0", b"").splitlines()
        return [line for line in lines if line and (not line.isspace() or len(line) > LONGEST_LINE)]

    def numbers(self, line: bytes) -> list[float] | None:
        """Return the values of one line; None, and counted, where it cannot be read."""
        try:
            return self.row(line)
        except MalformedFrameError as problem:
            self._faults[str(problem)] += 1
            return None

    def row(self, line: bytes) -> list[float]:
        """Return the values of one line; raises MalformedFrameError."""
        if len(line) > LONGEST_LINE:
            raise MalformedFrameError(OVERSIZED)
        fields = line.split(self._separator) if self._regex is None else self._matched(line)
        if len(fields) != self._count:
            fields = self._counted(fields)
        try:
            if b"_" not in line:  # of a number, Python would make something of it
                return list(map(float, fields))  # type: ignore[arg-type]  # None goes the other way
        except (ValueError, TypeError):
            pass
        return [_number(field) for field in fields]

    def _matched(self, line: bytes) -> Sequence[bytes | None]:
        match = self._regex.fullmatch(line.strip()) if self._regex else None
        if match is None:
            raise MalformedFrameError(NO_MATCH)
        return match.groups()

    def _counted(self, fields: Sequence[bytes | None]) -> Sequence[bytes | None]:
        """Return the fields but for an empty one behind the last value; raises MalformedFrameError."""
        if len(fields) == self._count + 1 and not (fields[-1] or b"").strip():
            return fields[:-1]
        raise MalformedFrameError(COMMAS if self._separator == b"," and len(fields) == 2 * self._count else OTHER_COUNT)

    def _lines(self, data: bytes) -> list[bytes]:
        *whole, rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        if whole and self._lost:
            self._lost, whole = False, whole[1:]
        if self._lost or len(rest) > LONGEST_LINE:
            if not self._lost:
                self._faults[OVERSIZED] += 1
            self._lost, rest = True, b""
        self._rest = rest
        return whole


def plain_numbers(lines: Sequence[bytes], count: int) -> list[list[float]] | None:
    """Return the values of lines of so many plain numbers, with commas between; None where one line is another.

    All lines at once as one JSON text, whose numbers mean the same and are read in a tenth of the time.
    """
    text = b"\n".join(lines)
    if text.translate(None, PLAIN) or max(map(len, lines), default=0) > LONGEST_LINE:
        return None
    try:
        rows: list[list[float]] = orjson.loads(b"[[" + text.replace(b"\n", b"],[") + b"]]")
    except orjson.JSONDecodeError:
        return None
    return rows if set(map(len, rows)) == {count} else None


def _number(field: bytes | None) -> float:
    """Return the number in a field, NaN where it has none; raises MalformedFrameError."""
    text = (field or b"").strip()
    if not text or text.lstrip(b"+-").lower() in NO_NUMBERS:
        return math.nan
    if b"," in text:
        raise MalformedFrameError(COMMA)
    try:
        if b"_" not in text:
            return float(text)
    except ValueError:
        pass
    raise MalformedFrameError(NO_NUMBER)


class StructReader(Reader):
    """Structs, one behind the other.

    Args:
        form: What a struct looks like.
        framing: How they are told apart.
        faults: As of `Reader`.
    """

    def __init__(self, form: Binary, framing: str, faults: Counter[str]) -> None:
        super().__init__(faults)
        self._form, self._framing = form, framing
        self._sum_bytes, self._sum = CHECKSUMS.get(form.checksum, UNCHECKED)
        self._order: Any = "big" if form.big_endian else "little"
        self._size = len(form.mark) + form.layout.size + self._sum_bytes
        self._rest = b""
        self._begun = False  # a frame has ended: what comes before that may have lost its beginning
        if framing == "start":
            self._frames = FixedFrames(form.mark, self._size, self._holds, faults, sure=self._sum_bytes > 1)

    def take(self, data: bytes) -> list[bytes]:
        """Return the structs that these bytes complete."""
        begin, end = len(self._form.mark), len(self._form.mark) + self._form.layout.size
        if self._framing == "start":
            return [frame[begin:end] for frame in self._frames.cut(data)]
        if self._framing == "notification" and end - begin == self._size and not len(data) % self._size:
            return self._notified(data)  # bare structs: there is nothing to look at
        frames = self._notified(data) if self._framing == "notification" else self._decoded(data)
        found = []
        for frame in frames:
            if len(frame) != self._size or not frame.startswith(self._form.mark):
                self._faults[OTHER_SIZE] += 1
            elif not self._holds(frame):
                self._faults[CHECKSUM] += 1
            else:
                found.append(frame[begin:end])
        return found

    def _holds(self, frame: bytes) -> bool:
        if not self._sum_bytes:
            return True
        told = int.from_bytes(frame[-self._sum_bytes :], self._order)
        return self._sum(frame[self._form.checked_from : -self._sum_bytes]) == told

    def _notified(self, data: bytes) -> list[bytes]:
        """Return the frames of a notification: several may come in one."""
        if len(data) % self._size:
            return [data]
        return [data[at : at + self._size] for at in range(0, len(data), self._size)]

    def _decoded(self, data: bytes) -> list[bytes]:
        """Return the frames that zero bytes end, with their COBS taken off."""
        *whole, rest = (self._rest + data).split(b"\0")
        if whole and not self._begun:
            self._begun = True
            whole = whole[1:]
        most = self._size + self._size // 254 + 1
        self._rest = rest[: most + 1]  # a longer one is none, whatever follows
        found = []
        for frame in whole:
            try:
                if frame:
                    found.append(uncobs(frame) if len(frame) <= most else b"")
            except MalformedFrameError as problem:
                self._faults[str(problem)] += 1
        return found


def reader_of(declaration: Declaration, faults: Counter[str]) -> Reader:
    """Return a reader for a new connection."""
    form = declaration.form
    if isinstance(form, Text):
        split = declaration.framing == "lines"
        return TextReader(form, len(declaration.values), split=split, faults=faults)
    return StructReader(form, declaration.framing, faults)
