"""The remote time-series store: written synchronously, retried until it is taken or proved unacceptable.

A wrong address, a wrong token and a proxy in between refuse whatever is sent: that is never held against a measurement.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from config.settings import Store
from gateway.broker.link import backoff_s
from gateway.historian.postgres_writer import PostgresWriter
from gateway.historian.store_line import line, tags_of, unfit
from gateway.historian.store_writer import ADDRESS, LineWriter, UndeletableError, WriteError, Writer
from gateway.history.schema import Stored

__all__ = ["LineWriter", "RemoteStore", "WriteError", "line", "tags_of", "writer_of"]

log = logging.getLogger(__name__)

DELETE_ROUNDS = 3
DELETE_PAUSE_S = 2.0
"""VictoriaMetrics shows, and so deletes, what it has taken after a second."""
RETRY_AFTER_MOST_S = 300.0
"""A store may ask for a pause; not for a day."""
SIEVE = f"the store says yes and keeps nothing: {ADDRESS} and kind"
TOGETHER = "the store refuses everything alike, and so not for what is in it"

ALONE_MOST = 1
"""Rows that came alone, and were set apart on the canary's word, before another has to be taken."""

UNPROVED_MOST = 32
"""Rows that are asked about one by one before any has been taken: then it is not the rows."""

Refuse = Callable[[Stored, str], None]
Suspect = tuple[Stored, WriteError]


def writer_of(settings: Store) -> Writer:
    """Return what writes to a store of this kind; nothing is asked of the store yet."""
    return PostgresWriter(settings) if settings.kind == "postgresql" else LineWriter(settings)


class _StoppedError(Exception):
    """The end came while something waited for the store."""


class RemoteStore:
    """Write measurements until they are taken, whatever happens between; only what is proved unacceptable is set apart.

    Attributes:
        written: Measurements written, those that were written again included.
        failures: Times that the store did not answer as it should; whoever took its word before may doubt it now.
        refused: Ids of the measurements of the last write that were refused.

    Args:
        writer: Where rows go.
        site: Tag of every row.
        refuse: Called with a measurement that the store refuses, and why.
        rng: Source of jitter.
    """

    def __init__(self, writer: Writer, site: str, refuse: Refuse, *, rng: random.Random | None = None) -> None:
        self.errors: Counter[str] = Counter()
        self.last_error = ""
        self.written = 0
        self.failures = 0
        self.refused: set[int] = set()
        self._trouble = self._sieve = ""
        self._refusals = self._alone = 0
        self._writer = writer
        self._site = site
        self._refuse = refuse
        self._rng = rng or random.Random()
        self._stop = threading.Event()

    def write(self, rows: Sequence[Stored]) -> bool:
        """Write rows; False if they were not taken: it was stopped, or the store refuses everything.

        What cannot be a line is refused at once. What the store refuses is set apart only when it has just taken
        others, and refuses this one alone.
        """
        self.refused = set()
        fit = [row for row in rows if not (why := unfit(row)) or self._unfit(row, why)]
        try:
            suspects = self._sift(fit) if fit else []
        except _StoppedError:
            return False
        except WriteError as error:
            self._whole(error)
            return False
        for row, reason in suspects:
            self._note("refused by the store", reason)
            self._set_apart(row, str(reason))
        self.written += len(fit) - len(suspects)
        self._trouble = ""
        self.last_error = str(suspects[-1][1]) if suspects else ""
        self._refusals = 0
        return True

    def delete(self, gateway: str, session: str, subject: str) -> bool:
        """Delete what the store has of a session of a subject; return whether it has done so, or never will."""
        tags = {"gateway": gateway, "session": session, "subject": subject}
        try:
            for _ in range(DELETE_ROUNDS):
                if self._stop.wait(DELETE_PAUSE_S):  # a store may not see yet what it has just taken
                    return False
                self._writer.erase(self._site, subject, tags)
                if not self._writer.has(self._site, subject, tags):
                    return True
        except UndeletableError as error:
            self._note("cannot be deleted", error)
            return True
        except WriteError as error:
            self.failures += 1
            self._note("not deleted", error)
            self._pause(self._refusals, error)
            return False
        self._note("not deleted", WriteError("the store was asked to delete and still has it", lasting=False))
        return False

    def missing(self, rows: Sequence[Stored]) -> list[Stored] | None:
        """Return which of these the store does not have, as far as it can be asked; None if it does not answer."""
        try:
            return self._writer.missing([row for row in rows if not unfit(row)], self._site)
        except WriteError as error:
            self._note("store does not answer what it has", error)
            # A store that keeps this from us (vmauth) can only be believed.
            return [] if error.lasting else None

    def _unfit(self, row: Stored, reason: str) -> bool:
        self.errors["not a line"] += 1
        self._set_apart(row, reason)
        return False

    def _set_apart(self, row: Stored, reason: str) -> None:
        self.refused.add(row.id)
        self._refuse(row, reason)

    def _sift(self, rows: Sequence[Stored]) -> list[Suspect]:
        """Write rows, and return those that the store refuses among others that it takes.

        Raises:
            WriteError: It takes none, or not one line at a time.
            _StoppedError: The end came first.
        """
        taken, tried = False, 0
        suspects: list[Suspect] = []
        parts = [rows]
        while parts:
            part = parts.pop()
            error = self._send(partial(self._writer.write, part, self._site))
            tried += 1
            if error is None:
                taken = True
                continue
            if not taken and tried == min(2, len(rows)):
                self._prove(error)
            if len(part) > 1:
                parts += (part[len(part) // 2 :], part[: len(part) // 2])
            elif error.lasting and (taken or len(suspects) < UNPROVED_MOST):
                suspects.append((part[0], error))
            else:
                raise error
        self._alone = 0 if taken else self._alone + 1
        if suspects and not taken and (len(rows) > 1 or self._alone > ALONE_MOST):
            raise suspects[-1][1]
        return suspects

    def _prove(self, error: WriteError) -> None:
        """Raise that error unless the store takes what is right: a wrong address refuses that, too."""
        if self._send(partial(self._writer.prove, self._site)) is not None:
            raise error

    def _send(self, write: Callable[[], None]) -> WriteError | None:
        """Write, again and again while the store is away; return why it refuses that, or None."""
        attempt = 0
        while not self._stop.is_set():
            try:
                write()
            except WriteError as error:
                if error.divisible:
                    return error
                self.failures += 1
                self._trouble = str(error)
                self._note("store is down", error)
                self._pause(attempt, error)
                attempt += 1
            else:
                return None
        raise _StoppedError

    def _whole(self, error: WriteError) -> None:
        """Wait for somebody to mend what is not about the lines; what comes meanwhile may be taken, and prove it."""
        self.failures += 1
        self._trouble = f"{TOGETHER} ({error}): {ADDRESS}"
        self._note("refused as a whole", error)
        self._pause(self._refusals, error)
        self._refusals += 1

    def _pause(self, attempt: int, error: WriteError) -> None:
        pause = backoff_s(attempt, self._rng)
        if error.retry_after_s is not None:
            pause += min(error.retry_after_s, RETRY_AFTER_MOST_S)
        self._stop.wait(pause)

    def keeps(self, *, something: bool) -> None:
        """Note whether the store was found to have anything at all of what it said yes to."""
        if not something:
            self.failures += 1
            self._note("keeps nothing", WriteError(SIEVE, lasting=False))
        self._sieve = "" if something else SIEVE

    @property
    def trouble(self) -> str:
        """Why nothing is taken, or kept, at present, with what can be done; empty when it is."""
        return self._trouble or self._sieve

    def stop(self) -> None:
        """End a write that waits, soon."""
        self._stop.set()

    def close(self) -> None:
        """Let go of connections."""
        self._writer.close()

    def _note(self, kind: str, error: WriteError) -> None:
        self.errors[kind] += 1
        if self.last_error != str(error):
            self.last_error = str(error)
            log.warning("%s: %s", kind, error)
