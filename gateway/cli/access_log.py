"""``rehab-gateway access-log``: who looked at what in the dashboard, and whether the log of it is whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
from rich.table import Table
from rich.text import Text

from config.settings import Settings
from gateway.audit.access_log import NAME, Entry, read
from gateway.audit.trail import OF_LOOKS, details, looks_words
from gateway.cli.terminal import Terminal
from gateway.machine.plain_text import printable

WHOLE, BROKEN = 0, 1
MICRO = 1_000_000


def show(settings: Settings, *, user: str, subject: str, as_json: bool) -> int:
    """Print the log, or what it has of a user or a subject; return 0 if all of it is whole. Raises UsageError."""
    entries = read(settings.site.data / NAME)
    troubles: list[str] = []
    chosen = _chosen(entries, user, subject, troubles)
    if as_json:
        for entry in chosen:
            sys.stdout.buffer.write(orjson.dumps(as_object(entry)) + b"\n")
        sys.stdout.flush()
        return BROKEN if troubles else WHOLE
    console = Terminal()
    shown = Table("n", "time (UTC)", "user", "role", "from", "what", "", box=None, pad_edge=False, header_style="dim")
    for entry in chosen:
        shown.add_row(*_row(entry))
    console.print(shown if shown.row_count else "There is no such entry.")
    mark = ("▲ ", "bold red") if troubles else ("● ", "bold green")
    console.print(Text.assemble(mark, looks_words(troubles)))
    return BROKEN if troubles else WHOLE


def _chosen(entries: Iterator[Entry], user: str, subject: str, troubles: list[str]) -> Iterator[Entry]:
    for entry in entries:
        if entry.trouble:
            troubles.append(entry.trouble)
        mine = user in {"", entry.fields.get("user")}
        if entry.trouble or (mine and (not subject or any(one.subject == subject for one in entry.people))):
            yield entry


def as_object(entry: Entry) -> dict[str, object]:
    """Return an entry for other programs."""
    about = [person._asdict() for person in entry.people]
    return {**entry.fields, "n": entry.n, "people": about, "trouble": entry.trouble}


def _row(entry: Entry) -> list[Text]:
    time_us = entry.fields.get("time_us", 0)
    at = f"{datetime.fromtimestamp(time_us / MICRO, UTC):%Y-%m-%d %H:%M:%S}" if time_us else ""
    rest = [details(entry.fields, OF_LOOKS), *(f"{person.slot}: {person.subject}" for person in entry.people)]
    columns = [str(entry.fields.get(key, "")) for key in ("user", "role", "address", "what")]
    words = entry.trouble or ", ".join(filter(None, rest))
    cells = [str(entry.n), at, *columns, printable(words)]
    return [Text(cell, "bold red" if entry.trouble else "", overflow="fold") for cell in cells]
