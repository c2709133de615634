"""The guide to declared devices: what it says to write is right, and reads what its sketches send."""

from __future__ import annotations

import re
import struct
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from config.loader import load
from drivers.contract import decoded
from drivers.declared.checksums import CHECKSUMS
from drivers.declared.declaration import Options
from drivers.declared.layout import KINDS
from drivers.registry import make_driver
from gateway.cli.options import known_drivers
from tests.drivers.wires import frames_of

PAGE = (Path(__file__).parents[2] / "docs/declared-devices.md").read_text("utf-8")
TOML = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
OWN = {"declared_serial": "baud", "declared_ble": "characteristic"}


def options(block: str) -> dict[str, Any]:
    made: dict[str, Any] = tomllib.loads(block)["slot"][0]["device"][0]["options"]
    return made


def test_the_configuration_of_the_guide_is_right(tmp_path: Path) -> None:
    path = tmp_path / "lab.toml"
    other = TOML[2][TOML[2].index("[[slot.device]]") :]
    path.write_text(f"{TOML[0]}\n{other}", "utf-8")
    assert [device.driver for device in load(path, known_drivers()).slot[0].device] == list(OWN)


def test_the_line_of_the_sketch_is_read_by_the_declaration_beside_it() -> None:
    line = re.search(r"Serial\.println\(\);\s*// (\S+)", PAGE)
    tried = re.search(r"--text '([^']+)'", PAGE)
    assert line
    assert tried
    assert line[1] == tried[1]
    decoder = make_driver("declared_serial", options(TOML[0])).decoder()
    packets = decoded(decoder, [frames_of(b"\n" + line[1].encode() + b"\r\n")])
    assert packets["imu"].ticks.tolist() == [1234]
    assert packets["imu"].samples[0, 2] == pytest.approx(0.9981 * 9.80665)
    assert not decoder.faults


def test_the_struct_of_the_sketch_is_read_by_the_declaration_beside_it() -> None:
    body = struct.pack("<I6h", 10, 4096, 0, 0, 16384, 0, 0)
    frame = b"\xaa\x55" + body + CHECKSUMS["crc16-ccitt"][1](body).to_bytes(2, "little")
    packets = decoded(make_driver("declared_serial", options(TOML[1])).decoder(), [frames_of(frame)])
    assert packets["imu"].samples[0, :4] == pytest.approx([9.80665, 0, 0, 17.453], rel=1e-4)
    notified = decoded(
        make_driver("declared_ble", options(TOML[2])).decoder(), [frames_of(body, channel="measurement")]
    )
    assert notified["imu"].samples.tobytes() == packets["imu"].samples.tobytes()


def test_every_option_check_sum_and_letter_is_explained() -> None:
    table = "\n".join(line.partition(" | ")[0] for line in PAGE.splitlines() if line.startswith("| `"))
    names = [field.name for field in fields(Options)] + list(OWN.values())
    assert [name for name in names if f"`{name}`" not in table] == []
    assert [name for name in (*CHECKSUMS, *KINDS) if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("ax:0.1 ay:9.8", ["acc_x", "acc_y"]),
        ("T=36.5 °C at 12", ["temperature"]),
        ('{"ax":0.1,"ay":9.8}', ["acc_x", "acc_y"]),
    ],
)
def test_the_patterns_of_the_guide_fit_the_lines_beside_them(line: str, names: list[str]) -> None:
    row = next(row for row in PAGE.splitlines() if row.startswith(f"| `{line}` |"))
    pattern = re.search(r"pattern = '([^']+)'", row)
    assert pattern
    values = [f"thing.{name} 1" for name in names] + (["time ms"] if "{time}" in row else [])
    decoder = make_driver("declared_serial", {"values": values, "pattern": pattern[1]}).decoder()
    packets = decoded(decoder, [frames_of(f"\n{line}\n".encode())])
    assert len(packets["thing"]) == 1
    assert not decoder.faults
