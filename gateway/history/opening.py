"""Open a history for the one process that writes it, or say in a sentence why that cannot be."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from gateway.history.history import History
from gateway.machine.file_lock import FileLock
from gateway.machine.private_files import FOLDER_MODE


class HistoryAccessError(Exception):
    """The history cannot be written by this process."""

    advice = (
        "Check who owns it and its folder ('ls -l'), and start the historian as that user; or 'chown' it to the user of"
        " the service."
    )


def open_history(
    path: Path, *, gateway: str, **options: bool | float | Callable[[], float]
) -> tuple[History, FileLock]:
    """Return the history, and the lock that is held while it is open.

    Args:
        path: The database.
        gateway: Whose process this is, for whoever is refused.
        options: Of ``History``.

    Raises:
        HeldError: Another process writes it.
        HistoryAccessError: It, or its folder, cannot be written.
        HistoryError: It is another kind of database, or of another version.
    """
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        lock = FileLock(path, gateway=gateway)
    except OSError as error:
        raise HistoryAccessError(f"{path} cannot be written: {_why(error)}") from error
    try:
        return History(path, **options), lock  # type: ignore[arg-type] # as History has them
    except (OSError, sqlite3.OperationalError) as error:
        lock.release()
        raise HistoryAccessError(f"{path} cannot be written: {_why(error)}") from error
    except BaseException:
        lock.release()
        raise


def _why(error: Exception) -> str:
    return ((error.strerror if isinstance(error, OSError) else "") or str(error)).lower()
