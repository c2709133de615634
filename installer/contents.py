"""What is in an environment: its packages beside those that a lock allows, and what they carry within."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.markers import Marker, default_environment
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "package.lock"
OURS = "rehab-gateway"

_ENTRY = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>\S+)(?: ; (?P<marker>[^\\\n]+))?"
    r"(?P<rest>(?:[^\n]*\\\n)*[^\n]*)", re.MULTILINE
)  # fmt: skip
_LIBRARY = re.compile(r"^lib[^/]*\.(?:so(?:\.[\d.]+)?|a)$")
_TEXT = re.compile(r"(?:^|/)(?:licen[cs]e|copying|notice|edl|epl)[^/]*$", re.IGNORECASE)
_OPENSSL = re.compile(rb"OpenSSL (\d+\.\d+\.\d+) \d+ [A-Z][a-z]{2} \d{4}")


class ContentsError(Exception):
    """An environment is not what its lock says; says where they differ."""


@dataclass(frozen=True, slots=True)
class Locked:
    """What a lock allows under one name: a version, and the SHA-256 of each of its files (for other machines too)."""

    version: str
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """A library of others within a package.

    Attributes:
        name: Its file's name, or its own where it is linked into a module.
        path: Of the file, or of the module that it is linked into, within the environment.
        version: Where it can be told.
    """

    name: str
    path: Path
    version: str | None = None


def python_of(site_packages: Path) -> dict[str, str]:
    """Return the variables of markers for the Python that an environment is for, which may not be the one that runs."""
    variables = {key: str(value) for key, value in default_environment().items()}
    found = re.search(r"python(\d+\.\d+)", str(site_packages))
    if found and found[1] != variables["python_version"]:
        variables |= {"python_version": found[1], "python_full_version": f"{found[1]}.0"}
    return variables


def read_lock(variables: Mapping[str, str], lock: Path = LOCK) -> dict[str, Locked]:
    """Return what a lock has for one machine and Python, by name."""
    return {
        canonicalize_name(match["name"]): Locked(
            match["version"], tuple(sorted(re.findall(r"sha256:([0-9a-f]{64})", match["rest"])))
        )
        for match in _ENTRY.finditer(lock.read_text("utf-8"))
        if not match["marker"] or Marker(match["marker"]).evaluate(dict(variables))
    }


def locked_lines(lock: Path) -> dict[str, str]:
    """Return the lines of each package in a lock, by name, for any machine and Python."""
    return {canonicalize_name(match["name"]): match[0] for match in _ENTRY.finditer(lock.read_text("utf-8"))}


def installed(site_packages: Path) -> dict[str, Distribution]:
    """Return what is installed, by name."""
    return {canonicalize_name(found.metadata["Name"]): found for found in distributions(path=[str(site_packages)])}


def locked_distributions(site_packages: Path, *, nothing_else: bool = False) -> list[Distribution]:
    """Return what is installed of the lock, by name. Raises ContentsError where the two differ.

    An environment of developers has more than the lock; in that of a package there is ``nothing_else``.
    """
    lock, found = read_lock(python_of(site_packages)), installed(site_packages)
    wrong = [f"{name} {entry.version} is not installed" for name, entry in sorted(lock.items())
             if name not in found or found[name].version != entry.version]  # fmt: skip
    if nothing_else:
        wrong += [f"{name} is installed and not locked" for name in sorted(found.keys() - lock.keys() - {OURS})]
    if wrong:
        raise ContentsError(f"{site_packages} is not what {LOCK.name} says: {'; '.join(wrong)}")
    return [found[name] for name in sorted(lock)]


def licence_texts(distribution: Distribution) -> list[str]:
    """Return where the licence texts lie, from the folder that the package manager keeps for it."""
    names = (str(path).partition(".dist-info/")[2] for path in distribution.files or ())
    return sorted({name for name in names if _TEXT.search(name) and not name.startswith("sboms/")})


def own_bills(distribution: Distribution) -> list[str]:
    """Return the bills of materials that a wheel brings of its own (PEP 770), within the environment."""
    return sorted(str(path) for path in distribution.files or () if ".dist-info/sboms/" in str(path))


def carried_files(distribution: Distribution) -> list[Carried]:
    """Return the libraries of others that a package has within it, as files or known to be linked in."""
    found = []
    for path in sorted(distribution.files or (), key=str):
        if _LIBRARY.match(path.name):
            found.append(Carried(path.name, Path(str(path))))
        elif path.name.startswith("_rust.") and "cryptography" in path.parts:
            version = _OPENSSL.search(Path(str(distribution.locate_file(path))).read_bytes())
            found.append(Carried("OpenSSL", Path(str(path)), version[1].decode() if version else None))
    return found
