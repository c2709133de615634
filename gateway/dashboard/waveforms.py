"""Raw samples for whoever watches: asks the gateway for them while somebody does, and passes the frames on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import orjson

from gateway.dashboard.feed import Feed
from gateway.wire.topics import Topics
from gateway.wire.waveform import is_frame

WATCH_FOR_S = 10  # the gateway stops by itself this long after our last word, should we die
RENEW_S = 4.0  # two renewals may be lost before it stops
QUEUE = 64  # frames that may wait for a slow viewer, some seconds; then the oldest goes and the strip shows a gap
WATCHERS = 64  # open strips


class TooManyWatchersError(Exception):
    """No place left."""


class Watcher:
    """One viewer of one stream: a bounded queue of frames, oldest dropped first."""

    def __init__(self, dropped: Counter[str]) -> None:
        self._frames: asyncio.Queue[bytes] = asyncio.Queue(QUEUE)
        self._dropped = dropped

    def put(self, frame: bytes) -> None:
        """Queue a frame; ``b""`` means the end."""
        if self._frames.full():
            self._frames.get_nowait()
            self._dropped["waveform: viewer too slow"] += 1
        self._frames.put_nowait(frame)

    async def get(self, within_s: float) -> bytes | None:
        """Return the next frame; None where none comes in time, as of a sensor that is silent."""
        try:
            async with asyncio.timeout(within_s):
                return await self._frames.get()
        except TimeoutError:
            return None


class Waveforms:
    """All streams that are being watched.

    Attributes:
        dropped: Frames that did not reach a viewer, by reason.
    """

    def __init__(self, feed: Feed, topics: Topics) -> None:
        self.dropped: Counter[str] = Counter()
        self._feed = feed
        self._topics = topics
        self._watchers: dict[tuple[str, str], set[Watcher]] = {}
        self._closing = False

    @property
    def watchers(self) -> int:
        """How many strips are open."""
        return sum(map(len, self._watchers.values()))

    def ask_again(self) -> None:
        """Ask once more for what is watched."""
        for device, stream in list(self._watchers):
            self._ask(device, stream)

    def on_frame(self, topic: str, payload: bytes) -> None:
        """Pass a frame on to its viewers."""
        device, stream = topic.split("/")[-2:]
        if not is_frame(payload):
            self.dropped["waveform: malformed frame"] += 1
            return
        for watcher in self._watchers.get((device, stream), ()):
            watcher.put(payload)

    def close(self) -> None:
        """Let every viewer go: the server stops."""
        self._closing = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.put(b"")

    @contextmanager
    def watching(self, device: str, stream: str) -> Iterator[Watcher]:
        """Receive the frames of a stream; raises TooManyWatchersError."""
        if self._closing or self.watchers >= WATCHERS:
            raise TooManyWatchersError
        key = (device, stream)
        watchers = self._watchers.setdefault(key, set())
        watcher = Watcher(self.dropped)
        watchers.add(watcher)
        self._ask(*key)
        try:
            yield watcher
        finally:
            watchers.discard(watcher)
            if not watchers:
                self._watchers.pop(key, None)

    def _ask(self, device: str, stream: str) -> None:
        request = {"device": device, "stream": stream, "for_s": WATCH_FOR_S}
        self._feed.publish(self._topics.command("watch"), orjson.dumps(request))


async def ask_again(waveforms: Callable[[], Sequence[Waveforms]]) -> None:
    """Keep asking each gateway for what is watched, until cancelled."""
    while True:
        for each in waveforms():
            each.ask_again()
        await asyncio.sleep(RENEW_S)
