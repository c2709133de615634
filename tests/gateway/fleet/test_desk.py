"""The desk, its broker and its gateways together: who joins, who is thrown out, and what stops a roll-out."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.loader import PARTS_FOLDER, load
from gateway.broker.link import Link
from gateway.dashboard.fleet_words import FleetWords
from gateway.fleet.agent_memory import AgentMemory, Memory
from gateway.fleet.applying import PART, PREVIOUS
from gateway.fleet.inbox import Inbox
from gateway.fleet.joining import JoinError
from gateway.fleet.member_folder import FOLDER
from gateway.fleet.plan import describe
from gateway.fleet.roll_outs import RollOuts
from tests.gateway.fleet.hospital import FIRST_VERSION, SITE, Hospital, LightGateway, hospital_in
from tests.servers import wait_until
from tests.small_disk import small_disk

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


def test_a_ring_with_one_bad_gateway_stops_and_goes_on_when_it_is_mended(hospital: Hospital) -> None:
    for name, ring in (("a", "first"), ("b", "ward"), ("c", "ward"), ("d", "rest")):
        hospital.enrol(name, ring)
    (hospital.gateways["c"].folder / "broken").touch()
    hospital.roll_out(hospital.bundle("1.1.0"), "1.1.0", "first", "ward", "all")
    stopped = hospital.until("stopped")
    assert "c: the new version did not send a receipt" in stopped.why
    # b, which had begun when c failed, ends what it has begun; if it was still fetching, it leaves that for later.
    b = hospital.gateways["b"].folder / "data" / FOLDER
    wait_until(lambda: AgentMemory(b).now.outcome in ("committed", "waiting"))
    assert hospital.versions() | {"b": ""} == {"a": "1.1.0", "b": "", "c": FIRST_VERSION, "d": FIRST_VERSION}

    (hospital.gateways["c"].folder / "broken").unlink()
    RollOuts(hospital.fleet.register).resume()
    hospital.until("done")
    assert set(hospital.versions().values()) == {"1.1.0"}


def test_a_ring_of_which_nobody_is_left_proves_nothing(hospital: Hospital) -> None:
    hospital.enrol("a", "first", start=False)
    hospital.enrol("b", "ward")
    hospital.roll_out(hospital.bundle("1.1.0"), "1.1.0", "first", "all")
    wait_until(lambda: "a has not answered" in hospital.newest().why)
    hospital.fleet.revoke("a", "it did not start again")
    stopped = hospital.until("stopped")
    assert (stopped.open, stopped.why) == (
        1, "ring 'first': nobody of it is in the fleet any more, so nobody has tried it",
    )  # fmt: skip
    assert hospital.versions() == {"b": FIRST_VERSION}


def test_what_a_machine_has_done_is_not_taken_for_done_by_the_one_that_takes_its_place(hospital: Hospital) -> None:
    hospital.enrol("a", "first")
    hospital.enrol("b", "ward", start=False)
    part = hospital.folder / "days.toml"
    part.write_text("[outbox]\nmax_days = 3\n")
    hospital.roll_out(part, "days", "first", "all", within_s=60.0)
    wait_until(lambda: hospital.newest().why == "ring 'all': b has not answered")
    hospital.gateways.pop("a").stop()
    other = LightGateway(hospital.folder / "other", "a", hospital.enrol_broker())
    other.join(hospital.code("a", "first"))
    other.start_speaking(resend_after_s=5.0)  # well, and nobody has started its agent
    wait_until(lambda: hospital.newest().why == "ring 'all': a has not answered; b has not answered")
    other.start_agent()
    hospital.gateways["a"] = other
    wait_until(lambda: hospital.newest().why == "ring 'all': b has not answered")
    assert load(other.config).outbox.max_days == 3


def test_a_word_in_the_soak_begins_it_anew_and_stops_only_what_lasts(hospital: Hospital) -> None:
    gateway = hospital.enrol("a")
    hospital.roll_out(hospital.bundle("1.1.0", size=1000), "1.1.0", "all", soak_s=8.0, within_s=5.0)
    wait_until(lambda: "all well for 6 of 8 s" in hospital.newest().why, 60.0)  # it has been open for longer than 5 s
    gateway.notices = [{"code": "store-behind"}]
    wait_until(lambda: "store-behind" in hospital.newest().why)
    assert hospital.newest().state == "open"
    gateway.notices = []
    wait_until(lambda: "all well for 1 of 8 s" in hospital.newest().why)
    gateway.notices = [{"code": "store-behind"}]
    assert hospital.until("stopped").why == "ring 'all': after 5 s a says of itself: store-behind"


def test_the_last_ring_may_lose_whoever_was_in_it(hospital: Hospital) -> None:
    hospital.enrol("a", "first")
    hospital.enrol("b", "ward", start=False)
    hospital.roll_out(hospital.bundle("1.1.0"), "1.1.0", "first", "all")
    wait_until(lambda: "b has not answered" in hospital.newest().why)
    hospital.fleet.revoke("b", "stolen")
    hospital.until("done")


def test_a_gateway_that_comes_from_another_fleet_takes_what_its_new_desk_plans(
    hospital: Hospital, tmp_path: Path
) -> None:
    gateway = hospital.enrol("a")
    for version_of_it in ("1.1.0", "1.2.0"):
        hospital.roll_out(hospital.bundle(version_of_it), version_of_it, "all")
        hospital.until("done")
    hospital.gateways.pop("a").stop()
    other = tmp_path / "other"
    other.mkdir()
    with hospital_in(other) as new:  # the old one's machine is lost: a new desk counts from one
        moved = LightGateway(gateway.folder, "a", new.enrol_broker())
        moved.join(new.code("a"))
        moved.start()
        new.gateways["a"] = moved
        new.roll_out(new.bundle("1.3.0"), "1.3.0", "all")
        new.until("done")
        moved.stop_agent()
        known = AgentMemory(gateway.folder / "data" / FOLDER).now
        moved.join(new.code("a"))  # the same fleet once more: what was there is not forgotten
        assert AgentMemory(gateway.folder / "data" / FOLDER).now == known
        (gateway.folder / "data" / FOLDER / "agent.json").write_text("{")
        moved.join(new.code("a"))  # an agent says "join again" of a memory that cannot be read
        assert AgentMemory(gateway.folder / "data" / FOLDER).now == Memory()


def test_a_desk_whose_books_are_from_a_copy_counts_on_from_where_its_gateways_are(
    hospital: Hospital, tmp_path: Path
) -> None:
    """Else what they said of a roll-out that the books forgot would be taken for the next one of its number."""
    gateway = hospital.enrol("a")
    books = hospital.fleet_folder / "fleet.db"
    with closing(sqlite3.connect(books)) as db, closing(sqlite3.connect(tmp_path / "copy")) as copy:
        db.backup(copy)
    for version_of_it in ("1.1.0", "1.2.0"):
        hospital.roll_out(hospital.bundle(version_of_it), version_of_it, "all")
        hospital.until("done")
    hospital.stop_desk()
    hospital.fleet.register.close()
    for path in hospital.fleet_folder.glob("fleet.db*"):
        path.unlink()
    shutil.copy(tmp_path / "copy", books)
    hospital.fleet = hospital.open()
    hospital.start_desk()
    wait_until(lambda: int(hospital.fleet.register.fact("counter") or 0) > 0)
    part = tmp_path / "days.toml"
    part.write_text("[outbox]\nmax_days = 3\n")
    hospital.roll_out(part, "days", "all")
    hospital.until("done")
    assert (gateway.folder / f"ward.toml{PARTS_FOLDER}" / PART).read_text() == part.read_text()


def test_an_older_version_is_refused_before_it_is_fetched_unless_the_roll_out_says_why(hospital: Hospital) -> None:
    gateway = hospital.enrol("a")
    bundle = hospital.bundle("0.0.9")
    hospital.roll_out(bundle, "0.0.9", "all")
    stopped = hospital.until("stopped")
    assert f"a: version 0.0.9 is older than {version('rehab-gateway')}, which runs" in stopped.why
    assert not (gateway.folder / "data" / FOLDER / "bundles").exists()
    why = "1.0.0 loses its radio each night"
    hospital.roll_out(bundle, "0.0.9", "all", described=describe(bundle, "upgrade", "0.0.9", why))
    hospital.until("done")
    assert (gateway.folder / "said").read_text() == f"--older={why}"


class Page:
    """A dashboard's own connection, and what its fleet page knows."""

    def __init__(self, hospital: Hospital) -> None:
        self.words = FleetWords(SITE)
        self._inbox = Inbox(str)
        wanted = [(self.words.topics.overview, SubscribeOptions(qos=1))]
        broker = hospital.settings_of("dashboard")
        self.link = Link(broker, client_id="page", handler=self._inbox, subscriptions=wanted)
        self.link.start()

    def trouble(self) -> str:
        while (message := self._inbox.wait(0.05)) is not None:
            self.words.on_message(message.topic, message.payload)
        return self.words.trouble


def test_a_desk_whose_disk_is_full_stays_says_so_and_goes_on_when_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path / "fleet") as disk, hospital_in(tmp_path) as hospital:
        gateway, page, code = hospital.enrol("a"), Page(hospital), hospital.code("b")
        wait_until(lambda: "a" in page.words.members or page.trouble())
        disk.fill()
        asks = LightGateway(tmp_path / "b", "b", hospital.enrol_broker())
        with pytest.raises(JoinError, match="the disk of its desk is full: try again with the same code"):
            asks.join(code)
        wait_until(page.trouble)
        assert f"the disk of {disk.folder} is full: delete or move what is not needed" in page.trouble()
        assert "a" in page.words.members
        hospital.stop_desk()
        hospital.start_desk()  # which sees to its lists first
        wait_until(lambda: hospital.desk.trouble)
        assert [one.message for one in caplog.records if "is full" in one.message][2:] == []  # once for each desk
        disk.make_room()
        wait_until(lambda: not page.trouble() and not hospital.desk.trouble)
        asks.join(code)
        hospital.roll_out(hospital.bundle("1.1.0"), "1.1.0", "ward", within_s=5.0)
        wait_until(lambda: hospital.versions() == {"a": "1.1.0"})
        assert gateway.agent.link.errors["connection"] == 0
        page.link.stop()


def test_a_roll_out_waits_for_the_room_on_its_desks_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "fleet") as disk, hospital_in(tmp_path) as hospital:
        hospital.enrol("a")
        hospital.stop_desk()
        hospital.roll_out(hospital.bundle("1.1.0"), "1.1.0", "all", soak_s=0.0)
        disk.fill()
        hospital.start_desk()
        wait_until(lambda: hospital.desk.trouble)
        assert (hospital.newest().state, hospital.versions()) == ("open", {"a": FIRST_VERSION})
        disk.make_room()
        hospital.until("done")
        assert hospital.versions() == {"a": "1.1.0"}


def test_an_agent_whose_disk_is_full_stays_and_takes_the_plan_when_there_is_room(hospital: Hospital) -> None:
    gateway = hospital.enrol("a", start=False)
    with small_disk(gateway.folder / "data" / FOLDER, size="1g", files=64) as disk:
        gateway.start()
        wait_until(lambda: gateway.agent.link.connected)
        for number in range(64):  # its room is in names: a bundle leaves more bytes free than a test should fill
            with suppress(OSError):
                (disk.folder / f"filling-{number}").touch()
        hospital.roll_out(hospital.bundle("1.1.0"), "1.1.0", "all", soak_s=0.0)
        wait_until(lambda: "is full" in gateway.agent.trouble)
        assert (gateway.folder / "version").read_text() == FIRST_VERSION
        disk.make_room()
        hospital.until("done")
        gateway.stop()


def test_an_agent_that_is_ended_while_it_fetches_goes_on_at_its_next_start(hospital: Hospital, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    gateway = hospital.enrol("a", share=str(share))
    bundle = hospital.bundle("1.1.0")
    (share / bundle.name).write_bytes(bundle.read_bytes()[:300_000])  # it is still being copied there
    hospital.roll_out(bundle, "1.1.0", "all")
    memory = gateway.folder / "data" / FOLDER
    wait_until(lambda: list(memory.glob("bundles/*.part")))
    gateway.stop_agent()
    assert AgentMemory(memory).now.outcome == "fetching"
    (share / bundle.name).write_bytes(bundle.read_bytes())
    gateway.start_agent()
    hospital.until("done")
    assert hospital.versions() == {"a": "1.1.0"}


def test_what_is_being_fetched_is_left_when_it_is_stopped_and_goes_on_when_it_is_resumed(hospital: Hospital) -> None:
    gateway = hospital.enrol("a")
    memory = gateway.folder / "data" / FOLDER
    books = RollOuts(hospital.fleet.register)

    def aborted_in_the_middle(version_of_it: str) -> None:
        hospital.roll_out(hospital.bundle(version_of_it, size=30_000_000), version_of_it, "all", within_s=60.0)
        wait_until(lambda: [*(memory / "bundles").glob("*.part")] and AgentMemory(memory).now.outcome == "fetching")
        books.abort()
        wait_until(lambda: AgentMemory(memory).now.outcome == "waiting")
        assert AgentMemory(memory).now.why == "the roll-out was stopped before all of it was here"

    aborted_in_the_middle("1.1.0")
    books.resume()
    hospital.until("done")
    assert hospital.versions() == {"a": "1.1.0"}
    aborted_in_the_middle("1.2.0")
    hospital.roll_out(hospital.bundle("1.3.0"), "1.3.0", "all", within_s=60.0)  # at once, not minutes later
    hospital.until("done")
    assert hospital.versions() == {"a": "1.3.0"}


def test_one_that_was_revoked_is_out_at_once_and_cannot_come_back(hospital: Hospital) -> None:
    gone, stays = hospital.enrol("a"), hospital.enrol("b")
    wait_until(lambda: gone.agent.link.connected and gone.publisher.state().connected)
    wait_until(lambda: stays.agent.link.connected)
    assert hospital.fleet.revoke("a", "stolen") == []
    wait_until(lambda: not gone.agent.link.connected and not gone.publisher.state().connected)
    wait_until(lambda: "revoked" in gone.agent.link.last_error)
    wait_until(lambda: gone.agent.link.errors["connection"] >= 3)
    assert not gone.agent.link.connected
    assert stays.agent.link.connected
    assert stays.agent.link.errors["connection"] == 0


def test_a_configuration_that_was_tried_at_a_power_cut_is_taken_back_at_the_next_start(hospital: Hospital) -> None:
    gateway = hospital.enrol("a", start=False)
    memory, parts = gateway.folder / "data" / FOLDER, gateway.folder / f"ward.toml{PARTS_FOLDER}"
    AgentMemory(memory).keep(counter=1, roll_out=1, attempt=1, kind="configuration", outcome="applying")
    (parts / PREVIOUS).write_text("[outbox]\nmax_days = 7\n")
    (parts / PART).write_text("[outbox]\nmax_days = 3\n")
    gateway.start()
    hospital.gateways["a"] = gateway  # which ends it
    wait_until(lambda: AgentMemory(memory).now.outcome == "failed")
    assert AgentMemory(memory).now.why == (
        "it was interrupted, and the one before is in force again: resume the roll-out to try again"
    )
    assert load(gateway.config).outbox.max_days == 7
