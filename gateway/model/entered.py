"""How a measurement says that people entered it: by its algorithm."""

from __future__ import annotations

from typing import Final

REPORTED: Final = "reported/1"
"""What somebody said who was asked."""
BY_HAND: Final = "by-hand/1"
"""What follows from a start and an end that somebody corrected."""
_FORM: Final = "form/"


def form_answer(form: str, item: str, version: int) -> str:
    """Return the algorithm of an answer: in which form, to which item, of which version."""
    return f"{_FORM}{form}.{item}/{version}"


def item_answered(algorithm: str) -> str:
    """Return form and item of an answer, as ``five-questions: walking``; empty for anything else."""
    if not algorithm.startswith(_FORM):
        return ""
    return algorithm.removeprefix(_FORM).rpartition("/")[0].replace(".", ": ")


def is_reported(algorithm: str) -> bool:
    """Whether somebody said a measurement of a whole session: it has no time of its own within it."""
    return is_entered(algorithm) and algorithm != BY_HAND


def is_entered(algorithm: str) -> bool:
    """Whether people entered a measurement, and no sensor gave it."""
    return algorithm in {REPORTED, BY_HAND} or algorithm.startswith(_FORM)
