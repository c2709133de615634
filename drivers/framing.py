"""From the bytes of a serial port to whole messages that begin with a mark, tell their length and end with a check sum.

A port keeps no boundaries, bytes get lost, and a mark may occur in data: a message counts only if its check sum is
right, and the search goes on at the byte behind a mark that was none. The same messages are found in any chunking.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.driver import Link
from drivers.errors import DialogueError, MalformedFrameError

SKIPPED: Final = "bytes that belong to no message"
BAD_SUM: Final = "check sum"
MOST_BYTE_WAIT_S: Final = 1.0  # between two bytes of an answer: beyond it nothing more comes


Rows = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Form:
    """How messages of a protocol look.

    Attributes:
        mark: The bytes that a message begins with.
        longest_head: Bytes from which on `size` surely knows.
        size: Number of bytes of the message that begins at a place; 0 while its head is not whole.
        whole: Whether the check sum of a message is right.
        whole_rows: The same (n,) of messages (n, size).
    """

    mark: bytes
    longest_head: int
    size: Callable[[bytes, int], int]
    whole: Callable[[bytes], bool]
    whole_rows: Callable[[Rows], NDArray[np.bool_]]

    def message(self, data: bytes) -> bytes:
        """Return the bytes if they are exactly one message; raises MalformedFrameError."""
        if not data.startswith(self.mark) or self.size(data, 0) != len(data):
            raise MalformedFrameError("no whole message")
        if not self.whole(data):
            raise MalformedFrameError(BAD_SUM)
        return data


class Found(NamedTuple):
    """Messages of one connection.

    Attributes:
        messages: In order.
        arrival_ns: Arrival of the last byte of each.
    """

    messages: list[bytes]
    arrival_ns: list[int]


class Messages:
    """Cuts the bytes of one connection into messages.

    Args:
        form: How they look.
        faults: Where bytes that belong to none, and wrong check sums, are counted.

    Attributes:
        rest: Bytes that are undecided yet.
    """

    def __init__(self, form: Form, faults: Counter[str]) -> None:
        self._form = form
        self._faults = faults
        self.rest = b""

    def cut(self, pieces: Iterable[tuple[int, bytes]], *, trusting: bool = False) -> Found | None:
        """Return the messages that these bytes complete.

        Args:
            pieces: Bytes, with their arrival.
            trusting: Leave the check sums for whoever asked: most bytes are nothing but messages. None, and nothing is
                counted, where others stand between them; `rest` is then to be set back.
        """
        mark, size_of, whole = self._form.mark, self._form.size, self._form.whole
        found = Found([], [])
        messages, arrived = found
        for arrival_ns, new in pieces:
            if trusting and not self.rest and new.startswith(mark) and size_of(new, 0) == len(new):  # as most are
                messages.append(new)
                arrived.append(arrival_ns)
                continue
            data = self.rest + new
            at, end = 0, len(data)
            while at < end:
                if not data.startswith(mark, at):
                    if trusting and not mark.startswith(data[at:]):
                        return None
                    at = self._skipped(data, at)
                    if end - at < len(mark):
                        break
                size = size_of(data, at)
                if not size or at + size > end:
                    break
                message = data[at : at + size]
                if trusting or whole(message):
                    messages.append(message)
                    arrived.append(arrival_ns)
                    at += size
                else:
                    self._faults[BAD_SUM] += 1
                    at = self._skipped(data, at)
            self.rest = data[at:]
        return found

    def _skipped(self, data: bytes, at: int) -> int:
        """Return where a message could begin behind ``at``, and count what lies between."""
        mark = self._form.mark
        begin = at if not data.startswith(mark, at) else at + 1
        found = data.find(mark, begin)
        if found < 0:
            found = len(data)
            for size in range(min(len(mark) - 1, len(data) - begin), 0, -1):
                if data.endswith(mark[:size]):
                    found -= size
                    break
        if found > at:
            self._faults[SKIPPED] += found - at
        return found


async def next_message(link: Link, form: Form) -> bytes:
    """Take bytes off a link, during a dialogue, up to the end of the next whole message. Raises DialogueError."""
    taken = b""
    while True:
        start = taken.find(form.mark)
        taken = taken[start:] if start >= 0 else taken[-len(form.mark) + 1 :]
        size = form.size(taken, 0) if start >= 0 else 0
        if size and len(taken) >= size:
            if form.whole(taken[:size]):
                return taken[:size]  # only behind garbage was more than it taken, and a stream finds itself again
            taken = taken[1:]
            continue
        taken += await link.receive(size - len(taken) if size else 1, timeout_s=MOST_BYTE_WAIT_S)


async def answer(link: Link, form: Form, is_it: Callable[[bytes], bool], within_s: float) -> bytes:
    """Return the first message that is the answer, whatever streams meanwhile.

    Raises:
        DialogueError: none came in time.
    """
    try:
        async with asyncio.timeout(within_s):
            while True:
                message = await next_message(link, form)
                if is_it(message):
                    return message
    except TimeoutError:
        raise DialogueError(f"no answer within {within_s:g} s") from None
