"""Requests to the gateway over MQTT, and their answers. Nothing here can reach a device's control characteristics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from gateway.broker.link import Incoming
from gateway.ward.refusals import Said, named, said_of
from gateway.wire.receipt import PAYLOAD_VERSION
from gateway.wire.topics import Topics

Command = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Carries out a command: its name and payload in, what to add to the answer out."""

MAX_BYTES = 4096
"""No command is longer."""
MAX_TOPIC = 256


class CommandError(Exception):
    """A command that is not carried out; the text goes into the answer.

    Attributes:
        said: The same by its key among the texts, for readers of other languages; None for other words.
    """

    def __init__(self, text: str, said: Said | None = None) -> None:
        super().__init__(text)
        self.said = said


def dispatch_command(message: Incoming, topics: Topics, on_command: Command | None) -> dict[str, Any]:
    """Have the command in a message carried out and return the answer; raises CommandError."""
    if message.retained:
        raise CommandError("a retained command would be carried out again and again")
    if len(message.payload) > MAX_BYTES:
        raise CommandError(f"a command has at most {MAX_BYTES} bytes")
    if on_command is None:
        raise CommandError("this gateway takes no commands")
    try:
        payload = orjson.loads(message.payload)
    except orjson.JSONDecodeError:
        raise CommandError("a command is JSON") from None
    if not isinstance(payload, dict):
        raise CommandError("a command is a JSON object")
    try:
        answer = on_command(message.topic.removeprefix(topics.command("")), payload)
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CommandError(str(error), said_of(error)) from error
    return {"v": PAYLOAD_VERSION, "ok": True, **answer}


def refusal(error: CommandError) -> dict[str, Any]:
    """Return the answer that says no."""
    return {"v": PAYLOAD_VERSION, "ok": False, "error": str(error), **named(error.said)}


def may_answer_on(topic: str, topics: Topics) -> bool:
    """Tell whether a response topic is one; on our own topics an answer would be a forged measurement or receipt."""
    return 0 < len(topic) <= MAX_TOPIC and not set("+#") & set(topic) and not topic.startswith(f"{topics.prefix}/")
