"""Notices: something about the equipment that staff should look at, raised and cleared; never an alarm.

What is wrong now is found by `gateway.status.notice_rules`. Here it is given time: a finding becomes a notice when it
has lasted for its onset, the notice is cleared when it has been gone for its recovery, and every raise is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.model.records import Record
from gateway.model.status import NoticeStatus
from gateway.texts.languages import english

Priority = Literal["low", "medium"]
"""The words of IEC 60601-1-8 without a claim to it. High is not ours: nobody's life hangs on what this program says."""
State = Literal["raised", "cleared"]

PAYLOAD_VERSION = 1
MOST = 300
"""Notices that may stand at a time: three for each device of a full ward, and a bound on the status."""
TOO_MANY = "too many notices"


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of notice.

    Attributes:
        code: Its name.
        priority: How soon somebody should look.
        onset_s: How long a finding has to last before it is a notice, seconds.
        recovery_s: How long it has to be gone before the notice is cleared, seconds.
        meaning: What it says, for the documentation.
        advice: What one can do about it, in English; that of the texts.
    """

    code: str
    priority: Priority
    onset_s: float
    recovery_s: float
    meaning: str
    advice: str = ""

    def __post_init__(self) -> None:
        if not self.advice:
            object.__setattr__(self, "advice", english().text(f"notice_advice.{self.key}"))

    @property
    def key(self) -> str:
        """Its name among the texts."""
        return self.code.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong at this moment.

    Attributes:
        rule: Which kind it is.
        text: What is wrong, in one sentence without a full stop.
        device: The device, if it is about one.
        slot: The slot, if it is about one.
        about: What else it is about, where one rule may find several: a task, a file.
        advice: What one can do, if that is more than the rule knows.
        key: The sentence among the texts, for pages in other languages; empty where it has words of its own.
        values: What stands in it.
    """

    rule: Rule
    text: str
    device: str = ""
    slot: str = ""
    about: str = ""
    advice: str = ""
    key: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What is found again is the same notice."""
        return "/".join(filter(None, (self.rule.code, self.device, self.about)))


def finding(
    rule: Rule,
    *,
    variant: str = "",
    device: str = "",
    slot: str = "",
    about: str = "",
    advice: str = "",
    **said: object,
) -> Finding:
    """Return a finding with the rule's sentence; ``said`` is what stands in it, ``variant`` which of its sentences."""
    key = f"{rule.key}_{variant}" if variant else rule.key
    values = {name: str(value) for name, value in {"device": device, **said}.items() if value != ""}
    text = english().text(f"notice_says.{key}", **{"device": "", "why": "", "done": "", **values})
    return Finding(rule, text, device, slot, about, advice, key, values)


@dataclass(slots=True)
class _Entry:
    finding: Finding
    first_s: float
    first_us: int
    last_s: float
    raised: bool = False


NOT_CARRIED = ("v", "gateway", "code", "time_us", "said", "acknowledged", "paused")
"""Of a notice: what its record says of itself; what pages need to say it in another language; and who has answered it,
which the audit has. A record is flat: the history takes no table within it."""


def durable(notice: NoticeStatus) -> Record:
    """Return the record of a notice that was raised or cleared, for the history: what the topic has, in English."""
    carried = {key: value for key, value in notice.items() if key not in NOT_CARRIED}
    return Record("notice", notice["code"], notice["time_us"], carried)


class Notices:
    """The findings of a run, with their histories.

    Args:
        gateway: Id of the gateway.
        simulated: Whether its devices are.
        resumed: Since when what stood before a restart does, by id, UTC microseconds; what is cleared is taken out.

    Attributes:
        counts: How often each kind was raised since the start.
    """

    def __init__(self, gateway: str, *, simulated: bool = False, resumed: dict[str, int] | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._gateway = gateway
        self._simulated = simulated
        self._resumed = {} if resumed is None else resumed
        self._entries: dict[str, _Entry] = {}

    @property
    def ids(self) -> set[str]:
        """Return what is raised now; for rules that let go later than they take hold."""
        return {name for name, entry in self._entries.items() if entry.raised}

    def update(self, now_s: float, now_us: int, findings: Iterable[Finding]) -> list[NoticeStatus]:
        """Take what is wrong now; return the payloads of the notices that this raises or clears.

        Args:
            now_s: Monotonic seconds.
            now_us: UTC, microseconds.
            findings: Everything that is wrong.
        """
        changes = []
        for finding in findings:
            entry = self._note(finding, now_s, now_us)
            if entry and not entry.raised and now_s - entry.first_s >= finding.rule.onset_s:
                entry.raised = True
                self.counts[finding.rule.code] += 1
                changes.append(self._payload(entry, "raised", now_us))
        for name, entry in list(self._entries.items()):
            if entry.last_s == now_s:
                continue
            if not entry.raised:
                del self._entries[name]  # it did not last
            elif now_s - entry.last_s >= entry.finding.rule.recovery_s:
                changes.append(self._payload(entry, "cleared", now_us))
                del self._entries[name]
                self._resumed.pop(name, None)  # what is raised after this is another
        return changes

    def active(self, now_us: int) -> list[NoticeStatus]:
        """Return what is raised now, the more urgent first, the newer before the older."""
        raised = [entry for entry in self._entries.values() if entry.raised]
        raised.sort(key=lambda entry: (entry.finding.rule.priority != "medium", -entry.first_us))
        return [self._payload(entry, "raised", now_us) for entry in raised]

    def _note(self, finding: Finding, now_s: float, now_us: int) -> _Entry | None:
        entry = self._entries.get(finding.id)
        if entry is None:
            if len(self._entries) >= MOST:
                self.counts[TOO_MANY] += 1
                return None
            entry = self._entries[finding.id] = _Entry(finding, now_s, self._resumed.get(finding.id, now_us), now_s)
        entry.finding, entry.last_s = finding, now_s
        return entry

    def _payload(self, entry: _Entry, state: State, now_us: int) -> NoticeStatus:
        finding, rule = entry.finding, entry.finding.rule
        payload: NoticeStatus = {
            "v": PAYLOAD_VERSION,
            "gateway": self._gateway,
            "id": finding.id,
            "code": rule.code,
            "priority": rule.priority,
            "state": state,
            "text": finding.text,
            "advice": finding.advice or rule.advice,
            "device": finding.device,
            "slot": finding.slot,
            "since_us": entry.first_us,
            "time_us": now_us,
            "count": self.counts[rule.code],
            "simulated": self._simulated,
        }
        if finding.key:
            payload["said"] = {"key": finding.key, "values": dict(finding.values), "own_advice": bool(finding.advice)}
        return payload
