"""The MQTT topics, versioned: the one table that the code uses and docs/mqtt.md must agree with.

``gateway.broker.access_list`` says whose each is.
"""

from __future__ import annotations

from dataclasses import dataclass

ROOT = "rehab/v1"


@dataclass(frozen=True, slots=True)
class Topic:
    """One row of the table: ``pattern`` below ``rehab/v1/<site>/<gateway>/``."""

    name: str
    pattern: str
    qos: int
    retained: bool
    payload: str
    purpose: str


TABLE = (
    Topic("measurements", "measurements/<slot>", 1, False, "JSON",
          "measurements of a slot: once a second, events at once"),
    Topic("records", "records", 1, False, "JSON",
          "notices, raised and cleared, and the audit, numbered like measurements: for the history"),
    Topic("cycles", "cycles/<slot>", 1, True, "JSON",
          "mean joint angles of a slot over the gait cycle, every few strides"),
    Topic("gaps", "gaps", 1, False, "JSON",
          "sequence numbers that the outbox had to drop, with the reason, so that the store knows"),
    Topic("status", "status", 1, True, "JSON",
          "what the gateway and its devices are doing, each second; the last will says offline"),
    Topic("status-page", "status/<page>", 1, True, "JSON",
          "a part of a status that is larger than the broker's largest packet; 'status' says how many there are"),
    Topic("ward", "ward", 1, True, "JSON",
          "who is in which bed, wearing what, in which session, after each change"),
    Topic("notices", "notices", 1, False, "JSON",
          "something staff should look at"),
    Topic("waveform", "waveform/<device>/<stream>", 0, False, "binary",
          "raw samples, only while somebody watches"),
    Topic("home", "home/<slot>", 0, False, "JSON",
          "the newest values of a bed, and of the gateway (_gateway), for Home Assistant; off by default"),
    Topic("stored", "stored", 1, True, "JSON",
          "the historian's receipt: everything up to this sequence number is stored"),
    Topic("stored-by", "stored/<historian>", 1, True, "JSON",
          "the receipt of a historian that shares the load: which part of the numbers it has"),
    Topic("command", "command/<name>", 1, False, "JSON",
          "a request to the gateway, with an MQTT 5 response topic"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one gateway. ``"+"`` for site or gateway gives a subscription filter."""

    site: str
    gateway: str

    @property
    def prefix(self) -> str:
        """Return what all topics of this gateway start with."""
        return f"{ROOT}/{self.site}/{self.gateway}"

    def measurements(self, slot: str = "+") -> str:
        """Measurements of one slot, or of all."""
        return f"{self.prefix}/measurements/{slot}"

    def cycles(self, slot: str = "+") -> str:
        """Mean joint angles over the gait cycle of one slot, or of all."""
        return f"{self.prefix}/cycles/{slot}"

    def waveform(self, device: str = "+", stream: str = "+") -> str:
        """Raw samples of one stream, or of all."""
        return f"{self.prefix}/waveform/{device}/{stream}"

    def home(self, slot: str = "+") -> str:
        """The newest values of one slot for Home Assistant, or of all."""
        return f"{self.prefix}/home/{slot}"

    def command(self, name: str = "+") -> str:
        """One command, or all."""
        return f"{self.prefix}/command/{name}"

    @property
    def records(self) -> str:
        """Notices and the audit for the history."""
        return f"{self.prefix}/records"

    @property
    def gaps(self) -> str:
        """Sequence numbers that will never come."""
        return f"{self.prefix}/gaps"

    @property
    def status(self) -> str:
        """Birth, state and last will."""
        return f"{self.prefix}/status"

    def status_page(self, page: str = "+") -> str:
        """One page of a status that is too large for one message, or all."""
        return f"{self.status}/{page}"

    @property
    def ward(self) -> str:
        """Who is in which bed, wearing what."""
        return f"{self.prefix}/ward"

    @property
    def notices(self) -> str:
        """Notices."""
        return f"{self.prefix}/notices"

    @property
    def stored(self) -> str:
        """The historian's receipt."""
        return f"{self.prefix}/stored"

    def stored_by(self, historian: str = "+") -> str:
        """The receipt of one historian that shares the load, or of all."""
        return f"{self.stored}/{historian}"


def kind_of(topic: str, topics: Topics) -> str:
    """Return the first level of a topic below a gateway's: measurements, status …; else ``answers``."""
    own = f"{topics.prefix}/"
    return topic.removeprefix(own).partition("/")[0] if topic.startswith(own) else "answers"
