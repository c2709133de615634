"""The deployment files of a fleet fit the programs that they start."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from config.loader import load
from gateway.cli.ending import USAGE
from gateway.cli.main import known_drivers
from gateway.fleet.member_folder import ROOTS_FOLDER
from tests.config.test_deploy import Unit

FLEET = Path(__file__).parents[2] / "config/deploy/fleet"
UNITS = ("desk", "agent")


@pytest.mark.parametrize("name", sorted(str(path.relative_to(FLEET)) for path in FLEET.rglob("*.toml")))
def test_every_configuration_is_one(name: str) -> None:
    load(FLEET / name, known_drivers())


def test_every_file_is_named_in_the_readme() -> None:
    readme = (FLEET / "README.md").read_text("utf-8")
    names = {path.relative_to(FLEET).parts[0] for path in FLEET.rglob("*") if path.is_file()} - {"README.md"}
    assert [name for name in names if f"`{name}" not in readme] == []


@pytest.mark.parametrize("name", UNITS)
def test_the_services_start_what_exists_and_systemd_takes_them(name: str, tmp_path: Path) -> None:
    text = (FLEET / f"rehab-gateway-fleet-{name}.service").read_text("utf-8")
    unit = Unit(strict=False)
    unit.read_string(text)
    assert unit["Service"]["ExecStart"].split()[1:3] == ["fleet", name]
    assert unit["Service"]["RestartPreventExitStatus"] == str(USAGE)
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze: apt install systemd")
    file = tmp_path / f"rehab-gateway-fleet-{name}.service"
    file.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text), "utf-8")
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(file)], capture_output=True, text=True, check=False,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert "rehab-gateway-fleet" not in done.stderr, done.stderr


def test_who_takes_roll_outs_is_root_and_has_nothing_of_the_gateway_s_user() -> None:
    text = (FLEET / "roll-outs.conf").read_text("utf-8")
    unit = Unit(strict=False)
    unit.read([FLEET / "rehab-gateway-fleet-agent.service", FLEET / "roll-outs.conf"], "utf-8")
    assert unit["Service"]["User"] == "root"
    assert "StateDirectory" not in unit["Service"]  # with User=root systemd would give the data folder to root
    named = re.findall(r"--folder (\S+)", text)
    assert named == [ROOTS_FOLDER]
    assert Path("/var/lib/rehab-gateway") not in Path(ROOTS_FOLDER).parents
    page = (FLEET.parents[2] / "docs/fleet.md").read_text("utf-8")
    assert set(re.findall(r"--folder (\S+)", page)) == {ROOTS_FOLDER}


def test_the_group_of_the_compose_file_is_what_its_configurations_say() -> None:
    compose = (FLEET / "compose.yaml").read_text("utf-8")
    named = set(re.findall(r"/etc/rehab-gateway/([a-z0-9-]+\.toml)", compose))
    assert named == {path.name for path in (FLEET / "etc").glob("*.toml")}
    settings = [load(FLEET / "etc" / f"historian-{n}.toml").historian for n in (1, 2)]
    assert [one.id for one in settings] == ["h-1", "h-2"]
    assert {one.share for one in settings} == {"fleet"}
