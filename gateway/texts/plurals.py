"""Which form of a sentence a number takes: Unicode CLDR, "Language Plural Rules", cardinals, release 46.

Whole numbers only: the pages count beds, sensors and sessions. A language that is not here has two forms, of one and of
everything else; browsers know all of them (``Intl.PluralRules``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FORMS: Final = ("zero", "one", "two", "few", "many", "other")
_WELSH: Final = {0: "zero", 1: "one", 2: "two", 3: "few", 6: "many"}


def _one_or_more(n: int) -> str:
    return "one" if n == 1 else "other"


def _polish(n: int) -> str:
    if n == 1:
        return "one"
    return "few" if n % 10 in {2, 3, 4} and n % 100 not in {12, 13, 14} else "many"


def _irish(n: int) -> str:
    if n in {1, 2}:
        return {1: "one", 2: "two"}[n]
    return "few" if 3 <= n <= 6 else "many" if 7 <= n <= 10 else "other"


RULES: Final[dict[str, Callable[[int], str]]] = {
    "cy": lambda n: _WELSH.get(n, "other"),
    "fr": lambda n: "one" if n in {0, 1} else "other",
    "ga": _irish,
    "pl": _polish,
}
"""By language; the others have `_one_or_more`."""


def form_of(language: str, n: int) -> str:
    """Return the form of a whole number in a language, one of `FORMS`."""
    return RULES.get(language, _one_or_more)(n)
