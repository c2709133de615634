"""What must not be in a topic, an id or a log: numbers that name a person."""

from __future__ import annotations

import re

_TEN_DIGITS = re.compile(r"(?<![0-9A-Za-z.])\d{3}([ -]?)\d{3}\1\d{4}(?![0-9A-Za-z])")
_MODULUS = 11


def check_digit(nine: str) -> int:
    """Return the tenth digit of an NHS number (NHS Data Dictionary: modulus 11); 10 is never issued."""
    total = sum(int(digit) * weight for digit, weight in zip(nine, range(10, 1, -1), strict=True))
    return -total % _MODULUS


def nhs_numbers(text: str) -> list[str]:
    """Return everything in ``text`` that has the form and the check digit of an NHS number."""
    found = (match.group() for match in _TEN_DIGITS.finditer(text))
    return [number for number in found if _valid(re.sub(r"\D", "", number))]


def _valid(digits: str) -> bool:
    return check_digit(digits[:9]) == int(digits[9]) and len(set(digits)) > 1
