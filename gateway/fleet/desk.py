"""The fleet's desk: answers who joins, hands out bundles, and opens ring after ring. Calls the broker as all do."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from typing import Any

import orjson
from paho.mqtt.client import MQTTMessageInfo
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.broker.link import Incoming, Link
from gateway.fleet.disk_trouble import DiskTrouble
from gateway.fleet.enrolment import Enrolment
from gateway.fleet.heard import Heard
from gateway.fleet.inbox import Inbox
from gateway.fleet.members import FleetFolder
from gateway.fleet.mosquitto import DESK
from gateway.fleet.overview import overview
from gateway.fleet.plan import PART_BYTES, Plan, Ring, encode_plan
from gateway.fleet.register import RollOut
from gateway.fleet.roll_out import Step, next_step
from gateway.fleet.roll_outs import RollOuts
from gateway.fleet.signing import load_key, public_of, sign
from gateway.fleet.topics import FleetTopics, sender_of, whose
from gateway.wire.topics import Topics

log = logging.getLogger(__name__)

TURN_S = 1.0
"""How often it looks at the books, where commands write what is wanted, and at how gateways are."""
LONGEST_TURN_S = 10.0
"""Of a ring's time that counts between two looks: while the broker is away nobody knows how its gateways are."""
LIST_AGAIN_S = 86_400.0
"""A revocation list that is over shuts everybody out: it is written anew each day."""
MOST_AHEAD = 1_000_000
"""Plans that gateways may have had since a copy of the books was made; beyond it somebody makes numbers up."""
CATCH_UP_S = 3600.0
"""Between two times that the books are counted on: each sends the plan to everybody once more."""
LIST_RETRY_S = 60.0
"""Until the broker is told once more, where it has not read its lists."""
NO_ROOM = orjson.dumps(
    {"v": 1, "refused": "the disk of its desk is full: try again with the same code when it has room"}
)


class Desk:
    """One process of a site: of two, each would end the other's connection, so 'fleet desk' keeps a second one out.

    Args:
        fleet: Its folder.
        turn_s: How often it looks at the books and at how gateways are.
    """

    def __init__(self, fleet: FleetFolder, *, turn_s: float = TURN_S) -> None:
        self._turn_s = turn_s
        self._fleet = fleet
        self._register = fleet.register
        self._topics = FleetTopics(fleet.site)
        self._key = load_key(fleet.folder / "plan.key")
        self._roll_outs = RollOuts(fleet.register)
        self._enrolment = Enrolment(fleet.register, fleet.authority, self._about(), on_joined=self._on_joined)
        self._heard = Heard()
        self._trouble = DiskTrouble(fleet.folder, "nobody joins, and no roll-out goes on")
        self._overview: dict[str, Any] | None = None
        self._inbox = Inbox(whose)
        self._handed_out: dict[str, MQTTMessageInfo] = {}  # to each gateway the last part
        self._link = Link(
            fleet.broker(), client_id=DESK, handler=self._inbox,
            subscriptions=[(topic, SubscribeOptions(qos=1)) for topic in self._filters()],
        )  # fmt: skip
        self._said: dict[str, bytes] = {}  # retained, as this connection has heard it
        self._connections = 0
        self._looked_at = (0, 0, 0)  # roll-out, attempt and rings that the times below are of
        self._looked_s = time.monotonic()
        self._unwell_s = 0.0
        self._well_s: float | None = None
        self._listed_s = -LIST_AGAIN_S
        self._caught_up_s = -CATCH_UP_S

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop."""
        self._link.start()
        due = time.monotonic()
        try:
            while not stop.is_set():
                message = self._inbox.wait(max(0.0, due - time.monotonic()))
                if message is not None:
                    self._take(message)
                if time.monotonic() >= due:
                    due = time.monotonic() + self._turn_s
                    self._turn()
        finally:
            self._link.stop()

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._link.connected

    @property
    def trouble(self) -> str:
        """What keeps it from writing, and what to do; empty while nothing does."""
        return self._trouble.sentence

    def _about(self) -> dict[str, Any]:
        fact = self._register.fact
        return {
            "site": fact("site"), "host": fact("host"), "port": int(fact("port")),
            "plan_key": public_of(self._key), "historians": self._fleet.historians(),
        }  # fmt: skip

    def _filters(self) -> list[str]:
        site, topics = Topics(self._fleet.site, "+"), self._topics
        return [topics.request(), topics.state(), topics.want(), topics.renew(), site.status, site.status_page()]

    def _on_joined(self, gateway: str, anew: bool) -> None:
        self._heard.forget(gateway)
        self._publish(self._topics.state(gateway), b"", retain=True)  # what the broker keeps is of the one before
        trouble = "the disk takes nothing"
        with self._trouble.outlived():
            trouble = self._fleet.apply(gateway if anew else "")
        if trouble:
            self._listed_s = time.monotonic() - LIST_AGAIN_S + LIST_RETRY_S
            log.error("%s has joined, and mosquitto does not know it yet: %s", gateway, trouble)

    # What comes in.

    def _take(self, message: Incoming) -> None:
        topic, payload = message.topic, message.payload
        sender = sender_of(topic)
        if topic == self._topics.request(sender):
            answer = NO_ROOM
            with self._trouble.outlived():
                answer = self._enrolment.answer(payload)
            self._publish(self._topics.answer(sender), answer)
        elif topic == self._topics.state(sender):
            self._heard.on_state(sender, payload)
        elif topic == self._topics.want(sender):
            self._hand_out(sender, payload)
        elif topic == self._topics.renew(sender):
            answer = NO_ROOM
            with self._trouble.outlived():
                answer = self._enrolment.renew(sender, payload)
            self._publish(self._topics.renewed(sender), answer)
        else:
            self._heard.on_status(topic, payload, retained=message.retained)

    def _hand_out(self, gateway: str, payload: bytes) -> None:
        """Send a part of the bundle of the present plan, and of nothing else, to who may have it."""
        roll_out = None
        with self._trouble.outlived():
            roll_out = self._roll_outs.newest()
        try:
            wanted = orjson.loads(payload)
            number, sha256 = wanted["part"], wanted["sha256"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return
        if roll_out is None or sha256 != roll_out.bundle.sha256 or not self._plan(roll_out, 0).is_for(gateway):
            return
        if type(number) is not int or not 0 <= number < len(roll_out.bundle.parts):
            return
        last = self._handed_out.get(gateway)
        if last is not None and last.rc == MQTTErrorCode.MQTT_ERR_SUCCESS and not last.is_published():
            return  # it asks for one after another: a thousand questions are no reason to hold a thousand parts
        try:
            with roll_out.path.open("rb") as file:
                file.seek(number * PART_BYTES)
                part = file.read(PART_BYTES)
        except OSError as error:
            log.error("the bundle of roll-out %d cannot be read: %s", roll_out.id, error)  # noqa: TRY400 - no defect
            return
        about = (("sha256", sha256), ("part", str(number)))
        sent = self._send(self._topics.part(gateway), part, about=about)
        if sent is not None:
            self._handed_out[gateway] = sent

    # What goes out.

    def _see_to_lists(self) -> bool:
        """Write what mosquitto reads; return whether it has read it."""
        renewed = self._fleet.renew_own()
        trouble = self._fleet.apply()
        if renewed:
            log.info("new certificates: %s", ", ".join(renewed))
        if trouble:
            log.error("mosquitto has not read its lists again: %s", trouble)
        return not trouble

    def _turn(self) -> None:
        if self._connections != self._inbox.connections:
            self._connections = self._inbox.connections
            self._handed_out.clear()
            self._said.clear()  # a broker that was away may have forgotten it
        if time.monotonic() - self._listed_s > LIST_AGAIN_S:
            with self._trouble.outlived():
                again_s = LIST_AGAIN_S if self._see_to_lists() else LIST_RETRY_S
                self._listed_s = time.monotonic() - LIST_AGAIN_S + again_s
        with self._trouble.outlived():
            self._catch_up()
            self._see_to_roll_out()
        with self._trouble.outlived():
            self._overview = overview(self._register, self._roll_outs.newest(), time.time())
        self._trouble.look()
        if self._overview is not None:
            self._retain(self._topics.overview, orjson.dumps({**self._overview, "trouble": self._trouble.sentence}))

    def _catch_up(self) -> None:
        """Count on from where gateways are: books that came from a copy are older than what was planned by them.

        Else no gateway would believe a plan, and what it says of an earlier roll-out would be taken for the next one's.
        """
        newest = self._heard.newest_plan(member.gateway for member in self._register.present())
        known = int(self._register.fact("counter") or 0)
        if not known < newest <= known + MOST_AHEAD or time.monotonic() - self._caught_up_s < CATCH_UP_S:
            return
        self._caught_up_s = time.monotonic()
        log.warning("gateways have had plan %d, and the books know %d: they are from a copy; counted on", newest, known)
        with self._register.changing():
            self._register.note("counter", str(newest))
            self._register.note("plan_content", "")

    def _see_to_roll_out(self) -> None:
        roll_out = self._roll_outs.newest()
        if roll_out is None:
            return
        if roll_out.state == "open" and self._link.connected:
            self._advance(roll_out)
            roll_out = self._roll_outs.newest() or roll_out
        self._publish_plan(roll_out)

    def _advance(self, roll_out: RollOut) -> None:
        now = time.monotonic()
        present = {member.gateway for member in self._register.present()}
        opened = [name for ring in roll_out.rings[: roll_out.open] for name in ring.gateways if name in present]
        others_follow = roll_out.open < len(roll_out.rings)
        if not present.intersection(roll_out.rings[roll_out.open - 1].gateways) and (others_follow or not opened):
            self._note(roll_out, Step("stop", "nobody of it is in the fleet any more, so nobody has tried it"))
            return
        looked_at = (roll_out.id, roll_out.attempt, roll_out.open)
        if looked_at != self._looked_at:
            self._looked_at, self._unwell_s, self._well_s = looked_at, 0.0, None
        elif self._well_s is None:
            self._unwell_s += min(now - self._looked_s, LONGEST_TURN_S)
        self._looked_s = now
        step = next_step(
            Ring("", tuple(opened)),
            {name: self._heard.word(name, roll_out) for name in opened},
            version=roll_out.bundle.version if roll_out.bundle.kind == "upgrade" else "",
            well_for_s=0.0 if self._well_s is None else now - self._well_s,
            soak_s=roll_out.soak_s,
            open_for_s=self._unwell_s,
            within_s=roll_out.within_s,
        )
        self._well_s = None if not step.all_well else now if self._well_s is None else self._well_s
        self._note(roll_out, step)

    def _note(self, roll_out: RollOut, step: Step) -> None:
        ring = roll_out.rings[roll_out.open - 1].name
        if step.what == "stop":
            log.warning("roll-out %d stops in ring '%s': %s", roll_out.id, ring, step.why)
            self._roll_outs.note(roll_out.id, state="stopped", why=f"ring '{ring}': {step.why}")
        elif step.what == "next" and roll_out.open == len(roll_out.rings):
            log.info("roll-out %d is done", roll_out.id)
            self._roll_outs.note(roll_out.id, state="done", why="every gateway has it and is well")
        elif step.what == "next":
            following = roll_out.rings[roll_out.open].name
            log.info("roll-out %d goes on to ring '%s'", roll_out.id, following)
            self._roll_outs.note(roll_out.id, state="open", why=f"ring '{following}' is open", opened=roll_out.open + 1)
        elif step.why and f"ring '{ring}': {step.why}" != roll_out.why:
            self._roll_outs.note(roll_out.id, state="open", why=f"ring '{ring}': {step.why}")

    def _publish_plan(self, roll_out: RollOut) -> None:
        """Publish the plan, with a new number where anything in it is new."""
        content = hashlib.sha256(encode_plan(self._plan(roll_out, 0))).hexdigest()
        if content != self._register.fact("plan_content"):
            plan = sign(self._key, encode_plan(self._plan(roll_out, self._register.next_counter())))
            with self._register.changing():
                self._register.note("plan", plan.decode())
                self._register.note("plan_content", content)
        self._retain(self._topics.plan, self._register.fact("plan").encode())

    def _plan(self, roll_out: RollOut, counter: int) -> Plan:
        return Plan(
            self._fleet.site, counter, roll_out.id, roll_out.attempt, roll_out.bundle, roll_out.rings, roll_out.open,
            roll_out.state,
        )  # fmt: skip

    def _retain(self, topic: str, payload: bytes) -> None:
        if self._said.get(topic) != payload and self._publish(topic, payload, retain=True):
            self._said[topic] = payload

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        return self._send(topic, payload, retain=retain) is not None

    def _send(
        self, topic: str, payload: bytes, *, retain: bool = False, about: tuple[tuple[str, str], ...] = ()
    ) -> MQTTMessageInfo | None:
        connection = self._inbox.connection
        if connection is None:
            return None
        return self._link.publish(connection, topic, payload, qos=1, retain=retain, about=about)
