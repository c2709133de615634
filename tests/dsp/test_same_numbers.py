"""What is compiled for every processor computes what is compiled for this one, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.same_numbers import furthest, make

ROOT = Path(__file__).parents[2]
COLD_S = 900.0  # everything is compiled twice, and the machine is busy
LAST_DIGITS = 4 * float(np.finfo(float).eps)
"""Twice what was measured: glibc's functions for processors with fused multiply-add and without differ in the last two
digits, in base 2, of what is computed from them."""
WITHOUT_FMA = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-AVX2,-FMA4",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4,AVX512_ICL",
    "OPENBLAS_CORETYPE": "Prescott",
}
"""A processor of 2010, as far as the C library and numpy can be made to believe in one."""
GENERIC = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}

pytestmark = [pytest.mark.slow, pytest.mark.compiled, pytest.mark.timeout(2 * COLD_S)]


def computed(folder: Path, name: str, environment: dict[str, str]) -> dict[str, np.ndarray]:
    """Return the outputs of a process of its own."""
    out = folder / f"{name}.npz"
    done = subprocess.run(
        [sys.executable, "-m", "tests.same_numbers", "run", str(folder), str(out)],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | environment, timeout=COLD_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(out) as file:
        return {key: file[key] for key in file.files}


def test_the_same_numbers_on_every_processor(tmp_path: Path) -> None:
    make(tmp_path)
    here = computed(tmp_path, "host", {})
    assert len(here) > 100
    generic = computed(tmp_path, "generic", GENERIC)
    assert furthest(here, generic) == (0.0, "", 0)
    old = computed(tmp_path, "old", GENERIC | WITHOUT_FMA)
    assert furthest(generic, old)[0] <= LAST_DIGITS


def test_a_difference_is_found_wherever_it_is() -> None:
    one = {"angles": np.array([1.0, 2.0, np.nan]), "times": np.array([3.0])}
    for other, apart in (
        ({**one}, 0.0), ({**one, "times": np.array([3.3])}, 0.3 / 3.3), ({"angles": one["angles"]}, np.inf),
        ({**one, "times": np.array([3.0, 4.0])}, np.inf), ({**one, "angles": np.array([1.0, 2.0, 3.0])}, np.inf),
    ):  # fmt: skip
        assert furthest(one, other)[0] == pytest.approx(apart)
