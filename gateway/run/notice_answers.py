"""What answers to the notices of a running gateway need, put together; it goes by the ward as it is at each moment."""

from __future__ import annotations

from collections.abc import Callable

from config.settings import Settings
from gateway.status.answers import Answers
from gateway.status.notice_desk import NoticeDesk
from gateway.status.notice_rules import RULES
from gateway.status.push import Push
from gateway.ward.kept_ward import KeptWard


def open_answers(settings: Settings, ward: KeptWard, now_us: Callable[[], int]) -> Answers:
    """Return it; ``now_us`` is the time that the status tells, UTC microseconds."""

    def wanted(subject: str, metric: str) -> bool:
        there = ward.state.subject(subject)
        return there is not None and metric in there.notices

    def beds() -> dict[str, str]:
        state = ward.state
        return {bed.id: "" for bed in state.beds} | {one.bed: one.id for one in state.subjects}

    desk = NoticeDesk(settings.site.data, beds=beds, codes={rule.code for rule in RULES}, now_us=now_us)
    return Answers(desk, wanted, Push(settings) if settings.notices.webhook is not None else None)
