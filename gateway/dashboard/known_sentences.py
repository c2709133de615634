"""Which text of the languages says what others say in English: the wire is English, a page speaks its own language.

A driver says what is wrong with a device and what helps, a gateway of a fleet how it is. What is none of the texts
stays as it was said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from gateway.texts.languages import english

ADVICE: Final = "device_advice"
ERRORS: Final = "device_errors"
HEALTH: Final = "gateway_health"
_PLACE: Final = re.compile(r"\{(\w+)\}")


@cache
def _known(section: str) -> Sequence[tuple[str, re.Pattern[str]]]:
    """Return the keys of a section, each with what finds its English: the longer sentences first."""
    begin = f"{section}."
    found = [
        (key.removeprefix(begin), entry)
        for key, entry in english().entries.items()
        if key.startswith(begin) and isinstance(entry, str)
    ]
    found.sort(key=lambda one: -len(_PLACE.sub("", one[1])))
    return [(key, re.compile(_PLACE.sub(r"(?P<\1>.*)", _quoted(words)))) for key, words in found]


def _quoted(words: str) -> str:
    return "".join(part if _PLACE.fullmatch(part) else re.escape(part) for part in re.split(r"(\{\w+\})", words))


def said(section: str, words: str) -> dict[str, Any] | None:
    """Return which text of a section says this, and what stands in it; None where it is none of them."""
    for key, pattern in _known(section) if words else ():
        if found := pattern.fullmatch(words):
            return {"key": key, "values": found.groupdict()}
    return None


def advice_key(words: str) -> str:
    """Return the key of the text that advises this; empty where it is none of the texts."""
    found = said(ADVICE, words)
    return str(found["key"]) if found else ""


def error_said(words: str) -> dict[str, Any] | None:
    """Return which text says what is wrong with a device, and what stands in it; None where it is none of the texts."""
    return said(ERRORS, words)


def with_texts(device: dict[str, Any]) -> dict[str, Any]:
    """Return a device with the texts that say its error and its advice, where there are some."""
    error, advice = error_said(device.get("error") or ""), advice_key(device.get("advice") or "")
    return {**device, **({"error_said": error} if error else {}), **({"advice_key": advice} if advice else {})}
