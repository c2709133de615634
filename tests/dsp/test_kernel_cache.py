"""What is shipped compiled is loaded and only read; what it was not compiled from is compiled again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPILE_S = 300.0  # on a busy machine
NOWHERE = "/proc/kernels"  # a folder that nobody can make
INNER = """
from dsp.kernel import kernel

TIMES = 2

@kernel
def twice(value):
    total = 0.0
    for _ in range(TIMES):
        total += value
    return total
"""
OUTER = """
from dsp.inner import twice
from dsp.kernel import kernel

@kernel
def thrice(value):
    if value < 0.0:
        raise ValueError("negative")
    return twice(value) + value
"""
CALL = """
import numba.core.event as event

with event.install_recorder("numba:compile") as compiled:
    from dsp.outer import thrice
    value = thrice(2.0)
from dsp.kernel_cache import loaded, not_kept, target
print(value, target(), len(compiled.buffer), dict(sorted(loaded.items())), not_kept() or "-", sep="; ")
"""
TO_SHIP = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "PYTHONHASHSEED": "0"}
LOADED = "6.0; generic; 0; {'shipped': 1}; -"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment as the package has it: the program, and its kernels compiled for every processor."""
    home = tmp_path_factory.mktemp("package") / "0.1.0"
    venv.create(home, symlinks=True, with_pip=False)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    room = packages / "dsp"
    room.mkdir()
    for name in ("__init__", "kernel", "kernel_cache", "processor"):
        shutil.copy(ROOT / "dsp" / f"{name}.py", room)
    (room / "inner.py").write_text(INNER, "utf-8")
    (room / "outer.py").write_text(OUTER, "utf-8")
    assert run(home, **TO_SHIP, NUMBA_CACHE_DIR=str(home / "kernels" / "generic")).endswith("{'compiled': 2}; -")
    return home


@pytest.fixture
def installed(packed: Path, tmp_path: Path) -> Path:
    """Return the environment as it is installed, elsewhere, its kernels to be read only."""
    home = Path(shutil.copytree(packed, tmp_path / "0.1.0", symlinks=True))
    for path in (home / "kernels").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return home


def run(home: Path, **environment: str) -> str:
    """Call a kernel in a process of the environment; return what it says of that."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTHON"))}
    done = subprocess.run(
        [str(home / "bin" / "python"), "-P", "-c", CALL], cwd="/", capture_output=True, text=True, check=False,
        env=inherited | {"NUMBA_CACHE_DIR": NOWHERE, "PYTHONDONTWRITEBYTECODE": "1"} | environment, timeout=COMPILE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def module(home: Path, name: str) -> Path:
    return next(home.glob(f"lib/python*/site-packages/dsp/{name}.py"))


def test_nothing_is_compiled_and_nothing_written_where_everything_was_shipped(installed: Path) -> None:
    """Where nothing can be kept either: it is no error, for nothing has to be."""
    before = contents(installed / "kernels")
    assert run(installed) == LOADED
    assert contents(installed / "kernels") == before


def test_neither_the_place_nor_the_time_of_a_file_matters(installed: Path) -> None:
    """A package manager unpacks at times of its own; the environment is made elsewhere than it is installed."""
    for path in (module(installed, "inner"), module(installed, "outer")):
        os.utime(path, (1, 1))
    moved = installed.rename(installed.parent / "elsewhere")
    assert run(moved) == LOADED


@pytest.mark.parametrize(
    ("name", "was", "becomes", "value"),
    [("outer", "+ value", "+ 2.0 * value", 8.0), ("inner", "TIMES = 2", "TIMES = 5", 12.0)],
    ids=["its own source", "a constant of the file of what it calls"],
)
def test_a_changed_source_is_compiled_and_what_was_shipped_is_left_alone(
    installed: Path, name: str, was: str, becomes: str, value: float
) -> None:
    before = contents(installed / "kernels")
    source = module(installed, name)
    source.write_text(source.read_text("utf-8").replace(was, becomes), "utf-8")
    kept = str(installed.parent / "kept")
    first, second = (run(installed, NUMBA_CACHE_DIR=kept) for _ in range(2))
    number, made_for, events, counts, why = first.split("; ")
    assert (float(number), made_for, counts, why) == (value, "host", "{'compiled': 2}", "-")
    assert int(events) > 0
    assert second == f"{value}; host; 0; {{'kept': 1}}; -"
    assert contents(installed / "kernels") == before


def test_what_is_damaged_among_what_was_shipped_is_compiled_and_kept(installed: Path, tmp_path: Path) -> None:
    """For the same processors, and in the other tier: nobody writes to what a package manager looks after."""
    for code in (installed / "kernels").rglob("*.nbc"):
        code.chmod(0o644)
        code.write_bytes(code.read_bytes()[:100])
    before = contents(installed / "kernels")
    kept = str(tmp_path / "kept")
    assert run(installed, NUMBA_CACHE_DIR=kept).startswith("6.0; generic; ")
    assert run(installed, NUMBA_CACHE_DIR=kept) == "6.0; generic; 0; {'kept': 1}; -"
    assert contents(installed / "kernels") == before


def test_a_miss_that_cannot_be_kept_says_why(installed: Path) -> None:
    shutil.rmtree(installed / "kernels")
    assert run(installed).startswith("6.0; host; ")
    assert run(installed).endswith(f"{NOWHERE}/{kernels_of(installed)}/dsp")


def kernels_of(home: Path) -> str:
    """Return the name of the folder of its kernels."""
    return subprocess.run(
        [str(home / "bin" / "python"), "-P", "-c", "from dsp.kernel_cache import folder_name; print(folder_name())"],
        cwd="/", capture_output=True, text=True, check=True, timeout=COMPILE_S,
    ).stdout.strip()  # fmt: skip


def test_two_makings_are_the_same_bytes(installed: Path) -> None:
    """In other places, at other times and with other addresses in memory; the package is reproducible."""
    shipped = (installed / "kernels").rename(installed.parent / "kernels") / "generic"
    again = installed.parent / "again"
    run(installed, **TO_SHIP, NUMBA_CACHE_DIR=str(again))
    files = {path.relative_to(shipped): path.read_bytes() for path in shipped.rglob("*") if path.is_file()}
    assert len(files) == 4
    assert files == {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()}


@pytest.mark.parametrize("update", ["numba.__version__", "llvmlite.__version__"])
def test_an_update_of_what_compiles_makes_another_place(update: str) -> None:
    assert digest(f"import {update.partition('.')[0]}; {update} = '0.0'") != digest()


def digest(before: str = "") -> str:
    code = f"{before}\nfrom dsp.kernel_cache import folder_name\nprint(folder_name())"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=COMPILE_S
    ).stdout
