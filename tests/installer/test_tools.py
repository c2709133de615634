"""What making a package needs of the developers' lock is enough to make one, and not all of it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from installer.contents import ROOT
from installer.tools import LOCK, tools_lock

NAME = re.compile(r"^([a-z0-9._-]+)==", re.MULTILINE)


def alone(names: list[str], folder: Path) -> None:
    """Put packages that are installed here, and no others, into a folder."""
    for found in map(distribution, names):
        for top in {Path(str(path)).parts[0] for path in found.files or ()} - {".."}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(found.locate_file(top))))


def test_nothing_else_is_needed_to_make_a_package(tmp_path: Path) -> None:
    alone(NAME.findall(tools_lock()), tmp_path)
    program = f"import sys; sys.path += {[str(tmp_path), str(ROOT)]}; import hatchling.build, installer.build"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_each_has_its_sums_and_most_of_the_lock_is_left_out() -> None:
    text = tools_lock()
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=\S)", text) if entry.strip())
    assert len(NAME.findall(text)) < len(NAME.findall(LOCK.read_text("utf-8"))) / 3
