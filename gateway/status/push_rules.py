"""What deserves a notice of notices that are sent on: that they are not."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.model.status import Status
from gateway.status.notices import Finding, Rule, finding

PUSH_FAILING = Rule(
    "push-failing", "medium", 0.0, 5.0, "the newest notice could not be sent on to where the configuration says",
)  # fmt: skip


def push_findings(status: Status) -> Iterator[Finding]:
    """Yield that the newest notice was not taken, until one is."""
    push = (status.get("notices") or {}).get("push") or {}
    if push.get("error"):
        yield finding(PUSH_FAILING, failed=push["failed"], why=push["error"])
