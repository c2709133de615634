"""What goes to the broker beside the rows: status, pictures that replace each other, notices, answers, waveforms.

All of it is bounded: a newer status or picture takes the place of one that waits, and of the rest what is too much is
dropped and counted. Other threads put it in; the publisher's thread takes it out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import orjson
from paho.mqtt import client as paho

from gateway.broker.link import Link
from gateway.delivery.in_flight import Outgoing, packet_bytes
from gateway.delivery.refusals import LARGE, Refusals
from gateway.machine.fault_counts import FaultCounts
from gateway.wire.status_pages import cut
from gateway.wire.topics import Topics

LIVE_MAX = 256
"""Waveform messages that wait; each is some hundred milliseconds of one stream."""
LIVE_UNDER_WAY = 64
"""Waveform messages handed to paho and not yet on the wire: a slow link must not fill the memory."""
SMALL_MAX = 64
"""Notices, and answers to commands, that wait."""
LARGEST_STATUS = 512 * 1024
"""Bytes of a status in one message, whatever the broker takes."""


class SideMessages:
    """Notices and answers in order; status and pictures, of which only the newest counts.

    Args:
        topics: This gateway's topics.
        faults: Where what is dropped is counted.
        refusals: Where it is noted that a status does not fit into what the broker takes.

    Attributes:
        pages: Parts that the status is cut into, beside the topic's own message; 0 where it fits whole.
    """

    def __init__(self, topics: Topics, faults: FaultCounts, refusals: Refusals) -> None:
        self._topics = topics
        self._faults = faults
        self._refusals = refusals
        self.pages = 0
        # Filled by other threads.
        self._small: deque[Outgoing] = deque()
        self._status: dict[str, Any] | None = None
        self._pictures: dict[str, bytes] = {}  # retained, newest wins, by topic
        self._kept: dict[str, bytes] = {}  # the newest by topic: a broker that was away may have forgotten them
        # The publisher's own thread only.
        self._status_parts: deque[Outgoing] = deque()

    def set_status(self, status: dict[str, Any]) -> None:
        """Have a status published; a newer one replaces one that has not been sent yet."""
        self._status = status

    def set_curves(self, slot: str, payload: bytes) -> None:
        """Have the mean curves of a slot's joints published."""
        self._pictures[self._topics.cycles(slot)] = payload

    def keep(self, topic: str, payload: bytes) -> None:
        """Have something published that a broker is to keep; an empty one takes back what it keeps."""
        self._kept[topic] = self._pictures[topic] = payload

    def add(self, message: Outgoing, dropped: str) -> None:
        """Queue a notice or an answer; when too many wait it is dropped, and counted under ``dropped``."""
        if len(self._small) >= SMALL_MAX:
            self._faults.add(dropped)
        else:
            self._small.append(message)

    # For the publisher's thread.

    def connected(self) -> None:
        """Publish again what a broker is to keep: one that was away may have forgotten it."""
        self._pictures = {**self._kept, **self._pictures}

    def lost(self) -> None:
        """Leave a status that was half sent: the next one is sent whole."""
        self._status_parts.clear()

    def next_message(self, largest: int, *, ending: bool) -> Outgoing | None:
        """Return what goes next into packets of at most so many bytes; None when nothing waits."""
        if self._small:
            return self._small.popleft()
        if self._status is not None and (ending or not self._status_parts):
            self._begin_status(largest)
        if self._status_parts:
            return self._status_parts.popleft()
        if self._pictures:
            topic, picture = self._pictures.popitem()
            return Outgoing(topic, picture, retain=True)
        return None

    def _begin_status(self, largest: int) -> None:
        """Cut the newest status into pages; the next one is not begun before all of them are out."""
        status, self._status = self._status, None
        assert status is not None
        budget = min(LARGEST_STATUS, largest) - packet_bytes(self._topics.status_page("1000"), b"")
        head, pages = cut(status, budget)
        self.pages = len(pages)
        if head.get("left_out"):
            self._refusals.note("status", f"{LARGE}: {', '.join(head['left_out'])}")
        topics = [*(self._topics.status_page(str(page["page"])) for page in pages), self._topics.status]
        self._status_parts = deque(
            Outgoing(topic, orjson.dumps(part), retain=True) for topic, part in zip(topics, [*pages, head], strict=True)
        )


class Waveforms:
    """Waveforms go with QoS 0, at once or not at all.

    Args:
        faults: Where what is dropped is counted.
        refusals: Where it is noted that one is too large for the broker.
    """

    def __init__(self, faults: FaultCounts, refusals: Refusals) -> None:
        self._faults = faults
        self._refusals = refusals
        self._waiting: deque[tuple[str, bytes, Sequence[tuple[str, str]]]] = deque()
        self._under_way: deque[paho.MQTTMessageInfo] = deque()  # the publisher's own thread only

    def add(self, topic: str, payload: bytes, about: Sequence[tuple[str, str]] = ()) -> bool:
        """Queue one, from any thread; False if it is dropped since the link is busy."""
        if len(self._waiting) >= LIVE_MAX:
            self._faults.add("waveform dropped: link busy")
            return False
        self._waiting.append((topic, payload, about))
        return True

    def send(self, link: Link, connection: int | None, largest: int) -> None:
        """Hand what waits to a connection, in packets of at most so many bytes; drop the rest."""
        while self._under_way and self._under_way[0].is_published():
            self._under_way.popleft()
        while self._waiting:
            topic, payload, about = self._waiting.popleft()
            if len(self._under_way) >= LIVE_UNDER_WAY or connection is None:
                self._faults.add("waveform dropped: link busy")
                continue
            if packet_bytes(topic, payload, about) > largest:
                self._faults.add("waveform dropped: too large for the broker")
                self._refusals.note("waveform", LARGE)
                continue
            info = link.publish(connection, topic, payload, qos=0, about=about)
            if info is not None and info.rc == paho.MQTT_ERR_SUCCESS:
                self._under_way.append(info)

    def lost(self) -> None:
        """Drop what waits: the connection is over."""
        self._under_way.clear()
        self._faults.add("waveform dropped: not connected", len(self._waiting))
        self._waiting.clear()
