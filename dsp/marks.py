"""Marks in a session that its test goes by: it begins, it ends, a lap is done; what was found by itself gives way."""

from __future__ import annotations

from typing import Final

START: Final = "start"
STOP: Final = "stop"
LAP: Final = "lap"
