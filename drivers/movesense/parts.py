"""Payloads longer than a notification: a first and a second part, which have to be told from whole ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Final, NamedTuple

from drivers.movesense.messages import DATA_PART_2, Message

SHORTEST_FIRST: Final = 18  # bytes: the shortest connection carries 20, and a first part fills it


class Payload(NamedTuple):
    """A payload that is whole.

    Attributes:
        arrival_ns: Of its last part.
        reference: Of its subscription.
        data: The bytes.
    """

    arrival_ns: int
    reference: int
    data: bytes


class Parts:
    """Joins the parts of one connection.

    Nothing in a first part says that it is one, and its length may be that of a whole payload. So one of a new length
    is kept until the next message shows what it was: a second part, or another message. From then on it is known.

    Args:
        faults: Counts what does not fit.
        is_whole: Whether a payload can be read as it is.
    """

    def __init__(self, faults: Counter[str], is_whole: Callable[[int, bytes], bool]) -> None:
        self._faults = faults
        self._is_whole = is_whole
        self._whole: defaultdict[int, set[int]] = defaultdict(set)  # lengths by reference
        self._first: defaultdict[int, set[int]] = defaultdict(set)
        self._kept: Payload | None = None

    def add(self, arrival_ns: int, message: Message) -> list[Payload]:
        """Take a message with data; return the payloads that are whole now."""
        kept, self._kept = self._kept, None
        reference, data = message.reference, message.payload
        if message.kind == DATA_PART_2:
            if kept is not None and kept.reference == reference:
                self._first[reference].add(len(kept.data))
                self._whole[reference].discard(len(kept.data))
                return [Payload(arrival_ns, reference, kept.data + data)]
            self._faults["second part without a first"] += 1
            self._whole[reference].clear()  # one of them was a first part: they are to be told anew
            return self._settled(kept)
        done = self._settled(kept)
        payload = Payload(arrival_ns, reference, data)
        if len(data) < SHORTEST_FIRST or len(data) in self._whole[reference]:
            return [*done, payload]
        self._kept = payload
        return done

    def _settled(self, kept: Payload | None) -> list[Payload]:
        """Return what was kept and had no second part."""
        if kept is None:
            return []
        if len(kept.data) in self._first[kept.reference]:
            self._faults["first part without a second"] += 1
            return []
        if self._is_whole(kept.reference, kept.data):
            self._whole[kept.reference].add(len(kept.data))
        return [kept]
