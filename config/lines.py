"""On which line of a TOML file each key stands: what tomllib does not tell.

Reads text that tomllib has already accepted, so that it only needs to find its way, not to judge.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

Path = tuple[str | int, ...]
"""Keys and, for arrays, positions: ``("slot", 0, "device", 2, "driver")``."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_TEXT = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")' r"|'''.*?'{3,5}(?!')" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def locate(text: str) -> Mapping[Path, int]:
    """Return the line, from 1, of every table, key and array element of valid TOML."""
    return _Finder(text).lines


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """Return the line of ``path`` or, where it is not written, of the nearest thing that would hold it."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


class _Finder:
    """Walks the text once and notes where things are."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._tables: dict[Path, int] = {}  # arrays of tables: position of the last one
        table: Path = ()
        while self._blank() < len(text):
            if text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _note(self, path: Path, start: int) -> None:
        self.lines.setdefault(path, bisect_right(self._breaks, start - 1) + 1)

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise ValueError(f"not TOML at offset {self.at}")
        self.at = match.end()
        return match.group()

    def _blank(self) -> int:
        self._match(_BLANK)
        return self.at

    def _key(self) -> list[str]:
        """Take a key, dotted or not."""
        parts = []
        while True:
            raw = self._match(_KEY)
            parts.append(next(iter(tomllib.loads(f"{raw}=0"))) if raw[0] in "\"'" else raw)
            if _DOT.match(self.text, self.at) is None:
                return parts
            self._match(_DOT)

    def _header(self) -> Path:
        """Take ``[table]`` or ``[[array of tables]]`` and return where its keys go."""
        start = self.at
        many = self.text.startswith("[[", start)
        self.at += 2 if many else 1
        self._blank()
        parts = self._key()
        self._blank()
        self.at += 2 if many else 1
        path: Path = ()
        for part in parts[:-1]:
            path = self._inside((*path, part))
            self._note(path, start)
        path = (*path, parts[-1])
        self._note(path, start)
        if many:
            self._tables[path] = self._tables.get(path, -1) + 1
        path = self._inside(path)
        self._note(path, start)
        return path

    def _inside(self, path: Path) -> Path:
        """Return the table that ``path`` means: of an array, its last."""
        return (*path, self._tables[path]) if path in self._tables else path

    def _pair(self, table: Path) -> None:
        start = self.at
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path, start)
        self._blank()
        self.at += 1  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        self._blank()
        opening = self.text[self.at]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline(path)
        else:
            self._match(_TEXT if opening in "\"'" else _SCALAR)

    def _array(self, path: Path) -> None:
        self.at += 1
        position = 0
        while self.text[self._blank()] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._note((*path, position), self.at)
            self._value((*path, position))
            position += 1
        self.at += 1

    def _inline(self, path: Path) -> None:
        self.at += 1
        while self.text[self._blank()] != "}":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._pair(path)
        self.at += 1
