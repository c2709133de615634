"""The audit of a gateway: what was done to it and what became of it, in few words, into its outbox.

Ids and pseudonyms only. What a command brought stands here only where it was carried out, and so is a name of the
configuration; of a command that was refused there is a sum, by which a request that is known can be found again.
"""

from __future__ import annotations

import platform
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from threading import Lock
from typing import Any

import orjson

from config.pseudonym import nhs_numbers
from config.section import IDENTIFIER
from config.settings import Settings
from gateway.broker.access_list import ANSWERS
from gateway.broker.link import Incoming
from gateway.machine.kept_forms import change_of_version
from gateway.model.records import Record, canonical
from gateway.model.ward import Ward
from gateway.outbox.outbox import Outbox
from gateway.wire.commands import COMMANDS, DEVICES, DEVICES_RESULT, NOTICES, WARD

REPEAT_S = 600.0
"""The same command of the same sender within so long is counted, and told in one record: a page that shows a waveform
renews its watch every few seconds."""
LISTED_MOST = 64
"""Different commands within that time. Who sends more is counted: the audit is the last to leave a full outbox, and
nobody should be able to fill it."""
OF_A_CHANGE = (
    "subject", "bed", "device", "session", "placement", "protocol", "start_us", "end_us", "take_back", "metric",
    "found_start_us", "found_end_us", "form",
)  # fmt: skip
"""What is told of a change of the ward beside its name; no free text but the protocol."""
OF_PAIRING = ("device", "bed", "side", "address")
"""What is told of whoever looks for devices."""
OF_NOTICES = ("notice", "bed", "code", "until_us")
"""What is told of an answer to a notice; why stands with the notice itself, in the history."""
NAME = re.compile(IDENTIFIER)
ID = re.compile(rf"{IDENTIFIER}|([0-9A-Fa-f]{{2}}:){{5}}[0-9A-Fa-f]{{2}}")
MICRO = 1_000_000

Key = tuple[str, str, str, str, bool]


@dataclass(slots=True)
class _Repeated:
    since: float
    again: int = 0


class Audit:
    """Writes the audit. Commands may come from another thread than the rest.

    Args:
        outbox: Where it goes, and whose files it tells of.
        settings: The configuration of the gateway.
        now: Wall clock, seconds.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self,
        outbox: Outbox,
        settings: Settings,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._settings = settings
        self._now = now
        self._monotonic = monotonic
        self._aside = 0
        self._lock = Lock()
        self._commands: OrderedDict[Key, _Repeated] = OrderedDict()
        self._unlisted = 0
        self._unlisted_since = 0.0

    def started(self, ward: Ward) -> None:
        """Tell of the start of the gateway and of the sessions of its ward."""
        configuration = sha256(canonical(self._settings.model_dump(mode="json"))).hexdigest()
        self._append(
            "start", version=version("rehab-gateway"), python=platform.python_version(), configuration=configuration,
            simulated=self._settings.simulated, **change_of_version(self._settings.site.data),
        )  # fmt: skip
        for bed in ward:
            self._append(
                "session", slot=bed.slot.id, session=bed.session, subject=bed.slot.subject, protocol=bed.slot.protocol,
                devices=[device.id for device in bed.slot.device],
            )  # fmt: skip
        self.look()

    def stopped(self, why: str) -> None:
        """Tell of the end: ``asked``, or the name of the error."""
        self.look(all_of_them=True)
        self._append("stop", why=why)

    def clock_moved(self, by_us: int) -> None:
        """Tell that the wall clock was set, or that the machine slept."""
        self._append("clock", by_s=by_us / MICRO)

    def command(self, message: Incoming, answer: Mapping[str, Any]) -> None:
        """Tell of a command and its answer."""
        name, ok = message.topic.rpartition("/")[2], answer.get("ok") is True
        request = orjson.loads(message.payload) if ok else {}
        if ok and name in WARD:  # each is told: it is on disk, and changes whose measurements are whose
            source = sender(message.response_topic, self._settings.site.site)
            about = {**request, **({"session": answer["session"]} if "session" in answer else {})}
            self.ward_changed(answer["number"], name, about, by=str(request.get("by", "")), source=source)
            return
        if ok and name in (*DEVICES, DEVICES_RESULT):
            if name in DEVICES:  # who asks for a result has been told of
                self.devices_asked(name, request, source=sender(message.response_topic, self._settings.site.site))
            return
        if ok and name in NOTICES:  # the answer names what was there: nobody may have the audit keep what they like
            source = sender(message.response_topic, self._settings.site.site)
            about = {key: answer[key] for key in OF_NOTICES if key in answer}
            self._append("notice-answered", command=name, by=str(request.get("by", "")), **about, **{"from": source})
            return
        key = (
            name if name in COMMANDS else "unknown", str(request.get("device", "")), str(request.get("stream", "")),
            sender(message.response_topic, self._settings.site.site), ok,
        )  # fmt: skip
        at = self._monotonic()
        with self._lock:
            if (repeated := self._commands.get(key)) is not None:
                repeated.again += 1
                return
            if len(self._commands) >= LISTED_MOST:
                self._unlisted_since = self._unlisted_since if self._unlisted else at
                self._unlisted += 1
                return
            self._commands[key] = _Repeated(at)
        refused = {} if ok else {"request_sha256": sha256(message.payload).hexdigest()}
        self._append("command", **_described(key), **refused)

    def devices_asked(self, command: str, fields: Mapping[str, Any], *, source: str) -> None:
        """Tell that somebody looked for devices, had one show itself, or bonded with one; and from where."""
        about = {name: fields[name] for name in OF_PAIRING if _is_id(fields.get(name))}
        self._append("devices-asked", command=command, by=str(fields.get("by", "")), **about, **{"from": source})

    def ward_changed(self, number: int, change: str, fields: Mapping[str, Any], *, by: str, source: str) -> None:
        """Tell of a change of the ward.

        Args:
            number: Of the change in the registry.
            change: Its name.
            fields: What was asked for.
            by: The person who asked.
            source: From where: the name of who sent the command, or ``"command line"``.
        """
        about = {name: value for name in OF_A_CHANGE if isinstance(value := fields.get(name), str | int)}
        if isinstance(device := fields.get("device"), Mapping):
            about["device"] = str(device.get("id", ""))
        self._append("ward-changed", number=number, change=change, by=by, **about, **{"from": source})

    def look(self, *, all_of_them: bool = False) -> None:
        """Tell of files set aside, and of what happened to the data, since the last look; and of repeated commands."""
        for name in self._outbox.aside[self._aside :]:
            self._aside += 1
            self._append("set-aside", file=name)
        for incident in self._outbox.incidents.drain():
            if not incident.audited:
                self._append(incident.what, **incident.fields)
        past = self._monotonic() - REPEAT_S
        with self._lock:
            over = [key for key, of in self._commands.items() if all_of_them or of.since <= past]
            repeats = [(key, self._commands.pop(key).again) for key in over]
            unlisted = self._unlisted if all_of_them or self._unlisted_since <= past else 0
            self._unlisted -= unlisted
        for key, again in repeats:
            if again:
                self._append("command-again", **_described(key), times=again)
        if unlisted:
            self._append("commands-unlisted", times=unlisted)

    def _append(self, what: str, **fields: Any) -> None:
        self._outbox.record(Record("audit", what, int(self._now() * MICRO), fields))


def sender(response_topic: str, site: str) -> str:
    """Return who wants the answer, which is all that a broker tells of who sent a command; empty if that is nobody.

    The broker's access list lets each client read answers below its own name only.
    """
    before = f"{ANSWERS}/{site}/"
    name = response_topic.removeprefix(before).partition("/")[0] if response_topic.startswith(before) else ""
    return name if NAME.fullmatch(name) and not nhs_numbers(name) else ""


def _is_id(value: object) -> bool:
    """Whether it is the id of something, or an address: nobody may have the audit keep what they like."""
    return isinstance(value, str) and bool(ID.fullmatch(value)) and not nhs_numbers(value)


def _described(key: Key) -> dict[str, Any]:
    command, device, stream, by, ok = key
    return {"command": command, "device": device, "stream": stream, "by": by, "ok": ok}
