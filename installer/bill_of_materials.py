"""The bill of materials of the package (CycloneDX 1.6, JSON): what is in it, from where, under which licence.

``build.py`` has it made from the environment that goes into the package, and puts it into the package and beside it;
``python -m installer.bill_of_materials`` (``make sbom``) makes it from what is installed here of the package's lock.
What is installed and what is locked have to be the same, or there is no bill.

The same commit gives the same bill, byte by byte: its time is that of the commit, its serial number follows from what
it says.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import sysconfig
import tomllib
import uuid
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import Distribution
from pathlib import Path

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

import hatch_build
from gateway.machine.file_sum import sum_of_file
from installer import licences
from installer.contents import (
    OURS,
    ROOT,
    Carried,
    ContentsError,
    Locked,
    carried_files,
    locked_distributions,
    own_bills,
    python_of,
    read_lock,
)
from installer.debian import PROGRAMS, DebianError, release

NAME_IN_PACKAGE = "sbom.cdx.json"
SERIAL_SPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "rehab-gateway.sbom")
ANY_OF_THESE = "the files that the lock allows, for each machine and Python; one of them is installed"


def bill(site_packages: Path, *, programs: Sequence[str], debian: str, nothing_else: bool = False) -> str:
    """Return the bill of an environment as JSON.

    Args:
        site_packages: Where its packages are.
        programs: Debian's packages that the package depends on, beside python3.
        debian: The release of Debian that they come from, such as ``12``; their versions are those of the machine.
        nothing_else: Whether the environment may hold no more than the lock, as that of the package.

    Raises:
        ContentsError: The environment is not what the lock says, or something in it has no licence that fits.
    """
    found = locked_distributions(site_packages, nothing_else=nothing_else)
    if wrong := licences.complaints(found, tuple(programs)):
        raise ContentsError("; ".join(wrong))
    variables = python_of(site_packages)
    lock = read_lock(variables)
    packages = {canonicalize_name(one.metadata["Name"]): _package(one, site_packages, lock) for one in found}
    inside, outside = [*packages.values(), _plotting_library(site_packages)], _of_debian(programs, debian)
    made = Bom(components=[*inside, *outside])
    made.metadata.component = product = _product()
    made.metadata.timestamp = commit_time()
    for one in found:
        made.register_dependency(
            packages[canonicalize_name(one.metadata["Name"])],
            [packages[name] for name in _needs(one, variables) if name in packages],
        )
    made.register_dependency(product, [*inside, *outside])
    made.serial_number = uuid.UUID(int=0)
    made.serial_number = uuid.uuid5(SERIAL_SPACE, hashlib.sha256(_json(made).encode()).hexdigest())
    return _json(made)


def place(home: Path, tree: Path, out: Path, number: str, programs: Sequence[str]) -> Path:
    """Make the bill of a package that is being built, put it into its documents and beside it; return the latter.

    Args:
        home: The environment that goes into the package.
        tree: The package's files.
        out: Where the package comes to lie.
        number: Its version for Debian, such as ``0.1.0+deb12``.
        programs: See `bill`.
    """
    (site_packages,) = home.glob("lib/python3.*/site-packages")
    text = bill(site_packages, programs=programs, debian=number.rpartition("+deb")[2], nothing_else=True)
    inside = tree / "usr/share/doc" / OURS / NAME_IN_PACKAGE
    beside = out / f"{OURS}_{number}_{_run('dpkg', '--print-architecture')}.{NAME_IN_PACKAGE}"
    for path in (inside, beside):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return beside


def commit_time() -> datetime:
    """Return when the commit was made that is checked out (``SOURCE_DATE_EPOCH`` where a builder has set it)."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or _run("git", "log", "-1", "--format=%ct")
    return datetime.fromtimestamp(int(seconds), UTC)


def _package(distribution: Distribution, site_packages: Path, lock: dict[str, Locked]) -> Component:
    """Return a package of the lock as a component, with what it carries of others."""
    name, version = canonicalize_name(distribution.metadata["Name"]), distribution.version
    purl = PackageURL("pypi", name=name, version=version)
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in lock[name].hashes]
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION, url=XsUri(str(purl)), hashes=hashes, comment=ANY_OF_THESE
    )
    return Component(
        name=name,
        version=version,
        bom_ref=str(purl),
        purl=purl,
        scope=ComponentScope.REQUIRED,
        licenses=[LicenseExpression(str(licences.licence_of(distribution)))],
        external_references=[files],
        properties=[Property(name=f"{OURS}:bill-in-wheel", value=path) for path in own_bills(distribution)],
        components=[_carried(name, one, site_packages) for one in carried_files(distribution)],
    )


def _carried(package: str, carried: Carried, site_packages: Path) -> Component:
    digest = sum_of_file(site_packages / carried.path)
    return Component(
        name=carried.name,
        version=carried.version,
        bom_ref=f"{package}/{carried.name}",
        type=ComponentType.LIBRARY,
        licenses=[LicenseExpression(str(licences.licence_of_carried(package, carried.name)))],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        properties=[Property(name=f"{OURS}:file", value=str(carried.path))],
    )


def _plotting_library(site_packages: Path) -> Component:
    """Return uPlot, which comes from npm at build time. Raises ContentsError where it is not the one of the hook."""
    inside = site_packages / "gateway" / "dashboard" / "static" / "vendor"
    if not hatch_build.is_intact(inside if inside.exists() else hatch_build.vendor_folder(str(ROOT))):
        raise ContentsError("uPlot is not there, or not the one that hatch_build.py names: run 'make setup'")
    name, _, version = hatch_build.PACKAGE.partition("@")
    purl = PackageURL("npm", name=name, version=version)
    published = HashType(alg=HashAlgorithm.SHA_512, content=b64decode(hatch_build.INTEGRITY).hex())
    return Component(
        name=name,
        version=version,
        bom_ref=str(purl),
        purl=purl,
        scope=ComponentScope.REQUIRED,
        licenses=[LicenseExpression("MIT")],
        hashes=[published],
    )


def _of_debian(programs: Sequence[str], debian: str) -> list[Component]:
    """Return the programs that the package depends on; the machine says which version (``dpkg -l``)."""
    found = []
    for name in sorted({"python3", *programs}):
        purl = PackageURL("deb", "debian", name, qualifiers={"distro": f"debian-{debian}"})
        found.append(
            Component(
                name=name,
                bom_ref=str(purl),
                purl=purl,
                type=ComponentType.APPLICATION,
                scope=ComponentScope.REQUIRED,
                licenses=[LicenseExpression(licences.DEBIAN[name])],
                description="Not in the package, which depends on it: installed and kept up to date by Debian.",
            )
        )
    return found


def _product() -> Component:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    purl = PackageURL("generic", name=OURS, version=project["version"])
    return Component(
        name=OURS,
        version=project["version"],
        bom_ref=str(purl),
        purl=purl,
        type=ComponentType.APPLICATION,
        licenses=[LicenseExpression(project["license"])],
        description=project["description"],
    )


def _needs(distribution: Distribution, variables: dict[str, str]) -> list[NormalizedName]:
    """Return the names of the packages that a package asks for on this machine, without extras."""
    asked, here = map(Requirement, distribution.requires or ()), {**variables, "extra": ""}
    return sorted({canonicalize_name(one.name) for one in asked if not one.marker or one.marker.evaluate(here)})


def _json(made: Bom) -> str:
    return JsonV1Dot6(made).output_as_string(indent=2) + "\n"


def _run(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def main() -> int:
    """Write the bill of what is installed here of the package's lock; 1 with a sentence where there is none."""
    parser = argparse.ArgumentParser(prog="make sbom", description=__doc__.partition("\n")[0])
    parser.add_argument("--environment", type=Path, default=Path(sysconfig.get_path("purelib")),
                        help="an environment's folder of packages (site-packages); default: this one's")  # fmt: skip
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / NAME_IN_PACKAGE, help="the file that is written")
    options = parser.parse_args()
    try:
        text = bill(options.environment, programs=PROGRAMS, debian=release())
    except (ContentsError, DebianError) as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, "utf-8")
    print(f"sbom: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
