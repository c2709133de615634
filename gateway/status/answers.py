"""What stands around the notices of a gateway: who answers them, whose movement raises any, and who is told besides."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gateway.status.notice_desk import NoticeDesk
from gateway.status.push import Push
from gateway.status.reviews import PER_HOUR, Reviews, Wanted


@dataclass(frozen=True, slots=True)
class Answers:
    """The desk that takes answers, which movement notices staff chose for whom, and what sends notices on, if any."""

    desk: NoticeDesk
    wanted: Wanted
    push: Push | None = None

    def reviews(self, now_us: int) -> Reviews:
        """Return what stands to be looked at, with what nobody had seen before a restart; now in UTC microseconds."""
        found = Reviews(wanted=self.wanted, per_hour=PER_HOUR)
        found.take_back(self.desk.reviews, time.monotonic(), now_us)
        return found

    def close(self) -> None:
        """Send no more."""
        if self.push is not None:
            self.push.close()
