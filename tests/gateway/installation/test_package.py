"""A package comes from a stick: what is read, and what is said, where that is pulled out in the middle."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.installation.errors import RefusedError
from gateway.installation.package import PAUSES_S, bring
from tests.servers import missing

BRING = """
import pathlib, sys
from gateway.installation.package import bring
bring(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), print, lambda seconds: print("paused", seconds))
"""


def test_one_that_answers_with_errors_in_the_middle_is_read_on(tmp_path: Path) -> None:
    """The kernel's own errors: the second to fourth read of the stick's file fail, as on a loose contact."""
    if shutil.which("strace") is None:
        missing("strace")
    package, mine = tmp_path / "a.deb", tmp_path / "mine"
    package.write_bytes(bytes(range(256)) * (3 << 12))
    command: list[str | Path] = [
               "strace", "-f", "-o", "/dev/null", "-P", package, "-e", "trace=read,copy_file_range,sendfile",
               "-e", "inject=read,copy_file_range,sendfile:error=EIO:when=3..4",
               sys.executable, "-c", BRING, package, mine]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert mine.read_bytes() == package.read_bytes()
    lines = done.stdout.splitlines()
    assert "was cut off after" in lines[0]
    assert lines[0].endswith("(Input/output error): plug it in, or mount it; read on in 5 s")
    assert lines[1] == "paused 5.0"


def test_one_that_stays_away_is_refused_with_how_far_it_came(tmp_path: Path) -> None:
    package, said = tmp_path / "a.deb", list[str]()
    with package.open("wb") as file:
        file.truncate(5 << 20)

    def say(words: str) -> None:
        said.append(words)
        package.unlink(missing_ok=True)

    class Shrinking(type(package)):  # type: ignore[misc] # whose size was told before it was cut off
        def stat(self, **_: bool) -> object:
            found = super().stat()
            with package.open("r+b") as file:
                file.truncate(3 << 20)
            return found

    with pytest.raises(RefusedError, match=r"cut off after 3 of 5 MB \(No such file.*: see to the stick or the share"):
        bring(Shrinking(package), tmp_path / "mine", say, lambda _seconds: None)
    assert len(said) == len(PAUSES_S)
