"""The fleet's agent on a gateway: takes plans that the desk has signed, does what they say, and tells what came of it.

It opens no port and takes no command: it listens to one retained plan, and asks for what it needs.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import orjson
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Broker, Fleet
from gateway.broker.link import Incoming, Link
from gateway.fleet.agent_memory import AgentMemory
from gateway.fleet.applying import SETTLE_S, Applier, Ending
from gateway.fleet.disk_trouble import DiskTrouble
from gateway.fleet.fetching import EndedError, FetchError, fetch
from gateway.fleet.health import MICRO, Health, health_of
from gateway.fleet.inbox import Inbox
from gateway.fleet.member_folder import MEMBER
from gateway.fleet.plan import LARGEST_PLAN, Bundle, Plan, decode_plan
from gateway.fleet.renewal import Renewal
from gateway.fleet.signing import SignatureError, verified
from gateway.fleet.topics import FleetTopics
from gateway.machine.version_order import order
from gateway.wire.status_pages import StatusPages
from gateway.wire.topics import Topics

log = logging.getLogger(__name__)

TURN_S = 1.0
PART_S = 30.0
"""For a part of a bundle to come before it is asked for again."""
LEFT = "the roll-out was stopped before all of it was here"
TELL_EVERY_S = 2.0
"""While a bundle is fetched, how far it is."""


class Agent:
    """One gateway's agent.

    Args:
        folder: What 'fleet join' has written: certificates, keys, ``member.json``.
        config: The gateway's configuration.
        settings: Its commands and its share.
        drivers: What a configuration may say of drivers.
        settle_s: How long the gateway has to be well with a new configuration.

    Attributes:
        gateway: Whose agent.
        folder: As above.
        settings: As above.
        refused: Plans that were not believed, by reason.

    Raises:
        OSError, ValueError: This gateway has not joined, or its files are damaged.
    """

    def __init__(
        self, folder: Path, config: Path, settings: Fleet, *, drivers: Any = None, settle_s: float = SETTLE_S
    ) -> None:
        about = orjson.loads((folder / MEMBER).read_bytes())
        self.gateway, self._site = str(about["gateway"]), str(about["site"])
        self.refused: Counter[str] = Counter()
        self._last_refusal = ""
        self.folder, self.settings, self._key = folder, settings, str(about["plan_key"])
        self._topics = FleetTopics(self._site)
        self._memory = AgentMemory(folder)
        self._own_status = OwnStatus(Topics(self._site, self.gateway))
        self._applier = Applier(config, settings, self._own_status.health, drivers=drivers, settle_s=settle_s)
        broker = Broker(
            embedded=False, host=str(about["host"]), port=int(about["port"]), ca_file=folder / "ca.pem",
            cert_file=folder / "agent.pem", key_file=folder / "agent.pem",
        )  # fmt: skip
        self._inbox = Inbox(self._own_status.or_topic)
        self._renewal = Renewal(folder, self.gateway)
        topics = (self._topics.plan, self._topics.part(self.gateway), self._topics.renewed(self.gateway))
        self._link = Link(
            broker, client_id=f"rehab-fleet-{self._site}-{self.gateway}", handler=self._inbox,
            subscriptions=[(topic, SubscribeOptions(qos=1)) for topic in (*topics, *self._own_status.filters())],
        )  # fmt: skip
        self._stop = threading.Event()
        self._trouble = DiskTrouble(folder, "no plan is carried out")
        self._plan: Plan | None = None
        self._untaken = b""  # a plan that the disk refused: it comes once, so it is kept
        self._ending: Ending | None = None  # what came of it, and is not on disk yet
        self._parts: list[Incoming] = []
        self._upgraded = False
        self._told = b""
        self._told_on = 0
        self._progress = ""
        self._told_s = 0.0

    @property
    def link(self) -> Link:
        """Its connection."""
        return self._link

    @property
    def trouble(self) -> str:
        """What keeps it from writing, and what to do; empty while nothing does."""
        return self._trouble.sentence

    def stop(self) -> None:
        """Have it end as soon as what it does may be left."""
        self._stop.set()
        self._inbox.wake()

    def run(self) -> bool:
        """Work until told to stop; return whether it ends since a new version of itself is there."""
        self._link.start()
        try:
            interrupted = True
            while not self._stop.is_set():
                with self._trouble.outlived():
                    if interrupted:
                        self._settle_what_was_interrupted()
                    interrupted = self._upgraded = False
                    self._turn()
                self._trouble.look()
                self._tell()
                if self._upgraded:
                    return True
        finally:
            self._link.stop()
        return False

    def _turn(self) -> None:
        self._listen(TURN_S)
        request = self._renewal.request(time.monotonic()) if self._link.connected else None
        if request is not None:
            self._publish(self._topics.renew(self.gateway), request)
        if self._ending is not None:
            self._end(self._ending)
        if self._untaken:
            self._take_plan(self._untaken)
        if self._is_due():
            assert self._plan is not None
            self._carry_out(self._plan)

    # What comes in.

    def _listen(self, timeout_s: float) -> None:
        message = self._inbox.wait(timeout_s)
        if message is None:
            return
        if message.topic == self._topics.plan:
            self._take_plan(message.payload)
        elif message.topic == self._topics.part(self.gateway):
            self._parts.append(message)
        elif message.topic == self._topics.renewed(self.gateway):
            self._renewal.on_answer(message.payload)
        else:
            self._own_status.on_message(message)

    def _take_plan(self, payload: bytes) -> None:
        """Believe a plan that is signed, of this site, and not older than the last; the retained one comes again."""
        self._untaken = payload
        try:
            if len(payload) > LARGEST_PLAN:
                raise ValueError("it is too large")  # noqa: TRY301 - as anything else that is wrong with it
            plan = decode_plan(verified(self._key, payload))
            check_age(plan, hashlib.sha256(payload).hexdigest(), self._site, self._memory)
        except SignatureError as error:
            self._refuse("forged", error)
        except OldPlanError as error:
            self._refuse("older", error)
        except ValueError as error:
            self._refuse("not understood", error)
        else:
            self._plan = plan
        self._untaken = b""

    def _refuse(self, kind: str, error: Exception) -> None:
        self.refused[kind] += 1
        self._last_refusal = str(error)
        if self.refused[kind] == 1:
            log.warning("a plan is refused: %s", error)

    # What is done.

    def _is_due(self) -> bool:
        plan, known = self._plan, self._memory.now
        if plan is None or not plan.is_for(self.gateway):
            return False
        if plan.roll_out == known.roll_out and known.outcome == "committed":
            return False
        return (plan.roll_out, plan.attempt) > (known.roll_out, known.attempt)

    def _carry_out(self, plan: Plan) -> None:
        bundle = plan.bundle
        log.info("roll-out %d: %s %s", plan.roll_out, bundle.kind, bundle.version)
        self._memory.keep(
            roll_out=plan.roll_out, attempt=plan.attempt, kind=bundle.kind, version=bundle.version,
            outcome="fetching", why="",
        )  # fmt: skip
        self._tell()
        here = version_of("rehab-gateway")
        if bundle.kind == "upgrade" and not bundle.older and order(bundle.version) < order(here):
            self._end((False, f"version {bundle.version} is older than {here}, which runs: roll it out with --older"))
            return
        try:
            file = fetch(
                bundle, self.folder / "bundles", self.settings.share, self._ask, on_part=self._on_part(bundle),
                pause=partial(self._pause, bundle),
            )  # fmt: skip
        except EndedError:
            if not self._stop.is_set():  # what is here is kept, for when it goes on
                self._memory.keep(attempt=plan.attempt - 1, outcome="waiting", why=LEFT)
            self._progress = ""
            return  # of one that was ended it goes on at the next start
        except (FetchError, OSError) as error:
            self._end((False, f"not fetched: {error}"))
            return
        self._progress = ""
        self._memory.keep(outcome="applying")
        self._tell()
        self._end(self._apply(bundle, file))

    def _apply(self, bundle: Bundle, file: Path) -> Ending:
        if bundle.kind == "upgrade":
            return self._applier.upgrade(file, bundle.older)
        # What the gateway says of itself comes meanwhile, on this thread's own inbox.
        ended: list[Ending] = []
        work = threading.Thread(
            target=lambda: ended.append(self._applier.configure(file, self._stop)), name="fleet-configure"
        )
        work.start()
        while work.is_alive():
            self._listen(0.1)
        work.join()
        return ended[0] if ended else (False, "a defect ended it: see the agent's log")

    def _end(self, ending: Ending) -> None:
        good, why = self._ending = ending  # should the disk refuse: it is said, and noted as soon as there is room
        self._progress = ""
        self._memory.keep(outcome="committed" if good else "failed", why=why)
        self._ending = None
        (log.info if good else log.warning)("roll-out %d: %s", self._memory.now.roll_out, why)
        self._upgraded = good and self._memory.now.kind == "upgrade"

    def _settle_what_was_interrupted(self) -> None:
        """Say what became of what this process was at when it was ended: the version that runs tells of an upgrade."""
        known = self._memory.now
        if known.outcome not in ("fetching", "applying"):
            return
        here = version_of("rehab-gateway")
        if known.kind == "upgrade" and known.outcome == "applying" and known.version == here:
            self._end((True, f"{here} runs"))
        elif known.outcome == "fetching":
            self._memory.keep(attempt=known.attempt - 1, outcome="waiting")  # nothing was done: it goes on
        else:
            now = self._applier.settle() if known.kind == "configuration" else f"{here} runs"
            self._end((False, f"it was interrupted, and {now}: resume the roll-out to try again"))

    def _ask(self, bundle: Bundle, number: int) -> bytes | None:
        """Ask the desk for a part, and wait for it."""
        wanted = (("sha256", bundle.sha256), ("part", str(number)))
        self._publish(self._topics.want(self.gateway), {"v": 1, "sha256": bundle.sha256, "part": number})
        deadline = time.monotonic() + PART_S
        while time.monotonic() < deadline:
            self._listen_while_wanted(bundle)
            found = [message for message in self._parts if message.about == wanted]
            self._parts.clear()
            if found:
                return found[0].payload
        return None

    def _listen_while_wanted(self, bundle: Bundle) -> None:
        """Hear what comes while a bundle is fetched; raises EndedError where it is not to be fetched any more."""
        self._listen(TURN_S)
        plan = self._plan
        if self._stop.is_set() or plan is None or not plan.is_for(self.gateway) or plan.bundle != bundle:
            raise EndedError

    def _pause(self, bundle: Bundle, why: str, seconds: float) -> None:
        """Say why a bundle does not come on, and wait."""
        log.warning("roll-out %d: %s", self._memory.now.roll_out, why)
        self._progress = why
        self._tell()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._listen_while_wanted(bundle)

    def _on_part(self, bundle: Bundle) -> Callable[[int], None]:
        def told(number: int) -> None:
            self._progress = f"{100 * number // len(bundle.parts)} %"
            if time.monotonic() - self._told_s > TELL_EVERY_S:
                self._tell()

        return told

    # What goes out.

    def _tell(self) -> None:
        """Say what is new, retained; all of it on a new connection."""
        known = self._memory.now
        state = {
            "v": 1, "gateway": self.gateway, "agent": version_of("rehab-gateway"), "plan": known.counter,
            "roll_out": known.roll_out, "attempt": known.attempt, "kind": known.kind, "bundle": known.version,
            "outcome": known.outcome, "why": self._trouble.sentence or self._progress or known.why,
            "refused": dict(self.refused), "last_refusal": self._last_refusal,
        }  # fmt: skip
        payload = orjson.dumps(state)
        if (payload != self._told or self._told_on != self._inbox.connection) and self._publish(
            self._topics.state(self.gateway), state, retain=True
        ):
            self._told, self._told_on, self._told_s = payload, self._inbox.connection or 0, time.monotonic()

    def _publish(self, topic: str, message: dict[str, Any], *, retain: bool = False) -> bool:
        connection = self._inbox.connection
        if connection is None:
            return False
        return self._link.publish(connection, topic, orjson.dumps(message), qos=1, retain=retain) is not None


class OldPlanError(ValueError):
    """A plan that was there before, or whose number another has."""


def check_age(plan: Plan, sha256: str, site: str, memory: AgentMemory) -> None:
    """See that a plan is of a site and not an older one, and keep its number; raises OldPlanError, ValueError."""
    known = memory.now
    if plan.site != site:
        raise ValueError(f"it is of the site {plan.site}")
    if plan.counter < known.counter or (plan.counter == known.counter and sha256 != known.plan_sha256):
        raise OldPlanError(f"it has number {plan.counter}, and number {known.counter} has been here")
    if plan.counter > known.counter:
        memory.keep(counter=plan.counter, plan_sha256=sha256)


class OwnStatus:
    """What the gateway beside this agent says of itself."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._pages = StatusPages()
        self._newest: dict[str, Any] = {}
        self._heard_s = 0.0

    def filters(self) -> tuple[str, ...]:
        """Return what to listen to."""
        return self._topics.status, self._topics.status_page()

    def or_topic(self, topic: str) -> str:
        """Return on whose account a message is: the gateway's own user, or the desk, by what it says."""
        return self._topics.status if topic.startswith(self._topics.status) else topic

    def on_message(self, message: Incoming) -> None:
        """Take a status or a page of one."""
        try:
            found = orjson.loads(message.payload)
        except orjson.JSONDecodeError:
            return
        page = message.topic.removeprefix(self._topics.status).removeprefix("/")
        whole = self._pages.add(page, found, len(message.payload)) if isinstance(found, dict) else None
        if whole is not None:
            self._newest, self._heard_s = whole, time.monotonic()

    def health(self, since_us: int) -> Health:
        """Return how the gateway is by what it has said since a time; both have one clock."""
        at_us = self._newest.get("time_us")
        if type(at_us) is not int or at_us <= since_us:
            return Health(False, "has said nothing of itself")
        return health_of(self._newest, max(time.monotonic() - self._heard_s, time.time() - at_us / MICRO))
