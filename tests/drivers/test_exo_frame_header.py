"""The C header that firmware engineers copy, compiled and run on the golden frames."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.exo_frames import GOLDEN

HEADER = Path(__file__).parents[2] / "docs"
JOINTS = {"hip": "EXO_HIP", "knee": "EXO_KNEE", "ankle": "EXO_ANKLE", "elbow": "EXO_ELBOW"}
PRINT = """\
    exo_n = exo_serial_frame(exo_part, exo_m, exo_wire);
    for (size_t i = 0; i < exo_m; i++) printf("%02x", exo_part[i]);
    printf(" ");
    for (size_t i = 0; i < exo_n; i++) printf("%02x", exo_wire[i]);
    printf(" %zu\\n", exo_can_fd_length(exo_m));
"""


def c_number(value: float | None) -> str:
    return "EXO_NONE" if value is None else repr(float(value))


def statements(golden: dict[str, Any]) -> str:
    """Return C that encodes a golden frame and prints it."""
    head = f".counter = {golden['counter']}, .time_us = {golden['time_us']}u"
    if golden["kind"] == "limb":
        joints = ", ".join(
            f"{{{JOINTS[name]}, {', '.join(map(c_number, values))}}}" for name, *values in golden["joints"]
        )
        filled = (
            f"{head}, .side = {'EXO_RIGHT' if golden['right'] else 'EXO_LEFT'}, .last = {int(golden['last'])},"
            f" .gait = {golden['gait_state']}, .phase = {c_number(golden['gait_phase'])},"
            f" .n_joints = {len(golden['joints'])}, .joints = {{{joints}}}"
        )
        return f"  {{ exo_limb it = {{{filled}}}; exo_m = exo_encode_limb(&it, exo_part);\n{PRINT}  }}\n"
    masks = [" | ".join(f"1 << {JOINTS[j]}" for j in golden[f"joints_{side}"]) or "0" for side in ("left", "right")]
    shares = {name: c_number(golden[name]) for name in ("assistance", "body_weight_support", "battery")}
    filled = (
        f"{head}, .stopped = {int(golden['stopped'])}, .powered = {int(golden['powered'])},"
        f" .charging = {int(golden['charging'])}, .joints_left = {masks[0]}, .joints_right = {masks[1]},"
        f" .rate_hz = {golden['rate_hz']}, .mode = {255 if golden['mode'] is None else golden['mode']},"
        f" {', '.join(f'.{name} = {value}' for name, value in shares.items())},"
        f" .battery_voltage = {c_number(golden['battery_v'])}, .faults = {golden['faults']}u,"
        f" .serial = {golden['serial_number']}ull"
    )
    return f"  {{ exo_device it = {{{filled}}}; exo_m = exo_encode_device(&it, exo_part);\n{PRINT}  }}\n"


def test_the_header_makes_the_golden_frames(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler here")
    source, program = tmp_path / "golden.c", tmp_path / "golden"
    body = "".join(map(statements, GOLDEN))
    source.write_text(
        '#include <stdio.h>\n#include "exo_frame.h"\n'
        "int main(void) {\n  uint8_t exo_part[EXO_MAX_PART], exo_wire[EXO_MAX_SERIAL];\n  size_t exo_m, exo_n;\n"
        f'{body}  printf("%04x\\n", exo_crc16((const uint8_t *)"123456789", 9));\n  return 0;\n}}\n',
        "utf-8",
    )
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I", str(HEADER)]
    built = subprocess.run(
        ["gcc", *strict, str(source), "-o", str(program), "-lm"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    printed = subprocess.run([str(program)], capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    want = [f"{golden['part']} {golden['serial']} {golden['can_fd']}" for golden in GOLDEN]
    assert printed == [*want, "29b1"]


def test_the_example_of_the_specification_is_the_first_golden_frame() -> None:
    page = (HEADER / "exoskeleton-frame.md").read_text("utf-8")
    blocks = page.split("```")
    example = next(block for block in blocks if "version 1, limb" in block)
    got = bytes.fromhex("".join(line.split("  ")[0] for line in example.strip().splitlines()).replace(" ", ""))
    assert got.hex() == GOLDEN[0]["part"]
    wire = bytes.fromhex(GOLDEN[0]["serial"]).hex(" ")
    assert wire in page
