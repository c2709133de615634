"""What has arrived without a hole, and the receipt that says so.

A receipt names one number: everything up to it is stored. It can be repeated, delayed or lost without harm, because the
next one says more; that is why it, and not a broker's acknowledgement, lets a measurement leave the outbox. A historian
that has its part of the measurements only says besides which numbers beyond it has, one bit each.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

PAYLOAD_VERSION = 1
EPOCH = re.compile(r"[0-9a-f]{16}")
MAX_SEQ = 2**53
"""Numbers in JSON are exact up to here in every language that may read them."""
WINDOW = 32_768
"""Numbers beyond the first hole that one receipt speaks of: seven minutes of a ward of twenty."""
UNLISTED = "receipt of a historian that is not listed"
UNSIGNED = "receipt without our signature"
IMPOSSIBLE = "receipt above what was given"
"""Why a gateway does not believe a receipt, as it counts them."""
MOST_NOTICES = 16
"""Notices of one receipt."""
MAX_NOTICE_TEXT = 400
"""Characters of each text of a notice."""
MAX_BITS_TEXT = -(-WINDOW // 24) * 4
"""Characters of so many bits in base64: 5 kB."""


class Contiguous:
    """The numbers 1, 2, 3 … that have arrived in any order: how far they go without a hole, and what lies beyond.

    Args:
        upto: Everything up to this number counts as arrived already.
    """

    def __init__(self, upto: int = 0) -> None:
        self.upto = upto
        # Ranges beyond the first hole, apart from each other and rising: firsts[i]..lasts[i].
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __contains__(self, seq: int) -> bool:
        if seq <= self.upto:
            return True
        at = bisect_right(self._firsts, seq) - 1
        return at >= 0 and seq <= self._lasts[at]

    @property
    def ranges(self) -> int:
        """How many separate ranges wait beyond the first hole."""
        return len(self._firsts)

    def add(self, first: int, last: int | None = None) -> None:
        """Note that ``first`` to ``last`` (both included; one number if ``last`` is left out) have arrived."""
        last = first if last is None else last
        if last <= self.upto:
            return
        # Ranges i..j-1 touch or overlap the new one and merge with it.
        i = bisect_right(self._firsts, first)
        if i and self._lasts[i - 1] >= first - 1:
            i -= 1
            first = self._firsts[i]
        j = bisect_right(self._firsts, last + 1)
        if j > i:
            last = max(last, self._lasts[j - 1])
        self._firsts[i:j] = [first]
        self._lasts[i:j] = [last]
        if self._firsts[0] <= self.upto + 1:
            self.upto = max(self.upto, self._lasts[0])
            del self._firsts[0], self._lasts[0]

    def beyond(self, window: int = WINDOW) -> int:
        """Return what has arrived of the ``window`` numbers beyond ``upto``: bit 0 is ``upto`` + 1, and so on."""
        edges = bytearray(window // 8 + 1)
        for first, last in zip(self._firsts, self._lasts, strict=True):
            begin = first - self.upto - 1
            if begin >= window:
                break
            for edge in (begin, min(last - self.upto, window)):
                edges[edge >> 3] ^= 1 << (edge & 7)
        # Between two edges every bit is to be set: each bit becomes the parity of those up to it.
        bits, step = int.from_bytes(edges, "little"), 1
        while step <= window:
            bits ^= bits << step
            step *= 2
        return bits & ((1 << window) - 1)

    def missing(self, upto: int, *, after: int = 0) -> list[tuple[int, int]]:
        """Return the ranges (both ends included) beyond ``after`` and up to ``upto`` that have not arrived."""
        holes: list[tuple[int, int]] = []
        after = max(after, self.upto)
        at = bisect_right(self._firsts, after)
        if at:
            after = max(after, self._lasts[at - 1])
        for i in range(at, len(self._firsts)):
            if self._firsts[i] > upto:
                break
            if self._firsts[i] > after + 1:
                holes.append((after + 1, self._firsts[i] - 1))
            after = self._lasts[i]
        if after < upto:
            holes.append((after + 1, upto))
        return holes


@dataclass(frozen=True, slots=True)
class HistorianNotice:
    """Something that the historian tells the people at a gateway: a kind, what it is about, and one sentence."""

    code: str
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything of ``epoch`` up to ``stored`` is stored for good, or known to be a gap, or was let go before.

    Up to ``received`` it has reached the history and need not be sent again, but a remote store may still lose it; a
    number below ``stored`` says nothing.

    Attributes:
        stored_beyond: Of a historian that shares: what else is stored for good; bit 0 is ``stored`` + 1.
        received_beyond: What else has reached its history; bit 0 is ``received`` + 1.
        history: Which file the history is, 16 hexadecimal digits; empty of a historian that does not say.
        opened: How often that file was opened: less than before, and it is an older copy.
        lost: How many numbers of the epoch had left the outbox and are not in this history.
        notices: What the historian has to tell the people at this gateway.
    """

    epoch: str
    stored: int
    received: int = 0
    stored_beyond: int = 0
    received_beyond: int = 0
    history: str = field(default="", compare=False)
    opened: int = field(default=0, compare=False)
    lost: int = field(default=0, compare=False)
    notices: tuple[HistorianNotice, ...] = ()

    @property
    def last(self) -> int:
        """Return the highest number that it speaks of."""
        return max(self.stored + self.stored_beyond.bit_length(), self.received + self.received_beyond.bit_length())

    def encode(self) -> bytes:
        """Return the payload of the topics ``stored`` and ``stored/<historian>``."""
        fields: dict[str, Any] = {
            "v": PAYLOAD_VERSION, "epoch": self.epoch, "stored": self.stored, "received": self.received
        }  # fmt: skip
        if self.history:
            fields |= {"history": self.history, "opened": self.opened, "lost": self.lost}
        for key in ("stored_beyond", "received_beyond"):
            if bits := getattr(self, key):
                raw = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
                fields[key] = binascii.b2a_base64(raw, newline=False).decode()
        if self.notices:
            fields["notices"] = [[notice.code, notice.about, notice.text] for notice in self.notices]
        return orjson.dumps(fields)

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Parse a payload; raises ValueError if it is not a receipt."""
        fields = orjson.loads(payload)
        if not isinstance(fields, dict):
            raise ValueError("a receipt is a JSON object")  # noqa: TRY004 - the caller's bytes are wrong, not its types
        epoch, stored = fields.get("epoch"), fields.get("stored")
        if fields.get("v") != PAYLOAD_VERSION:
            raise ValueError(f"version {fields.get('v')!r} of a receipt is not known")
        if not isinstance(epoch, str) or not EPOCH.fullmatch(epoch):
            raise ValueError("epoch is not 16 hexadecimal digits")
        received = fields.get("received", 0)
        stored_beyond, received_beyond = (_bits(fields.get(key, "")) for key in ("stored_beyond", "received_beyond"))
        history = fields.get("history", "")
        if not isinstance(history, str) or (history and not EPOCH.fullmatch(history)):
            raise ValueError("history is not 16 hexadecimal digits")
        opened, lost = (_sequence_number(fields.get(key, 0)) for key in ("opened", "lost"))
        numbers = _sequence_number(stored), _sequence_number(received)
        notices = _notices(fields.get("notices", []))
        return cls(epoch, *numbers, stored_beyond, received_beyond, history, opened, lost, notices)


def _sequence_number(value: object) -> int:
    if type(value) is not int or not 0 <= value < MAX_SEQ:
        raise ValueError("stored or received is not a sequence number")
    return value


def _bits(value: object) -> int:
    if not isinstance(value, str) or len(value) > MAX_BITS_TEXT:
        raise ValueError("what lies beyond is not bits in base64, or too many")
    return int.from_bytes(binascii.a2b_base64(value.encode(), strict_mode=True), "little")


def _notices(value: object) -> tuple[HistorianNotice, ...]:
    if not isinstance(value, list) or len(value) > MOST_NOTICES:
        raise ValueError("notices are not a short list")
    found = []
    for entry in value:
        if not isinstance(entry, list) or len(entry) != 3:
            raise ValueError("a notice is not a kind, what it is about, and a sentence")
        if not all(isinstance(text, str) and len(text) <= MAX_NOTICE_TEXT and text.isprintable() for text in entry):
            raise ValueError("a notice is not of short texts")
        found.append(HistorianNotice(*entry))
    return tuple(found)
