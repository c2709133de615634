"""Which text of the languages says what a driver says of a device: the wire is English, a page speaks its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from gateway.texts.languages import english

ADVICE: Final = "device_advice."
ERRORS: Final = "device_errors."
_PLACE: Final = re.compile(r"\{(\w+)\}")


@cache
def _advices() -> Mapping[str, str]:
    """Return the keys of what drivers advise, by their English."""
    found = {entry: key for key, entry in english().entries.items() if key.startswith(ADVICE)}
    return {words: key.removeprefix(ADVICE) for words, key in found.items() if isinstance(words, str)}


@cache
def _errors() -> Sequence[tuple[str, re.Pattern[str]]]:
    """Return the keys of what drivers say is wrong, each with what finds its English: the longer sentences first."""
    found = [
        (key.removeprefix(ERRORS), entry)
        for key, entry in english().entries.items()
        if key.startswith(ERRORS) and isinstance(entry, str)
    ]
    found.sort(key=lambda one: -len(_PLACE.sub("", one[1])))
    return [(key, re.compile(_PLACE.sub(r"(?P<\1>.*)", _quoted(words)))) for key, words in found]


def _quoted(words: str) -> str:
    return "".join(part if _PLACE.fullmatch(part) else re.escape(part) for part in re.split(r"(\{\w+\})", words))


def advice_key(words: str) -> str:
    """Return the key of the text that advises this; empty where it is none of the texts."""
    return _advices().get(words, "")


def error_said(words: str) -> dict[str, Any] | None:
    """Return which text says what is wrong, and what stands in it; None where nothing is, or where no text does."""
    if not words:  # as of nearly every device, twice a second
        return None
    for key, pattern in _errors():
        if found := pattern.fullmatch(words):
            return {"key": key, "values": found.groupdict()}
    return None


def with_texts(device: dict[str, Any]) -> dict[str, Any]:
    """Return a device with the texts that say its error and its advice, where there are some."""
    error, advice = error_said(device.get("error") or ""), advice_key(device.get("advice") or "")
    return {**device, **({"error_said": error} if error else {}), **({"advice_key": advice} if advice else {})}
