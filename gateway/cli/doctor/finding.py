"""What the doctor finds: one answer, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer of the doctor.

    Attributes:
        name: What was looked at.
        state: ``ok``, ``warn`` (works, with less) or ``fail``.
        found: What was seen.
        advice: What to do; empty when all is well.
    """

    name: str
    state: State
    found: str
    advice: str = ""


def worst(name: str, findings: list[Finding], well: str) -> Finding:
    """Return the first failure, else the first warning, else that all is well."""
    for state in ("fail", "warn"):
        for finding in findings:
            if finding.state == state:
                return finding
    return Finding(name, "ok", well)
