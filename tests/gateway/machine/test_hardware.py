"""What the kernel tells of the computer, from a tree of files as the kernel lays it out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.machine.hardware import SYS, Hardware, read_hardware


def write(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", "ascii")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Make the kernel's folder of the disk that `tmp_path` is on, with a partition; return it."""
    whole = tmp_path / "devices/mmc0/block/mmcblk0"
    write(whole / "mmcblk0p2", partition="2")
    device = tmp_path.stat().st_dev
    link = tmp_path / f"dev/block/{os.major(device)}:{os.minor(device)}"
    link.parent.mkdir(parents=True)
    link.symlink_to(whole / "mmcblk0p2")
    return whole


def test_nothing_is_known_where_the_kernel_tells_nothing(tmp_path: Path) -> None:
    assert read_hardware(tmp_path, tmp_path) == Hardware()
    assert read_hardware(tmp_path / "missing", tmp_path) == Hardware()


def test_heat_is_that_of_the_processor_and_a_zone_that_answers_nothing_is_left_out(tmp_path: Path) -> None:
    for number, (kind, text) in enumerate((("acpitz", "91000"), ("cpu-thermal", "61234"), ("cpu-big", ""))):
        write(tmp_path / f"class/thermal/thermal_zone{number}", type=kind, temp=text)
    assert read_hardware(tmp_path, tmp_path).temperature_c == 61.234


def test_heat_is_that_of_the_hottest_zone_where_none_says_it_is_the_processors(tmp_path: Path) -> None:
    for number, text in enumerate(("41000", "47000")):
        write(tmp_path / f"class/thermal/thermal_zone{number}", type="acpitz", temp=text)
    assert read_hardware(tmp_path, tmp_path).temperature_c == 47.0


@pytest.mark.parametrize(("alarm", "weak"), [("1", True), ("0", False)])
def test_a_raspberry_pi_tells_of_a_weak_supply(tmp_path: Path, alarm: str, weak: bool) -> None:
    write(tmp_path / "class/hwmon/hwmon0", name="cpu_thermal")
    write(tmp_path / "class/hwmon/hwmon1", name="rpi_volt", in0_lcrit_alarm=alarm)
    assert read_hardware(tmp_path, tmp_path).undervoltage is weak


WORDS = {
    ("0x01 0x02", "0x01"): (20.0, "normal"),
    ("0x0B 0x00", "0x03"): (110.0, "urgent"),
    ("0x00 0x00", "0x00"): (None, ""),
    ("none", "0xzz"): (None, ""),
}


@pytest.mark.parametrize("words", WORDS)
def test_an_emmc_tells_of_its_wear(tmp_path: Path, disk: Path, words: tuple[str, str]) -> None:
    life_time, pre_eol_info = words
    write(disk / "device", life_time=life_time, pre_eol_info=pre_eol_info)
    found = read_hardware(tmp_path, tmp_path)
    assert (found.life_used_pct, found.reserve) == WORDS[words]


def test_what_was_written_is_that_of_the_whole_disk_in_bytes(tmp_path: Path, disk: Path) -> None:
    write(disk, stat="   100 2 3 4 50 6 2048 8 0 9 10 0 0 0 0")
    assert read_hardware(tmp_path, tmp_path).written_bytes == 2048 * 512
    write(disk, stat="odd")
    assert read_hardware(tmp_path, tmp_path).written_bytes is None


@pytest.mark.skipif(not Path("/proc/diskstats").exists(), reason="needs Linux")
def test_this_computer_tells_what_it_tells(tmp_path: Path) -> None:
    found = read_hardware(tmp_path, SYS)
    assert found.temperature_c is None or -20 < found.temperature_c < 120
    assert found.written_bytes is None or found.written_bytes >= 0
