"""What a gateway says of itself once a second: the status topic's JSON, key by key.

The gateway makes it (`gateway.status.report`). mypy knows every key, and a test compares them with what a gateway
really sends. Whoever reads another's cannot know which keys it has, so none is required; docs/mqtt.md explains them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

from gateway.model.machine_status import BackupStatus, DiskStatus, MachineStatus


class Percentiles(TypedDict, total=False):
    """Milliseconds; None before the first."""

    p50: float | None
    p95: float | None


class SlotStatus(TypedDict, total=False):
    """A bed with somebody in it."""

    id: str
    label: str
    subject: str
    session: str
    protocol: str
    devices: list[str]


class DeviceClockStatus(TypedDict, total=False):
    """The fit of a device's own clock."""

    offset_s: float
    drift_ppm: float
    uncertainty_ms: float


class MountingStatus(TypedDict, total=False):
    """How far from its configured axes a sensor is worn."""

    askew_deg: float
    sure: bool


class StreamStatus(TypedDict, total=False):
    """A stream as the device announced it."""

    channels: list[str]
    units: list[str]
    rate_hz: float | None


class LinkStatus(TypedDict, total=False):
    """The way to a device (`drivers.transport.link_quality.LinkState`)."""

    radio: str
    signal_dbm: int | None
    links: int
    frames: int
    interval_ms: float | None
    longest_gap_ms: float | None


class AdapterStatus(TypedDict, total=False):
    """A Bluetooth adapter (`drivers.transport.radios.RadioState`)."""

    name: str
    links: int
    limit: int | None
    most: int
    trouble: str


class RadioStatus(TypedDict, total=False):
    """The Bluetooth adapters, and what was done to help them; empty where no device needs one."""

    adapters: list[AdapterStatus]
    steps: dict[str, int]


class DeviceStatus(TypedDict, total=False):
    """A device that is worn: link, what it sends, clock, strap, units."""

    id: str
    slot: str
    placement: str
    driver: str
    transport: str
    state: str
    samples: int
    rate_hz: float
    lost: int
    resets: int
    faults: dict[str, int]
    repeated: int
    units: list[str]
    age_s: float | None
    silence_s: float
    battery: float | None
    error: str
    advice: str
    problem: str
    doubt: str
    told: Any  # `drivers.identity.Identity` as an object; None before the first connection
    link: LinkStatus | None
    clock: DeviceClockStatus | None
    mounting: MountingStatus | None
    streams: dict[str, StreamStatus]


class PipelineStatus(TypedDict, total=False):
    """What is computed, how fast, and what found no room."""

    samples_per_s: float
    measurements_per_s: float
    measurements: int
    samples: int
    latency_ms: Percentiles
    to_broker_ms: Percentiles
    dropped: dict[str, int]


class PreparingStatus(TypedDict, total=False):
    """How far the kernels are compiled, and which are missing; empty where none is."""

    percent: int
    parts: list[str]


class OutboxClassStatus(TypedDict, total=False):
    """One class of what waits on disk."""

    depth: int
    oldest_s: float
    dropped: dict[str, int]


class OutboxStatus(TypedDict, total=False):
    """What waits on disk (`gateway.outbox.outbox.OutboxState`), with its limit."""

    depth: int
    bytes: int
    oldest_s: float
    dropped: dict[str, int]
    epoch: str
    last_seq: int
    durable_seq: int
    released_seq: int
    error: str
    set_aside: int
    earlier: int
    max_bytes: int
    classes: dict[str, OutboxClassStatus]


class RefusedStatus(TypedDict, total=False):
    """What the broker does not take."""

    count: int
    why: str


class PublisherStatus(TypedDict, total=False):
    """How sending goes (`gateway.delivery.publisher.PublisherState`)."""

    connected: bool
    under_way: int
    sent: int
    resent: int
    backlog: int
    taken: int
    errors: dict[str, int]
    last_error: str
    refused: dict[str, RefusedStatus]
    pages: int
    turn: float
    historians: list[tuple[str, str, str]]


class WallClockStatus(TypedDict, total=False):
    """The clock of the gateway's computer."""

    synchronised: bool
    believed_at_start: bool
    steps: int
    step_s: float
    slept_s: float


class RecorderStatus(TypedDict, total=False):
    """How recording goes (`gateway.recordings.recorder.RecorderState`)."""

    recording: bool
    file: str
    bytes: int
    dropped: dict[str, int]
    error: str


class PartStatus(TypedDict, total=False):
    """A supervised task that has failed."""

    failures: int
    given_up: bool
    error: str


class CertificateStatus(TypedDict, total=False):
    """A certificate, and when it ends."""

    name: str
    days_left: float


class CertificateChange(TypedDict, total=False):
    """A certificate that is not what it was."""

    name: str
    why: str


class RegistryStatus(TypedDict, total=False):
    """The ward's registry."""

    file_differs: bool


class EventsStatus(TypedDict, total=False):
    """Events since the last status: number, and when the last sample of each arrived."""

    epoch: str
    arrived_us: list[Any]


class IncidentStatus(TypedDict, total=False):
    """Something that happened to the data."""

    what: str
    text: str


class ReviewStatus(TypedDict, total=False):
    """Something that was measured of somebody, and that staff should look at."""

    metric: str
    slot: str
    device: str
    at_us: int
    text: str


class AnswerStatus(TypedDict, total=False):
    """Who has seen a notice."""

    by: str
    at_us: int
    why: str


class PauseStatus(TypedDict, total=False):
    """Which notices are quiet until when, and who said so; an empty bed is the gateway, an empty code all kinds."""

    bed: str
    code: str
    until_us: int
    by: str
    at_us: int
    why: str


class PushStatus(TypedDict, total=False):
    """What became of notices that are sent on to a pager."""

    sent: int
    failed: int
    waiting: int
    error: str


class SaidStatus(TypedDict):
    """Which sentence of the texts a notice says, for pages in other languages; and whether its advice is its own."""

    key: str
    values: dict[str, str]
    own_advice: bool


class NoticeStatus(TypedDict, total=False):
    """A notice, as on its own topic."""

    v: int
    gateway: str
    id: str
    code: str
    priority: str
    state: str
    text: str
    advice: str
    device: str
    slot: str
    since_us: int
    time_us: int
    count: int
    simulated: bool
    acknowledged: AnswerStatus
    paused: PauseStatus
    said: SaidStatus


class NoticesStatus(TypedDict, total=False):
    """Notices that stand, and how many were raised since the start, by code.

    ``held_back`` counts by reason the movement notices that were not raised: nobody chose them, poor data, the budget.
    """

    active: list[NoticeStatus]
    raised: dict[str, int]
    paused: list[PauseStatus]
    held_back: dict[str, int]
    push: PushStatus


class Sections(TypedDict, total=False):
    """What the parts of a gateway say of themselves."""

    version: str
    pipeline: PipelineStatus
    preparing: PreparingStatus
    outbox: OutboxStatus
    publisher: PublisherStatus
    clock: WallClockStatus
    recorder: RecorderStatus
    disk: DiskStatus
    machine: MachineStatus
    backup: BackupStatus
    parts: dict[str, PartStatus]
    certificates: list[CertificateStatus]
    registry: RegistryStatus
    radio: RadioStatus
    certificate_changes: list[CertificateChange]
    events: EventsStatus
    incidents: list[IncidentStatus]
    reviews: list[ReviewStatus]
    over_budget: list[tuple[str, int]]
    notices: NoticesStatus


class Status(Sections, total=False):
    """A whole status."""

    v: int
    gateway: str
    state: str
    simulated: bool
    time_us: int
    slots: list[SlotStatus]
    devices: list[DeviceStatus]


def require_path(model: type, *path: str) -> tuple[str, ...]:
    """Return a path of keys through the status; raises KeyError for one that leads nowhere."""
    for key in path:
        model = _section(get_type_hints(model)[key])
    return path


def unknown_keys(model: type, found: Mapping[str, Any]) -> set[str]:
    """Return every key in part of a status that the model of it does not know, as a path with dots."""
    hints = get_type_hints(model)
    unknown = {key for key in found if key not in hints}
    for key in found.keys() & hints.keys():
        section = _section(hints[key])
        if is_typeddict(section):
            for part in _parts(hints[key], found[key]):
                unknown |= {f"{key}.{inner}" for inner in unknown_keys(section, part)}
    return unknown


def _section(hint: Any) -> Any:
    """Return the model within a hint such as ``list[DeviceStatus]``; the hint itself where there is none."""
    return next((inner for inner in get_args(hint) if is_typeddict(inner)), hint)


def _parts(hint: Any, value: Any) -> list[Mapping[str, Any]]:
    """Return the objects that a value holds, by its hint: those in its list or table, or itself where it is there."""
    if get_origin(hint) is list:
        return list(value)
    if get_origin(hint) is dict:
        return list(value.values())
    return [] if value is None else [value]
