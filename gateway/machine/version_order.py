"""Which of two versions is the older one, as Debian's package manager has it."""

from __future__ import annotations

import re

BEHIND_LETTERS = 256
"""More than any letter of a version has."""
_PARTS = re.compile(r"([^0-9]*)([0-9]*)")


def order(version: str) -> list[list[tuple[list[int], int]]]:
    """Return a key by which versions stand as dpkg has them: 0.9.1, 0.10.0~rc1, 0.10.0, 0.10.0+1.

    After Debian's policy, chapter 5.6.12: digits and what is none in turn; ``~`` comes before everything, the end of
    the version too, and letters come before other signs. What is behind the last hyphen is compared last.
    """
    upstream, _, revision = version.rpartition("-") if "-" in version else (version, "", "0")
    return [
        [([*map(_weight, words), 0], int(digits or 0)) for words, digits in _PARTS.findall(part)]
        for part in (upstream, revision)
    ]


def _weight(sign: str) -> int:
    if sign == "~":
        return -1
    return ord(sign) if sign.isalpha() else ord(sign) + BEHIND_LETTERS
