"""What deserves a notice: rules over the gateway's status, as pure functions. `RULES` is the table of docs/mqtt.md."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from typing import Any

from gateway.status.notices import Finding, Rule

Json = dict[str, Any]

SILENT_AFTER_S = 5.0
"""A device that streams sends at least once a second."""
BATTERY_LOW_PCT, BATTERY_VERY_LOW_PCT = 20.0, 10.0
BATTERY_RECOVERED_PCT = 5.0
"""Above the limit by so much: a battery that recovers by a point when it rests is no charged one."""
LOSS_RAISED, LOSS_CLEARED = 0.05, 0.03
"""Share of the samples of the last minute."""
LOSS_WINDOW_S = 60.0
LOSS_LEAST_SAMPLES, LOSS_LEAST_S = 300, 30.0
"""Of a window: one lost packet in ten is no loss rate yet, nor are the first seconds of a connection."""
OUTBOX_RAISED, OUTBOX_CLEARED = 0.8, 0.7
"""Share of the outbox's size cap."""
BEHIND_RAISED_S, BEHIND_CLEARED_S = 180.0, 120.0
"""Age of the oldest measurement that is not stored: with a store, the historian holds back for a minute on purpose."""
DISK_MARGIN, DISK_CLEARED = 256 << 20, 320 << 20
"""Bytes above what the recorder leaves free: staff should know before recording stops."""
CERTIFICATE_DAYS = 30.0
SHOWN_S = 300.0
"""What happened in an instant stays on the page for so long."""

DEVICE_SILENT = Rule(
    "device-silent", "medium", 0.0, 2.0, f"a connected device has sent no sample for {SILENT_AFTER_S:g} s",
    "The gateway starts the stream again; if it repeats, switch the device off and on.",
)  # fmt: skip
LINK_LOST = Rule(
    "link-lost", "medium", 5.0, 2.0, "a device that had sent data is no longer connected",
    "Range or battery: the gateway searches for it by itself.",
)  # fmt: skip
DEVICE_MISSING = Rule(
    "device-missing", "low", 120.0, 2.0, "a configured device has never been reached since the gateway started",
    "Is the device charged, switched on, in range, and not connected to a phone?",
)  # fmt: skip
BATTERY_LOW = Rule(
    "battery-low", "low", 5.0, 10.0, f"a battery is below {BATTERY_LOW_PCT:g} %", "Charge the device soon."
)
BATTERY_VERY_LOW = Rule(
    "battery-very-low", "medium", 5.0, 5.0, f"a battery is below {BATTERY_VERY_LOW_PCT:g} %",
    "Charge or change the device now.",
)  # fmt: skip
SAMPLE_LOSS = Rule(
    "sample-loss", "low", 0.0, 10.0, f"more than {LOSS_RAISED:.0%} of a device's samples were lost over a minute",
    "Move the device or the gateway closer, and away from other transmitters.",
)  # fmt: skip
CLOCK_UNSET = Rule(
    "clock-not-synchronised", "low", 60.0, 5.0, "nothing keeps this computer's clock right",
    "Check the network and the time service ('timedatectl'); durations are right all the same.",
)  # fmt: skip
CLOCK_STEP = Rule(
    "clock-step", "medium", 0.0, 0.0, "this computer's clock was set while measurements were being made",
    "Times before it were off by so much: the history mends them. Durations and order are right.",
)  # fmt: skip
OUTBOX_FILLING = Rule(
    "outbox-filling", "medium", 5.0, 30.0, f"the outbox is more than {OUTBOX_RAISED:.0%} full",
    "Check the network, the broker and the historian: the oldest measurements will have to go.",
)  # fmt: skip
OUTBOX_FAILING = Rule(
    "outbox-failing", "medium", 2.0, 2.0, "measurements cannot be written to this computer's disk",
    "Free space on the disk, or check it; measurements wait in memory meanwhile.",
)  # fmt: skip
BROKER_UNREACHABLE = Rule(
    "broker-unreachable", "medium", 5.0, 2.0, "no message broker accepts this gateway",
    "Check the network and the broker; measurements wait on this disk.",
)  # fmt: skip
STORE_BEHIND = Rule(
    "store-behind", "medium", 5.0, 10.0, f"the oldest measurement has waited {BEHIND_RAISED_S / 60:g} min to be stored",
    "Check the historian and its store; measurements wait on this disk.",
)  # fmt: skip
DISK_NEARLY_FULL = Rule(
    "disk-nearly-full", "medium", 5.0, 30.0, "the disk with the gateway's data is nearly full",
    "Remove old recordings from the data folder; recording stops first, the outbox last.",
)  # fmt: skip
RECORDING_STOPPED = Rule(
    "recording-stopped", "low", 0.0, 0.0, "the recording ended before the run; measurements go on",
    "Make room on the disk; the next start of the gateway records again.",
)  # fmt: skip
OVERLOADED = Rule(
    "overloaded", "medium", 0.0, 0.0, "this computer was too slow and data from devices was left out",
    "Stop other programs on this computer, or spread the devices over two gateways.",
)  # fmt: skip
PART_RESTARTED = Rule(
    "part-restarted", "medium", 0.0, 0.0, "a part of the gateway failed and was started again",
    "This is a defect of the gateway: report it with the log.",
)  # fmt: skip
CERTIFICATE_ENDS = Rule(
    "certificate-ends", "medium", 0.0, 0.0, f"a certificate ends within {CERTIFICATE_DAYS:g} days",
    "Put a new certificate in its place; the gateway reads it at the next connection.",
)  # fmt: skip

RULES = (
    DEVICE_SILENT, LINK_LOST, DEVICE_MISSING, BATTERY_LOW, BATTERY_VERY_LOW, SAMPLE_LOSS, CLOCK_UNSET, CLOCK_STEP,
    OUTBOX_FILLING, OUTBOX_FAILING, BROKER_UNREACHABLE, STORE_BEHIND, DISK_NEARLY_FULL, RECORDING_STOPPED, OVERLOADED,
    PART_RESTARTED, CERTIFICATE_ENDS,
)  # fmt: skip

CONNECTED = ("streaming", "silent")


class Judge:
    """Finds what is wrong in one status after the other; remembers what a single one cannot tell."""

    def __init__(self) -> None:
        self._losses: dict[str, deque[tuple[float, int, int]]] = {}
        self._changed: dict[str, tuple[int, float]] = {}

    def find(self, now_s: float, status: Json, raised: Collection[str]) -> Iterator[Finding]:
        """Yield what is wrong.

        Args:
            now_s: Monotonic seconds.
            status: A status as published.
            raised: Ids of the notices that stand: these let go later than they take hold.
        """
        for device in status.get("devices", ()):
            yield from _link(device)
            yield from _battery(device, raised)
            yield from self._loss(now_s, device, raised)
        yield from self._clock(now_s, status.get("clock") or {})
        yield from _delivery(status, raised)
        yield from _disk(status, raised)
        yield from self._parts(now_s, status)
        for certificate in status.get("certificates", ()):
            if certificate["days_left"] < CERTIFICATE_DAYS:
                text = f"The certificate {certificate['name']} {_ends(certificate['days_left'])}"
                yield Finding(CERTIFICATE_ENDS, text, about=certificate["name"])

    def _loss(self, now_s: float, device: Json, raised: Collection[str]) -> Iterator[Finding]:
        samples, lost = device["samples"], device["lost"]
        past = self._losses.setdefault(device["id"], deque())
        past.append((now_s, samples, lost))
        while past[0][0] < now_s - LOSS_WINDOW_S:
            past.popleft()
        begun_s, samples_then, lost_then = past[0]
        gone = lost - lost_then
        all_of_them = samples - samples_then + gone
        found = Finding(SAMPLE_LOSS, "", device["id"], device["slot"])
        limit = LOSS_CLEARED if found.id in raised else LOSS_RAISED
        enough = all_of_them >= LOSS_LEAST_SAMPLES and now_s - begun_s >= LOSS_LEAST_S
        if enough and gone > limit * all_of_them:
            text = f"{device['id']} lost {gone / all_of_them:.0%} of its samples over the last minute"
            yield Finding(SAMPLE_LOSS, text, device["id"], device["slot"])

    def _clock(self, now_s: float, clock: Json) -> Iterator[Finding]:
        if clock.get("synchronised") is False:
            yield Finding(CLOCK_UNSET, "The clock of this computer is not synchronised")
        if self._lately("clock", clock.get("steps", 0), now_s):
            word = "forward" if clock["step_s"] > 0 else "back"
            yield Finding(CLOCK_STEP, f"The clock of this computer was set {word} by {_span(abs(clock['step_s']))}")

    def _parts(self, now_s: float, status: Json) -> Iterator[Finding]:
        dropped = sum(((status.get("pipeline") or {}).get("dropped") or {}).values())
        if self._lately("dropped", dropped, now_s):
            yield Finding(OVERLOADED, f"This computer was too slow: {dropped} frames were left out since the start")
        for name, part in (status.get("parts") or {}).items():
            if part["given_up"]:
                device = name.removeprefix("device:") if name.startswith("device:") else ""
                text = f"The part '{name}' has failed too often and stays away"
                yield Finding(PART_RESTARTED, text, device=device, about="" if device else name)
            elif self._lately(f"part {name}", part["failures"], now_s):
                yield Finding(PART_RESTARTED, f"The part '{name}' failed and was started again", about=name)

    def _lately(self, name: str, count: int, now_s: float) -> bool:
        """Whether a count has grown within `SHOWN_S`."""
        before, at = self._changed.get(name, (0, float("-inf")))
        if count > before:
            at = now_s
        self._changed[name] = (count, at)
        return now_s - at < SHOWN_S


def _link(device: Json) -> Iterator[Finding]:
    name, slot, state, advice = device["id"], device["slot"], device["state"], device.get("advice", "")
    age_s = device["age_s"]
    if state in CONNECTED:
        if age_s is not None and age_s > SILENT_AFTER_S:
            yield Finding(DEVICE_SILENT, f"{name} is connected but silent", name, slot, advice=advice)
    elif state == "stopped":
        return
    elif device["samples"]:
        why = f": {device['error']}" if device.get("error") else ""
        yield Finding(LINK_LOST, f"{name} is not connected{why}", name, slot, advice=advice)
    else:
        yield Finding(DEVICE_MISSING, f"{name} has not been reached yet", name, slot, advice=advice)


def _battery(device: Json, raised: Collection[str]) -> Iterator[Finding]:
    value = device["battery"]
    if value is None:
        return
    for rule, limit in ((BATTERY_VERY_LOW, BATTERY_VERY_LOW_PCT), (BATTERY_LOW, BATTERY_LOW_PCT)):
        found = Finding(rule, f"The battery of {device['id']} is at {value:.0f} %", device["id"], device["slot"])
        if value < limit + (BATTERY_RECOVERED_PCT if found.id in raised else 0.0):
            yield found
            return


def _delivery(status: Json, raised: Collection[str]) -> Iterator[Finding]:
    outbox, publisher = status.get("outbox") or {}, status.get("publisher") or {}
    if outbox.get("max_bytes"):
        share = outbox["bytes"] / outbox["max_bytes"]
        if share > (OUTBOX_CLEARED if OUTBOX_FILLING.code in raised else OUTBOX_RAISED):
            yield Finding(OUTBOX_FILLING, f"The outbox is {share:.0%} full")
    if outbox.get("error"):
        yield Finding(OUTBOX_FAILING, f"Measurements cannot be written: {outbox['error']}")
    if publisher.get("connected") is False:
        why = f": {publisher['last_error']}" if publisher.get("last_error") else ""
        yield Finding(BROKER_UNREACHABLE, f"The message broker cannot be reached{why}")
    elif outbox.get("oldest_s", 0.0) > (BEHIND_CLEARED_S if STORE_BEHIND.code in raised else BEHIND_RAISED_S):
        yield Finding(STORE_BEHIND, f"Measurements of the last {_span(outbox['oldest_s'])} are not stored yet")


def _disk(status: Json, raised: Collection[str]) -> Iterator[Finding]:
    disk, recorder = status.get("disk") or {}, status.get("recorder") or {}
    if disk:
        limit = disk["keep_free"] + (DISK_CLEARED if DISK_NEARLY_FULL.code in raised else DISK_MARGIN)
        if disk["free_bytes"] < limit:
            yield Finding(DISK_NEARLY_FULL, f"Only {disk['free_bytes'] / 1e6:.0f} MB are free on the disk")
    if recorder.get("error"):
        text = str(recorder["error"])
        yield Finding(RECORDING_STOPPED, text[:1].upper() + text[1:])


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def _ends(days: float) -> str:
    return "has ended" if days <= 0 else f"ends in {days:.0f} days"
