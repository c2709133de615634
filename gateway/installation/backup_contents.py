"""What belongs into a backup: everything of a ward that nobody could make again, and where each file lies.

The order is that of the data: who is where, then what is not sent yet, then what is stored. What goes on from one to
the next meanwhile is then in both copies, and never in neither; the history knows what it has by its number.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from config.loader import PARTS_FOLDER
from config.settings import Section, Settings
from gateway.broker.door import FOLDER as BROKER_FOLDER
from gateway.installation.safety_copy import FOLDER as SAFETY_COPY
from gateway.machine.ownership import acting_as_owner_of, folder_of
from gateway.machine.staging import NAMES as STAGING
from gateway.status.backup_state import FILE as STATE_FILE

FIRST = ("ward.db", "outbox.db")
"""Upstream of all others, in this order."""
SET_BEFORE = "before-restore-"
BESIDE_CONFIGURATION = ("certificates", "secrets")
"""Folders that `setup` makes beside the configuration."""
LEFT_OUT = re.compile(r"(\.lock|\.rgbackup|\.sock|\.part|\.working|-wal|-shm|-journal|\.rewritten|\.new)$")
"""What is of a running process, or is made again; SQLite's own are in the copy of their database."""


class LinkedError(Exception):
    """What a backup is made for is a link, which is not followed."""


@dataclass(frozen=True, slots=True)
class Content:
    """One file of a backup.

    Attributes:
        name: Its name there.
        path: Where it lies, and is put back.
        source: The file that is read: where ``path`` is a link that the configuration names, what it leads to.
        folder: As whose owner root reads it.
        of_services: Whether services write it, as all of the data.
        vital: Whether there is no use in a backup without it.
    """

    name: str
    path: Path
    source: Path
    folder: Path
    of_services: bool
    vital: bool


OnPath = Callable[[Path], None]


def _nothing(_path: Path) -> None:
    """Do nothing with it."""


def contents(
    settings: Settings, configuration: Path, on_link: OnPath = _nothing, on_closed: OnPath = _nothing
) -> Iterator[Content]:
    """Yield every file that belongs into a backup, in the order in which it is to be copied.

    A link is not followed: whoever may write in the data folder could have any file read. It is told to ``on_link``
    instead. Only what the configuration names itself, outside the data folder, may be one. Root looks through the data
    as the data folder's owner, and a folder that this one may not look into is told to ``on_closed``.

    Raises:
        LinkedError: One of the databases is a link: without it there would be no use in a backup.
    """
    history, data = settings.history_file, _in_order(settings, on_closed)
    groups = (
        *(("data", path, settings.site.data) for path in data if path != history),
        *(("data", path, path.parent) for path in (history,) if path.exists()),
        *(("configuration", path, configuration.resolve().parent) for path in _of_configuration(configuration)),
        *(("named", path, path.parent) for path in _named(settings)),
    )
    may_be_links = {path for path in (history, *_named(settings)) if not _is_inside(path, settings.site.data)}
    names: set[str] = set()
    seen: set[Path] = set()
    for group, path, folder in groups:
        if path in seen:
            continue
        seen.add(path)
        source = path.resolve() if path in may_be_links else path
        of_services, vital = group == "data", path == history or path.name in FIRST
        if source.is_symlink():
            _refuse_link(path) if vital else on_link(path)
            continue
        if not _is_file(source):
            continue
        name = f"{group}/{path.relative_to(folder)}"
        while name in names:  # two files of one name, from different folders
            name += "~"
        names.add(name)
        owners = settings.site.data if of_services else folder_of(source, settings.site.data)
        yield Content(name, path, source, owners, of_services, vital and of_services)


def _in_order(settings: Settings, on_closed: OnPath) -> list[Path]:
    """Return the files of the data folder: what is upstream first, and the history last."""
    with acting_as_owner_of(settings.site.data):
        found = list(_of_data(settings, on_closed))
    history, data = settings.history_file, settings.site.data
    return sorted(found, key=lambda path: (_rank(path, data), path == history, str(path)))


def _is_inside(path: Path, folder: Path) -> bool:
    return folder.resolve() in path.absolute().parent.resolve().parents or path.parent.resolve() == folder.resolve()


def _refuse_link(path: Path) -> None:
    raise LinkedError(
        f"{path} is a link, and links in the data folder are not followed: let 'site.data' (or, of the history,"
        f" 'historian.database') name the place itself, {path.readlink()}"
    )


def _rank(path: Path, data: Path) -> int:
    name = str(path.relative_to(data))
    return FIRST.index(name) if name in FIRST else len(FIRST)


def _of_data(settings: Settings, on_closed: OnPath) -> Iterator[Path]:
    """Yield the files of the data folder, but for what is made again at each start, and recordings if not wanted."""
    data = settings.site.data
    recordings = settings.recorder.folder or data / "recordings"
    away = {data / name for name in (BROKER_FOLDER, SAFETY_COPY, *STAGING)}  # copies of the same would double it
    if not settings.backup.recordings:
        away.add(recordings)
    roots = [data] if data in recordings.parents or not settings.backup.recordings else [data, recordings]
    if settings.backup.folder is not None:
        away.add(settings.backup.folder)  # a backup of backups would double each day
    for root in roots:
        for folder, folders, files in _walk(root, on_closed):
            folders[:] = [name for name in folders
                          if folder / name not in away and not name.startswith(SET_BEFORE)]  # fmt: skip
            yield from (folder / name for name in folders if (folder / name).is_symlink())
            for name in files:
                if not LEFT_OUT.search(name) and name != STATE_FILE:
                    yield folder / name


def _walk(root: Path, on_closed: OnPath) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Do what Path.walk does, which Python 3.11 does not have."""
    for folder, folders, files in os.walk(root, onerror=lambda error: _tell(error, on_closed)):
        yield Path(folder), folders, files


def _tell(error: OSError, on_closed: OnPath) -> None:
    if isinstance(error, PermissionError):
        on_closed(Path(error.filename))


def _of_configuration(configuration: Path) -> Iterator[Path]:
    own = configuration.resolve()
    yield own
    for name in (*BESIDE_CONFIGURATION, own.name + PARTS_FOLDER):
        folder = own.parent / name
        for path in sorted(folder.rglob("*")):
            if not LEFT_OUT.search(path.name) and not path.parent.name.startswith(SET_BEFORE):
                yield path


def _named(section: Section | list[object]) -> Iterator[Path]:
    """Yield each file that the configuration names: users, certificates, keys, secrets, forms, bands, the fleet's."""
    values = section if isinstance(section, list) else [value for _, value in section]
    keys = [""] * len(values) if isinstance(section, list) else [key for key, _ in section]
    for key, value in zip(keys, values, strict=True):
        if isinstance(value, Section):
            yield from _named(value)
        elif isinstance(value, Path) and key.endswith("_file"):
            yield value
        elif isinstance(value, Path) and key == "forms_folder":
            yield from sorted(value.glob("*.toml"))
        elif isinstance(value, Path) and key == "member_folder":
            there = (path for path in value.glob("*.*") if not path.is_symlink())  # bundles are fetched again
            yield from sorted(path for path in there if not LEFT_OUT.search(path.name))
        elif isinstance(value, list) and key == "band_files":
            yield from (path for path in value if isinstance(path, Path))


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
