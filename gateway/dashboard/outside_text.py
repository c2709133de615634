"""Text and data from outside, made fit for a page: no character that does something, nothing too long or too deep."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

REPLACEMENT = "\ufffd"
"""Stands for a character that would not be seen, or would turn round what is: something was here."""

HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Control characters, line ends, marks of direction (UAX 9) and of no width, halves of pairs and tags."""

LONGEST = 400  # characters: an advice is a sentence or two
MOST_ITEMS = 64  # of a list or an object; a device has some twenty fields, an IMU a dozen channels
DEEPEST = 4  # levels: a device's streams' channels


def clean(text: str, longest: int = LONGEST) -> str:
    """Return a text as it may stand on a page; what is cut off is marked."""
    if len(text) <= longest and text.isprintable():  # as nearly all are: quicker than to look for what is wrong
        return text
    found = HIDDEN.sub(REPLACEMENT, text[: longest + 1])
    return found if len(found) <= longest else f"{found[:longest]}…"


def bounded(value: Any, deepest: int = DEEPEST) -> Any:
    """Return decoded JSON with clean texts and finite numbers; what is too deep, or one too many, is left out."""
    kind = type(value)
    if kind is str:
        return clean(value)
    if kind is dict:
        if deepest == 0:
            return None
        items = list(value.items())[:MOST_ITEMS]
        return {clean(key): bounded(item, deepest - 1) for key, item in items}
    if kind is list:
        return None if deepest == 0 else [bounded(item, deepest - 1) for item in value[:MOST_ITEMS]]
    if kind is float and not isfinite(value):
        return None
    return value


def is_number(value: object) -> bool:
    """Whether a value is a finite number, and not a truth value."""
    return type(value) in {int, float} and isfinite(value)  # type: ignore[arg-type]
