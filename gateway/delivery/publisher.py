"""From the outbox to the broker: in order, never more under way than both sides allow, live data before old.

One thread keeps all the books (`sender`): which rows wait, which messages are under way, which came back. The link's
threads only put events into the inbox. What was under way when a connection broke is sent again from here, never by
paho.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Broker
from gateway.broker.link import Link, Will
from gateway.delivery.commands import Command
from gateway.delivery.in_flight import Outgoing
from gateway.delivery.inbox import Inbox, Obeyed
from gateway.delivery.present_life import PresentLife
from gateway.delivery.refusals import Refusals
from gateway.delivery.release_policy import release_policy
from gateway.delivery.resend import AFTER_S
from gateway.delivery.sender import Sender, Taken
from gateway.delivery.side_messages import SideMessages, Waveforms
from gateway.delivery.state import PublisherState
from gateway.machine.fault_counts import FaultCounts
from gateway.outbox.outbox import Outbox
from gateway.wire.receipt import PAYLOAD_VERSION
from gateway.wire.receipt_key import ReceiptKey
from gateway.wire.topics import Topics

log = logging.getLogger(__name__)

IDLE_S = 0.5
"""Longest sleep: bounds every timer here, and shows the watchdog that the thread lives."""
STOP_S = 1.0
"""Wait at the end for the broker to take what is under way; the outbox keeps the rest."""


class Publisher:
    """Send what the outbox holds, and status, notices and waveforms beside it; answer commands; take receipts.

    Args:
        outbox: Where measurements come from, and whom receipts release.
        topics: This gateway's topics.
        broker: Where to, and how many messages may be under way.
        release: ``stored``: rows leave with the historian's receipt; ``broker``: with the broker's acknowledgement.
        on_command: Called on the network thread with name and payload of a command; what it returns is the answer.
            A ValueError, KeyError, TypeError or RuntimeError from it becomes an answer that says no. Answers never
            go to topics of this gateway: a response topic lies outside ``rehab/v1/<site>/<gateway>/``.
        on_obeyed: Called on the network thread with every command and its answer, for the audit.
        on_taken: Called on the publisher's thread with epoch and numbers (ranges, both ends included) that the broker
            took; must be quick.
        historians: Whose receipts are believed: ids of historians that share, or an empty one for the historian that
            shares with nobody.
        receipt_key: With it only receipts that are signed count.
        resend_after_s: Age at which a row that the broker took, and no receipt covers, is sent again.
        rng: Source of jitter.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        outbox: Outbox,
        topics: Topics,
        broker: Broker,
        *,
        release: str = "stored",
        on_command: Command | None = None,
        on_obeyed: Obeyed | None = None,
        on_taken: Taken | None = None,
        historians: Sequence[str] = ("",),
        receipt_key: ReceiptKey | None = None,
        resend_after_s: float = AFTER_S,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox, self._topics, self._clock = outbox, topics, clock
        self._wake = threading.Condition()
        self._woken = self._stopping = False
        self._faults = FaultCounts(log)
        refusals = Refusals()
        self._side = SideMessages(topics, self._faults, refusals)
        self._waveforms = Waveforms(self._faults, refusals)
        inbox = Inbox(
            topics, self._faults, notify=self.notify, answer=self._queue_answer, on_command=on_command,
            on_obeyed=on_obeyed, historians=historians, receipt_key=receipt_key,
        )  # fmt: skip
        policy = release_policy(release, outbox)
        self._offline = {"v": PAYLOAD_VERSION, "gateway": topics.gateway, "state": "offline"}
        self._link = link_of(broker, topics, inbox, Will(topics.status, orjson.dumps(self._offline)), rng)
        self._sender = Sender(
            outbox, topics, self._link, inbox=inbox, side=self._side, waveforms=self._waveforms, policy=policy,
            faults=self._faults, refusals=refusals, window=broker.window, on_taken=on_taken, again=self.notify,
            resend_after_s=resend_after_s,
            new_life=lambda: PresentLife(
                outbox, policy, self._faults, resend_after_s=resend_after_s, signed=receipt_key is not None, now=clock()
            ),
        )  # fmt: skip
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Begin to connect and to send."""
        self._outbox.subscribe(self.notify)
        self._thread.start()
        self._link.start()

    def stop(self) -> None:
        """Say offline, give the broker a moment to take what is under way, disconnect."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._thread.join()
        self._link.stop()

    def set_status(self, status: dict[str, Any]) -> None:
        """Publish a status, retained; a newer one replaces one that has not been sent yet."""
        self._side.set_status(status)
        self.notify()

    def set_curves(self, slot: str, payload: bytes) -> None:
        """Publish the mean curves of a slot's joints, retained; newer ones replace what has not been sent yet."""
        self._side.set_curves(slot, payload)
        self.notify()

    def set_ward(self, payload: bytes) -> None:
        """Publish who is in which bed, retained; a newer one replaces one that has not been sent yet."""
        self.keep(self._topics.ward, payload)

    def keep(self, topic: str, payload: bytes) -> None:
        """Publish something retained, and again whenever a broker has accepted us; an empty one takes it back."""
        self._side.keep(topic, payload)
        self.notify()

    def publish_notice(self, notice: dict[str, Any]) -> None:
        """Publish something that staff should look at; dropped and counted when too many wait."""
        self._side.add(Outgoing(self._topics.notices, orjson.dumps(notice)), "notice dropped")
        self.notify()

    def _queue_answer(self, answer: Outgoing) -> None:
        self._side.add(answer, "answer dropped")
        self.notify()

    def publish_live(self, topic: str, payload: bytes, about: Sequence[tuple[str, str]] = ()) -> None:
        """Publish a waveform, and what it is, with QoS 0: at once or not at all; what is dropped is counted."""
        if not self._link.connected:
            self._faults.add("waveform dropped: not connected")
        elif self._waveforms.add(topic, payload, about):
            self.notify()

    def state(self) -> PublisherState:
        """Return how sending goes."""
        return self._sender.state

    def notify(self) -> None:
        """Have the thread look at what there is to do."""
        with self._wake:
            self._woken = True
            self._wake.notify_all()

    # The publisher's own thread.

    def _run(self) -> None:
        ended_by = None
        while ended_by is None or (self._sender.under_way and self._clock() < ended_by):
            with self._wake:
                if not self._woken and not (self._stopping and ended_by is None):
                    self._wake.wait(self._sleep_s())
                self._woken = False
                if self._stopping and ended_by is None:
                    ended_by = self._clock() + STOP_S
                    self._side.set_status(self._offline)
            try:
                self._sender.turn(self._clock(), ending=ended_by is not None)
            except Exception:  # the supervisor of this thread: one bad turn must not be the last
                self._faults.add("publisher")
                log.exception("a turn of the publisher failed")

    def _sleep_s(self) -> float:
        if self._stopping:
            return STOP_S / 20
        due = self._sender.next_due
        return IDLE_S if due is None else min(IDLE_S, max(0.0, due - self._clock()))


def link_of(broker: Broker, topics: Topics, inbox: Inbox, will: Will, rng: random.Random | None) -> Link:
    """Return the gateway's link: it hears receipts and commands."""
    return Link(
        broker,
        client_id=f"rehab-{topics.site}-{topics.gateway}",
        handler=inbox,
        subscriptions=[
            (topics.stored, SubscribeOptions(qos=1)),
            (topics.stored_by(), SubscribeOptions(qos=1)),
            # A retained command would be carried out again and again.
            (topics.command(), SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)),
        ],
        will=will,
        rng=rng,
    )
