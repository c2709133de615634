"""An answer to a notice, given to the gateway that runs: where none does, no notice stands."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Any

import orjson

from config.settings import Settings
from gateway.cli.options import login_name
from gateway.cli.terminal import Terminal
from gateway.cli.ward_desk import Client, free_registry
from gateway.ward.refusals import RefusedError

SAID = {
    "notice-acknowledge": "Acknowledged: {notice}.",
    "notice-pause": "Paused: {bed} {code}.",
    "notice-resume": "Not paused any more: {bed} {code}.",
}


def answer(settings: Settings, name: str, fields: dict[str, Any], *, by: str, as_json: bool) -> None:
    """Give it and say what became of it; raises RefusedError, NoAnswerError."""
    given = {key: value for key, value in fields.items() if value not in (None, "")}
    ward = free_registry(settings)
    if ward is not None:
        with closing(ward):
            raise RefusedError("no gateway runs, and so no notice stands: start it first")
    with Client(settings) as client:
        found = client.ask(name, {**given, "by": by or login_name()})
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({key: found[key] for key in found if key not in ("v", "ok")}) + b"\n")
        return
    words = {"notice": found.get("notice", ""), "bed": found.get("bed") or "the gateway", "code": found.get("code", "")}
    Terminal().print(SAID[name].format(**words).replace(" .", "."), soft_wrap=True, markup=False)
