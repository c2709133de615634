"""``rehab-gateway status``: what a gateway says of itself, for a technician or another program."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import orjson
from paho.mqtt.subscribeoptions import SubscribeOptions
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from config.settings import Settings
from gateway.broker.certificates import broker_for
from gateway.broker.door import where
from gateway.broker.link import Incoming, Limits, Link
from gateway.cli.terminal import Terminal
from gateway.machine.plain_text import all_visible, plain_json, visible
from gateway.model.machine_status import DiskStatus
from gateway.model.status import (
    NoticeStatus,
    OutboxStatus,
    PartStatus,
    PipelineStatus,
    PublisherStatus,
    RecorderStatus,
    Status,
    WallClockStatus,
)
from gateway.wire.status_pages import StatusPages
from gateway.wire.topics import Topics

CONNECT_S = 5.0  # a broker on a hospital network answers within this, or is not there for us
RETAINED_S = 1.0  # what is retained comes with the subscription
FRESH_S = 3.0  # a gateway that works says its status each second
OLD_S = 5.0  # of what is heard while watching: older, and the gateway is silent
LOOK_S = 0.5
WELL = "All is well."
NOTHING_MEASURED = "The gateway is well; nobody wears a device of its ward, so nothing is measured."

OK, ATTENTION = 0, 1  # exit statuses; 2 is a wrong command line (`gateway.cli.ending`)
MICRO = 1_000_000

Json = dict[str, Any]
T = TypeVar("T")


@dataclass
class Heard:
    """What came from the broker.

    Attributes:
        broker: Whether it accepted us.
        problem: Why it did not.
        status: The newest status; empty if there is none.
        fresh_at: Monotonic time of the newest one that was not retained; None if there was none.
    """

    broker: bool = False
    problem: str = ""
    status: Json = field(default_factory=dict)
    fresh_at: float | None = None


class StatusError(Exception):
    """What the gateway says cannot be understood."""

    advice = "Are the gateway and this program of the same version?"


class Listener:
    """Subscribed to the status of one gateway; a handler of ``gateway.broker.link.Link``."""

    def __init__(self, settings: Settings) -> None:
        self.heard = Heard()
        self._changed = threading.Condition()
        topics = Topics(settings.site.site, settings.site.gateway)
        self._topic = topics.status
        self._pages = StatusPages()
        self._link = Link(
            broker_for(settings, "command"),  # not the gateway's: the broker may let each certificate in once
            client_id=f"status-{time.time_ns():x}",
            handler=self,
            subscriptions=[(topic, SubscribeOptions(qos=1)) for topic in (topics.status, topics.status_page())],
        )

    def start(self) -> None:
        """Begin to connect."""
        self._link.start()

    def stop(self) -> None:
        """Disconnect."""
        self._link.stop()

    def wait(self) -> Heard:
        """Return when a fresh status was heard, or when it is clear that none comes."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.heard.broker, CONNECT_S):
                self.heard.problem = self._link.last_error or "no answer"
                return self.heard
            self._changed.wait_for(lambda: self.heard.status, RETAINED_S)
            if self.heard.status.get("state") != "offline":
                self._changed.wait_for(lambda: self.heard.fresh_at is not None, FRESH_S)
        return self.heard

    # What follows runs on the link's threads.

    def connected(self, connection: int, limits: Limits) -> None:
        """Note that the broker is there."""
        del connection, limits
        with self._changed:
            self.heard.broker = True
            self._changed.notify_all()

    def lost(self, connection: int, reason: str) -> None:
        """Note that it is not."""
        del connection
        with self._changed:
            self.heard.broker, self.heard.problem = False, reason
            self._changed.notify_all()

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """Nothing is sent."""

    def arrived(self, message: Incoming) -> None:
        """Take a status."""
        try:
            status = orjson.loads(message.payload)
        except orjson.JSONDecodeError:
            return
        if not isinstance(status, dict):
            return
        page = message.topic.removeprefix(self._topic).removeprefix("/")
        status = self._pages.add(page, status, len(message.payload))
        if status is None:
            return
        with self._changed:
            self.heard.status = status
            if not message.retained:
                self.heard.fresh_at = time.monotonic()
            self._changed.notify_all()


def status(settings: Settings, *, as_json: bool, watch: bool) -> int:
    """Show the status; return the exit status: 0 if all is well. Raises StatusError."""
    listener = Listener(settings)
    listener.start()
    try:
        heard = listener.wait()
        if as_json:
            body = _read(settings, lambda: plain_json(as_object(heard, settings), orjson.OPT_INDENT_2))
            sys.stdout.buffer.write(body)
            sys.stdout.flush()
        elif watch:
            _watch(listener, settings)
        else:
            Terminal().print(_read(settings, lambda: page(heard, settings)))
        return ATTENTION if _read(settings, lambda: concerns(heard, settings)) else OK
    finally:
        listener.stop()


def _read(settings: Settings, read: Callable[[], T]) -> T:
    """Return what is made of a status, which may hold anything; what printing raises is another matter."""
    try:
        return read()
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise StatusError(f"the status of gateway {settings.site.gateway} is not as expected ({error!r})") from error


def concerns(heard: Heard, settings: Settings, now: float | None = None) -> list[str]:
    """Return what needs attention, the most important first; empty when all is well."""
    gateway, broker = settings.site.gateway, broker_for(settings, "command")
    if not heard.broker:
        name = "The embedded broker" if settings.broker.embedded else f"The broker at {where(broker)}"
        return [f"{name} cannot be reached: {heard.problem}"]
    status = cast("Status", heard.status)
    if not status:
        return [f"Gateway {gateway} is not known to the broker: has it ever run with this configuration?"]
    if status.get("state") != "online":
        return [f"Gateway {gateway} is offline: start 'rehab-gateway run'"]
    if heard.fresh_at is None:
        return [f"Gateway {gateway} says nothing; its last word is {_age(status)} old: look at its log"]
    silent_s = (time.monotonic() if now is None else now) - heard.fresh_at
    if silent_s > OLD_S:
        return [f"Gateway {gateway} has said nothing for {silent_s:.0f} s: look at its log"]
    found = [str(notice["text"]) for notice in _active(status)]
    about = {notice["device"] for notice in _active(status)}
    found += [
        f"{device['id']} is {device['state']}"
        for device in status.get("devices", ())
        if device["state"] != "streaming" and device["id"] not in about
    ]
    return found


def as_object(heard: Heard, settings: Settings) -> Json:
    """Return all that is known, for other programs."""
    found = concerns(heard, settings)
    return {
        "ok": not found,
        "broker": heard.broker,
        "fresh": heard.fresh_at is not None,
        "attention": found,
        "status": heard.status or None,
    }


def page(heard: Heard, settings: Settings) -> Group:
    """Return what is shown on a terminal."""
    heard = replace(heard, status=all_visible(heard.status), problem=visible(heard.problem))
    found = concerns(heard, settings)
    status = cast("Status", heard.status)
    parts: list[Any] = []
    if heard.broker and status.get("devices") is not None:
        simulated = " (simulated)" if status.get("simulated") else ""
        parts += [Text(f"Gateway {status.get('gateway')}{simulated}", "bold"), _devices(status), _facts(status)]
    for concern in found:
        parts.append(Text.assemble(("▲ ", "bold yellow"), concern))
    for notice in _active(status) if heard.fresh_at is not None else ():
        parts.append(Text(f"  {notice['text']}: {notice['advice']}", "dim"))
    if not found:
        parts.append(Text.assemble(("● ", "bold green"), WELL if status.get("devices") else NOTHING_MEASURED))
    return Group(*parts)


def _watch(listener: Listener, settings: Settings) -> None:
    """Show it again and again until Ctrl-C."""

    def now() -> Group:
        return _read(settings, lambda: page(listener.heard, settings))

    with Live(now(), console=Terminal(), auto_refresh=False) as live:
        try:
            while True:
                time.sleep(LOOK_S)
                live.update(now(), refresh=True)
        except KeyboardInterrupt:
            return


def _devices(status: Status) -> Table:
    table = Table("device", "slot", "worn", "state", box=None, pad_edge=False, header_style="dim")
    for heading in ("samples/s", "lost", "battery", "clock", "age"):
        table.add_column(heading, justify="right")
    for device in status["devices"]:
        streaming = device["state"] == "streaming"
        state = Text(f"{'●' if streaming else '▲'} {device['state']}", "" if streaming else "yellow")
        lost, samples = device["lost"], device["samples"]
        battery, clock, age = device["battery"], device["clock"], device["age_s"]
        table.add_row(
            device["id"],
            device["slot"],
            device["placement"].replace("_", " "),
            state,
            f"{device['rate_hz']:.1f}",
            f"{100 * lost / (samples + lost):.2f} %" if samples + lost else "-",
            "-" if battery is None else f"{battery:.0f} %",
            "-" if clock is None else f"{clock['drift_ppm']:+.1f} ppm",
            "-" if age is None else f"{age:.1f} s",
        )
        if repeated := device.get("repeated"):
            table.add_row("", "", "", Text(f"delivered twice: {repeated} messages left out", "dim", overflow="fold"))
        for doubt in filter(None, (device.get("doubt"), *device.get("units", ()))):
            table.add_row("", "", "", Text(doubt, "dim", overflow="fold"))
        if device["error"]:
            table.add_row("", "", "", Text(f"{device['error']}. {device['advice']}", "dim", overflow="fold"))
    return table


def _facts(status: Status) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, words in facts(status):
        grid.add_row(Text(name, "dim"), words)
    return grid


def facts(status: Status) -> list[tuple[str, str]]:
    """Return the gateway's own parts in words."""
    rows = [(name, words(part)) for name, words in _WORDS.items() if (part := status.get(name))]
    return [(name, words) for name, words in rows if words]


def _pipeline(part: PipelineStatus) -> str:
    p50, p95 = part["latency_ms"]["p50"], part["latency_ms"]["p95"]
    late = "" if p50 is None else f", delay {p50:.0f} ms (95 %: {p95:.0f} ms)"
    rates = f"{part['samples_per_s']:.0f} samples/s, {part['measurements_per_s']:.0f} measurements/s"
    to_broker = part.get("to_broker_ms") or {"p95": None}
    if to_broker["p95"] is not None:
        late += f", event to broker {to_broker['p50']:.0f} ms (95 %: {to_broker['p95']:.0f} ms)"
    return f"{rates}{late}{_counts(part['dropped'], ', dropped: ')}"


def _outbox(part: OutboxStatus) -> str:
    size = f"{part['bytes'] / 1e6:.1f} of {part['max_bytes'] / 1e6:.0f} MB"
    classes = part.get("classes") or {}
    kinds = ", ".join(f"{of['depth']} {name}" for name, of in classes.items() if of["depth"])
    waiting = f"{part['depth']} waiting{f' ({kinds})' if kinds else ''}, oldest {part['oldest_s']:.1f} s, {size}"
    gone = {f"{reason} ({name})": n for name, of in classes.items() for reason, n in of["dropped"].items()}
    return f"{waiting}{_counts(gone or part['dropped'], ', dropped: ')}"


def _publisher(part: PublisherStatus) -> str:
    word = "connected" if part["connected"] else "not connected"
    sent = f"{word}, {part['sent']} messages sent, {part['under_way']} under way"
    return f"{sent}{_counts(part['errors'], ', errors: ')}"


def _clock(part: WallClockStatus) -> str:
    steps = f", set {part['steps']} times, last by {part['step_s']:+.1f} s" if part["steps"] else ""
    return f"{'' if part['synchronised'] else 'not '}synchronised{steps}"


def _recorder(part: RecorderStatus) -> str:
    word = "recording" if part["recording"] else part["error"]
    return f"{word}, {part['file']}, {part['bytes'] / 1e6:.1f} MB" if part["file"] else ""


def _disk(part: DiskStatus) -> str:
    return f"{part['free_bytes'] / 1e9:.1f} GB free"


def _restarts(part: dict[str, PartStatus]) -> str:
    return "restarted " + ", ".join(f"{name} {of['failures']} times" for name, of in part.items())


_WORDS: dict[str, Callable[[Any], str]] = {
    "pipeline": _pipeline, "outbox": _outbox, "publisher": _publisher, "clock": _clock, "recorder": _recorder,
    "disk": _disk, "parts": _restarts,
}  # fmt: skip


def _active(status: Status) -> list[NoticeStatus]:
    return list((status.get("notices") or {}).get("active", ()))


def _counts(table: Mapping[str, int], before: str) -> str:
    return before + ", ".join(f"{name} {count}" for name, count in table.items()) if table else ""


def _age(status: Status) -> str:
    seconds = max(0.0, time.time() - status.get("time_us", 0) / MICRO)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
