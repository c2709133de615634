"""The names of the commands that a gateway takes: `docs/mqtt.md` explains them, and the access list allows them."""

from __future__ import annotations

from typing import Final

WATCH: Final = "watch"
WARD: Final = (
    "add-bed", "remove-bed", "admit", "discharge", "move", "add-device", "remove-device", "assign", "take-off",
    "session-start", "session-pause", "session-resume", "session-mark", "session-end",
    "session-correct", "session-discard",
)  # fmt: skip
"""What changes the ward (`gateway.ward.changes.CHANGES`, as a test sees)."""
COMMANDS: Final = (WATCH, *WARD)
