"""What is put into the package is the same bytes, whenever and wherever it is put together."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from installer.build import compile_sources, control

FLAGS = slice(4, 8)
BY_CONTENTS_UNCHECKED = (1).to_bytes(4, "little")
"""PEP 552: a hash of the source, and nobody looks at the source again."""


def laid_out(tree: Path, time: int, *, loaded: bool) -> Path:
    """Make an environment with a module in it, which something may have loaded before all are compiled."""
    home = tree / "opt" / "rehab-gateway" / "0.1.0"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").symlink_to(sys.executable)
    module = home / "lib" / "attr.py"
    module.parent.mkdir()
    module.write_text("def path() -> str:\n    return path.__code__.co_filename\n", "utf-8")
    os.utime(module, (time, time))
    if loaded:
        without = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        subprocess.run([sys.executable, "-c", "import attr"], env=without, cwd=module.parent, check=True)
        assert list(home.rglob("*.pyc"))
    return home


def test_modules_are_compiled_alike_whatever_was_loaded_before(tmp_path: Path) -> None:
    made = []
    for name, time, loaded in (("first", 1_700_000_000, True), ("second", 1_800_000_000, True), ("third", 1, False)):
        tree = tmp_path / name
        compile_sources(laid_out(tree, time, loaded=loaded), tree)
        (compiled,) = tree.rglob("*.pyc")
        made.append(compiled.read_bytes())
        assert made[-1][FLAGS] == BY_CONTENTS_UNCHECKED
        assert str(tmp_path).encode() not in made[-1]
    assert made[0] == made[1] == made[2]


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs Debian's dpkg")
def test_what_was_in_a_folder_before_is_not_in_the_size_of_the_package(tmp_path: Path) -> None:
    made = []
    for name, before in (("first", 0), ("second", 2_000)):
        folder = tmp_path / name / "lib"
        folder.mkdir(parents=True)
        passing = [folder / f"{number:0200d}" for number in range(before)]
        for file in passing:
            file.touch()
        for file in passing:
            file.unlink()
        (folder / "module.py").write_bytes(bytes(5_000))
        control(tmp_path / name, "0.1.0+deb12")
        made.append((tmp_path / name / "DEBIAN" / "control").read_text("utf-8"))
    assert made[0] == made[1]
    assert "Installed-Size: 4\n" in made[0]
