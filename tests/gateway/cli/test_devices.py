"""``rehab-gateway devices``: the real program, with a gateway that runs and with none, over the simulated radio."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.cli.devices_pages import lift_sentence, print_scan, print_tap
from simulators.devices.movella_dot import MovellaDot
from simulators.motion.timeline import Timeline
from simulators.radio.addresses import dot_address
from simulators.radio.hub import Hub
from simulators.scenes.scene import Bed, PlacedDevice, Scene
from tests.faults.beds import Air
from tests.gateway.cli.test_ward import START_S, TOPICS, ask, gateway
from tests.gateway.run.ward_desk import Desk
from tests.servers import Child, wait_until
from tests.simulators.limbs import Limb

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

PAIRED_WITHIN_S = 120.0
"""A patient with two sensors, by the commands alone."""
FIRST, SECOND = dot_address(1, 0), dot_address(1, 1)


class Ward:
    """Two DOTs on the air, and a ward with a patient who wears nothing yet."""

    def __init__(self, folder: Path) -> None:
        hub, timeline = Hub(), Timeline(running=False)
        self.limbs = {name: Limb() for name in ("first", "second")}
        self.dots = {
            name: MovellaDot(name=name, timeline=timeline, hub=hub, address=dot_address(1, at), source=self.limbs[name])
            for at, name in enumerate(self.limbs)
        }
        placed = [PlacedDevice(dot, "movella_dot", "left_foot", address=dot.address) for dot in self.dots.values()]
        self.air = Air(Scene(hub, timeline, [Bed("bay-1", "Bay 1", "p-1", placed)]), folder / "radio")
        self.config = folder / "ward.toml"
        self.config.write_text(
            f'simulated = true\n[site]\ndata = "{folder}/data"\n'
            f'[radio]\nname = "simulated"\nsocket = "{folder}/radio"\n[[slot]]\nid = "bay-1"\nsubject = "p-1"\n'
        )

    def do(self, command: str, *words: str, status: int = 0) -> dict[str, Any]:
        code, out, err = ask("devices", command, str(self.config), *words, "--by", "anna", "--json")
        assert code == status, (out, err)
        found: dict[str, Any] = orjson.loads(out)
        return found

    def say(self, command: str, *words: str) -> tuple[int, str, str]:
        code, out, err = ask("devices", command, str(self.config), *words, "--by", "anna")
        return code, " ".join(out.split()), err


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    made = Ward(tmp_path)
    with made.air:
        yield made


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Have something done on the ward while a command runs."""
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def test_a_patient_is_fitted_while_no_gateway_runs(ward: Ward) -> None:
    began = time.monotonic()
    code, page, _ = ward.say("scan", "--for", "2")
    assert code == 0
    assert f"dBm {FIRST} Movella DOT movella_dot - - -" in page
    ward.do("pair", FIRST.lower().replace(":", "-"), "--id", "dot-1")
    ward.do("pair", SECOND, "--id", "dot-2", "--driver", "movella_dot")
    heard = {one["address"]: one["device"] for one in ward.do("scan", "--for", "2")["heard"]}
    assert heard == {FIRST: "dot-1", SECOND: "dot-2"}
    assert ward.say("identify", "dot-1", "--for", "0.1")[1] == "dot-1 has been blinking."
    assert [dot.blinked for dot in ward.dots.values()] == [1, 0]
    ward.limbs["second"].taps = 10_000
    assert ward.say("identify", "--for", "1")[:2] == (
        0, "Tap the one in your hand with a finger, a few times, until this ends. It is dot-2.",
    )  # fmt: skip
    ward.limbs["second"].taps = 0
    ward.limbs["first"].lifted = True
    done = ward.do("assign", "dot-1", "bay-1", "left_foot", "--for", "1")
    assert (done["lift"]["moved"], done["taken_off"]) == ("left", False)
    assert time.monotonic() - began < PAIRED_WITHIN_S
    code, page, _ = ward.say("assign", "dot-2", "bay-1", "right_foot", "--for", "1")  # the left leg is lifted still
    assert code == 1
    assert "The right leg was lifted, and dot-1 moved, which is put down as on the left leg" in page
    assert page.endswith("dot-2 was taken off again.")
    shown = orjson.loads(ask("ward", "show", str(ward.config), "--json")[1])
    assert {one["id"]: one["bed"] for one in shown["devices"]} == {"dot-1": "bay-1", "dot-2": None}
    assert ward.say("forget", "dot-1")[2] == "rehab-gateway: 'dot-1' is worn in bed 'bay-1': take it off first\n"
    assert ward.say("forget", "dot-2")[1] == (
        "dot-2 is no device of the ward any more. A Bluetooth bond that it has stays: --bond removes it."
    )


def test_a_patient_is_fitted_by_a_gateway_that_runs(ward: Ward, mosquitto: Child) -> None:
    ward.config.write_text(f"{ward.config.read_text()}[broker]\nembedded = false\nport = {mosquitto.port}\n")
    desk = Desk(mosquitto.port, TOPICS)
    with gateway(ward.config):
        wait_until(lambda: desk.ward, START_S)
        began = time.monotonic()
        for at, address in enumerate((FIRST, SECOND), 1):
            ward.do("pair", address, "--id", f"dot-{at}")
        ward.limbs["first"].lifted = True
        done = ward.do("assign", "dot-1", "bay-1", "left_foot", "--for", "2")
        assert (done["lift"]["moved"], done["running"]) == ("left", True)
        ward.limbs["first"].lifted, ward.limbs["second"].lifted = False, True
        assert ward.do("assign", "dot-2", "bay-1", "right_foot", "--for", "2")["lift"]["ok"]
        assert time.monotonic() - began < PAIRED_WITHIN_S
        assert ward.do("lift", "bay-1", "left", "--for", "1", status=1)["moved"] == "right"
        assert [one["state"] for one in ward.do("scan", "--for", "1")["heard"]] == ["connected", "connected"]
        assert ward.say("identify", "dot-1", "--for", "0.1")[1] == "dot-1 has been blinking."
        code, _, err = ward.say("identify")
        assert (code, err) == (1, "rehab-gateway: every device of the ward is on somebody: name those that it may be\n")
    desk.close()


def test_one_that_stays_still_while_its_neighbour_on_that_leg_moves_is_taken_off(ward: Ward) -> None:
    ward.do("pair", FIRST, "--id", "dot-1")
    ward.do("pair", SECOND, "--id", "dot-2")
    ward.limbs["first"].lifted = True
    assert ward.do("assign", "dot-1", "bay-1", "left_shank", "--for", "0.5")["lift"]["ok"]
    code, page, _ = ward.say("assign", "dot-2", "bay-1", "left_foot", "--for", "0.5")
    assert code == 1
    assert "dot-1 moved, and dot-2 did not move with it: not on the left leg, or not on this patient." in page
    assert page.endswith("dot-2 was taken off again.")
    ward.limbs["second"].lifted = True
    assert ward.do("assign", "dot-2", "bay-1", "left_foot", "--for", "0.5")["lift"]["ok"]


def test_where_the_legs_are_not_told_apart_it_stays_on_and_the_status_says_so(ward: Ward) -> None:
    ward.do("pair", FIRST, "--id", "dot-1")
    done = ward.do("assign", "dot-1", "bay-1", "left_foot", "--for", "0.5", status=1)
    assert (done["lift"]["moved"], done["taken_off"]) == (None, False)
    code, page, _ = ward.say("lift", "bay-1", "left", "--for", "0.5")
    assert code == 1
    assert "No sensor clearly moved more than those of the other leg: lift the left leg once more." in page


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("pair", "02:00:00:00:00:99", "--id", "dot-9"), "02:00:00:00:00:99 is not heard"),
        (("pair", "somewhere", "--id", "dot-9"), "'somewhere' must be a Bluetooth address"),
        (("identify", "dot-9"), "there is no device 'dot-9' on this ward"),
        (("identify",), "every device of the ward is on somebody"),
        (("lift", "bay-1", "left"), "nobody wears a sensor on the left leg in bed 'bay-1'"),
        (("lift", "bay-7", "left"), "there is no bed 'bay-7'"),
        (("assign", "dot-9", "bay-1", "left_foot"), "there is no device 'dot-9' on this ward"),
        (("forget", "dot-9"), "there is no device 'dot-9' on this ward"),
        (("scan", "--for", "61"), "for_s is above 0 and at most 60"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_one_sentence(ward: Ward, words: tuple[str, ...], sentence: str) -> None:
    code, _, err = ward.say(*words)
    assert code == 1
    assert err.startswith(f"rehab-gateway: {sentence}")
    assert len(err.splitlines()) == 1


def test_without_a_radio_it_is_one_sentence(tmp_path: Path) -> None:
    config = tmp_path / "ward.toml"
    config.write_text(
        f'simulated = true\n[site]\ndata = "{tmp_path}/data"\n[radio]\nname = "simulated"\nsocket = "{tmp_path}/none"\n'
        '[[slot]]\nid = "bay-1"\nsubject = "p-1"\n'
    )
    code, _, err = ask("devices", "scan", str(config), "--for", "1")
    assert code == 1
    assert err.startswith("rehab-gateway: the adapter cannot scan")


def test_what_one_types_next_is_shown_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    one = {"address": "D4:22:CD:00:00:09", "name": "Movella DOT", "rssi_dbm": -50, "drivers": ["movella_dot"],
           "device": "dot-of-the-gym-9", "bed": "gym-2", "placement": "right_shank", "battery_pct": 90.0}  # fmt: skip
    print_scan({"heard": [one], "missing": []}, as_json=False)
    out = capsys.readouterr().out
    assert "D4:22:CD:00:00:09" in out
    assert "…" not in out


def test_help_teaches_every_command() -> None:
    page = ask("devices", "--help")[1]
    assert "rehab-gateway devices" in page.partition("Examples")[2]
    for command in ("scan", "pair", "identify", "assign", "lift", "forget"):
        assert f"│ {command} " in page
        shown = ask("devices", command, "--help")[1]
        assert f"rehab-gateway devices {command}" in shown.partition("Examples")[2]
        assert all(len(line) <= 80 for line in shown.splitlines())


def test_a_tap_is_told_with_what_was_not_seen(capsys: pytest.CaptureFixture[str]) -> None:
    print_tap({"tapped": "dot-1", "watched": ["dot-1"], "not_reached": ["dot-2"], "not_watched": []}, as_json=False)
    assert capsys.readouterr().out == "It is dot-1. Not seen: dot-2.\n"


def test_a_lift_tells_of_what_measures_no_turning() -> None:
    found = {"ok": True, "asked": "left", "moved": "left", "device": "dot-1", "still": [], "not_seen": ["emg-1"]}
    assert lift_sentence(found) == (
        "dot-1 moved: it is on the left leg. Of emg-1 it cannot be told: no turning is measured."
    )
