"""``rehab-gateway history``: erase a subject everywhere, take it again, see to what retention holds, verify all rows.

The historian does it where one runs (it is the one writer of its file); else this process does.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from config.section import IDENTIFIER
from config.settings import Settings
from gateway.cli.erasure_places import (
    Places,
    erase_looks,
    erase_remotely,
    erase_ward,
    find_files,
    find_topics,
    old_backups,
)
from gateway.cli.history_verifying import verify_history
from gateway.cli.terminal import Terminal
from gateway.cli.waiting_corrections import waiting_corrections
from gateway.history.books.erased_subjects import ErasedSubjects, was_erased
from gateway.history.opening import open_history
from gateway.history.schema import WRITABLE
from gateway.machine.file_lock import HeldError
from gateway.model.usage import UsageError
from gateway.texts.languages import text
from gateway.upkeep import requests, retention
from gateway.upkeep.erasure import find
from gateway.upkeep.requests import What
from gateway.upkeep.upkeep import Upkeep

DONE, NOT_ALL = 0, 1
TAKEN_S = 5.0
"""A historian that runs takes a request within a second or two."""
POLL_S = 0.1
DAY_US = 86_400_000_000
MICRO = 1_000_000
BARRED = "erasing it only refuses what comes of it later, until 'history allow'"


def history(
    action: str, settings: Settings, subject: str, *, yes: bool, dry_run: bool, delete_files: bool, confirm: bool
) -> int:
    """Carry out the command; return the exit status. Raises UsageError for what cannot be done."""
    path = settings.history_file
    if not path.is_file():
        raise UsageError(f"{path}: there is no such history; run this where the historian runs")
    if action == "retention":
        return _retention(settings, path, confirm=confirm)
    if action == "verify":
        return verify_history(path)
    if action not in ("erase", "allow", "export"):
        raise UsageError(f"'{action}' is none of erase, allow, export, retention and verify")
    if not re.fullmatch(IDENTIFIER, subject):
        raise UsageError("name the subject: a pseudonym as in the configuration, after the configuration file")
    if action == "export":
        return _export(path, subject)
    console = Terminal()
    if action == "allow":
        known = _ask(settings, path, "allow", subject).get("known")
        console.print("Its measurements are taken again." if known else "It was not erased here.")
        return DONE
    return _ask_and_erase(console, settings, path, subject, yes=yes, dry_run=dry_run, delete_files=delete_files)


def _ask_and_erase(
    console: Terminal, settings: Settings, path: Path, subject: str, *, yes: bool, dry_run: bool, delete_files: bool
) -> int:
    """Show what there is, and erase it where nothing speaks against it and somebody says so."""
    files = find_files(settings, path, subject)
    named = _show(console, path, subject, files)
    with closing(_reading(path)) as db:
        waiting = waiting_corrections(settings, db, subject)
    if dry_run:
        for line in waiting:
            console.print(Text(f"▲ not before: {line}"), soft_wrap=True)
        return DONE
    if waiting:
        raise UsageError("; ".join(waiting))
    if yes and not named:
        raise UsageError(f"nothing on this computer names '{subject}': {BARRED}; without --yes you are asked")
    if not yes:
        barred = "" if named else f"Nothing on this computer names it: {BARRED}. "
        typer.confirm(f"{barred}Erase it? This cannot be undone", abort=True)
    return _erase(console, settings, path, subject, files if delete_files else Places())


def _export(path: Path, subject: str) -> int:
    """Print everything of a subject as CSV."""
    from gateway.dashboard.export import as_csv
    from gateway.history.export import COLUMNS, rows_of
    from gateway.history.reader import HistoryReader
    from gateway.results.past_sessions import sessions_of

    with closing(HistoryReader(path)) as reader:
        if not sessions_of(reader, subject):
            raise UsageError(text("answers.knows_nobody", subject=subject))
    sys.stdout.buffer.write(as_csv([COLUMNS]))
    for page in rows_of(path, subject):
        sys.stdout.buffer.write(as_csv(page))
    sys.stdout.flush()
    return DONE


def _show(console: Terminal, path: Path, subject: str, files: Places) -> bool:
    """Print what there is; return whether anything is, or was."""
    with closing(_reading(path)) as db:
        counts = find(db, subject).counts
    table = Table("what", "how many", box=None, pad_edge=False, header_style="dim")
    for what, n in counts.items():
        table.add_row(what, f"{n:,}")
    console.print(table if counts else "The history holds nothing of it.")
    for file in files.files:
        console.print(Text(f"· {file}: names it (--delete-files deletes it, whole)"), soft_wrap=True)
    return bool(counts or files.files or files.others) or was_erased(path, subject)


def _erase(console: Terminal, settings: Settings, path: Path, subject: str, delete: Places) -> int:
    answer = _ask(settings, path, "erase", subject)
    unreached: list[str] = list(answer.get("unreached", []))
    for file in delete.files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            unreached.append(f"{file}: cannot be deleted ({error.strerror})")
    unreached += [*erase_looks(settings, subject), *erase_ward(settings, subject)]
    left = find_files(settings, path, subject)
    unreached += [f"{file}: names it; --delete-files deletes it, whole" for file in left.files]
    unreached += [*left.others, *erase_remotely(settings, subject), *find_topics(settings, subject)]
    kinds = [line.replace(subject, "…") for line in unreached]
    requests.note_unreached(path, lambda db: ErasedSubjects(db).sum_of(subject), kinds)
    counts: dict[str, int] = answer.get("counts", {})
    gone = ", ".join(f"{n:,} {what}" for what, n in counts.items()) or "nothing that was still there"
    console.print(Text(f"Erased from the history: {gone}."))
    for line in unreached:
        console.print(Text.assemble(("▲ not reached: ", "bold red"), line), soft_wrap=True)
    if not unreached:
        console.print(Text.assemble(("● ", "bold green"), "Nothing of it is left that could be looked at."))
    if backups := old_backups(settings):
        console.print(Text(f"· {backups}"), soft_wrap=True)
    return NOT_ALL if unreached else DONE


def _retention(settings: Settings, path: Path, *, confirm: bool) -> int:
    now_us = time.time_ns() // 1000
    before_us = now_us - settings.historian.keep_days * DAY_US
    with closing(_reading(path)) as db:
        waiting = retention.due_rows(db, before_us)
    console = Terminal()
    at, before = (f"{datetime.fromtimestamp(us / MICRO, UTC):%Y-%m-%d %H:%M}" for us in (now_us, before_us))
    console.print(f"This computer's clock says {at} UTC. About {waiting:,} measurements were received before {before}.")
    if not confirm:
        console.print("They go in shares, each day; --confirm lets all of them go now. Minute values stay.")
        return DONE
    answer = _ask(settings, path, "confirm-retention", "")
    console.print(f"The historian deletes about {answer.get('rows', 0):,} measurements now, in the background.")
    return DONE


def _ask(settings: Settings, path: Path, what: What, subject: str) -> dict[str, Any]:
    """Have the writer of the history do something, or do it here where none runs; return the answer."""
    try:
        number = requests.leave(path, what, subject, time.time_ns() // 1000)
    except sqlite3.OperationalError as error:
        raise UsageError(f"{path}: {error}") from error
    here_at = time.monotonic() + TAKEN_S
    while True:
        state, answer = requests.answer_to(path, number)
        if state in ("done", "gone"):
            return answer
        if state == "asked" and time.monotonic() >= here_at:
            _do_it_here(settings, path)
        time.sleep(POLL_S)


def _do_it_here(settings: Settings, path: Path) -> None:
    """Do what was asked for, where no historian runs; one that runs, and is busy, comes to it by itself."""
    copying, sharing = settings.historian.store is not None, settings.historian.share is not None
    try:
        made, lock = open_history(path, gateway=settings.site.gateway, copying=copying, sharing=sharing)
    except HeldError:
        return
    try:
        share = settings.historian.retention_share / 100

        def audit(what: str, **fields: object) -> None:
            with made.own_records() as own:
                own.audit(what, **fields)

        upkeep = Upkeep(made.database, keep_days=settings.historian.keep_days, share=share, on_event=audit)
        while upkeep.answer_requests():
            pass
    finally:
        made.close()
        lock.release()


def _reading(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version not in WRITABLE:
        db.close()
        raise UsageError(f"{path}: a history of version {version}: start the historian once, it takes it on")
    return db
