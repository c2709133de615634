"""Messages that wait to be stored: a line for each gateway, bounded in bytes, served in turn.

The broker keeps one line for all gateways and stops when some messages are without an acknowledgement. So what a
gateway sends beyond its part is acknowledged at once and waits here, and what does not fit is acknowledged and left
out: its outbox has it until there is a receipt, and sends it again. The messages of others never wait behind it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.broker.link import Incoming
from gateway.wire.message_limits import MAX_MESSAGE_BYTES, entries

LINE_BYTES = 12 * 2**20
"""Of one gateway: more than the old rows that one has on their way at most (`gateway.delivery.backlog_pace`)."""
LINE_MESSAGES = 4_000
ALL_BYTES = 32 * 2**20
"""Of all gateways; beyond it the longest line gives way."""
UNTIL_STORED = 8
"""Messages of one gateway that the broker holds until they are stored, where there are other gateways: brokers stop
after 20 without an acknowledgement."""
MOST_GATEWAYS = 256
"""Of a site; a larger one has several sites."""
ENTRY_COST = 512
"""What an entry costs beside its bytes: a gap of forty bytes takes as long to store as a measurement of 500."""
QUANTUM = 64 * 1024
"""Cost of a turn: about one message of a gateway that has much to send."""


@dataclass(slots=True)
class Waiting:
    """A message in line; ``acknowledged`` if the broker has been told already."""

    message: Incoming
    cost: int
    acknowledged: bool = False


class FairQueue:
    """The lines. Not safe for several threads: its owner has a lock.

    Args:
        acknowledge: Tells the broker that a message need not be kept.
        known: Gateways that have been heard of before.
    """

    def __init__(self, acknowledge: Callable[[Incoming], None], known: Iterable[str] = ()) -> None:
        self.bytes = 0
        self.refused: Counter[str] = Counter()
        self._acknowledge = acknowledge
        self._known = set(known)
        self._lines: OrderedDict[str, deque[Waiting]] = OrderedDict()
        self._line_bytes: Counter[str] = Counter()
        self._credit: Counter[str] = Counter()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def put(self, gateway: str, message: Incoming) -> str:
        """Put a message in line; return why it was left out, in a short fixed text, or an empty one."""
        size = len(message.payload)
        if reason := self._refusal(gateway, size):
            self._leave_out(message, reason)
            return reason
        self._known.add(gateway)
        line = self._lines.setdefault(gateway, deque())
        waiting = Waiting(message, size + ENTRY_COST * entries(message.payload))
        line.append(waiting)
        self.bytes += size
        self._line_bytes[gateway] += size
        if len(self._known) > 1 and len(line) > UNTIL_STORED:
            waiting.acknowledged = True
            self._acknowledge(message)
        while self.bytes > ALL_BYTES:
            self._shorten()
        return ""

    def next_batch(self, cost: int, most: int) -> list[Waiting]:
        """Return messages worth about ``cost``, at most ``most`` and at least one, of all gateways in turn."""
        batch: list[Waiting] = []
        while self._lines and cost > 0 and len(batch) < most:
            gateway, line = next(iter(self._lines.items()))
            self._credit[gateway] += QUANTUM
            while line and line[0].cost <= self._credit[gateway] and cost > 0 and len(batch) < most:
                waiting = line.popleft()
                self._credit[gateway] -= waiting.cost
                cost -= waiting.cost
                self._taken(gateway, waiting)
                batch.append(waiting)
            if line:
                self._lines.move_to_end(gateway)
            else:
                del self._lines[gateway], self._credit[gateway]
        return batch

    def clear(self) -> None:
        """Forget all that waits."""
        self._lines.clear()
        self._line_bytes.clear()
        self._credit.clear()
        self.bytes = 0

    def _refusal(self, gateway: str, size: int) -> str:
        if size > MAX_MESSAGE_BYTES:
            return "too many bytes"
        if gateway not in self._known and len(self._known) >= MOST_GATEWAYS:
            return "too many gateways"
        full = self._line_bytes[gateway] + size > LINE_BYTES or len(self._lines.get(gateway, ())) >= LINE_MESSAGES
        return "more than its part" if full and len(self._known | {gateway}) > 1 else ""

    def _shorten(self) -> None:
        """Leave out the newest of the longest line."""
        gateway = max(self._lines, key=lambda name: self._line_bytes[name])
        line = self._lines[gateway]
        waiting = line.pop()
        self._taken(gateway, waiting)
        if not line:
            del self._lines[gateway]
        if waiting.acknowledged:
            self.refused["no room"] += 1
        else:
            self._leave_out(waiting.message, "no room")

    def _taken(self, gateway: str, waiting: Waiting) -> None:
        self.bytes -= len(waiting.message.payload)
        self._line_bytes[gateway] -= len(waiting.message.payload)
        if not self._line_bytes[gateway]:
            del self._line_bytes[gateway]

    def _leave_out(self, message: Incoming, reason: str) -> None:
        self.refused[reason] += 1
        self._acknowledge(message)
