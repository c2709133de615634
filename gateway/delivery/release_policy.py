"""When rows may leave the outbox: with the historian's receipt, or with the broker's acknowledgement."""

from __future__ import annotations

from typing import Protocol

from gateway.delivery.history_watch import HistoryWatch
from gateway.outbox.outbox import Outbox
from gateway.wire.receipt import Receipt


class ReleasePolicy(Protocol):
    """What an acknowledgement and a receipt mean for the outbox.

    Attributes:
        by_receipt: Whether rows wait for a receipt; else the broker's acknowledgement is receipt enough.
    """

    by_receipt: bool

    def on_acknowledged(self, epoch: str, upto: int) -> None:
        """The broker has taken all of an epoch up to a number."""

    def on_stored(self, epoch: str, upto: int) -> None:
        """The historians have stored all of an epoch up to a number."""

    def on_own_receipt(self, historian: str, receipt: Receipt, *, retained: bool) -> None:
        """A receipt of the present life came that may be true."""

    def on_other_receipt(self, receipt: Receipt) -> None:
        """A receipt came of a life that is neither the present one nor left to be sent."""

    def on_impossible_receipt(self, receipt: Receipt, *, given: int) -> None:
        """A receipt speaks of numbers beyond ``given``, the last that this life has given."""


class ReleaseByReceipt:
    """Rows leave when they are stored.

    Args:
        outbox: Whom receipts release.
    """

    by_receipt = True

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._history = HistoryWatch(outbox)

    def on_acknowledged(self, epoch: str, upto: int) -> None:
        """Keep the rows: a broker may still lose them."""
        del epoch, upto

    def on_stored(self, epoch: str, upto: int) -> None:
        """Let the rows go."""
        self._outbox.release(epoch, upto)

    def on_own_receipt(self, historian: str, receipt: Receipt, *, retained: bool) -> None:
        """Look whether the history still has what it had."""
        self._history.own_epoch(historian, receipt, retained=retained)

    def on_other_receipt(self, receipt: Receipt) -> None:
        """Look whether an outbox is missing."""
        self._history.other_epoch(receipt)

    def on_impossible_receipt(self, receipt: Receipt, *, given: int) -> None:
        """Begin a new life: the file is an older image of itself."""
        self._outbox.contradicted(receipt.epoch, receipt.last, given=given)


class ReleaseByBroker:
    """Rows leave when the broker has them; what receipts say is only shown.

    Args:
        outbox: Whom acknowledgements release.
    """

    by_receipt = False

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def on_acknowledged(self, epoch: str, upto: int) -> None:
        """Let the rows go."""
        self._outbox.release(epoch, upto)

    def on_stored(self, epoch: str, upto: int) -> None:
        """Do nothing: they have gone before."""

    def on_own_receipt(self, historian: str, receipt: Receipt, *, retained: bool) -> None:
        """Do nothing."""

    def on_other_receipt(self, receipt: Receipt) -> None:
        """Do nothing."""

    def on_impossible_receipt(self, receipt: Receipt, *, given: int) -> None:
        """Do nothing."""


def release_policy(name: str, outbox: Outbox) -> ReleasePolicy:
    """Return the policy of the setting ``outbox.release``: ``stored`` or ``broker``."""
    return ReleaseByBroker(outbox) if name == "broker" else ReleaseByReceipt(outbox)
