"""Debian's own packages for a computer without a network: all that is needed beside ours, whatever it has already.

Debian's package manager itself chooses and fetches them, in a folder of its own, as for a computer on which nothing is
installed yet; also for another Debian or another processor than those of this machine. It checks Debian's signatures.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from gateway.machine.file_sum import sum_of_file

SUITES = {"12": "bookworm", "13": "trixie"}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
INDEX = "Packages"
FETCH_S = 3600.0
"""For a slow line: about 100 MB."""


class PackagesError(Exception):
    """A package cannot be had; the message says which, in the package manager's words."""


def debian_sources(release: str) -> list[str]:
    """Return where this machine's own packages come from, for a release; raises PackagesError where it is no Debian."""
    suite = SUITES[release]
    command = ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages", "Origin: Debian"]
    found = dict(line.split(" ", 1) for line in _run(command).splitlines() if " " in line)
    if "Debian" not in found:
        raise PackagesError("this machine has no mirror of Debian's packages: name one with --sources FILE")
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    lines = [f"deb {signed}{found['Debian']} {suite} main"]
    if "Debian-Security" in found:
        lines.append(f"deb {signed}{found['Debian-Security']} {suite}-security main")
    return lines


def fetch_packages(names: Iterable[str], architecture: str, sources: list[str], out: Path, work: Path) -> list[Path]:
    """Fetch some packages with all that they depend on; return their files in ``out``. Raises PackagesError."""
    shutil.rmtree(work, ignore_errors=True)
    for folder in ("lists/partial", "cache/archives/partial", "parts", "keys"):
        (work / folder).mkdir(parents=True)
    copied = [line.replace(" file:", " copy:") for line in sources]  # else what lies on this machine is not brought
    (work / "sources.list").write_text("".join(f"{line}\n" for line in copied), "utf-8")
    (work / "status").touch()  # nothing is installed: so nothing is left out that a bare computer lacks
    (work / "apt.conf").write_text(
        f'APT::Architecture "{architecture}";\nAPT::Architectures {{ "{architecture}"; }};\n'
        'APT::Install-Recommends "false";\nAPT::Sandbox::User "root";\nDebug::NoLocking "true";\n'
        'Acquire::Languages "none";\nAcquire::Retries "3";\n'
        f'Dir::State "{work}";\nDir::State::Lists "{work}/lists";\nDir::State::status "{work}/status";\n'
        f'Dir::Cache "{work}/cache";\nDir::Etc::SourceList "{work}/sources.list";\n'
        f'Dir::Etc::SourceParts "{work}/parts";\nDir::Etc::Parts "{work}/parts";\n',
        "utf-8",
    )
    _run(["apt-get", "-q", "update", "--error-on=any"], APT_CONFIG=str(work / "apt.conf"))
    _run(["apt-get", "-q", "install", "--download-only", "-y", *names], APT_CONFIG=str(work / "apt.conf"))
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for path in sorted((work / "cache/archives").glob("*.deb")):
        files.append(out / path.name.replace("%3a", "_"))  # an epoch: a stick's file system takes no colon
        shutil.copyfile(path, files[-1])
    shutil.rmtree(work)
    return files


def write_index(folder: Path, files: Iterable[Path]) -> None:
    """Write what makes a folder a source of packages: what each says of itself, where it lies, and its sum."""
    stanzas = []
    for path in files:
        said = _run(["dpkg-deb", "--field", str(path)]).strip()
        where = path.relative_to(folder)
        stanzas.append(f"{said}\nFilename: ./{where}\nSize: {path.stat().st_size}\nSHA256: {sum_of_file(path)}\n")
    (folder / INDEX).write_text("\n".join(stanzas), "utf-8")


def field(package: Path, name: str) -> str:
    """Return what a package says of itself; raises PackagesError."""
    return _run(["dpkg-deb", "--field", str(package), name]).strip()


def needs(package: Path) -> list[str]:
    """Return the names that a package depends on."""
    asked = [one.split("(")[0].split("|")[0].strip() for one in field(package, "Depends").split(",")]
    return sorted({name for name in asked if name})


def _run(command: list[str], **environment: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=FETCH_S, env=os.environ | environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackagesError(f"{command[0]}: {error}") from error
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:", "dpkg"))] or [done.stderr]
        more = [line.strip() for line in done.stdout.splitlines() if "Depends:" in line]
        raise PackagesError(
            " ".join([*more, *words]).strip() or f"{' '.join(command[:3])} ended with {done.returncode}"
        )
    return done.stdout
