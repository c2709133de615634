"""Where the commands of the ward are carried out: by the gateway that runs, or, where none does, in its registry."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import orjson
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Settings
from gateway.broker.answers import answer_topic, name_at
from gateway.broker.certificates import broker_for
from gateway.broker.link import Incoming, Limits, Link
from gateway.cli.options import known_drivers, login_name
from gateway.cli.terminal import Terminal
from gateway.machine.file_lock import HeldError
from gateway.machine.ownership import refuse_to_make
from gateway.machine.plain_text import printable
from gateway.machine.set_aside import set_aside
from gateway.run.asking import topic_of_before
from gateway.ward.answers import answer_to
from gateway.ward.kept_ward import KeptWard, ward_path
from gateway.ward.refusals import RefusedError
from gateway.ward.registry import IMPORT, DamagedRegistryError, read_state
from gateway.ward.state import WardState
from gateway.wire.topics import Topics

CONNECT_S = 5.0
ANSWER_S = 10.0  # a change waits for the disk
SOURCE = "command line"
MICRO = 1_000_000
ANSWERED = ("number", "change", "session", "start_us", "end_us", "note")
"""Of an answer, what is told here: in English, whose sentence needs no key."""

Json = dict[str, Any]


class NoAnswerError(Exception):
    """A gateway holds the registry and does not answer."""

    advice = "Is the broker there? 'rehab-gateway status' tells more."


def change(settings: Settings, name: str, fields: Mapping[str, Any], *, by: str, as_json: bool) -> None:
    """Make a change and say what became of it; raises RefusedError, NoAnswerError."""
    answer = make_change(settings, name, fields, by=by)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        return
    session = f"; session {answer['session']}" if "session" in answer else ""
    if "start_us" in answer:
        session += f" from {clock(answer['start_us'])} to {clock(answer['end_us'])}"
    when = "" if answer["running"] else "; no gateway runs, the next start takes it"
    Terminal().print(f"Change {answer['number']}: {name}{session}{when}.", soft_wrap=True)
    if "note" in answer:
        note = printable(str(answer["note"]))
        Terminal().print(f"▲ {note[:1].upper()}{note[1:]}", soft_wrap=True)


def clock(at_us: int) -> str:
    """Return a day and a time of day, as they can be typed again."""
    return datetime.fromtimestamp(at_us / MICRO, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def make_change(settings: Settings, name: str, fields: Mapping[str, Any], *, by: str) -> Json:
    """Make a change and return the answer; raises RefusedError, NoAnswerError."""
    given = {key: value for key, value in fields.items() if value not in (None, "")}
    by = by or login_name()
    ward = free_registry(settings)
    return _ask(settings, name, {**given, "by": by}) if ward is None else _write(ward, name, given, by)


def import_ward(settings: Settings, *, by: str, as_json: bool) -> None:
    """Make the ward what the slots of a configuration describe; raises RefusedError while the gateway runs."""
    try:
        ward = free_registry(settings)
    except DamagedRegistryError:  # a person takes the file over, whatever was there
        aside = set_aside(ward_path(settings))
        Terminal(stderr=True).print(f"{ward_path(settings)} is damaged: set aside as {aside.name}.", soft_wrap=True)
        ward = free_registry(settings)
    if ward is None:
        raise RefusedError("the gateway runs, and this changes the whole ward: stop it first, or change bed by bed")
    with closing(ward):
        after = ward.import_configuration(settings, at_us=_now_us(), by=by or login_name(), source=SOURCE)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({"number": after.number, "change": IMPORT}) + b"\n")
    else:
        Terminal().print(f"Change {after.number}: the ward is that of the file, {len(after.beds)} beds.")


def read(settings: Settings) -> WardState:
    """Return the ward as it is; raises RefusedError where there is none."""
    try:
        return read_state(ward_path(settings))
    except FileNotFoundError:
        raise RefusedError(
            f"there is no ward in {settings.site.data} yet: the first 'run' or the first change makes it"
        ) from None


def free_registry(settings: Settings) -> KeptWard | None:
    """Return the registry, held, where no gateway holds it; None where one does, or none is on this machine."""
    if not settings.site.data.exists() and not settings.broker.embedded:
        return None
    refuse_to_make(settings.site.data)
    try:
        return KeptWard(
            settings, at_us=_now_us(), drivers=known_drivers(), ask_broker=lambda: topic_of_before(settings)
        )
    except HeldError:
        return None


def _write(ward: KeptWard, name: str, fields: Mapping[str, Any], by: str) -> Json:
    with closing(ward):
        after = ward.change(name, dict(fields), at_us=_now_us(), by=by, source=SOURCE)
    return _told(answer_to(after, name, fields), running=False)


def _ask(settings: Settings, name: str, payload: Json) -> Json:
    with Client(settings) as client:
        return _told(client.ask(name, payload), running=True)


def _told(answer: Json, *, running: bool) -> Json:
    return {key: answer[key] for key in ANSWERED if key in answer} | {"running": running}


def _now_us() -> int:
    return time.time_ns() // 1000


class Client:
    """Requests one after another, each with its answer; a handler of ``gateway.broker.link.Link``."""

    def __init__(self, settings: Settings) -> None:
        self._gateway = settings.site.gateway
        self._topics = Topics(settings.site.site, settings.site.gateway)
        self._changed = threading.Condition()
        self._connection: int | None = None
        self._answer: Json | None = None
        broker = broker_for(settings, "command")
        self._answers = answer_topic(settings.site.site, name_at(broker, without_certificate="command-line"))
        self._link = Link(
            broker, client_id=f"ward-{time.time_ns():x}", handler=self,
            subscriptions=[(self._answers, SubscribeOptions(qos=1))],
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._link.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.stop()

    def ask(self, name: str, payload: Json) -> Json:
        """Return the answer; raises RefusedError where it is no, and NoAnswerError."""
        answer = self._ask(name, payload)
        if answer.get("ok") is not True:
            raise RefusedError(str(answer.get("error", "the gateway said no")))
        return answer

    def _ask(self, name: str, payload: Json) -> Json:
        with self._changed:
            self._answer = None
            if not self._changed.wait_for(lambda: self._connection is not None, CONNECT_S):
                raise NoAnswerError(f"the broker cannot be reached: {self._link.last_error or 'no answer'}")
            assert self._connection is not None
            self._link.publish(
                self._connection, self._topics.command(name), orjson.dumps(payload), qos=1,
                response_topic=self._answers,
            )  # fmt: skip
            if not self._changed.wait_for(lambda: self._answer is not None, ANSWER_S):
                raise NoAnswerError(f"gateway {self._gateway} did not answer within {ANSWER_S:g} s")
            assert self._answer is not None
            return self._answer

    # What follows runs on the link's threads.

    def connected(self, connection: int, limits: Limits) -> None:
        """Let whoever asks begin."""
        del limits
        with self._changed:
            self._connection = connection
            self._changed.notify_all()

    def lost(self, connection: int, reason: str) -> None:
        """Have whoever asks wait."""
        del connection, reason
        with self._changed:
            self._connection = None

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """The answer says all."""

    def arrived(self, message: Incoming) -> None:
        """Take an answer."""
        try:
            answer = orjson.loads(message.payload)
        except orjson.JSONDecodeError:
            return
        if isinstance(answer, dict):
            with self._changed:
                self._answer = answer
                self._changed.notify_all()
