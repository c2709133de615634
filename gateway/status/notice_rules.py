"""What deserves a notice: rules over the gateway's status, as pure functions. `RULES` is the table of docs/mqtt.md."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator

from gateway.model.status import DeviceStatus, PublisherStatus, Status, WallClockStatus
from gateway.status.backup_rules import BACKUP_RULES, backup_findings
from gateway.status.machine_rules import MACHINE_RULES, machine_findings
from gateway.status.notices import Finding, Rule, finding
from gateway.status.push_rules import PUSH_FAILING, push_findings
from gateway.status.radio_rules import PROBLEMS as RADIO_PROBLEMS
from gateway.status.radio_rules import RADIO_RULES, radio_findings
from gateway.status.reviews import FOR_REVIEW, REVIEW_BUDGET, review_findings
from gateway.wire.receipt import IMPOSSIBLE, UNLISTED, UNSIGNED

SILENT_AFTER_S = 5.0
"""Most devices that stream send at least once a second; one that may be silent for longer says so."""
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
REPEATED_LEAST = 3
"""Messages since the start: one or two are a mishap of the radio, and were left out."""
CERTIFICATE_DAYS = 30.0
LONGEST_TEXT = 400
"""Characters of a notice that a page shows."""
SHOWN_S = 300.0
"""What happened in an instant stays on the page for so long."""

DEVICE_SILENT = Rule(
    "device-silent", "medium", 0.0, 2.0,
    f"a connected device has sent no sample for {SILENT_AFTER_S:g} s, or as long as its kind may be silent",
)  # fmt: skip
LINK_LOST = Rule(
    "link-lost", "medium", 5.0, 2.0, "a device that had sent data is no longer connected",
)  # fmt: skip
DEVICE_MISSING = Rule(
    "device-missing", "low", 120.0, 2.0, "a configured device has never been reached since the gateway started",
)  # fmt: skip
DEVICE_AMBIGUOUS = Rule(
    "device-ambiguous", "medium", 0.0, 2.0, "several devices answer to the name of one, and none of them is taken",
)  # fmt: skip
DEVICE_OTHER = Rule(
    "device-other", "medium", 0.0, 2.0, "a device tells that it is another one than the one known by this id",
)  # fmt: skip
DEVICE_UNPROVEN = Rule(
    "device-unproven", "low", 0.0, 2.0, "a device may be another one than before, and tells no serial number",
)  # fmt: skip
DATA_REPEATED = Rule(
    "data-repeated", "low", 0.0, 0.0, "a device delivers its data twice; the second time it is left out",
)  # fmt: skip
UNITS_DOUBTED = Rule(
    "units-doubted", "medium", 5.0, 10.0, "what a sensor measures looks like another unit than it says",
)  # fmt: skip
BATTERY_LOW = Rule("battery-low", "low", 5.0, 10.0, f"a battery is below {BATTERY_LOW_PCT:g} %")
BATTERY_VERY_LOW = Rule(
    "battery-very-low", "medium", 5.0, 5.0, f"a battery is below {BATTERY_VERY_LOW_PCT:g} %",
)  # fmt: skip
SAMPLE_LOSS = Rule(
    "sample-loss", "low", 0.0, 10.0, f"more than {LOSS_RAISED:.0%} of a device's samples were lost over a minute",
)  # fmt: skip
CLOCK_UNSET = Rule(
    "clock-not-synchronised", "low", 60.0, 5.0, "nothing keeps this computer's clock right",
)  # fmt: skip
CLOCK_STEP = Rule(
    "clock-step", "medium", 0.0, 0.0, "this computer's clock was set while measurements were being made",
)  # fmt: skip
OUTBOX_FILLING = Rule(
    "outbox-filling", "medium", 5.0, 30.0, f"the outbox is more than {OUTBOX_RAISED:.0%} full",
)  # fmt: skip
OUTBOX_FAILING = Rule(
    "outbox-failing", "medium", 2.0, 2.0, "measurements cannot be written to this computer's disk",
)  # fmt: skip
BROKER_UNREACHABLE = Rule(
    "broker-unreachable", "medium", 5.0, 2.0, "no message broker accepts this gateway",
)  # fmt: skip
STORE_BEHIND = Rule(
    "store-behind", "medium", 5.0, 10.0, f"the oldest measurement has waited {BEHIND_RAISED_S / 60:g} min to be stored",
)  # fmt: skip
BROKER_REFUSES = Rule(
    "broker-refuses", "medium", 0.0, 0.0, "the broker does not take a kind of message, or it is too large for it",
)  # fmt: skip
DISK_NEARLY_FULL = Rule(
    "disk-nearly-full", "medium", 5.0, 30.0, "the disk with the gateway's data is nearly full",
)  # fmt: skip
RECORDING_STOPPED = Rule(
    "recording-stopped", "low", 0.0, 0.0, "the recording ended before the run; measurements go on",
)  # fmt: skip
OVERLOADED = Rule(
    "overloaded", "medium", 0.0, 0.0, "this computer was too slow and data from devices was left out",
)  # fmt: skip
PART_RESTARTED = Rule(
    "part-restarted", "medium", 0.0, 0.0, "a part of the gateway failed and was started again",
)  # fmt: skip
DATA_IN_DOUBT = Rule(
    "data-in-doubt", "medium", 0.0, 0.0, "a file with measurements was removed, replaced, restored or damaged, lately",
)  # fmt: skip
CERTIFICATE_ENDS = Rule(
    "certificate-ends", "medium", 0.0, 0.0, f"a certificate ends within {CERTIFICATE_DAYS:g} days",
)  # fmt: skip

CERTIFICATE_CHANGED = Rule(
    "certificate-changed", "medium", 0.0, 0.0, "a certificate was removed, or replaced by an older or a foreign one",
)  # fmt: skip

RECEIPT_FORGED = Rule(
    "receipt-forged", "medium", 0.0, 0.0, "somebody publishes receipts that are not the historian's",
)  # fmt: skip
RECEIPT_UNLISTED = Rule(
    "receipt-unlisted", "medium", 0.0, 0.0, "a historian sends receipts that outbox.historians does not list",
)  # fmt: skip
NUMBERS_CONFLICT = Rule(
    "numbers-conflict", "medium", 0.0, 0.0, "numbers came to the historian again with other content",
)  # fmt: skip
HISTORIAN_QUOTA = Rule(
    "historian-quota", "medium", 0.0, 0.0, "a gateway sends the historian more than its part",
)  # fmt: skip
CORRECTION_REFUSED = Rule(
    "correction-refused", "medium", 0.0, 0.0, "a correction of wall times went beyond what was in doubt",
)  # fmt: skip
MESSAGE_PARKED = Rule(
    "message-parked", "medium", 0.0, 0.0, "a message could not be stored and is set apart",
)  # fmt: skip
HISTORIAN_SAYS = Rule(
    "historian", "medium", 0.0, 0.0, "the historian has something to tell",
)  # fmt: skip
STORE_REFUSES = Rule(
    "store-refuses", "medium", 0.0, 0.0, "the time-series store takes nothing",
)  # fmt: skip
RETENTION_WAITS = Rule(
    "retention-waits", "low", 0.0, 0.0, "old measurements are not deleted, or only a share of them",
)  # fmt: skip
SUBJECT_ERASED = Rule(
    "subject-erased", "low", 0.0, 0.0, "something came of a subject that was erased, and was refused",
)  # fmt: skip
WARD_FILE_DIFFERS = Rule(
    "ward-file-differs", "low", 0.0, 0.0, "the beds in the configuration are not those that the ward was made from",
)  # fmt: skip
ANALYSIS_PREPARING = Rule(
    "analysis-preparing", "low", 0.0, 0.0, "the movement analysis is being compiled for this computer, once",
)  # fmt: skip
HISTORIAN_RULES = {
    rule.code: rule
    for rule in (
        RECEIPT_FORGED, NUMBERS_CONFLICT, HISTORIAN_QUOTA, CORRECTION_REFUSED, MESSAGE_PARKED, STORE_REFUSES,
        RETENTION_WAITS, SUBJECT_ERASED, DATA_IN_DOUBT,
    )
}  # fmt: skip
"""What a historian tells with its receipts, by code; of a code that is not here it is `HISTORIAN_SAYS`."""

RULES = (
    DEVICE_SILENT, LINK_LOST, DEVICE_MISSING, DEVICE_AMBIGUOUS, DEVICE_OTHER, DEVICE_UNPROVEN, DATA_REPEATED,
    UNITS_DOUBTED, BATTERY_LOW, BATTERY_VERY_LOW, SAMPLE_LOSS, CLOCK_UNSET, CLOCK_STEP,
    OUTBOX_FILLING, OUTBOX_FAILING, BROKER_UNREACHABLE, BROKER_REFUSES, STORE_BEHIND, DISK_NEARLY_FULL,
    RECORDING_STOPPED, OVERLOADED, PART_RESTARTED, DATA_IN_DOUBT, CERTIFICATE_ENDS, CERTIFICATE_CHANGED,
    RECEIPT_FORGED, RECEIPT_UNLISTED, NUMBERS_CONFLICT, HISTORIAN_QUOTA, CORRECTION_REFUSED, MESSAGE_PARKED,
    STORE_REFUSES, RETENTION_WAITS, SUBJECT_ERASED, HISTORIAN_SAYS, WARD_FILE_DIFFERS,
    ANALYSIS_PREPARING, FOR_REVIEW, REVIEW_BUDGET, PUSH_FAILING, *MACHINE_RULES, *BACKUP_RULES, *RADIO_RULES,
)  # fmt: skip

CONNECTED = ("streaming", "silent")
PROBLEMS = {"ambiguous": DEVICE_AMBIGUOUS, "other-device": DEVICE_OTHER}
"""What else than the radio may be wrong with a device that is not connected, by the word of its error."""


class Judge:
    """Finds what is wrong in one status after the other; remembers what a single one cannot tell."""

    def __init__(self) -> None:
        self._losses: dict[str, deque[tuple[float, int, int]]] = {}
        self._changed: dict[str, tuple[int, float]] = {}

    def find(self, now_s: float, status: Status, raised: Collection[str]) -> Iterator[Finding]:
        """Yield what is wrong.

        Args:
            now_s: Monotonic seconds.
            status: A status as published.
            raised: Ids of the notices that stand: these let go later than they take hold.
        """
        for device in status.get("devices", ()):
            yield from _link(device)
            yield from _identity(device)
            yield from _battery(device, raised)
            yield from self._repeats(now_s, device)
            yield from self._loss(now_s, device, raised)
        yield from (*radio_findings(status), *review_findings(status), *push_findings(status))
        yield from self._clock(now_s, status.get("clock") or {})
        yield from _delivery(status, raised)
        for kind, refused in ((status.get("publisher") or {}).get("refused") or {}).items():
            if self._lately(f"refused {kind}", refused["count"], now_s):
                yield finding(BROKER_REFUSES, about=kind, kind=kind, why=refused["why"])
        yield from (*_disk(status, raised), *machine_findings(status, raised), *backup_findings(status))
        yield from self._parts(now_s, status)
        for incident in {incident["what"]: incident for incident in status.get("incidents", ())}.values():
            yield Finding(DATA_IN_DOUBT, incident["text"][:LONGEST_TEXT], about=incident["what"])
        yield from self._receipts(now_s, status.get("publisher") or {})
        if preparing := status.get("preparing"):
            yield finding(ANALYSIS_PREPARING, percent=preparing["percent"])
        if (status.get("registry") or {}).get("file_differs"):
            yield finding(WARD_FILE_DIFFERS)
        for certificate in status.get("certificates", ()):
            if certificate["days_left"] < CERTIFICATE_DAYS:
                yield _ends(certificate["name"], certificate["days_left"])
        for change in status.get("certificate_changes", ()):
            text = f"The certificate {change['name']} {change['why']}"
            yield Finding(CERTIFICATE_CHANGED, text, about=change["name"])

    def _loss(self, now_s: float, device: DeviceStatus, raised: Collection[str]) -> Iterator[Finding]:
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
            share = round(100 * gone / all_of_them)
            yield finding(SAMPLE_LOSS, device=device["id"], slot=device["slot"], share=share)

    def _repeats(self, now_s: float, device: DeviceStatus) -> Iterator[Finding]:
        name, repeated = device["id"], device.get("repeated", 0)
        if repeated < REPEATED_LEAST:
            return
        if self._lately(f"repeated {name}", repeated, now_s):
            yield finding(DATA_REPEATED, device=name, slot=device["slot"], n=repeated)

    def _clock(self, now_s: float, clock: WallClockStatus) -> Iterator[Finding]:
        if clock.get("synchronised") is False:
            yield finding(CLOCK_UNSET)
        if self._lately("clock", clock.get("steps", 0), now_s):
            way = "forward" if clock["step_s"] > 0 else "back"
            yield finding(CLOCK_STEP, variant=way, time=_span(abs(clock["step_s"])))

    def _parts(self, now_s: float, status: Status) -> Iterator[Finding]:
        dropped = sum(((status.get("pipeline") or {}).get("dropped") or {}).values())
        if self._lately("dropped", dropped, now_s):
            yield finding(OVERLOADED, n=dropped)
        for name, part in (status.get("parts") or {}).items():
            if part["given_up"]:
                device = name.removeprefix("device:") if name.startswith("device:") else ""
                yield finding(PART_RESTARTED, variant="away", device=device, about="" if device else name, part=name)
            elif self._lately(f"part {name}", part["failures"], now_s):
                yield finding(PART_RESTARTED, about=name, part=name)

    def _receipts(self, now_s: float, publisher: PublisherStatus) -> Iterator[Finding]:
        """Yield what is wrong with the receipts, and what the historians say of themselves."""
        errors = publisher.get("errors") or {}
        if self._lately("forged", errors.get(UNSIGNED, 0) + errors.get(IMPOSSIBLE, 0), now_s):
            yield finding(RECEIPT_FORGED)
        if self._lately("unlisted", errors.get(UNLISTED, 0), now_s):
            yield finding(RECEIPT_UNLISTED)
        for code, about, text in publisher.get("historians") or ():
            yield Finding(HISTORIAN_RULES.get(code, HISTORIAN_SAYS), text, about=about or "historian")

    def _lately(self, name: str, count: int, now_s: float) -> bool:
        """Whether a count has grown within `SHOWN_S`."""
        before, at = self._changed.get(name, (0, float("-inf")))
        if count > before:
            at = now_s
        self._changed[name] = (count, at)
        return now_s - at < SHOWN_S


def _link(device: DeviceStatus) -> Iterator[Finding]:
    name, slot, state, advice = device["id"], device["slot"], device["state"], device.get("advice", "")
    age_s = device["age_s"]
    if state in CONNECTED:
        if age_s is not None and age_s > max(SILENT_AFTER_S, device.get("silence_s", 0.0)):
            yield finding(DEVICE_SILENT, device=name, slot=slot, advice=advice)
    elif state == "stopped" or device.get("problem") in (*PROBLEMS, *RADIO_PROBLEMS):
        return
    elif device["samples"]:
        why = device.get("error") or ""
        yield finding(LINK_LOST, variant="why" if why else "", device=name, slot=slot, advice=advice, why=why)
    else:
        yield finding(DEVICE_MISSING, device=name, slot=slot, advice=advice)


def _identity(device: DeviceStatus) -> Iterator[Finding]:
    name, slot = device["id"], device["slot"]
    if rule := PROBLEMS.get(device.get("problem", "")):
        yield finding(rule, device=name, slot=slot, advice=device.get("advice", ""), why=device["error"])
    if device.get("doubt") and device["state"] in CONNECTED:
        yield finding(DEVICE_UNPROVEN, device=name, slot=slot, why=device["doubt"])
    for doubt in device.get("units", ()):
        yield finding(UNITS_DOUBTED, device=name, slot=slot, why=doubt)


def _battery(device: DeviceStatus, raised: Collection[str]) -> Iterator[Finding]:
    value = device["battery"]
    if value is None:
        return
    for rule, limit in ((BATTERY_VERY_LOW, BATTERY_VERY_LOW_PCT), (BATTERY_LOW, BATTERY_LOW_PCT)):
        found = finding(rule, device=device["id"], slot=device["slot"], percent=round(value))
        if value < limit + (BATTERY_RECOVERED_PCT if found.id in raised else 0.0):
            yield found
            return


def _delivery(status: Status, raised: Collection[str]) -> Iterator[Finding]:
    outbox, publisher = status.get("outbox") or {}, status.get("publisher") or {}
    if outbox.get("max_bytes"):
        share = outbox["bytes"] / outbox["max_bytes"]
        if share > (OUTBOX_CLEARED if OUTBOX_FILLING.code in raised else OUTBOX_RAISED):
            yield finding(OUTBOX_FILLING, share=round(100 * share))
    if outbox.get("error"):
        yield finding(OUTBOX_FAILING, why=outbox["error"])
    if publisher.get("connected") is False:
        why = publisher.get("last_error") or ""
        yield finding(BROKER_UNREACHABLE, variant="why" if why else "", why=why)
    elif outbox.get("oldest_s", 0.0) > (BEHIND_CLEARED_S if STORE_BEHIND.code in raised else BEHIND_RAISED_S):
        yield finding(STORE_BEHIND, time=_span(outbox["oldest_s"]))


def _disk(status: Status, raised: Collection[str]) -> Iterator[Finding]:
    disk, recorder = status.get("disk") or {}, status.get("recorder") or {}
    if disk:
        limit = disk["keep_free"] + (DISK_CLEARED if DISK_NEARLY_FULL.code in raised else DISK_MARGIN)
        if disk["free_bytes"] < limit:
            yield finding(DISK_NEARLY_FULL, free=f"{disk['free_bytes'] / 1e6:.0f}")
    if recorder.get("error"):
        text = str(recorder["error"])
        yield Finding(RECORDING_STOPPED, text[:1].upper() + text[1:])


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def _ends(name: str, days: float) -> Finding:
    if days <= 0:
        return finding(CERTIFICATE_ENDS, variant="over", about=name, name=name)
    return finding(CERTIFICATE_ENDS, about=name, name=name, n=round(days))
