"""What the history has to know of the ward, from the registry into the outbox: each word at least once."""

from __future__ import annotations

import logging
from collections import deque
from threading import Lock

from gateway.model.measurement import Measurement
from gateway.model.records import Record
from gateway.outbox.outbox import Outbox
from gateway.ward.history_words import ENTERED
from gateway.ward.kept_ward import KeptWard
from gateway.ward.registry import Untold
from gateway.ward.remembered import FACT, remembered

log = logging.getLogger(__name__)


class WardWords:
    """Hands over words, and has the registry forget those that the outbox has on disk. Safe for several threads.

    It looks after the registry, too.

    Args:
        ward: The registry, where a word lies from the moment of its change.
        outbox: Takes them to the history.
        simulated: Whether the devices of this gateway are: what people enter is of the same patients.
    """

    def __init__(self, ward: KeptWard, outbox: Outbox, *, simulated: bool) -> None:
        self._ward = ward
        self._outbox = outbox
        self._simulated = simulated
        self._lock = Lock()
        self._handed = 0  # id of the last word
        self._waiting: deque[tuple[int, int, str]] = deque()  # ids, with number and life of the outbox

    def hand_over(self) -> None:
        """Hand over what there is, and have the outbox remember the ward as it is now."""
        with self._lock:
            while found := self._ward.words(self._handed):
                for word in found:
                    number = self._put(word)
                    self._waiting.append((word.id, number, self._outbox.state().epoch))
                    self._handed = word.id
            self._forget()
            if (ward := remembered(self._ward.state)) != self._outbox.facts.get(FACT):
                self._outbox.facts.keep(FACT, ward)

    def look_after(self) -> None:
        """See that the registry is there, and say so where it was not."""
        if found := self._ward.look_after():
            log.error("%s", found)
            self._outbox.incidents.add("ward-removed", found, file=self._ward.path.name)

    def _put(self, word: Untold) -> int:
        """Put a word into the outbox, or the measurement that it is; return its number there."""
        if word.what != ENTERED:
            return self._outbox.record(Record("ward", word.what, word.at_us, word.fields))
        fields = {name: value for name, value in word.fields.items() if name != "number"}
        measurement = Measurement.from_dict({**fields, "simulated": self._simulated})
        return self._outbox.append([measurement], urgent=True)

    def _forget(self) -> None:
        """Forget what is on disk; what went to an outbox that was set aside since is told again at the next start."""
        state, upto = self._outbox.state(), 0
        while self._waiting:
            word, number, epoch = self._waiting[0]
            if epoch != state.epoch or number > state.durable_seq:
                break
            upto = word
            self._waiting.popleft()
        if upto:
            self._ward.forget_words(upto)
