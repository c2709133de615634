"""Patients who are tested live: the configuration finds their devices, and the written truth is what they do."""

from __future__ import annotations

import asyncio
import json
import signal
import tomllib
from pathlib import Path

import numpy as np
import pytest

from config.checks import check
from config.settings import Settings
from gateway.cli.options import known_drivers
from simulators.clinic.patient import patients
from simulators.clinic.perform import play
from simulators.devices.shimmer3 import Shimmer3
from simulators.scenes.timed_tests import one_round, timed_tests
from tests.simulators.helpers import PATIENCE_S
from tests.simulators.test_command import simulate


def test_it_comes_with_a_configuration_that_the_gateway_accepts(tmp_path: Path) -> None:
    scene = timed_tests(beds=3, ports=tmp_path, rounds=1).scene
    site = Settings.model_validate(tomllib.loads(scene.configuration(tmp_path / "radio.sock")))
    assert list(check(site, known_drivers())) == []
    assert [device.id for slot in site.slot for device in slot.device] == list(scene.devices)


def test_the_devices_feel_what_the_truth_says(tmp_path: Path) -> None:
    scene, truths = timed_tests(beds=1, ports=tmp_path, rounds=1)
    back = scene.devices["bed-1-lower-back"]
    assert isinstance(back, Shimmer3)
    motion = back.source.read_until(1000.0)
    assert motion is not None
    assert motion.time_s[-1] == pytest.approx(truths["bed-1"].end_s, abs=1.0)
    turn = np.linalg.norm(motion.gyr, axis=1)
    for did in truths["bed-1"].of("turn", "standing_up", "sitting_down"):
        assert turn[(motion.time_s >= did.start_s) & (motion.time_s <= did.end_s)].max() > np.radians(30)
    [stance] = truths["bed-1"].of("stance")
    assert turn[(motion.time_s >= stance.start_s) & (motion.time_s <= stance.end_s)].max() < np.radians(5)


def test_blocks_of_a_live_sensor_are_the_movement_of_the_whole_script(tmp_path: Path) -> None:
    scene, _ = timed_tests(beds=1, ports=tmp_path, rounds=1)
    again, _ = timed_tests(beds=1, ports=tmp_path, rounds=1)
    one, other = (each.devices["bed-1-lower-back"] for each in (scene, again))
    assert isinstance(one, Shimmer3)
    assert isinstance(other, Shimmer3)
    whole = one.source.read_until(60.0)
    parts = [other.source.read_until(until) for until in (3.3, 7.0, 31.9, 60.0)]
    assert whole is not None
    np.testing.assert_array_equal(whole.acc, np.concatenate([part.acc for part in parts if part is not None]))


def test_everybody_does_all_tests_in_every_round(tmp_path: Path) -> None:
    ward = timed_tests(beds=2, ports=tmp_path, rounds=2)
    for truth in ward.truths.values():
        tests = [did.what for did in truth.did if did.what in ("tug", "sts5", "stance", "10mwt")]
        assert tests == 2 * ["tug", "sts5", "stance", "10mwt"]
    first, second = ward.truths["bed-1"].of("tug")[0], ward.truths["bed-2"].of("tug")[0]
    assert first.duration_s < second.duration_s  # from bed to bed more severely impaired
    assert json.loads(json.dumps(ward.told()))["bed-1"]["did"][0]["start_s"] > 0


def test_a_round_can_be_played_from_sitting_any_number_of_times() -> None:
    for who in patients(6):
        truth, _ = play([item for k in range(2) for item in one_round(k)], who, "sitting", 0)
        assert truth.did[-1].what == "sitting_down"


@pytest.mark.parametrize(("beds", "rounds", "reason"), [(100, 1, "1 to 99 beds"), (1, 0, "1 to 200 rounds")])
def test_too_many_are_refused_in_words(tmp_path: Path, beds: int, rounds: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        timed_tests(beds=beds, ports=tmp_path, rounds=rounds)


async def test_the_command_writes_configuration_and_truth(tmp_path: Path) -> None:
    config, truth = tmp_path / "site.toml", tmp_path / "truth.json"
    running = await simulate(
        "timed-tests", "--beds", "1", "--rounds", "1", "--socket", str(tmp_path / "radio"),
        "--ports", str(tmp_path / "ports"), "--write-config", str(config), "--write-truth", str(truth),
    )  # fmt: skip
    ready = await running.event()
    assert ready["event"] == "ready"
    site = Settings.model_validate(tomllib.loads(config.read_text()))
    assert [device.id for slot in site.slot for device in slot.device] == ready["devices"]
    assert [did["what"] for did in json.loads(truth.read_text())["bed-1"]["did"] if did["what"] == "tug"] == ["tug"]
    running.process.send_signal(signal.SIGTERM)
    assert (await running.event())["event"] == "summary"
    assert await asyncio.wait_for(running.process.wait(), PATIENCE_S) == 0
