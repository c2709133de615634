"""Changes of the ward on their way to the gateway, which decides, and its answers on their way back."""

from __future__ import annotations

import asyncio
import logging
import secrets
from functools import partial
from typing import Any

import orjson

from gateway.broker.answers import answer_topic
from gateway.dashboard.feed import Feed, Message
from gateway.ward.changes import CHANGES
from gateway.ward.refusals import read_said
from gateway.wire.topics import Topics

log = logging.getLogger(__name__)

ANSWER_S = 10.0
"""A change waits for the gateway's disk; after so long a person wants to know that nothing is known."""
MOST_WAITING = 32
"""Changes without an answer at one time: more than people at all the screens of a ward make."""

BEFORE = "was"
"""The field of a change that says what stood there when the page was filled in (docs/mqtt.md, commands)."""

ASK_FOR_IT = frozenset({"notice-pause", *(name for name, change in CHANGES.items() if BEFORE in change.model_fields)})

Json = dict[str, Any]


class NotSentError(Exception):
    """The gateway was not asked, so nothing was changed.

    Attributes:
        key: Why, by the key of a sentence in ``[answers]``.
        values: What stands in it.
    """

    def __init__(self, key: str, **values: str) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


class NoAnswerError(Exception):
    """The gateway was asked and did not answer in time: it may have made the change, or make it yet.

    Attributes:
        after_s: So long was waited, seconds.
    """

    def __init__(self, after_s: float) -> None:
        super().__init__(f"no answer within {after_s:g} s")
        self.after_s = after_s


class WardRequests:
    """Asks a gateway.

    Args:
        site: Of the gateways.
        name: Of this dashboard at the broker.
        answer_s: How long an answer is waited for, seconds.

    Attributes:
        answers: The topic on which gateways answer; of this dashboard alone.
        late: Answers for which nobody waited any more.
    """

    def __init__(self, site: str, *, name: str, answer_s: float = ANSWER_S) -> None:
        self.answers = answer_topic(site, name)
        self.late = 0
        self._answer_s = answer_s
        self._waiting: dict[bytes, asyncio.Future[Json]] = {}

    async def ask(self, feed: Feed, topics: Topics, name: str, payload: Json) -> Json:
        """Ask the gateway of these topics for a change and return the answer, whatever it says.

        An older gateway takes no word of what stood there when the page was filled in, and is asked without; for a
        change of which that is never said, it stays refused.

        Raises:
            NotSentError: The gateway was not asked.
            NoAnswerError: It was, and did not answer.
        """
        answer = await self._ask(feed, topics, name, payload)
        if BEFORE in payload and name in ASK_FOR_IT and _knows_no(BEFORE, answer):
            answer = await self._ask(feed, topics, name, {key: payload[key] for key in payload if key != BEFORE})
        return answer

    async def _ask(self, feed: Feed, topics: Topics, name: str, payload: Json) -> Json:
        if len(self._waiting) >= MOST_WAITING:
            raise NotSentError("too_many_wait")
        correlation = secrets.token_hex(8).encode()
        answer = asyncio.get_running_loop().create_future()
        self._waiting[correlation] = answer
        try:
            message = orjson.dumps(payload)
            if not feed.ask(
                topics.command(name), message, answers=self.answers, correlation=correlation,
                refused=partial(_refuse, answer, topics.gateway),
            ):  # fmt: skip
                raise NotSentError("broker_lost")
            async with asyncio.timeout(self._answer_s):
                found: Json = await answer
                return found
        except TimeoutError:
            raise NoAnswerError(self._answer_s) from None
        finally:
            del self._waiting[correlation]

    def on_answer(self, message: Message) -> None:
        """Take what came on the topic of answers."""
        waits = self._waiting.get(message.correlation)
        if waits is None or waits.done():
            self.late += 1
            log.warning("an answer of the gateway came too late")
            return
        try:
            answer = orjson.loads(message.payload)
        except orjson.JSONDecodeError:
            answer = None
        if isinstance(answer, dict) and isinstance(answer.get("ok"), bool):
            waits.set_result(answer)


def _knows_no(field: str, answer: Json) -> bool:
    """Whether a gateway refuses a field that it has never heard of, and so has changed nothing."""
    said = read_said(answer.get("said"))
    return said is not None and said.key == "field_extra_forbidden" and said.values.get("field") == field


def _refuse(answer: asyncio.Future[Json], gateway: str) -> None:
    """End the wait for an answer to what the broker did not pass on."""
    if not answer.done():
        answer.set_exception(NotSentError("broker_refuses", gateway=gateway))
