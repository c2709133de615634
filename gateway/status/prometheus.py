"""The gateway's metrics in the text format of Prometheus, version 0.0.4, on loopback.

They come from the gateway process itself, so they are there when the broker is not. `METRICS` is the table of
docs/operations.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.model.status import AdapterStatus, DeviceStatus, OutboxClassStatus, Status, require_path

Labels = dict[str, str]
Sample = tuple[Labels, float]

log = logging.getLogger(__name__)

AGAIN_S = 5.0
"""Between two tries to have a port that is taken."""
PREFIX = "rehab_gateway_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Exposed:
    """A metric family.

    Attributes:
        name: Without the prefix; the unit is part of it, and counters end in ``_total``.
        kind: ``gauge`` or ``counter``.
        help: What it says.
        labels: Names of its labels.
        samples: Takes the values from a status.
    """

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Status], Iterable[Sample]]


def exposition(status: Status) -> str:
    """Return everything a status says as text; before the first status, only that the gateway is not up."""
    return "".join(_family(metric, status) for metric in METRICS)


async def keep_metrics(port: int, status: Callable[[], Status]) -> None:
    """Serve the metrics until cancelled; while somebody else has the port, say so once and try again."""
    reported = ""
    while True:
        try:
            await serve_metrics(port, status)
        except OSError as error:
            if reported != str(error):
                reported = str(error)
                log.warning("no metrics on port %d: %s; stop what holds it, or set prometheus.port", port, error)
            await asyncio.sleep(AGAIN_S)


async def serve_metrics(port: int, status: Callable[[], Status]) -> None:
    """Answer ``GET /metrics`` on 127.0.0.1 until cancelled; raises OSError where the port is taken."""
    from aiohttp import web  # costs memory that a gateway without Prometheus need not spend

    from config.settings import Dashboard
    from gateway.dashboard.guard import add_headers, only_from_here
    from gateway.dashboard.proxies import PROXIES, Proxies

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=exposition(status()).encode(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application(middlewares=[only_from_here])
    app[PROXIES] = Proxies(Dashboard())  # none: who collects metrics asks on this machine
    app.on_response_prepare.append(add_headers)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _family(metric: Exposed, status: Status) -> str:
    name = PREFIX + metric.name
    lines = [f"# HELP {name} {_escaped(metric.help)}", f"# TYPE {name} {metric.kind}"]
    for labels, value in metric.samples(status):
        within = ",".join(f'{label}="{_quoted(word)}"' for label, word in labels.items())
        lines.append(f"{name}{{{within}}} {float(value)!r}" if within else f"{name} {float(value)!r}")
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')


def _value_at(model: type, *path: str) -> Callable[[Mapping[str, Any]], Any]:
    """Return what follows a path of keys, which must be one of the model's; None where it ends early."""
    require_path(model, *path)

    def value_at(found: Mapping[str, Any]) -> Any:
        value: Any = found
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    return value_at


def _labels(device: DeviceStatus) -> Labels:
    return {"device": device["id"], "slot": str(device["slot"])}


def _one(*path: str, scale: float = 1.0) -> Callable[[Status], Iterator[Sample]]:
    """Return what takes one value from a status, or none where it is unknown."""
    value_at = _value_at(Status, *path)

    def samples(status: Status) -> Iterator[Sample]:
        value = value_at(status)
        if isinstance(value, (bool, int, float)):
            yield {}, value * scale

    return samples


def _of_devices(*path: str, scale: float = 1.0) -> Callable[[Status], Iterator[Sample]]:
    value_at = _value_at(DeviceStatus, *path)

    def samples(status: Status) -> Iterator[Sample]:
        for device in status.get("devices", ()):
            value = value_at(device)
            if isinstance(value, (bool, int, float)):
                yield _labels(device), value * scale

    return samples


def _of_adapters(key: str) -> Callable[[Status], Iterator[Sample]]:
    value_at = _value_at(AdapterStatus, key)

    def samples(status: Status) -> Iterator[Sample]:
        for adapter in (status.get("radio") or {}).get("adapters", ()):
            if (value := value_at(adapter)) is not None:
                yield {"adapter": adapter["name"]}, value

    return samples


def _counted(label: str, *path: str) -> Callable[[Status], Iterator[Sample]]:
    """Return what takes each count of a table of the status."""
    value_at = _value_at(Status, *path)

    def samples(status: Status) -> Iterator[Sample]:
        for name, count in (value_at(status) or {}).items():
            yield {label: str(name)}, count

    return samples


def _up(status: Status) -> Iterator[Sample]:
    yield {}, bool(status)


def _states(status: Status) -> Iterator[Sample]:
    for device in status.get("devices", ()):
        yield {**_labels(device), "state": device["state"]}, 1


def _faults(status: Status) -> Iterator[Sample]:
    for device in status.get("devices", ()):
        for reason, count in device["faults"].items():
            yield {**_labels(device), "reason": str(reason)}, count


def _delay(key: str) -> Callable[[Status], Iterator[Sample]]:
    def samples(status: Status) -> Iterator[Sample]:
        for quantile, name in (("0.5", "p50"), ("0.95", "p95")):
            for _, value in _one("pipeline", key, name, scale=1e-3)(status):
                yield {"quantile": quantile}, value

    return samples


def _active(status: Status) -> Iterator[Sample]:
    active = (status.get("notices") or {}).get("active", ())
    for priority in ("low", "medium") if status else ():
        yield {"priority": priority}, sum(notice["priority"] == priority for notice in active)


def _waiting(status: Status) -> Iterator[Sample]:
    for name, of in _classes(status):
        yield {"class": name}, of["depth"]


def _oldest(status: Status) -> Iterator[Sample]:
    for name, of in _classes(status):
        yield {"class": name}, of["oldest_s"]


def _gone(status: Status) -> Iterator[Sample]:
    for name, of in _classes(status):
        for reason, n in of["dropped"].items():
            yield {"class": name, "reason": str(reason)}, n


def _classes(status: Status) -> Iterable[tuple[str, OutboxClassStatus]]:
    return ((status.get("outbox") or {}).get("classes") or {}).items()


def _restarts(status: Status) -> Iterator[Sample]:
    for name, part in (status.get("parts") or {}).items():
        yield {"part": name}, part["failures"]


_D = ("device", "slot")

METRICS = (
    Exposed("up", "gauge", "1 once the gateway has made its first status", (), _up),
    Exposed("device_state", "gauge", "1 for the state that a device is in", (*_D, "state"), _states),
    Exposed("device_samples_total", "counter", "Samples received", _D, _of_devices("samples")),
    Exposed("device_samples_lost_total", "counter", "Samples known to be lost", _D, _of_devices("lost")),
    Exposed("device_clock_resets_total", "counter", "Restarts of the device's clock", _D, _of_devices("resets")),
    Exposed("device_faults_total", "counter", "Bad input by reason", (*_D, "reason"), _faults),
    Exposed("device_sample_rate_hertz", "gauge", "Samples a second, all streams together", _D, _of_devices("rate_hz")),
    Exposed("device_data_age_seconds", "gauge", "Age of the newest sample", _D, _of_devices("age_s")),
    Exposed("device_battery_ratio", "gauge", "Charge of the battery, 0 to 1", _D, _of_devices("battery", scale=0.01)),
    Exposed("device_links_total", "counter", "How often a device was connected", _D, _of_devices("link", "links")),
    Exposed("device_frames_total", "counter", "Frames received", _D, _of_devices("link", "frames")),
    Exposed("device_signal_dbm", "gauge", "Signal of the last advertisement before it was connected", _D,
            _of_devices("link", "signal_dbm")),
    Exposed("device_frame_interval_seconds", "gauge", "Usual time between two arrivals", _D,
            _of_devices("link", "interval_ms", scale=1e-3)),
    Exposed("device_longest_gap_seconds", "gauge", "Longest time between two arrivals within the last second", _D,
            _of_devices("link", "longest_gap_ms", scale=1e-3)),
    Exposed("device_clock_drift_ratio", "gauge", "How much faster the device's clock runs", _D,
            _of_devices("clock", "drift_ppm", scale=1e-6)),
    Exposed("device_clock_uncertainty_seconds", "gauge", "Uncertainty of the device's clock", _D,
            _of_devices("clock", "uncertainty_ms", scale=1e-3)),
    Exposed("pipeline_measurements_total", "counter", "Measurements made", (), _one("pipeline", "measurements")),
    Exposed("pipeline_delay_seconds", "gauge", "From the arrival of samples to the end of their step", ("quantile",),
            _delay("latency_ms")),
    Exposed("event_to_broker_seconds", "gauge", "From the last sample of an event until the broker has it",
            ("quantile",), _delay("to_broker_ms")),
    Exposed("pipeline_dropped_frames_total", "counter", "Frames that found no room, by reason", ("reason",),
            _counted("reason", "pipeline", "dropped")),
    Exposed("outbox_rows", "gauge", "What waits on disk for a receipt: metrics, events with notices, the audit",
            ("class",), _waiting),
    Exposed("outbox_bytes", "gauge", "Their size on disk", (), _one("outbox", "bytes")),
    Exposed("outbox_limit_bytes", "gauge", "Size cap of the outbox", (), _one("outbox", "max_bytes")),
    Exposed("outbox_oldest_seconds", "gauge", "Age of the oldest of a class in it", ("class",), _oldest),
    Exposed("outbox_dropped_total", "counter", "What had to go, by class and reason", ("class", "reason"), _gone),
    Exposed("outbox_files_set_aside_total", "counter", "Damaged outbox files", (), _one("outbox", "set_aside")),
    Exposed("publisher_connected", "gauge", "1 while a broker has accepted the gateway", (),
            _one("publisher", "connected")),
    Exposed("publisher_under_way", "gauge", "Messages without acknowledgement", (), _one("publisher", "under_way")),
    Exposed("publisher_messages_total", "counter", "Messages that the broker took", (), _one("publisher", "sent")),
    Exposed("publisher_resent_total", "counter", "Measurements sent again for want of a receipt", (),
            _one("publisher", "resent")),
    Exposed("publisher_errors_total", "counter", "What went wrong with sending, by kind", ("kind",),
            _counted("kind", "publisher", "errors")),
    Exposed("recorder_recording", "gauge", "1 while a recording is being written", (), _one("recorder", "recording")),
    Exposed("recorder_bytes", "gauge", "Size of the recording", (), _one("recorder", "bytes")),
    Exposed("recorder_dropped_steps_total", "counter", "Steps that are not in the recording, by reason", ("reason",),
            _counted("reason", "recorder", "dropped")),
    Exposed("disk_free_bytes", "gauge", "Free on the disk of the data folder", (), _one("disk", "free_bytes")),
    Exposed("machine_temperature_celsius", "gauge", "The hottest zone of the processor", (),
            _one("machine", "temperature_c")),
    Exposed("machine_undervoltage", "gauge", "1 while the power supply is too weak (Raspberry Pi)", (),
            _one("machine", "undervoltage")),
    Exposed("disk_life_used_ratio", "gauge", "How much of its life the disk has used, by itself (eMMC)", (),
            _one("machine", "life_used_pct", scale=1e-2)),
    Exposed("disk_written_bytes_total", "counter", "Written to the disk of the data folder since the computer started",
            (), _one("machine", "written_bytes")),
    Exposed("clock_synchronised", "gauge", "1 while something keeps this computer's clock right", (),
            _one("clock", "synchronised")),
    Exposed("clock_steps_total", "counter", "How often this computer's clock was set", (), _one("clock", "steps")),
    Exposed("radio_links", "gauge", "Devices that a Bluetooth adapter has, or is about to connect", ("adapter",),
            _of_adapters("links")),
    Exposed("radio_links_limit", "gauge", "How many it may have", ("adapter",), _of_adapters("limit")),
    Exposed("radio_steps_total", "counter", "Steps taken to help the radios: rescan, reconnect, reset, restart",
            ("step",), _counted("step", "radio", "steps")),
    Exposed("part_failures_total", "counter", "Failures of a supervised task", ("part",), _restarts),
    Exposed("notices_active", "gauge", "Notices that stand, by priority", ("priority",), _active),
    Exposed("notices_raised_total", "counter", "Notices raised since the start, by code", ("code",),
            _counted("code", "notices", "raised")),
)  # fmt: skip
