"""Calls over the system's D-Bus, each with a time limit: BlueZ is known not to answer at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from dbus_fast import AuthError, BusType, Message, MessageType
from dbus_fast.aio import MessageBus

CALL_S = 5.0  # a call takes milliseconds; those that wait for a device say their own limit


class BusError(Exception):
    """The bus, or who was called, does not do it.

    Args:
        text: Why, in one line.
        name: D-Bus name of the error; empty where there was no answer.
    """

    def __init__(self, text: str, name: str = "") -> None:
        super().__init__(" ".join(text.split()) or name or "no answer")
        self.name = name


@asynccontextmanager
async def system_bus() -> AsyncIterator[MessageBus]:
    """Connect to the system's bus for as long as the block lasts; raises BusError where there is none."""
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        try:
            async with asyncio.timeout(CALL_S):
                await bus.connect()
        except (OSError, EOFError, AuthError) as problem:  # TimeoutError is an OSError
            raise BusError(f"no D-Bus: {problem or type(problem).__name__}") from problem
        yield bus
    finally:
        bus.disconnect()


async def call(  # noqa: PLR0917 - what every D-Bus call consists of
    bus: MessageBus,
    destination: str,
    path: str,
    interface: str,
    member: str,
    signature: str = "",
    body: Sequence[Any] = (),
    *,
    limit_s: float = CALL_S,
) -> list[Any]:
    """Call a method and return what it answers; raises BusError, also where no answer comes in time."""
    message = Message(
        destination=destination, path=path, interface=interface, member=member, signature=signature, body=list(body)
    )
    try:
        async with asyncio.timeout(limit_s):
            reply = await bus.call(message)
    except TimeoutError:
        raise BusError(f"no answer to {member} within {limit_s:g} s") from None
    except (OSError, EOFError) as problem:
        raise BusError(f"the D-Bus connection ended: {problem or type(problem).__name__}") from problem
    if reply is None:
        raise BusError(f"no answer to {member}")
    if reply.message_type is MessageType.ERROR:
        text = str(reply.body[0]) if reply.body and isinstance(reply.body[0], str) else ""
        raise BusError(text or str(reply.error_name), str(reply.error_name))
    return list(reply.body)
