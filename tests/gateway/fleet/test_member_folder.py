"""What an agent that is root goes by is root's: joined into a folder of root's it works, in any other it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from config.loader import load
from config.settings import Fleet, Settings, Site
from gateway.cli.ending import USAGE
from gateway.cli.fleet_member import run_agent
from gateway.fleet.member_folder import FOLDER, member_folder, trouble_of_configuration, trouble_of_folder
from gateway.machine.ownership import acting_as_owner_of
from gateway.model.usage import UsageError
from tests.gateway.fleet.hospital import INSTALL, Hospital
from tests.open_place import SERVICE, as_root, open_place, service_folder

pytestmark = [as_root, pytest.mark.broker, pytest.mark.timeout(300)]
WITHIN_S = 120.0


@pytest.fixture
def machine() -> Iterator[Path]:
    """A gateway as the package lays it out: ``etc`` is root's, ``lib/data`` the gateway's user's."""
    with open_place() as place:
        (place / "etc").mkdir()
        (place / "lib").mkdir()
        data = service_folder(place / "lib/data")
        (place / "install.py").write_text(INSTALL)
        upgrade = orjson.dumps([sys.executable, str(place / "install.py"), str(place / "lib")]).decode()
        (place / "etc/ward.toml").write_text(
            f'[site]\ndata = "{data}"\n[fleet]\nupgrade_command = {upgrade}\n', "utf-8"
        )
        yield place


def join(machine: Path, hospital: Hospital, *more: object) -> subprocess.CompletedProcess[str]:
    """Join as root by a process of its own: it becomes the service's user meanwhile, with all of its threads."""
    command = ["fleet", "join", machine / "etc/ward.toml", "a", hospital.code("a"), "--broker",
               f"localhost:{hospital.enrol_port}", *more]  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "gateway", *map(str, command)], capture_output=True, text=True, check=False,
        timeout=WITHIN_S,
    )  # fmt: skip


def agent(machine: Path) -> subprocess.CompletedProcess[str]:
    """Run the agent as root, as its unit does with roll-outs.conf, until it ends."""
    command = [sys.executable, "-m", "gateway", "fleet", "agent", str(machine / "etc/ward.toml")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN_S)


def may(path: Path, what: str) -> bool:
    """Whether the service may read (r) or write (w) something."""
    command = ["sh", "-c", f'test -{what} "$0"', str(path)]
    return not subprocess.run(command, check=False, user=SERVICE, group=SERVICE, extra_groups=[]).returncode


def test_a_membership_in_the_data_folder_is_refused_as_root_until_it_is_joined_anew_into_one_of_root_s(
    hospital: Hospital, machine: Path
) -> None:
    config, data, own = machine / "etc/ward.toml", machine / "lib/data", machine / "lib/fleet"
    joined = join(machine, hospital)
    assert joined.returncode == 0, joined.stderr
    old = member_folder(load(config))
    assert old == data / FOLDER
    assert {path.stat().st_uid for path in (old, *old.iterdir())} == {SERVICE}
    refused = agent(machine)
    assert refused.returncode == USAGE
    assert "lies in the data folder, in which the gateway's user writes" in refused.stderr.replace("\n", " ")

    joined = join(machine, hospital, "--folder", own)
    assert joined.returncode == 0, joined.stderr
    settings = load(config)
    assert (member_folder(settings), settings.broker.cert_file) == (own, own / "gateway.pem")
    assert trouble_of_folder(settings) == ""
    hospital.roll_out(hospital.bundle("99.0.0"), "99.0.0", "ward")
    works = agent(machine)  # it ends by itself when a new version of it is there
    assert (works.returncode, "A new version is there" in works.stdout) == (0, True), works.stderr
    assert orjson.loads((own / "agent.json").read_bytes())["outcome"] == "committed"
    assert (machine / "lib/version").read_text() == "99.0.0"
    assert trouble_of_folder(settings) == ""
    assert {path.stat().st_uid for path in (own, *own.rglob("*"))} == {0}


def test_run_s_user_reads_its_own_certificates_and_not_the_agent_s(hospital: Hospital, machine: Path) -> None:
    own = machine / "lib/fleet"
    assert join(machine, hospital, "--folder", own).returncode == 0
    names = ("gateway.pem", "command.pem", "ca.pem", "agent.pem", "member.json")
    assert [may(own / name, "r") for name in names] == [True, True, True, False, False]
    assert not any(may(path, "w") for path in (own, *own.iterdir()))


def test_an_agent_that_is_not_root_says_where_it_has_to_join_for_that(machine: Path) -> None:
    own, data = machine / "lib/fleet", machine / "lib/data"
    own.mkdir()
    (own / "member.json").write_text("{}")
    (own / "member.json").chmod(0o600)
    settings = Settings(site=Site(data=data), fleet=Fleet(member_folder=own))
    with acting_as_owner_of(data), pytest.raises(UsageError, match=f"join once more with '--folder {data / FOLDER}'"):
        run_agent(machine / "etc/ward.toml", settings)


def test_a_link_in_the_data_folder_has_nobody_join_elsewhere(hospital: Hospital, machine: Path) -> None:
    (machine / "foreign").mkdir()
    (machine / "lib/data" / FOLDER).symlink_to(machine / "foreign")
    done = join(machine, hospital)
    assert (done.returncode, "cannot be written (Permission denied)" in done.stderr) == (USAGE, True), done.stderr
    assert [*(machine / "foreign").iterdir()] == []


def test_one_file_of_somebody_else_s_is_enough(machine: Path) -> None:
    own = machine / "lib/fleet"
    settings = Settings(site=Site(data=machine / "lib/data"), fleet=Fleet(member_folder=own))
    (own / "bundles").mkdir(parents=True)
    for name in ("member.json", "bundles/x.bundle"):
        (own / name).write_text("{}")
        assert trouble_of_folder(settings) == ""
        os.chown(own / name, SERVICE, SERVICE)
        assert f"{own / name} belongs to user {SERVICE}" in trouble_of_folder(settings)
        assert "fleet join --folder" in trouble_of_folder(settings)
        os.chown(own / name, 0, 0)


def test_the_data_folder_is_no_place_for_it_though_it_were_root_s_at_present(machine: Path) -> None:
    data = machine / "lib/data"
    os.chown(data, 0, 0)
    (data / FOLDER).mkdir()
    assert "lies in the data folder" in trouble_of_folder(Settings(site=Site(data=data)))
    (machine / "lib/way").symlink_to(data)
    through = Fleet(member_folder=machine / "lib/way" / FOLDER)
    assert "lies in the data folder" in trouble_of_folder(Settings(site=Site(data=data), fleet=through))


def test_so_is_a_part_of_the_configuration_which_says_what_is_run(machine: Path) -> None:
    config = machine / "etc/ward.toml"
    assert trouble_of_configuration(config) == ""
    parts = machine / "etc/ward.toml.d"
    parts.mkdir()
    (parts / "10-joined.toml").write_text("")
    (parts / "10-joined.toml").chmod(0o664)
    assert f"{parts / '10-joined.toml'} may be written by its group" in trouble_of_configuration(config)
    (parts / "10-joined.toml").unlink()
    os.chown(machine / "etc", SERVICE, 0)
    assert f"{machine / 'etc'} belongs to user {SERVICE}" in trouble_of_configuration(config)
