"""Asks a running gateway for raw samples, and hands them to a reader in order, as long as it reads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
from collections import Counter, deque
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

import orjson
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Settings
from gateway.broker.answers import answer_topic, name_at
from gateway.broker.certificates import broker_for
from gateway.broker.link import Incoming, Limits, Link
from gateway.machine.plain_text import visible
from gateway.taps.batch import Batch, batch_of
from gateway.wire.topics import Topics

log = logging.getLogger(__name__)

WATCH_FOR_S = 10  # the gateway stops by itself this long after our last word, should we die
RENEW_S = 2.0  # a device that is put on later, or a gateway that comes later, is read from then on
BATCHES = 400
"""What may wait for a slow reader, of each stream: 20 s; then the oldest goes, and the next batch says how much."""
TOO_SLOW = "reader too slow"
MALFORMED = "malformed"


class _Waiting:
    """Batches of one stream that wait for one reader: fed by the link's thread, emptied on the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._batches: deque[Batch] = deque()
        self._came = asyncio.Event()
        self._turn = threading.Lock()

    def put(self, batch: Batch) -> bool:
        """Keep a batch; return whether the oldest had to go for it."""
        with self._turn:
            is_first, is_full = not self._batches, len(self._batches) >= BATCHES
            if is_full:
                self._batches.popleft()
            self._batches.append(batch)
        if is_first:  # one call for all that come while the loop is busy elsewhere
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._came.set)
        return is_full

    async def next_batch(self) -> Batch:
        """Return the oldest batch as soon as there is one."""
        while True:
            with self._turn:
                if self._batches:
                    return self._batches.popleft()
                self._came.clear()
            await self._came.wait()


class Taps:
    """Raw samples of one gateway, to be used as ``async with``.

    A reader never slows the gateway: what it does not take in time is left out, counted in `dropped`, and told by
    the next batch. It needs the gateway's configuration for the broker and, where the broker wants certificates, the
    dashboard's certificate.

    Args:
        settings: The configuration of the gateway, as `config.loader.load` returns it.

    Attributes:
        dropped: Batches that did not reach a reader, by reason.
        refused: Why the gateway last said no, such as "no device 'dot-1'"; empty while it does not.
    """

    def __init__(self, settings: Settings) -> None:
        self.dropped: Counter[str] = Counter()
        self.refused = ""
        self._topics = Topics(settings.site.site, settings.site.gateway)
        broker = broker_for(settings, "dashboard")
        self._answers = answer_topic(settings.site.site, name_at(broker, without_certificate="command-line"))
        self._connection: int | None = None
        self._turn = threading.Lock()
        self._readers: dict[tuple[str, str], tuple[_Waiting, ...]] = {}
        self._link = Link(
            broker, client_id=f"taps-{secrets.token_hex(4)}", handler=self,
            subscriptions=[
                (self._topics.waveform(), SubscribeOptions(qos=0)),
                (self._topics.ward, SubscribeOptions(qos=1)),
                (self._answers, SubscribeOptions(qos=1)),
            ],
        )  # fmt: skip
        self._asking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect; a broker or a gateway that is not there yet is waited for while reading."""
        self._link.start()
        self._asking = asyncio.create_task(self._ask_again(), name="taps: ask")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; the gateway stops sending by itself."""
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking
        await asyncio.to_thread(self._link.stop)

    async def read(self, device: str, stream: str) -> AsyncGenerator[Batch]:
        """Yield the samples of a stream from now on, each once and in order, across restarts of everything.

        Close it (``contextlib.aclosing``) where you stop before its end, which is never.

        Args:
            device: Id of the device; it may be put on later.
            stream: Name of the stream, as the status names it: ``"imu"``.
        """
        waiting = _Waiting(asyncio.get_running_loop())
        key = (device, stream)
        with self._turn:
            self._readers[key] = (*self._readers.get(key, ()), waiting)
        self._ask(device, stream)
        before: Batch | None = None
        try:
            while True:
                batch = (await waiting.next_batch()).after(before)
                if batch is not None:
                    before = batch
                    yield batch
        finally:
            with self._turn:
                self._readers[key] = tuple(one for one in self._readers[key] if one is not waiting)
                if not self._readers[key]:
                    del self._readers[key]

    async def _ask_again(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            self._ask_all()

    def _ask_all(self) -> None:
        with self._turn:
            read = list(self._readers)
        for device, stream in read:
            self._ask(device, stream)

    def _ask(self, device: str, stream: str) -> None:
        connection = self._connection
        if connection is not None:
            request = orjson.dumps({"device": device, "stream": stream, "for_s": WATCH_FOR_S})
            topic = self._topics.command("watch")
            self._link.publish(connection, topic, request, qos=1, response_topic=self._answers)

    # What follows runs on the link's threads.

    def connected(self, connection: int, limits: Limits) -> None:
        """Ask for what is read."""
        del limits
        self._connection = connection
        self._ask_all()

    def lost(self, connection: int, reason: str) -> None:
        """Wait for the next connection, which the link makes."""
        del connection, reason
        self._connection = None

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """The samples say all."""

    def arrived(self, message: Incoming) -> None:
        """Hand samples to who reads them."""
        if message.topic == self._answers:
            self._on_answer(message.payload)
        elif message.topic == self._topics.ward:
            self._ask_all()  # another wearer ends what was asked for
        else:
            self._on_samples(message)

    def _on_samples(self, message: Incoming) -> None:
        device, stream = message.topic.split("/")[-2:]
        with self._turn:
            readers = self._readers.get((device, stream), ())
        if not readers:  # a page watches it, or another program
            return
        try:
            batch = batch_of(device, stream, message.payload, message.about)
        except ValueError as problem:
            self.dropped[MALFORMED] += 1
            log.debug("%s: %s", message.topic, problem)
            return
        for waiting in readers:
            if waiting.put(batch):
                self.dropped[TOO_SLOW] += 1

    def _on_answer(self, payload: bytes) -> None:
        try:
            answer = orjson.loads(payload)
            refused = "" if answer["ok"] is True else str(answer["error"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return
        if refused and refused != self.refused:
            log.warning("the gateway says: %s; it is asked again every %g s", visible(refused), RENEW_S)
        self.refused = refused
