"""The bill of materials: valid by the schema of CycloneDX, and of what is locked, no more and no less."""

from __future__ import annotations

import json
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import get_spdx_licensing

import hatch_build
from installer import bill_of_materials
from installer.contents import ContentsError, locked_distributions
from installer.debian import PROGRAMS

SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
LOCK = (Path(__file__).parents[2] / "requirements" / "package.lock").read_text("utf-8")
OF_OTHER_MACHINES = ("win32", "darwin")


@pytest.fixture(scope="module")
def text() -> str:
    return bill_of_materials.bill(SITE_PACKAGES, programs=PROGRAMS, debian="12")


@pytest.fixture(scope="module")
def made(text: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(text)
    return read


def components(made: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the components of one kind of package by name."""
    return {one["name"]: one for one in made["components"] if one["purl"].startswith(f"pkg:{kind}/")}


def inner(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in made["components"]:
        yield from one.get("components", ())


def test_it_is_valid_by_the_schema_of_cyclonedx(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_schema_would_notice(text: str) -> None:
    spoilt = text.replace('"type": "library"', '"type": "thing"', 1)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(spoilt) is not None


def test_every_locked_package_of_this_machine_is_in_it_with_its_version_and_hashes_and_nothing_else(
    made: dict[str, Any],
) -> None:
    """Read from the lock by another way than the bill does."""
    versions: dict[str, set[str]] = {}
    for line in re.findall(r"^[a-z0-9].*", LOCK, re.MULTILINE):
        name, _, rest = line.partition("==")
        if not any(system in rest for system in OF_OTHER_MACHINES):
            versions.setdefault(name, set()).add(rest.split()[0])
    listed = components(made, "pypi")
    assert listed.keys() == versions.keys()
    assert {name for name, one in listed.items() if one["version"] not in versions[name]} == set()
    for one in listed.values():
        (files,) = one["externalReferences"]
        assert files["hashes"]
        block = LOCK.partition(f"\n{one['name']}=={one['version']} ")[2] or LOCK.partition(f"{one['name']}==")[2]
        locked = re.match(r"[^\n]*\\\n(?:\s+--hash=[^\n]*\n)*", block)
        assert locked
        assert {digest["content"] for digest in files["hashes"]} == set(re.findall(r"sha256:(\w+)", locked[0]))


def test_the_plotting_library_and_debians_programs_are_in_it(made: dict[str, Any]) -> None:
    plotting = components(made, "npm")
    assert set(plotting) == {"uplot"}
    assert f"uplot@{plotting['uplot']['version']}" == hatch_build.PACKAGE
    assert set(components(made, "deb")) == {"python3", *PROGRAMS}
    assert len(made["components"]) == sum(len(components(made, kind)) for kind in ("pypi", "npm", "deb"))


def test_every_licence_is_an_expression_of_spdx(made: dict[str, Any]) -> None:
    spdx = get_spdx_licensing()
    for one in (*made["components"], *inner(made), made["metadata"]["component"]):
        (licence,) = one["licenses"]
        assert spdx.validate(licence["expression"]).errors == [], one["name"]


def test_what_packages_carry_of_others_is_named_with_the_sum_of_its_file(made: dict[str, Any]) -> None:
    carried = {one["name"].partition("-")[0]: one for one in inner(made)}
    assert {"OpenSSL", "libusb", "libgfortran"} <= carried.keys()
    assert re.fullmatch(r"\d+\.\d+\.\d+", carried["OpenSSL"]["version"])
    assert all(len(one["hashes"][0]["content"]) == 64 for one in carried.values())


def test_the_same_commit_gives_the_same_bill_and_another_time_another_number(
    text: str, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bill_of_materials.bill(SITE_PACKAGES, programs=PROGRAMS, debian="12") == text
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    other = json.loads(bill_of_materials.bill(SITE_PACKAGES, programs=PROGRAMS, debian="12"))
    assert other["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert other["serialNumber"] != made["serialNumber"]
    assert other["components"] == made["components"]


def test_it_names_no_folder_of_the_machine_that_made_it(text: str) -> None:
    assert str(SITE_PACKAGES) not in text
    assert str(Path.home()) not in text


def test_an_environment_that_is_not_the_lock_gets_none(tmp_path: Path) -> None:
    with pytest.raises(ContentsError, match=r"aiohttp \S+ is not installed"):
        bill_of_materials.bill(tmp_path, programs=PROGRAMS, debian="12")


def test_a_package_holds_nothing_beside_the_lock() -> None:
    """The developers' environment has more, and is refused as that of a package."""
    with pytest.raises(ContentsError, match="pytest is installed and not locked"):
        bill_of_materials.bill(SITE_PACKAGES, programs=PROGRAMS, debian="12", nothing_else=True)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An environment that has what is locked and nothing else, as that of a package: links into this one."""
    made = tmp_path / "home"
    inside = made / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    inside.mkdir(parents=True)
    for one in locked_distributions(SITE_PACKAGES):
        for top in {path.parts[0] for path in one.files or () if path.parts[0] not in {"..", "__pycache__"}}:
            if not (inside / top).exists():
                (inside / top).symlink_to(SITE_PACKAGES / top)
    return made


def test_the_bill_of_a_package_lies_in_it_and_beside_it(home: Path, tmp_path: Path) -> None:
    beside = bill_of_materials.place(home, tmp_path / "tree", tmp_path / "dist", "0.1.0+deb12", PROGRAMS)
    assert re.fullmatch(r"rehab-gateway_0\.1\.0\+deb12_\w+\.sbom\.cdx\.json", beside.name)
    inside = tmp_path / "tree/usr/share/doc/rehab-gateway/sbom.cdx.json"
    assert inside.read_bytes() == beside.read_bytes()
    assert '"pkg:deb/debian/mosquitto?distro=debian-12"' in beside.read_text("utf-8")


def test_what_somebody_put_into_the_environment_beside_the_lock_keeps_the_package_from_being_made(
    home: Path, tmp_path: Path
) -> None:
    (site_packages,) = home.glob("lib/python3.*/site-packages")
    (site_packages / "stowaway-1.0.dist-info").mkdir()
    (site_packages / "stowaway-1.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: stowaway\nVersion: 1.0\n"
    )
    with pytest.raises(ContentsError, match="stowaway is installed and not locked"):
        bill_of_materials.place(home, tmp_path / "tree", tmp_path / "dist", "0.1.0+deb12", PROGRAMS)
    assert not (tmp_path / "dist").exists()


def test_a_program_whose_licence_nobody_has_read_gets_none() -> None:
    with pytest.raises(ContentsError, match="newly-needed of Debian"):
        bill_of_materials.bill(SITE_PACKAGES, programs=("newly-needed",), debian="12")
