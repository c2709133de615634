"""Changes of the ward while it runs: on disk first, then into the step stream, then answered, published and audited."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

from config.pseudonym import nhs_numbers
from config.settings import Settings
from gateway.analysis.warm_up import needs
from gateway.audit.audit import Audit
from gateway.broker.link import Incoming
from gateway.machine.facts import TRUE_FROM_US
from gateway.model.ward import Ward, settings_of
from gateway.outbox.outbox import Outbox
from gateway.run.first_ward import FirstWard
from gateway.run.ward_words import WardWords
from gateway.ward.answers import answer_to
from gateway.ward.changes import CHANGES
from gateway.ward.kept_ward import KeptWard
from gateway.ward.published import encode_registry
from gateway.ward.refusals import refused
from gateway.wire.commands import NOTICES

MOST_CHANGES, WITHIN_S = 1000, 600.0
"""A busy ward changes a few times an hour; each change is in the audit, which nobody should be able to fill."""
LONGEST_NAME = 100  # characters of who asked
SOURCE = "mqtt"
LOOK_S = 1.0
"""Between two looks at the file: a command of the ward that finds it gone believes that no gateway runs."""
RESTORED = (
    "The file of the ward was removed, damaged, or an older one put back, as by a restore: who is in which bed is as"
    " it was last known; see that it is right"
)
"""What stands in the notice; the audit has the change as such."""
WARD_LOST = "ward-lost"
LOST = (
    "This gateway had a ward before ({}), and who was in which bed is lost: nobody is in a bed whom the configuration"
    " alone has put there. Admit who is there, or stop the gateway, see that the beds in the configuration are right,"
    " and take them over with 'rehab-gateway ward import'"
)
"""The same, of a ward that nothing remembers."""

DAY_US = 86_400_000_000
"""Less a computer without a clock of its own may be behind at its start, until the network tells it the time."""
SET_BACK = (
    "The clock was set back by {:.0f} days since this gateway last ran: what it measured then stands at times that are"
    " still to come, and no trend or report of these days has it. See that the clock is right now; sessions of then"
    " can be corrected"
)


class WardCommands:
    """Carries out changes that come as commands. `command` and `obeyed` are called on the network thread.

    Args:
        settings: The configuration.
        ward: The registry.
        audit: Is told of each change.
        outbox: Takes what the history has to know of it.
        now_us: Wall clock, UTC microseconds.
        prepare: Has kernels made ready, by name, for the ward that is put in next; returns at once.
        put_in: Puts a ward into the step stream; called on several threads, one at a time, the newest last.
        answer: Takes what people answer to notices: name, fields, who.
        other: Answers what is neither.
        monotonic: Monotonic seconds.

    Attributes:
        publish: Publishes the registry, retained; set when there is somewhere to send to.
    """

    def __init__(
        self,
        settings: Settings,
        ward: KeptWard,
        audit: Audit,
        outbox: Outbox,
        *,
        now_us: Callable[[], int],
        prepare: Callable[[Collection[str]], None],
        put_in: Callable[[Ward], None],
        answer: Callable[[str, Mapping[str, Any], str], dict[str, Any]],
        other: Callable[[str, Mapping[str, Any]], dict[str, Any]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._ward = ward
        self._audit = audit
        self._outbox = outbox
        self._first = FirstWard(ward, outbox, now_us=now_us)
        self._words = WardWords(ward, outbox, simulated=settings.simulated)
        self._now_us = now_us
        self._prepare = prepare
        self._put_in = put_in
        self.publish: Callable[[bytes], None] = lambda _payload: None
        self._answer = answer
        self._other = other
        self._monotonic = monotonic
        self._lately: deque[float] = deque()
        self._turn = threading.Lock()

    def publish_ward(self) -> None:
        """Publish the registry as it is, and tell the audit of what it does not know: changes made meanwhile."""
        if self._ward.was_recalled:
            self._outbox.incidents.add_audited("ward-restored", RESTORED, {"file": self._ward.path.name})
        self._tell_lost()
        self._tell_ahead()
        for entry in self._ward.untold():
            self._audit.ward_changed(entry.number, entry.name, entry.fields, by=entry.by, source=entry.source)
        self._ward.mark_audited(self._ward.state.number)
        self._words.hand_over()
        self.publish(encode_registry(self._settings.site.gateway, self._ward.state))

    def command(self, name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a command. Raises RefusedError, and ValueError for what is no request at all."""
        fields = dict(payload)
        if name in NOTICES:
            by = person(fields.pop("by", ""))
            return self._answer(name, fields, by)
        if name not in CHANGES:
            return self._other(name, payload)
        by = person(fields.pop("by", ""))
        self._count()
        after = self._ward.change(name, fields, at_us=self._now_us(), by=by, source=SOURCE)
        self._let_in(after.in_force())
        self._words.hand_over()
        self.publish(encode_registry(self._settings.site.gateway, after))
        return answer_to(after, name, fields)

    def obeyed(self, message: Incoming, answer: Mapping[str, Any]) -> None:
        """Tell the audit of a command that was answered."""
        self._audit.command(message, answer)
        if answer.get("ok") is True and "change" in answer:
            self._ward.mark_audited(int(answer["number"]))

    async def look_after(self) -> None:
        """See each second that the file of the ward is there, and is what it was left as."""
        while True:
            await asyncio.to_thread(self._words.look_after)
            await asyncio.to_thread(self._look_for_earlier)
            await asyncio.sleep(LOOK_S)

    def close(self) -> None:
        """Hand over what the history has still to know."""
        self._words.hand_over()

    def _look_for_earlier(self) -> None:
        """Empty the beds that the configuration has filled, where it shows only now that there was a ward before."""
        if (after := self._first.look()) is not None:
            self._let_in(after.in_force())
            self.publish_ward()
        self._tell_lost()

    def _tell_lost(self) -> None:
        """Have it stand that the ward is lost until a person has said who is in which bed, however long that takes."""
        incidents = self._outbox.incidents
        if (trace := self._ward.vacated) and not any(one.what == WARD_LOST for one in incidents.shown()):
            incidents.add_audited(WARD_LOST, LOST.format(trace), {"trace": trace})

    def _tell_ahead(self) -> None:
        """Say that a clock was set back while no gateway ran: its own notices look at no clock but the present one."""
        days, self._ward.ahead_us = self._ward.ahead_us / DAY_US, 0
        if days >= 1.0 and self._now_us() >= TRUE_FROM_US:
            self._outbox.incidents.add("clock-set-back", SET_BACK.format(days), days=round(days))

    def _let_in(self, ward: Ward) -> None:
        """Let a ward into the stream; whose kernels are not ready waits for them there, and nobody else."""
        with self._turn:
            self._prepare(needs(settings_of(self._settings, ward)))
            self._put_in(ward)

    def _count(self) -> None:
        now = self._monotonic()
        while self._lately and self._lately[0] <= now - WITHIN_S:
            self._lately.popleft()
        if len(self._lately) >= MOST_CHANGES:
            raise refused("too_many_changes", most=MOST_CHANGES, minutes=WITHIN_S / 60)
        self._lately.append(now)


def person(by: object) -> str:
    """Return the name of whoever asks; raises ValueError for what is none."""
    if not isinstance(by, str) or len(by) > LONGEST_NAME or not by.isprintable() or nhs_numbers(by):
        raise ValueError(f"'by' is the name of whoever asks, of {LONGEST_NAME} characters at most")
    return by
