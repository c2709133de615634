r"""Text of others on terminals and in logs: it can only be read there, and does nothing.

The name of a device, a notice, an audit record, the words of a library or a broker may hold anything: an escape
sequence that clears the screen or sets its title, a line break that forges a line of the log, a mark that turns the
rest of the line round. `visible` writes such characters as Python would (``\x1b``, ``\u202e``, ``\n``).
"""

from __future__ import annotations

import codecs
import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

import orjson

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

SPACES = frozenset("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}")
"""Not "printable" for Python, and no more than spaces for a reader."""
BLANKS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Printable for Python, and not to be seen: joiners, fillers, selectors of variants."""
READABLE = "readable"
"""Name of the way in which output that is not UTF-8 gets what it has no sign for."""
STAND_INS = {"▲": "!", "●": "*", "·": "-", "…": "..."}


def visible(text: object) -> str:
    """Return text in one line of characters that can be seen."""
    plain = str(text)
    if plain.isprintable() and BLANKS.isdisjoint(plain):
        return plain
    return "".join(map(_seen, plain))


def all_visible(value: Any) -> Any:
    """Return a value as JSON has them with every text in it, and every key, made visible."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(key): all_visible(inner) for key, inner in value.items()}
    return [all_visible(inner) for inner in value] if isinstance(value, list) else value


def plain_json(value: object, option: int = 0) -> bytes:
    """Return a value as a line of JSON that is the same value to a program, and does nothing to a terminal.

    Args:
        value: What orjson takes.
        option: Options of orjson.
    """
    text = orjson.dumps(value, option=option).decode("utf-8")
    if not text.isprintable() or not BLANKS.isdisjoint(text):
        text = "".join(one if one == "\n" or _seen(one) == one else json.dumps(one)[1:-1] for one in text)
    return text.encode("utf-8") + b"\n"


def printable(text: str) -> str:
    """Return a text in which whatever could move a cursor, or turn a line round, is a question mark."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


def text_of(value: object, longest: int) -> str:
    """Return a text that somebody else has sent, in one line that can be seen, and cut; empty where it is none.

    What else it is, is not written out: Python cannot write a list in a thousand lists.
    """
    return visible(value[:longest])[:longest] if isinstance(value, str) else ""


def _seen(character: str) -> str:
    if (character.isprintable() and character not in BLANKS) or character in SPACES:
        return character
    return character.encode("unicode_escape").decode("ascii")


class OneLine(logging.Formatter):
    """Writes a record in one line whatever is in it; a traceback keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """Return the line, with the message made visible."""
        record.message = visible(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Return the lines of a traceback, each made visible."""
        return "\n".join(map(visible, super().formatException(ei).split("\n")))


def prepare_output() -> None:
    """Make standard output and error fit for any text; to be called once, before the first word.

    Where one is closed, the next file to be opened would take its place, and what is meant for a person would be
    written into a database: they lead nowhere instead. A terminal that is not UTF-8 gets stand-ins for our signs.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    codecs.register_error(READABLE, _stand_in)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115 - as long as we run
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=READABLE)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unknown = error.object[error.start : error.end]
    written = (STAND_INS.get(one) or one.encode("unicode_escape").decode("ascii") for one in unknown)
    return "".join(written), error.end
