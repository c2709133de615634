"""``rehab-gateway history verify``: is every measurement as it was written, as far as that can be known?"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from rich.text import Text

from gateway.cli.terminal import Terminal
from gateway.history.errors import HistoryError
from gateway.history.verification import Verdict, verify
from gateway.model.usage import UsageError

WHOLE, BROKEN = 0, 1
SAY_EVERY_S = 5.0


def verify_history(path: Path) -> int:
    """Print what a check of all rows found; return 0 if nothing is wrong. Raises UsageError."""
    console = Terminal()
    console.print("Reading the whole history, which may take minutes; the historian goes on meanwhile.")
    said_s = time.monotonic()

    def tell(rows: int) -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= SAY_EVERY_S:
            said_s = time.monotonic()
            console.print(f"{rows:,} measurements …")

    try:
        found = verify(path, tell)
    except (HistoryError, sqlite3.Error) as error:
        raise UsageError(f"{path}: {error}") from error
    _show(console, found)
    return WHOLE if found.is_whole else BROKEN


def _show(console: Terminal, found: Verdict) -> None:
    bad = ("▲ ", "bold red")
    if found.damage:
        console.print(Text.assemble(bad, f"The file is damaged: {found.damage}. The historian sets it aside."))
    if found.rotten:
        text = f"{found.rotten:,} measurements rotted on the disk: they are shown to nobody"
        console.print(Text.assemble(bad, f"{text}; the historian makes gaps of them within two days."))
    if found.series:
        text = f"{found.series:,} series rotted on the disk: nothing of them is shown"
        console.print(Text.assemble(bad, f"{text}; the historian mends them from their index within two days."))
    if found.unchecked:
        text = f"{found.unchecked:,} measurements have no sum, for an older version wrote them: they were not checked."
        console.print(Text.assemble(("○ ", "dim"), text))
    if found.is_whole:
        console.print(Text.assemble(("● ", "bold green"), f"{found.checked:,} measurements are as they were written."))
    else:
        console.print(f"{found.checked:,} measurements are as they were written.")
