"""``rehab-gateway versions``: which are here, which one runs, and what the last changes came to."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.table import Table
from rich.text import Text

from gateway.cli.terminal import Terminal
from gateway.installation.errors import RefusedError
from gateway.installation.forms import forms
from gateway.installation.journal import Journal
from gateway.installation.versions import Versions
from gateway.machine.plain_text import plain_json, visible

LAST = 5
"""Changes that are shown."""
MICRO = 1_000_000


def print_forms() -> None:
    """Print the forms of this program: another one asks it before it takes its place."""
    sys.stdout.buffer.write(orjson.dumps(dict(forms())) + b"\n")


def show(home: Path, *, as_json: bool) -> None:
    """Print what is here."""
    versions, journal = Versions(home), Journal(home)
    try:
        current = versions.current()
    except RefusedError:
        current = ""
    under_way, past = journal.under_way(), journal.past()
    if as_json:
        found = {
            "current": current, "installed": versions.installed(), "past": past,
            "under_way": under_way.model_dump(mode="json") if under_way else None,
        }  # fmt: skip
        sys.stdout.buffer.write(plain_json(found, orjson.OPT_INDENT_2))
        return
    console = Terminal()
    if not versions.installed():
        console.print(f"There is no version in {visible(home)}: this one was not installed from a package.")
    for version in versions.installed():
        runs = version == current
        console.print(Text(f"{'●' if runs else '○'} {version}{'  runs' if runs else ''}", "bold" if runs else ""))
    if under_way:
        words = f"{under_way.kind} from {under_way.old} to {under_way.new} is under way ({under_way.step})"
        console.print(Text.assemble(("▲ ", "bold yellow"), visible(words)))
    if past:
        console.print(_changes(past[-LAST:]))


def _changes(past: list[dict[str, Any]]) -> Table:
    table = Table("when", "what", "came to", "", box=None, pad_edge=False, header_style="dim")
    for entry in reversed(past):
        when = datetime.fromtimestamp(entry["at_us"] / MICRO, UTC).strftime("%Y-%m-%d %H:%M UTC")
        signed = f"signed by {entry['key']}" if entry["key"] else ""
        why = f"unsigned: {entry['unsigned']}" if entry["unsigned"] else signed
        older = f"older: {entry['older']}" if entry.get("older") else ""  # not in what an earlier version wrote
        words = "; ".join(filter(None, (str(entry["why"]), why, older)))
        what = f"{entry['kind']} {entry['old']} → {entry['new']}"
        table.add_row(when, visible(what), str(entry["result"]), Text(visible(words), "dim", overflow="fold"))
    return table
