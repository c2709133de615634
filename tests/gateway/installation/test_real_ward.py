"""A ward that is measured by the real programs goes over to another version, and back."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from simulators.devices.heart_rate import HeartRateStrap
from simulators.motion.timeline import Timeline
from simulators.radio.addresses import strap_address
from simulators.radio.hub import Hub
from simulators.scenes.scene import Bed, PlacedDevice, Scene
from tests.faults.beds import Air
from tests.faults.chain import known, wait_for
from tests.gateway.installation.bench import FIRST, Bench
from tests.servers import mosquitto_in
from tests.simulators.hearts import Steady

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

BPM = {"strap-1": 61, "strap-2": 83}


def make_scene() -> Scene:
    hub, timeline = Hub(), Timeline(running=False)
    beds = []
    for number, (name, bpm) in enumerate(BPM.items(), 1):
        address = strap_address(number)
        strap = HeartRateStrap(name=name, timeline=timeline, hub=hub, address=address, source=Steady(bpm))
        placed = PlacedDevice(strap, "heart_rate", "chest", address=address)
        beds.append(Bed(f"bed-{number}", f"Bed {number}", f"p-{number}", [placed]))
    return Scene(hub, timeline, beds)


def rates(bench: Bench) -> dict[str, set[float]]:
    """Return which heart rates the history has of each bed."""
    with closing(sqlite3.connect(f"{bench.history.as_uri()}?mode=ro", uri=True)) as db:
        if db.execute("PRAGMA user_version").fetchone() == (0,):
            return {}  # the historian is just making it
        rows = db.execute("SELECT slot, value FROM readable WHERE metric = 'heart_rate'").fetchall()
    return {bed: {value for slot, value in rows if slot == bed} for bed, _ in rows}


def unaccounted(bench: Bench) -> int:
    """Return how many numbers of the outbox are neither in the history nor waiting."""
    with closing(sqlite3.connect(bench.data / "outbox.db")) as db:
        epoch, last = db.execute("SELECT epoch, last_seq FROM state").fetchone()
        waiting = "SELECT seq FROM metrics UNION ALL SELECT seq FROM events UNION ALL SELECT seq FROM audits"
        first = db.execute(f"SELECT coalesce(min(seq), ?) FROM ({waiting})", (last + 1,)).fetchone()[0]  # noqa: S608
    return max(0, int(first) - 1 - known(bench.history, epoch))


def versions_that_started(bench: Bench) -> list[str]:
    """Return what the audit says of each start: from which version, and why it was not signed."""
    with closing(sqlite3.connect(f"{bench.history.as_uri()}?mode=ro", uri=True)) as db:
        bodies = db.execute("SELECT body FROM records WHERE kind = 'audit' AND what = 'start' ORDER BY seq").fetchall()
    return [json.loads(body).get("from", "") for (body,) in bodies]


def test_a_ward_goes_over_to_another_version_and_back(tmp_path: Path) -> None:
    scene = make_scene()
    with mosquitto_in(tmp_path / "broker") as broker, Air(scene, tmp_path / "radio"):
        config = (
            f'{scene.configuration(tmp_path / "radio")}\n[site]\ndata = "{tmp_path / "m/data"}"\n[historian]\n'
            f"keep_days = 100000\n[broker]\nembedded = false\nport = {broker.port}\n"
        )
        bench = Bench(tmp_path / "m", broker, config=config, real=True)
        bench.start_services()
        try:
            assert wait_for(lambda: bench.history.exists() and len(rates(bench)) == 2, 90, poll_s=0.5)
            status, said = bench.upgrade(bench.package("0.2.0"), within=120)
            assert (status, bench.current) == (0, "0.2.0"), said
            assert bench.goes_on()
            # The configuration gets what only the newer version might know: the way back is open all the same.
            bench.config.write_text(f"{config}\n[of_version_2]\nshelf = 3\n")
            status, said = bench.change("rollback", "--within", 120)
            assert (status, bench.current) == (0, FIRST), said
            assert bench.goes_on()
            assert wait_for(lambda: len(versions_that_started(bench)) == 3, 30, poll_s=0.5)
        finally:
            bench.end_services()
        assert "of_version_2 is not a setting" in (bench.home / "run.log").read_text()
        assert versions_that_started(bench) == ["", FIRST, "0.2.0"]
        assert rates(bench) == {"bed-1": {61.0}, "bed-2": {83.0}}
        assert unaccounted(bench) == 0
        assert not list(bench.data.glob("*corrupt*"))
        bench.end()
