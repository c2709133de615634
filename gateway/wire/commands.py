"""The names of the commands that a gateway takes: `docs/mqtt.md` explains them, and the access list allows them."""

from __future__ import annotations

from typing import Final

WATCH: Final = "watch"
WARD: Final = (
    "add-bed", "add-beds", "remove-bed", "admit", "discharge", "move", "plan",
    "add-device", "remove-device", "assign", "take-off",
    "session-start", "session-pause", "session-resume", "session-mark", "session-end",
    "session-correct", "session-discard", "session-report", "test-correct",
    "notices-choose", "feedback-choose",
)  # fmt: skip
"""What changes the ward (`gateway.ward.changes.CHANGES`, as a test sees)."""
DEVICES: Final = ("devices-scan", "devices-blink", "devices-tap", "devices-lift", "devices-bond", "devices-unbond")
"""What is done with the radio for whoever hands out sensors (`gateway.run.pairing_commands`); takes seconds."""
DEVICES_RESULT: Final = "devices-result"
"""Asks what became of one of `DEVICES`."""
NOTICES: Final = ("notice-acknowledge", "notice-pause", "notice-resume")
"""What people answer to notices (`gateway.status.notice_desk`)."""
COMMANDS: Final = (WATCH, *WARD, *DEVICES, DEVICES_RESULT, *NOTICES)
