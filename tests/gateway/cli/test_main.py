"""The command line as a user meets it: each test runs the real program."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.decode import SAMPLES_CHANNEL, frames_of
from gateway.cli.ending import unfit_machine
from gateway.model.usage import UsageError
from tests.drivers.exo_frames import GOLDEN

COMMANDS = [
    "run", "demo", "replay", "historian", "dashboard", "user", "broker-acl", "decode", "check", "doctor", "status",
    "audit", "accept", "access-log", "report", "trend", "days", "history", "upgrade", "rollback", "versions", "setup",
    "certificate", "backup", "restore", "support-bundle", "warm-up", "version", "ward", "session", "notices",
    "devices", "driver", "token", "fleet", "import", "simulate",
]  # fmt: skip
EXAMPLES = Path(__file__).parents[3] / "config/examples"
WIDTH = 80


def rehab_gateway(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program in a terminal of 80 columns without colours."""
    environment = {**os.environ, "COLUMNS": str(WIDTH), "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        input=stdin, capture_output=True, text=True, check=False, timeout=60, env=environment,
    )  # fmt: skip


def test_help_names_every_command_in_one_line_each() -> None:
    done = rehab_gateway("--help")
    assert done.returncode == 0
    listed = re.findall(r"^│ ([a-z][a-z-]+) +\S", done.stdout, re.MULTILINE)
    assert listed == COMMANDS
    assert "Not a medical device" in done.stdout
    assert all(len(line) <= WIDTH for line in done.stdout.splitlines())


def test_help_imports_nothing_heavy() -> None:
    """A bedside computer answers --help at once: neither the compiler nor the store's library is loaded for it."""
    code = (
        "import sys, gateway.cli.group as g; sys.argv = ['rehab-gateway', '--help']\n"
        "from gateway.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stderr.split())
    assert "typer" in loaded
    assert not loaded & {"numba", "numpy", "influxdb_client", "bleak", "bumble", "aiohttp", "pydantic", "paho"}


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in {"version", "simulate"}])
def test_each_command_teaches_with_an_example(command: str) -> None:
    done = rehab_gateway(command, "--help")
    assert done.returncode == 0
    assert "Examples" in done.stdout
    assert f"rehab-gateway {command}" in done.stdout.partition("Examples")[2]
    assert all(len(line) <= WIDTH for line in done.stdout.splitlines())


def test_version() -> None:
    assert re.match(r"rehab-gateway \d+\.\d+\.\d+, Python 3\.\d+", rehab_gateway("version").stdout)


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_check_says_what_would_run(example: Path) -> None:
    done = rehab_gateway("check", str(example))
    assert (done.returncode, done.stderr) == (0, "")
    assert "is right" in done.stdout.replace("\n", " ")
    assert "…" not in done.stdout, "an id or an address that is cut short cannot be typed"


@pytest.mark.parametrize("command", ["check", "run", "historian", "dashboard", "doctor"])
def test_a_wrong_file_is_one_sentence_and_nothing_starts(command: str, tmp_path: Path) -> None:
    wrong = (EXAMPLES / "ward.toml").read_text("utf-8").replace('"movella_dot"', '"movela_dot"', 1)
    wrong = wrong.replace('data = "/var/lib/rehab-gateway"', 'data = "data"')
    line = wrong[: wrong.index('"movela_dot"')].count("\n") + 1
    path = tmp_path / "ward.toml"
    path.write_text(wrong, "utf-8")
    done = rehab_gateway(command, str(path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"rehab-gateway: {path}, line {line}: slot.device.driver = 'movela_dot' is not a driver;"
        " did you mean 'movella_dot'?\n"
    )
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "arguments", [["chek"], ["run"], ["demo", "--beds", "many"], ["decode"], ["decode", "eeg", "00"]], ids=" ".join
)
def test_a_wrong_command_line_is_status_2(arguments: list[str]) -> None:
    done = rehab_gateway(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_misspelt_command_is_guessed() -> None:
    assert "Did you mean 'check'?" in rehab_gateway("chek").stderr


def test_what_cannot_be_opened_is_one_sentence() -> None:
    done = rehab_gateway("decode", "heart_rate", "--file", "/absent/frames.txt")
    assert done.returncode == 1
    assert done.stderr == "rehab-gateway: No such file or directory: /absent/frames.txt\n"


def test_decode_shows_what_a_strap_sent() -> None:
    done = rehab_gateway("decode", "heart_rate", "16", "4b", "00", "04")
    assert done.returncode == 0
    assert re.search(r"│ +75 │ +1 │ +- │ loss unknown │", done.stdout)
    assert "rr: 1 sample" in done.stdout


def test_decode_reads_a_file_with_comments_and_channels() -> None:
    text = "# a strap at rest\n00 4b\n\nbattery: 57  # 87 per cent\n0x00 0x4c\n"
    done = rehab_gateway("decode", "heart_rate", "--json", "--file", "-", stdin=text)
    samples = [json.loads(line) for line in done.stdout.splitlines()]
    assert [sample["heart_rate"] for sample in samples if sample["stream"] == "heart_rate"] == [75, 76]
    assert [sample["level"] for sample in samples if sample["stream"] == "battery"] == [87]


def test_decode_gives_each_channel_a_line_where_there_are_many() -> None:
    """An exoskeleton of hips and knees has 28, in a terminal of 80 columns."""
    shown = {golden["name"]: golden["serial"] for golden in GOLDEN}
    sample = shown["the example of the specification"]
    wire = "\n".join([shown["hips and knees, all told"], *[sample] * 6])
    done = rehab_gateway("decode", "exo_frame", "--file", "-", stdin=wire)
    assert done.returncode == 0
    (line,) = [line for line in done.stdout.splitlines() if "right_hip_angle" in line]
    assert [cell.strip() for cell in line.split("│")[1:-1]] == ["right_hip_angle", "deg", *["12.34"] * 4]
    assert "... and 2 more: --json prints all." in done.stdout


def test_decode_says_what_it_could_not_read() -> None:
    done = rehab_gateway("decode", "heart_rate", "01")
    assert done.returncode == 1
    assert "not decoded: truncated frame (1)" in done.stderr


@pytest.mark.parametrize(
    ("words", "frames"),
    [
        (["164b", "00", "04"], [("data", "164b0004")]),
        (["16:4b:00:04"], [("data", "164b0004")]),
        (["be:ef"], [("data", "beef")]),  # digits, not a channel called be
        (["00", "battery:57", "01", "control:aa"], [("data", "00"), ("battery", "5701"), ("control", "aa")]),
    ],
)
def test_words_become_frames(words: list[str], frames: list[tuple[str, str]]) -> None:
    found = [(frame.channel, frame.data.hex()) for frame in frames_of(words, [], "data")]
    assert found == frames


@pytest.mark.parametrize("word", ["zz", "1", "battery:", "battery:xyz", "16 4"])
def test_what_is_no_hexadecimal_is_reported(word: str) -> None:
    with pytest.raises(UsageError, match="not bytes in hexadecimal"):
        frames_of([word], [], "data")


def test_each_driver_sends_its_samples_on_the_channel_that_decode_supposes() -> None:
    from drivers.registry import driver_names, load_driver

    assert {load_driver(name).transport for name in driver_names()} <= set(SAMPLES_CHANNEL)


@pytest.mark.parametrize(
    ("platform", "largest", "reason"),
    [
        ("linux", 2**63 - 1, ""),
        ("linux", 2**31 - 1, "this Python is 32-bit"),
        ("darwin", 2**63 - 1, "this needs Linux, and this is darwin"),
        ("win32", 2**31 - 1, "this needs Linux, and this is win32"),
    ],
)
def test_machines_that_cannot_run_it_are_reported(platform: str, largest: int, reason: str) -> None:
    assert unfit_machine(platform, largest).startswith(reason)
    assert bool(unfit_machine(platform, largest)) == bool(reason)
