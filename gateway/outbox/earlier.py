"""What earlier lives of an outbox have left beside it: files that were set aside, and files that are left to be sent.

A file ``outbox.db.left-<epoch>`` is a whole outbox of an earlier life. Files that were set aside become such ones as
far as they can be read, on a thread of their own. What is left is sent under its own epoch and numbers, and removed
when the history has all of it. The file that was set aside stays; ``<name>.imported`` beside it says what was taken
from it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import orjson

from gateway.machine.file_lock import HeldError
from gateway.machine.private_files import MODE
from gateway.model.row import Gap
from gateway.outbox.file import CORRUPT, NO_END, OutboxFile
from gateway.outbox.group import Group
from gateway.outbox.incidents import Incidents
from gateway.outbox.lives import left_behind
from gateway.outbox.move import clear
from gateway.outbox.salvage import Salvaged, SalvageError, epoch_of, salvage
from gateway.outbox.state import OutboxState

log = logging.getLogger(__name__)

KINDS = ("corrupt", "version", "replaced")
"""Of files that were set aside and may hold rows that nobody else has; those of another gateway are not ours to
send."""
IMPORTED = ".imported"
SIDES = ("-wal", "-shm", ".part", IMPORTED)
"""Ends of names that are no file of their own."""


class Sendable(Protocol):
    """A file of which what is left can be sent: an outbox."""

    path: Path

    def state(self) -> OutboxState:
        """Return what is left of it."""

    def gaps(self, limit: int) -> list[Gap]:
        """Return the gaps that are not told yet, so many at most."""

    def close(self) -> None:
        """Let go of the file."""


Box = TypeVar("Box", bound=Sendable)


class Earlier(Generic[Box]):
    """Looks after what lies beside the file of an outbox.

    Args:
        path: The outbox.
        incidents: Where it is said what became of files that were set aside.
        make: Opens what was left, as an outbox that looks after nothing itself; for one of these it is left out.

    Attributes:
        outboxes: What is left to be sent; grows and shrinks while the gateway runs.
    """

    def __init__(self, path: Path, incidents: Incidents, make: Callable[[Path], Box] | None) -> None:
        self._path = path
        self._incidents = incidents
        self._make = make
        self._lock = threading.Lock()
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._expected: dict[str, tuple[int, int]] = {}
        self.outboxes: list[Box] = []

    @property
    def depth(self) -> int:
        """Return how many rows are left to be sent."""
        return sum(box.state().depth for box in self.outboxes)

    @property
    def settled(self) -> bool:
        """Whether nothing is being looked at."""
        return not any(thread.is_alive() for thread in self._threads)

    def look(self, epoch: str) -> None:
        """Open what is left, and bring over what was set aside, on a thread; ``epoch`` is the present life."""
        if self._make is None:
            return
        if any(self._left()) or any(self._set_aside()) or self._expected:
            thread = threading.Thread(target=self._look, args=(epoch,), name="outbox-earlier", daemon=True)
            self._threads = [*(each for each in self._threads if each.is_alive()), thread]
            thread.start()

    def expect(self, epoch: str, released: int, last: int) -> None:
        """Know that an earlier life gave numbers up to ``last``: those beyond ``released`` may be lost."""
        self._expected[epoch] = (released, last)

    def finish(self, box: Box) -> None:
        """Close an outbox of which nothing is left, and remove its file."""
        with self._lock:
            if box in self.outboxes and not box.state().depth and not box.gaps(1):
                box.close()
                clear(box.path)
                self.outboxes = [other for other in self.outboxes if other is not box]
                log.info("all that was left of outbox %s is stored", box.path.name)

    def close(self) -> None:
        """Wait until what was begun is done, and close what is open."""
        self._closed = True
        for thread in self._threads:
            thread.join()
        for box in self.outboxes:
            box.close()

    def _look(self, epoch: str) -> None:
        with self._lock:
            expected = list(self._expected)  # before the look: the file of each is set aside by now
            for path in self._left():
                self._open(path)
            for path in self._set_aside():
                if not self._closed:
                    self._bring_over(path, epoch)
            for whose in expected:
                if not left_behind(self._path, whose).exists():
                    self._complete(whose)
                    self._open(left_behind(self._path, whose))

    def _left(self) -> Iterator[Path]:
        for path in sorted(self._path.parent.glob(f"{self._path.name}.left-*")):
            known = any(box.path == path for box in self.outboxes)
            if not known and not path.name.endswith(SIDES) and path.name.count(".") == self._path.name.count(".") + 1:
                yield path

    def _set_aside(self) -> Iterator[Path]:
        for kind in KINDS:
            for path in sorted(self._path.parent.glob(f"{self._path.name}*.{kind}-*")):
                if not path.name.endswith(SIDES) and not _marker(path).exists():
                    yield path

    def _open(self, path: Path) -> None:
        assert self._make is not None
        try:
            box = self._make(path)
        except (OSError, sqlite3.Error, HeldError) as error:
            log.error("what is left in %s cannot be opened: %s", path.name, error)  # noqa: TRY400
            return
        log.warning("%s holds %d rows of an earlier outbox: they are sent as such", path.name, box.state().depth)
        self.outboxes = [*self.outboxes, box]

    def _bring_over(self, path: Path, epoch: str) -> None:
        try:
            whose = epoch_of(path)
            if whose == epoch:
                _mark(path, {"epoch": whose, "why": "the same life as the present outbox"})
                return
            left = left_behind(self._path, whose)
            if left.exists():
                return  # another part of the same life is being sent: this one's turn comes with a later start
            done = salvage(path, left)
            self._complete(whose)
        except SalvageError as error:
            self._note_unreadable(path, str(error))
        except (OSError, sqlite3.Error) as error:
            log.error("%s cannot be brought over now: %s", path.name, error)  # noqa: TRY400 - tried with each start
        else:
            _mark(path, {"epoch": done.epoch, "rows": done.rows, "lost": done.lost})
            self._note_imported(path, done)
            self._open(left)

    def _complete(self, epoch: str) -> None:
        """Tell as gaps the numbers of an earlier life that are known to have been given and are in no file."""
        if (expected := self._expected.pop(epoch, None)) is None:
            return
        released, last = expected
        file = OutboxFile(left_behind(self._path, epoch), epoch=epoch)
        try:
            first = max(file.last_seq, released) + 1
            if first <= last:
                group = Group(gaps=[Gap(first, last, CORRUPT)], last_seq=last)
                file.commit(group, released=0, max_bytes=NO_END)
        finally:
            file.close(clean=True)

    def _note_imported(self, path: Path, done: Salvaged) -> None:
        lost = f"; {done.lost} numbers cannot be read and are told as gaps" if done.lost else "; nothing was lost"
        text = f"{done.rows} rows of {path.name}, which had been set aside, are sent after all{lost}"
        log.warning("%s", text)
        self._incidents.add(
            "set-aside-imported", text, file=path.name, epoch=done.epoch, rows=done.rows, lost=done.lost
        )

    def _note_unreadable(self, path: Path, why: str) -> None:
        text = (
            f"Nothing of {path.name}, which was set aside, can be read ({why}); what it held and had not sent is lost"
        )
        log.error("%s", text)
        if ".version-" not in path.name:  # a later program may know it
            _mark(path, {"why": why})
        self._incidents.add("set-aside-unreadable", text, file=path.name)


def _marker(path: Path) -> Path:
    return path.with_name(path.name + IMPORTED)


def _mark(path: Path, what: dict[str, object]) -> None:
    marker = _marker(path)
    marker.write_bytes(orjson.dumps(what) + b"\n")
    marker.chmod(MODE)
