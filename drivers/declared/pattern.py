r"""Regular expressions of a declaration: those whose matching takes a time that grows with the line, and no faster.

Python's own engine tries one way after the other, and a pattern in which text can be read in many ways takes it for
ever: ``(a+)+b``, but also the common ``\d+\.?\d*`` eight times in a line. So a pattern is taken only if, letter by
letter, there is never more than one way on (it is "strongly deterministic", Brüggemann-Klein 1993). Then nothing is
tried twice. What is refused is refused when the configuration is read, with the place and what to write instead.

The dialect is that of `re` without what looks around or back: letters, ``.``, ``[...]``, ``\d \s \w \t``, groups,
``|``, ``? * + {m,n}``; and ``{name}``, which stands for a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

NUMBER: Final = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+|[nN][aA][nN]|[iI][nN][fF]|[oO][vV][fF])(?:[eE][+-]?[0-9]+)?"
"""A number as microcontrollers print it: nan, inf and ovf too."""

MOST_PLACES: Final = 2000  # letters of a pattern, repeats written out: a line of text has fewer
MOST_TIMES: Final = 100
MOST_DEPTH: Final = 20  # groups in groups

_SAME: Final = (
    (re.compile(r"(?<!\\)(\\d|\[0-9\])\+\\\.\?\1\*"), r"\1+(?:\.\1*)?"),
    (re.compile(r"(?<!\\)(\\d|\[0-9\])\*\\\.\?\1\+"), r"(?:\1+(?:\.\1+)?|\.\1+)"),
)
"""How most people write a number, which reads its digits in many ways, and the same said in one way."""

_ALL: Final = (1 << 256) - 1
_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?")
_VALUE = re.compile(r"\{(?P<name>[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)\}")
_GROUP = re.compile(r"\((?:\?P<(?P<name>[^>]*)>|(?P<plain>\?:)|(?P<other>\?))?")
_TIMES = re.compile(r"\{(?P<least>[0-9]+)(?P<range>,(?P<most>[0-9]*))?\}")


def _bits(letters: Iterable[int]) -> int:
    found = 0
    for letter in letters:
        found |= 1 << letter
    return found


_DIGITS: Final = _bits(range(ord("0"), ord("9") + 1))
_SPACES: Final = _bits(b" \t\n\r\f\v")
_WORDS: Final = _DIGITS | _bits(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_ESCAPED: Final = {
    "d": _DIGITS, "D": _ALL ^ _DIGITS, "s": _SPACES, "S": _ALL ^ _SPACES, "w": _WORDS, "W": _ALL ^ _WORDS,
    "t": _bits(b"\t"), "r": _bits(b"\r"), "n": _bits(b"\n"),
}  # fmt: skip


@dataclass(slots=True)
class _Part:
    """A part of a pattern, as a set of places where its letters are.

    Attributes:
        empty: Whether it may be nothing.
        first: Places it may begin with.
        last: Places it may end with.
    """

    empty: bool = True
    first: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)


class PatternError(ValueError):
    """A pattern that cannot be used, with what to write instead."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that can be matched in a time that grows with the line.

    Attributes:
        regex: Has one group for each value.
        names: Of the values, in the order of the groups; empty texts where the pattern names none.
    """

    regex: re.Pattern[bytes]
    names: tuple[str, ...]


def compiled(text: str) -> Pattern:
    """Return the pattern of a text, for a whole line; raises PatternError."""
    parser = _Parser(text)
    whole = parser.whole()
    parser.check(whole)
    if not parser.names:
        raise PatternError("the pattern has no value: write {acc_x}, or a group in brackets, for each")
    if len({bool(name) for name in parser.names}) > 1:
        raise PatternError("the pattern names some of its values and others not: write (?:...) where no value is meant")
    return Pattern(re.compile("".join(parser.out).encode("latin-1"), re.DOTALL), tuple(parser.names))


class _Parser:
    """Reads a pattern from left to right, and writes it as one for `re`."""

    def __init__(self, text: str) -> None:
        # Letters beyond ASCII become the bytes that they are on the wire, and each byte a letter.
        text = text.encode("utf-8").decode("latin-1")
        for often, once in _SAME:
            text = often.sub(lambda found, said=once: said.replace(r"\1", found[1]), text)  # type: ignore[misc]
        self.text = text.removeprefix("^")
        if self.text.endswith("$") and not self.text.endswith("\\$"):
            self.text = self.text[:-1]
        self.at = 0
        self.names: list[str] = []
        self.out: list[str] = []
        self.masks: list[int] = []
        self.where_at: list[int] = []  # where in the text each place is
        self.follow: list[list[int]] = []
        self._depth = 0

    def whole(self) -> _Part:
        """Read all of it."""
        part = self._choice()
        if self.at < len(self.text):
            raise self._error("a bracket ')' that closes nothing")
        return part

    def check(self, whole: _Part) -> None:
        """Raise PatternError where text could be read in two ways."""
        for ways in (whole.first, *self.follow):
            taken = 0
            for at, place in enumerate(ways):
                both = taken & self.masks[place]
                if both:
                    other = next(each for each in ways[:at] if both & self.masks[each])
                    self._ambiguous(place, other, both & self.masks[other])
                taken |= self.masks[place]

    def _ambiguous(self, one: int, other: int, both: int) -> None:
        letter = next((n for n in b"0a ,;:." if both >> n & 1), (both & -both).bit_length() - 1)
        ends = sorted((self.where_at[one], self.where_at[other]))
        where = f"'{self._near(ends[0])}'" if ends[0] == ends[1] else " and ".join(f"'{self._near(e)}'" for e in ends)
        raise PatternError(
            f"the pattern can read '{chr(letter)}' in two ways, at {where}, and would take for ever on some lines: say"
            " what stands between two values, write [^,]* for .*, and {acc_x} for a number"
        )

    def _near(self, at: int) -> str:
        return self.text[at : at + 8].encode("latin-1").decode("utf-8", "replace")

    def _error(self, what: str) -> PatternError:
        return PatternError(f"the pattern has {what}, at '{self._near(self.at) or 'its end'}'")

    def _choice(self) -> _Part:
        found = self._sequence()
        while self.text[self.at : self.at + 1] == "|":
            self.at += 1
            self.out.append("|")
            other = self._sequence()
            if found.empty and other.empty:
                raise self._error("two alternatives that may both be nothing")
            found = _Part(found.empty or other.empty, found.first + other.first, found.last + other.last)
        return found

    def _sequence(self) -> _Part:
        found = _Part()
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            found = self._then(found, self._repeated())
        return found

    def _then(self, one: _Part, other: _Part) -> _Part:
        for place in one.last:
            self.follow[place] += other.first
        first = one.first + other.first if one.empty else one.first
        last = one.last + other.last if other.empty else other.last
        return _Part(one.empty and other.empty, first, last)

    def _repeated(self) -> _Part:
        """Read one letter, class, value or group, and how often it stands there."""
        begin, values, written = self.at, len(self.names), len(self.out)
        part = self._single()
        end, source = self.at, self.out[written:]
        least, most = self._times()
        if (least, most) == (1, 1):
            return part
        if most != 1 and len(self.names) > values:
            self.at = begin
            raise self._error("a value in a repeat")
        if part.empty:
            self.at = begin
            raise self._error("a repeat, or a part that may be left out, of what may be nothing by itself")
        after, self.at = self.at, begin
        found = self._copies(part, begin, least, most)
        self.at = after
        self.out[written:] = [*source, self.text[end:after]]
        return found

    def _copies(self, part: _Part, begin: int, least: int, most: int | None) -> _Part:
        """Write a repeat out: as often as it must stand there, then as often as it may."""

        def again() -> _Part:
            self.at = begin
            return self._single()

        parts = [part, *(again() for _ in range(max(least, most or 1) - 1))]
        if most is None:
            for place in parts[-1].last:
                self.follow[place] += parts[-1].first
        may = _Part()
        for optional in reversed(parts[max(least, 0 if most is not None else len(parts)) :]):
            may = self._then(optional, may)
            may.empty = True
        found = _Part()
        for needed in parts[: len(parts) if most is None else least]:
            found = self._then(found, needed)
        found = self._then(found, may)
        if most is None and least == 0:
            found.empty = True
        return found

    def _times(self) -> tuple[int, int | None]:
        """Read ``?``, ``*``, ``+`` or ``{m,n}``; None for any number of times."""
        sign = self.text[self.at : self.at + 1]
        times = _TIMES.match(self.text, self.at)
        if sign in {"?", "*", "+"} and sign:
            self.at += 1
            least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}[sign]
        elif times is not None:
            least = int(times["least"])
            most = least if times["range"] is None else int(times["most"]) if times["most"] else None
            if not max(1, least) <= (MOST_TIMES if most is None else most) <= MOST_TIMES:
                raise self._error(f"a repeat of no or more than {MOST_TIMES} times")
            self.at = times.end()
        else:
            return 1, 1
        if self.text[self.at : self.at + 1] == "?":
            self.at += 1  # as few as will do: where there is one way only, that is the same
        if self.text[self.at : self.at + 1] in {"+", "*", "?"} or _TIMES.match(self.text, self.at):
            raise self._error("a repeat of a repeat")
        return least, most

    def _single(self) -> _Part:
        letter = self.text[self.at]
        value = _VALUE.match(self.text, self.at)
        if value is not None:
            return self._value(value)
        if letter == "(":
            return self._group()
        if letter in "*+?{}^$])":
            raise self._error(f"'{letter}' where it means nothing: write \\{letter} for the letter itself")
        begin = self.at
        mask = self._class() if letter == "[" else self._letter()
        self.out.append(self.text[begin : self.at])
        return self._place(mask, begin)

    def _place(self, mask: int, where: int) -> _Part:
        if not mask:
            raise self._error("a class of no letters")
        if len(self.masks) >= MOST_PLACES:
            raise PatternError(f"the pattern is longer than {MOST_PLACES} letters, its repeats written out")
        number = len(self.masks)
        self.masks.append(mask)
        self.where_at.append(where)
        self.follow.append([])
        return _Part(False, [number], [number])

    def _value(self, value: re.Match[str]) -> _Part:
        """Read ``{name}``: a number."""
        self.names.append(value["name"])
        inner = _Parser(NUMBER)
        part = inner.whole()
        shift = len(self.masks)
        self.masks += inner.masks
        self.where_at += [value.start()] * len(inner.masks)
        self.follow += [[shift + place for place in places] for places in inner.follow]
        self.out.append(f"({NUMBER})")
        self.at = value.end()
        return _Part(False, [shift + place for place in part.first], [shift + place for place in part.last])

    def _group(self) -> _Part:
        head = _GROUP.match(self.text, self.at)
        assert head is not None
        if head["other"]:
            raise self._error(
                "a group that looks around or back, or sets a flag: there is (...), (?:...), (?P<name>...)"
            )
        if head["name"] is not None and not _NAME.fullmatch(head["name"]):
            raise self._error("a group whose name is not lower-case letters, digits and _")
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise self._error(f"more than {MOST_DEPTH} groups in groups")
        if not head["plain"]:
            self.names.append(head["name"] or "")
        self.out.append("(?:" if head["plain"] else "(")
        begin, self.at = self.at, head.end()
        part = self._choice()
        if self.text[self.at : self.at + 1] != ")":
            self.at = begin
            raise self._error("a bracket '(' that nothing closes")
        self.at += 1
        self.out.append(")")
        self._depth -= 1
        return part

    def _class(self) -> int:
        """Read ``[...]``."""
        begin = self.at
        self.at += 1
        negated = self.text[self.at : self.at + 1] == "^"
        self.at += negated
        mask, first = 0, True
        while first or self.text[self.at : self.at + 1] != "]":
            if self.at >= len(self.text):
                self.at = begin
                raise self._error("a bracket '[' that nothing closes")
            first = False
            one = self._letter(in_class=True)
            if self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 : self.at + 2] not in {"]", ""}:
                self.at += 1
                one = self._between(one, self._letter(in_class=True))
            mask |= one
        self.at += 1
        return _ALL ^ mask if negated else mask

    def _between(self, one: int, other: int) -> int:
        low, high = one.bit_length() - 1, other.bit_length() - 1
        if one.bit_count() != 1 or other.bit_count() != 1 or low > high:
            raise self._error("a range of letters that is none")
        return (1 << high + 1) - (1 << low)

    def _letter(self, *, in_class: bool = False) -> int:
        letter = self.text[self.at]
        self.at += 1
        if letter == "." and not in_class:
            return _ALL
        if letter != "\\":
            return 1 << ord(letter)
        escaped = self.text[self.at : self.at + 1]
        self.at += 1
        if escaped in _ESCAPED:
            return _ESCAPED[escaped]
        if not escaped or escaped.isalnum() or ord(escaped) > 127:
            self.at -= 2
            raise self._error("an escape that is not known")
        return 1 << ord(escaped)
