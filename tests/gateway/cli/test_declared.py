"""What a researcher sees of a declaration before it runs: `check` with file and line, and `decode` of a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.gateway.cli.test_main import rehab_gateway

LAB = """\
[[slot]]
id = "lab-1"
subject = "p-0001"

[[slot.device]]
id = "shank"
driver = "declared_serial"
placement = "left_shank"
port = "/dev/ttyACM0"

[slot.device.options]
stream = "imu"
rate_hz = 100
values = [
  "time ms",
  "acc_x g", "acc_y g", "acc_z g",
  "gyr_x deg/s", "gyr_y deg/s", "gyr_z deg/s",
]
"""
LINE = "12,1,0,0,180,0,0"


def configuration(tmp_path: Path, text: str = LAB) -> str:
    path = tmp_path / "lab.toml"
    path.write_text(text, "utf-8")
    return str(path)


def test_a_declaration_is_right(tmp_path: Path) -> None:
    done = rehab_gateway("check", configuration(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('"acc_x g", ', "", 11, "imu without acc_x: nothing is computed from it"),
        ('"acc_x g"', '"acc_x N"', 11, "acc_x of imu in N, not m/s2: nothing is computed from it"),
        ('stream = "imu"', 'stream = "imuu"', 12, "there is no stream 'imuu' that anything is computed from"),
        ("rate_hz = 100", "rate_hz = -1", 13, "rate_hz is above 0"),
        ("rate_hz = 100\n", 'rate_hz = 100\npattern = "(a+)+"\n', 14, "the pattern has a value in a repeat"),
        ("rate_hz = 100\n", 'rate_hz = 100\nwrite = "b"\n', 14, "has no option 'write'"),
        ('"acc_x g"', '"acc_x"', 14, "values: 'acc_x' wants a unit"),
        ('"left_shank"', '"finger"', 8, ""),
        ('"left_shank"', '"exoskeleton"', 8, "'exoskeleton' is no place for a declared_serial"),
    ],
)
def test_a_wrong_declaration_is_told_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, line: int, reason: str
) -> None:
    assert old in LAB
    done = rehab_gateway("check", configuration(tmp_path, LAB.replace(old, new)))
    words = " ".join((done.stdout + done.stderr).split())
    if reason:
        assert done.returncode == 2
        assert f"lab.toml, line {line}: slot.device." in words
        assert reason in words
    else:
        assert done.returncode == 0


def test_where_a_declared_device_may_be_worn_depends_on_what_it_declares(tmp_path: Path) -> None:
    options = 'stream = "skin_conductance"\nvalues = ["conductance uS"]\n'
    text = LAB[: LAB.index("stream = ")] + options
    done = rehab_gateway("check", configuration(tmp_path, text))
    allowed = "choose one of wrist, left_wrist, right_wrist, finger"
    assert f"'left_shank' is no place for a declared_serial: {allowed}" in " ".join(done.stderr.split())
    done = rehab_gateway("check", configuration(tmp_path, text.replace('"left_shank"', '"finger"')))
    assert (done.returncode, done.stderr) == (0, "")


def test_two_motion_sensors_of_one_place_are_told_apart_from_a_muscle_and_a_motion_sensor(tmp_path: Path) -> None:
    other = LAB[LAB.index("[[slot.device]]") :].replace('shank"\ndriver', 'dot"\ndriver')
    other = other[: other.index("\n[slot.device.options]")].replace("declared_serial", "movella_dot")
    other = other.replace('port = "/dev/ttyACM0"', 'name = "DOT"')
    muscle = LAB.replace('"imu"', '"emg"').replace("acc_x g", "emg_1 mV")
    muscle = muscle[: muscle.index(', "acc_y')] + "]\n"
    done = rehab_gateway("check", configuration(tmp_path, LAB + other))
    assert "already has a declared_serial in this slot: one motion sensor a place" in " ".join(done.stderr.split())
    done = rehab_gateway("check", configuration(tmp_path, muscle + other))
    assert (done.returncode, done.stderr) == (0, "")


def test_two_sensors_of_several_kinds_of_motion_in_one_place_are_one_sentence(tmp_path: Path) -> None:
    device = '[[slot.device]]\nid = "{0}"\ndriver = "{1}"\nplacement = "lower_back"\nport = "/dev/{0}"\n'
    text = (
        '[[slot]]\nid = "lab-1"\nsubject = "p-1"\n'
        + device.format("one", "witmotion_serial")
        + device.format("two", "xsens_mti")
    )
    done = rehab_gateway("check", configuration(tmp_path, text))
    assert " ".join(done.stderr.split()).count("already has a witmotion_serial") == 1


def test_a_line_is_tried_out_before_it_runs(tmp_path: Path) -> None:
    config = configuration(tmp_path)
    done = rehab_gateway("decode", "declared_serial", "--json", "--config", config, "--text", LINE, "--text", "1,2,3")
    assert done.returncode == 0
    sample = json.loads(done.stdout)
    assert (sample["stream"], sample["tick"], sample["flags"]) == ("imu", 12, [])
    assert sample["acc_x"] == pytest.approx(9.80665)
    assert sample["gyr_x"] == pytest.approx(3.14159, abs=1e-4)
    assert "not decoded: a line of another number of values than declared (1)" in done.stderr


def test_half_a_number_is_never_shown(tmp_path: Path) -> None:
    line = "1234,0.0012,-0.0200,0.9981,0.1000,-0.2500,0.0000"
    done = rehab_gateway("decode", "declared_serial", "--config", configuration(tmp_path), "--text", line)
    assert "│ 1234 │" in done.stdout
    assert "…" not in done.stdout


def test_a_captured_file_is_tried_out_and_its_first_line_may_have_lost_its_beginning(tmp_path: Path) -> None:
    capture = tmp_path / "port.bin"
    capture.write_bytes(b"2,1,0,0,180,0,0\r\n" + LINE.encode() + b"\r\n" + LINE.encode() + b"\r\n12,1,0")
    config = configuration(tmp_path)
    done = rehab_gateway("decode", "declared_serial", "--json", "--config", config, "--capture", str(capture))
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["tick"] for line in done.stdout.splitlines()] == [12, 12]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["movella_dot", "--text", "1"], "the configuration does not say which movella_dot: there is none"),
        (
            ["declared_serial", "--device", "shnk", "--text", "1"],
            "has no declared_serial 'shnk'; did you mean 'shank'?",
        ),
        (["declared_serial"], "no bytes to decode"),
    ],
)
def test_a_device_that_is_not_there_is_told(tmp_path: Path, arguments: list[str], reason: str) -> None:
    done = rehab_gateway("decode", *arguments, "--config", configuration(tmp_path))
    assert done.returncode == 2
    assert reason in " ".join(done.stderr.split())


def test_without_a_configuration_the_example_of_the_driver_is_tried(tmp_path: Path) -> None:
    del tmp_path
    done = rehab_gateway("decode", "declared_serial", "--json", "--text", "5,1,2,3,4,5,6")
    assert json.loads(done.stdout)["gyr_z"] == 6.0
