"""``rehab-gateway backup`` and ``restore``: what they ask for, and what they say."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from getpass import getpass
from pathlib import Path
from typing import Any

from config.secret import SecretError, read_secret
from config.settings import Settings
from gateway.cli.terminal import Terminal
from gateway.installation.backup import make_backup
from gateway.installation.restore import read_about
from gateway.installation.restore import restore as put_back
from gateway.machine.ownership import acting_as_owner_of, folder_of
from gateway.model.usage import UsageError

MICRO = 1_000_000
ROOT = Path("/")


def backup(settings: Settings, configuration: Path, folder: Path | None) -> None:
    """Make a backup; raises UsageError, BackupError, HeldError."""
    target = folder or settings.backup.folder
    if target is None:
        raise UsageError("where to? Name a folder, or set backup.folder in the configuration")
    if settings.backup.key_file is None:
        raise UsageError("backups are encrypted: set backup.key_file in the configuration; 'setup' makes one")
    say = partial(Terminal().print, soft_wrap=True)
    with acting_as_owner_of(folder_of(settings.backup.key_file, settings.site.data)):
        key = _key(settings.backup.key_file)
    made = make_backup(settings, configuration, target.absolute(), passphrase=key, say=say)
    older = f"; {made.deleted} older deleted" if made.deleted else ""
    links = f"; {made.links} links were not followed" if made.links else ""
    say(f"{made.path}: {made.files} files, {made.bytes / 1e6:.1f} MB, read again and whole{older}{links}")
    if made.lacks:
        say(f"{made.lacks}. A notice says so, too.")


def restore(file: Path, key_file: Path | None, *, replace: bool, under: Path, look: bool) -> None:
    """Put a backup back; raises UsageError, RestoreError."""
    say = partial(Terminal().print, soft_wrap=True)
    about = read_about(file)
    say(_title(about))
    if look:
        return
    key = _key(key_file) if key_file is not None else _typed_key()
    done = put_back(file, passphrase=key, under=under.absolute(), replace=replace, say=say)
    say(f"{done.files} files are back, each as it was copied.")
    for folder in done.aside:
        say(f"what was there is in {folder}")
    unsent = f"{done.unsent} measurements were not stored yet when the backup was made"
    if under.absolute() != ROOT:
        say(f"{unsent}. All of it lies below {under.absolute()}, for looking: nothing runs there, and nothing is sent.")
        return
    say(f"{unsent}: they are sent now.")
    say("What was measured after the backup is not in it. The gateway goes on in a new epoch, and the audit says so.")
    say("Who is in which bed is as it was then: see that it is right ('rehab-gateway ward show', or the page Beds).")
    say("Then: sudo systemctl start rehab-gateway@run rehab-gateway@historian rehab-gateway@dashboard")


def _title(about: Mapping[str, Any]) -> str:
    when = datetime.fromtimestamp(int(about.get("made_us", 0)) / MICRO, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"Backup of {about.get('site')}/{about.get('gateway')}, {when}, by version {about.get('version')}"


def _key(path: Path) -> str:
    try:
        return read_secret(path)
    except SecretError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        hint = ": run this with sudo" if isinstance(error, PermissionError) else ""
        raise UsageError(f"the key {path} cannot be read ({error.strerror}){hint}") from None


def _typed_key() -> str:
    if not sys.stdin.isatty():
        raise UsageError("which key? Give --key-file FILE")
    return getpass("Key of the backups: ").strip()
