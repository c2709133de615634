"""Where ``rehab-gateway devices`` is carried out: by the gateway that runs, or with a radio of our own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from typing import Any

from config.settings import Settings
from drivers.errors import LinkError
from drivers.transport.radio_kinds import open_radios
from drivers.transport.radios import Radios
from gateway.cli.options import login_name
from gateway.cli.ward_desk import Client, free_registry
from gateway.pairing.desk import Desk, plain
from gateway.pairing.worn import NobodyWorn
from gateway.ward.refusals import RefusedError
from gateway.ward.state import WardState
from gateway.wire.commands import DEVICES_RESULT

POLL_S = 0.3
LONGEST_S = 180.0  # nothing that is asked for takes longer

Json = dict[str, Any]


def do(settings: Settings, name: str, fields: Json, *, by: str) -> Json:
    """Have it done and return what came of it; raises RefusedError where it cannot be, or does not work.

    Args:
        settings: The configuration.
        name: Of the command, without ``devices-``.
        fields: What it is asked for; what is None or empty is left out.
        by: Who asks, for the audit; by default the login name.
    """
    given = {key: value for key, value in fields.items() if value not in (None, "", [])}
    ward = free_registry(settings)
    if ward is None:
        return _ask(settings, f"devices-{name}", {**given, "by": by or login_name()})
    with closing(ward):  # held meanwhile: a gateway that starts now would want the same radio
        return asyncio.run(_do(settings, name, given, lambda: ward.state))


def _ask(settings: Settings, name: str, payload: Json) -> Json:
    """Have the gateway do it, and ask until it is done."""
    until_s = time.monotonic() + LONGEST_S
    with Client(settings) as client:
        job = client.ask(name, payload)["job"]
        while not (answer := client.ask(DEVICES_RESULT, {"job": job}))["done"]:
            if time.monotonic() > until_s:
                raise RefusedError(f"the gateway is not done with it within {LONGEST_S:g} s")
            time.sleep(POLL_S)
    if "problem" in answer:
        raise RefusedError(str(answer["problem"]))
    found: Json = answer["result"]
    return found


async def _do(settings: Settings, name: str, fields: Json, ward: Callable[[], WardState]) -> Json:
    """Do it with the radio of this computer."""
    async with AsyncExitStack() as stack:
        radios: list[Radios] = []

        async def ready() -> Radios:
            if not radios:
                of = settings.radio
                adapters = [of.adapter] if of.adapter else of.adapters
                radio = open_radios(name=of.name, socket=of.socket, adapters=adapters, links=of.links)
                await radio.start()
                stack.push_async_callback(radio.stop)
                radios.append(radio)
            return radios[0]

        desk = Desk(settings, ward=ward, open_radio=ready, worn=NobodyWorn())
        try:
            found: Json = await getattr(desk, name)(**fields)
        except LinkError as error:
            raise RefusedError(plain(error)) from error
        except ValueError as error:
            raise RefusedError(str(error)) from error
        return found
