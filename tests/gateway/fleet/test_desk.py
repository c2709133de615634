"""The desk, its broker and its gateways together: who joins, who is thrown out, and what stops a roll-out."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from config.loader import PARTS_FOLDER, load
from gateway.fleet.agent_memory import AgentMemory
from gateway.fleet.applying import PART, PREVIOUS
from gateway.fleet.joining import FOLDER
from gateway.fleet.plan import describe
from gateway.fleet.roll_outs import RollOuts
from tests.gateway.fleet.hospital import FIRST_VERSION, Hospital
from tests.servers import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


def test_a_ring_with_one_bad_gateway_stops_and_goes_on_when_it_is_mended(hospital: Hospital) -> None:
    for name, ring in (("a", "first"), ("b", "ward"), ("c", "ward"), ("d", "rest")):
        hospital.enrol(name, ring)
    (hospital.gateways["c"].folder / "broken").touch()
    hospital.roll_out(hospital.bundle("1.1.0"), "1.1.0", "first", "ward", "all")
    stopped = hospital.until("stopped")
    assert "c: the new version did not send a receipt" in stopped.why
    assert hospital.versions() == {"a": "1.1.0", "b": "1.1.0", "c": FIRST_VERSION, "d": FIRST_VERSION}

    (hospital.gateways["c"].folder / "broken").unlink()
    RollOuts(hospital.fleet.register).resume()
    hospital.until("done")
    assert set(hospital.versions().values()) == {"1.1.0"}


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
    wait_until(lambda: AgentMemory(memory).now.outcome == "failed")
    assert AgentMemory(memory).now.why == (
        "it was interrupted, and the one before is in force again: resume the roll-out to try again"
    )
    assert load(gateway.config).outbox.max_days == 7
