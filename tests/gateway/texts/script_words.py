"""The words in a script of the pages: every string and template of it, with where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

REGEX_AFTER = "(,=:[!&|?{};"
"""A slash after one of these begins a regular expression; after anything else it divides."""
PAIRS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, or what of a template stands between its values.

    Attributes:
        words: What it says; of a template, without the values.
        before: What stands in the script just before it.
        line: Where, from 1.
    """

    words: str
    before: str
    line: int


def literals(script: str) -> list[Literal]:
    """Return every string and template of a script, those within templates too."""
    found: list[Literal] = []
    _scan(script, 0, "", found)
    return found


def _scan(script: str, at: int, until: str, found: list[Literal]) -> int:
    depth, last = 0, ""
    while at < len(script):
        char = script[at]
        if script.startswith("//", at):
            at = _end(script, "\n", at)
        elif script.startswith("/*", at):
            at = _end(script, "*/", at)
        elif char in "\"'":
            at, last = _string(script, at, found), '"'
        elif char == "`":
            at, last = _template(script, at, found), '"'
        elif char == "/" and (last in REGEX_AFTER or script[:at].rstrip().endswith("return")):
            at, last = _regex(script, at), '"'
        else:
            if until and depth == 0 and char == until:
                return at
            depth += PAIRS.get(char, 0)
            last = last if char.isspace() else char
            at += 1
    return at


def _end(script: str, mark: str, at: int) -> int:
    found = script.find(mark, at)
    return len(script) if found < 0 else found + len(mark)


def _string(script: str, begin: int, found: list[Literal]) -> int:
    at = begin + 1
    while script[at] != script[begin]:
        at += 2 if script[at] == "\\" else 1
    found.append(_literal(script, begin, script[begin + 1 : at]))
    return at + 1


def _template(script: str, begin: int, found: list[Literal]) -> int:
    at, words = begin + 1, ""
    while script[at] != "`":
        if script.startswith("${", at):
            at = _scan(script, at + 2, "}", found) + 1
            words += "\0"
        else:
            step = 2 if script[at] == "\\" else 1
            words += script[at : at + step]
            at += step
    found.append(_literal(script, begin, words))
    return at + 1


def _regex(script: str, begin: int) -> int:
    at, in_class = begin + 1, False
    while script[at] != "/" or in_class:
        if script[at] == "\\":
            at += 1
        elif script[at] in "[]":
            in_class = script[at] == "["
        at += 1
    return at + 1


def _literal(script: str, begin: int, words: str) -> Literal:
    return Literal(words, script[max(0, begin - 24) : begin], script.count("\n", 0, begin) + 1)


def parts(literal: Literal) -> Iterator[str]:
    """Yield what a template says between its values, or the whole of a string."""
    yield from literal.words.split("\0")
