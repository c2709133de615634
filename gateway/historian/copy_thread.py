"""The thread that copies the history to the remote store."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from gateway.historian.copying import Copier
from gateway.historian.receipt_sender import ReceiptSender
from gateway.historian.troubles import Troubles
from gateway.history.copy_cursor import CopyCursor
from gateway.outbox.errors import FileError

log = logging.getLogger(__name__)

IDLE_S = 1.0


class CopyThread:
    """Writes and confirms until told to stop.

    Args:
        copies: Where from, and how far it has come.
        copier: Where to.
        receipts: Told what the store has.
        troubles: Where what goes wrong is counted.
        on_file_error: Called when the history cannot be read or written.
        stop: Ends the thread.
        fresh: Set when there is something new.
    """

    def __init__(
        self, copies: CopyCursor, copier: Copier, receipts: ReceiptSender, troubles: Troubles, *,
        on_file_error: Callable[[Exception], None], stop: threading.Event, fresh: threading.Event,
    ) -> None:  # fmt: skip
        self._copies, self._copier, self._receipts = copies, copier, receipts
        self._troubles = troubles
        self._on_file_error = on_file_error
        self._stop, self._fresh = stop, fresh

    def run(self) -> None:
        """Copy until told to stop."""
        while not self._stop.is_set():
            self._fresh.clear()
            try:
                if not self._copy():
                    self._copier.offer_again()
                    self._fresh.wait(IDLE_S)
            except FileError as error:
                if not self._stop.is_set():
                    self._on_file_error(error)
                self._stop.wait(IDLE_S)
            except Exception as error:  # the supervisor of this thread
                if self._stop.is_set():
                    return  # a stop does not wait for a store that does not answer
                self._troubles.note("historian", error)
                log.exception("copying to the remote store failed")
                self._stop.wait(IDLE_S)

    def _copy(self) -> bool:
        """Write some, and confirm what was written before; return whether there is more to write."""
        self._copies.release_overdue()
        more = self._copier.write()
        if touched := self._copier.confirm():
            self._receipts.mark(touched, wake=True)
        return more
