"""What the doctor says of the compiled kernels: shipped, kept here, or compiled at each start."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsp import kernel_cache
from gateway.analysis import warm_up
from gateway.cli.doctor.kernels import judge_kernels

PACKAGES = (kernel_cache.PACKAGE, warm_up.HERE)


@pytest.fixture(autouse=True)
def base(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder where a package would have its kernels; it is not there, as in a checkout."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr(kernel_cache, "shipped_base", lambda: folder)
    monkeypatch.setattr("gateway.cli.doctor.kernels.shipped_base", lambda: folder)
    return folder


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, base: Path) -> Path:
    """Return that folder with the kernels of this program: two of them, and the marks of all parts."""
    for package in PACKAGES:
        folder = base / kernel_cache.target() / kernel_cache.folder_name(package)
        folder.mkdir(parents=True)
        (folder / "kernel.follow-1.py311.nbi").touch()
    keep(monkeypatch, base / kernel_cache.target())
    warm_up.note_ready(list(warm_up.PARTS))
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    return base


def keep(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))


def test_all_that_is_shipped_is_well_also_where_nothing_can_be_kept(
    monkeypatch: pytest.MonkeyPatch, shipped: Path
) -> None:
    keep(monkeypatch, Path("/proc/kernels"))
    finding = judge_kernels()
    assert (finding.state, finding.advice) == ("ok", "")
    assert finding.found == f"2 kernels for {kernel_cache.target()}, as shipped in {shipped / kernel_cache.target()}"


def test_what_is_missing_of_what_was_shipped_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, shipped: Path, tmp_path: Path
) -> None:
    for mark in shipped.rglob("joints-*.ready"):
        mark.unlink()
    keep(monkeypatch, tmp_path / "kept")
    finding = judge_kernels()
    assert finding.state == "warn"
    assert "without joints" in finding.found
    assert str(tmp_path / "kept") in finding.found
    assert finding.advice == "Were files of the program edited, or packages of it updated? Install the package again."
    keep(monkeypatch, Path("/proc/kernels"))
    assert "set NUMBA_CACHE_DIR" in judge_kernels().advice


def test_a_checkout_keeps_what_it_compiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keep(monkeypatch, tmp_path)
    folder = tmp_path / kernel_cache.folder_name() / "dsp.foot"
    folder.mkdir(parents=True)
    (folder / "kernel.follow-1.py311.nbi").touch()
    finding = judge_kernels()
    assert (finding.state, finding.found) == ("ok", f"1 kernels for this processor, kept in {tmp_path}")


def test_no_folder_for_compiled_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(monkeypatch, Path("/proc/kernels"))
    finding = judge_kernels()
    assert (finding.state, finding.found) == ("warn", "/proc/kernels is not writable")
    assert finding.advice.endswith(".")
    monkeypatch.setattr("gateway.cli.doctor.kernels.cache_base", lambda: None)
    assert judge_kernels().found == "this user has no home folder"
