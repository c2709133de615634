"""What was planned for a subject, as the history knows it: bands, and sessions a week."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.history.reader import HistoryReader


@dataclass(frozen=True, slots=True)
class PlanInTime:
    """What holds from a time on: group of the bands (empty: none), sessions a week (0: no number)."""

    from_us: int
    bands: str
    sessions_a_week: int


def has_table(reader: HistoryReader, name: str) -> bool:
    """Whether a history has a table; one whose historian has not started again since lacks the newest."""
    return bool(reader.rows("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)))


def plans_of(reader: HistoryReader, subject: str) -> list[PlanInTime]:
    """Return the plans of a subject, the oldest first."""
    if not has_table(reader, "ward_plans"):
        return []
    rows = reader.rows(
        "SELECT from_us, bands, sessions_a_week FROM ward_plans WHERE subject = ? ORDER BY from_us, epoch, seq",
        (subject,),
    )
    return [PlanInTime(*row) for row in rows]


def plan_at(plans: list[PlanInTime], at_us: int) -> PlanInTime:
    """Return what held at a time; nothing where nothing was planned yet."""
    return next((plan for plan in reversed(plans) if plan.from_us <= at_us), PlanInTime(0, "", 0))
