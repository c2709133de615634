"""What a session is: a word, and the fields that belong to it, as in ``balance eyes=closed stance=tandem``.

A result of a test means something only with how the test was done: the fields travel with the protocol, wherever it is
told. A word that is not here may be somebody's own; a field of a known word that is not here is a mistake.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from config.wording import suggestion

Allowed = tuple[str, ...] | tuple[float, float]
"""The values that a field may have: words, or a least and a greatest number."""

AIDS: Final[Mapping[str, Allowed]] = {
    "aid": ("none", "stick", "crutches", "frame", "rollator", "orthosis", "person"),
}  # fmt: skip
"""What somebody walks with: a result with a frame is not comparable with one without."""
PACE: Final[Mapping[str, Allowed]] = {
    "pace": ("comfortable", "fast"), "start": ("static", "dynamic"), "distance_m": (1.0, 100.0),
    "run_up_m": (0.0, 50.0), **AIDS,
}  # fmt: skip
STANDING: Final[Mapping[str, Allowed]] = {
    "eyes": ("open", "closed"), "surface": ("firm", "foam"),
    "stance": ("apart", "together", "semi-tandem", "tandem", "left-leg", "right-leg"),
}  # fmt: skip
CHAIR: Final[Mapping[str, Allowed]] = {"hands": ("yes", "no")}
REPEATED: Final[Mapping[str, Allowed]] = {
    "reps": (1.0, 1000.0), "sets": (1.0, 100.0), "rom": (0.0, 360.0), "least_rom": (1.0, 180.0),
}  # fmt: skip
"""Prescribed repetitions and sets, degrees that one must reach to be done, and degrees below which it is none."""
COURSE: Final[Mapping[str, Allowed]] = {"course_m": (1.0, 1000.0), **AIDS}
"""Metres from one turn to the next: a "lap" of walk test guidelines is there and back, twice as long."""

EVERYWHERE: Final[Mapping[str, Allowed]] = {"ceiling": (60.0, 220.0)}
"""Fields of every protocol: the heart rate that the patient is not to exceed, a minute."""

FIELDS: Final[Mapping[str, Mapping[str, Allowed]]] = {
    "free_walk": {}, "rest": {}, "treadmill": {}, "exoskeleton": {}, "abc": {},
    "stairs": {"steps": (1.0, 1000.0)},
    "balance": STANDING,
    "exercise": REPEATED,
    "2mwt": COURSE, "6mwt": COURSE,
    "10mwt": PACE, "4mwt": PACE,
    "tug": {"distance_m": (1.0, 100.0), **AIDS},
    "5xsts": CHAIR, "30scst": CHAIR, "1msts": CHAIR, "sts": CHAIR,
}  # fmt: skip
"""The words for what a session is, with their fields: one that nobody else uses gives what cannot be compared."""

PROTOCOLS: Final = tuple(FIELDS)

DISTANCES_M: Final[Mapping[str, float]] = {"10mwt": 10.0, "4mwt": 4.0}
"""Timed in a walk over a distance, where the protocol says no other."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol, taken apart.

    Attributes:
        word: What is done.
        fields: How, as it was written.
    """

    word: str
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def number(self, name: str, otherwise: float = math.nan) -> float:
        """Return a field that is a number; ``otherwise`` where it is not said."""
        try:
            return float(self.fields[name])
        except (KeyError, ValueError):
            return otherwise


def read_protocol(text: str) -> Protocol:
    """Return what a protocol says; never raises: what cannot be read as a field is left out."""
    word, *rest = text.split() or [""]
    pairs = (part.partition("=") for part in rest)
    return Protocol(word.lower(), MappingProxyType({name: value for name, equals, value in pairs if equals}))


@dataclass(frozen=True, slots=True)
class Misfit:
    """A field of a protocol that is not as it has to be.

    Attributes:
        kind: ``field`` where the word has no such field, ``choice`` or ``number`` where its value is not allowed,
            ``twice`` where it is given another time.
        values: What there is to be said of it, by name.
    """

    kind: Literal["field", "choice", "number", "twice"]
    values: Mapping[str, str]

    def __str__(self) -> str:
        """Return it in English."""
        return SENTENCES[self.kind].format_map(self.values)


SENTENCES: Final = {
    "field": "'{part}' is no field of {word}{suggestion}: it has {known}",
    "choice": "{field} of {word} is one of {known}, not '{value}'",
    "number": "{field} of {word} is a number from {low} to {high}, not '{value}'",
    "twice": "{field} of {word} is given twice",
}


def misfit(text: str) -> Misfit | None:
    """Return what is wrong with the fields of a protocol; None if nothing is, or nobody here knows its word."""
    protocol = read_protocol(text)
    if protocol.word not in FIELDS:
        return None
    known = {**FIELDS[protocol.word], **EVERYWHERE}
    given: set[str] = set()
    for part in text.split()[1:]:
        name, _, value = part.partition("=")
        if name not in known:
            told = {"part": part, "suggestion": suggestion(name, known), "known": ", ".join(known)}
            return Misfit("field", {**told, "word": protocol.word})
        if problem := _misfit_of(value, known[name]):
            kind, bounds = problem
            return Misfit(kind, {**bounds, "field": name, "word": protocol.word, "value": value})
        if name in given:
            return Misfit("twice", {"field": name, "word": protocol.word})
        given.add(name)
    return None


def _misfit_of(value: str, allowed: Allowed) -> tuple[Literal["choice", "number"], dict[str, str]] | None:
    """Return what a value had to be; None if it is that."""
    if isinstance(allowed[0], str):
        return None if value in allowed else ("choice", {"known": ", ".join(map(str, allowed))})
    low, high = allowed
    try:
        inside = float(low) <= float(value) <= float(high)
    except ValueError:
        inside = False
    return None if inside else ("number", {"low": f"{low:g}", "high": f"{high:g}"})
