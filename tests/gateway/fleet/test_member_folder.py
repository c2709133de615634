"""What an agent that is root goes by is root's: joined into a folder of root's it works, in any other it refuses."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from config.loader import load
from gateway.cli.ending import USAGE
from gateway.fleet.joining import join
from gateway.fleet.member_folder import FOLDER, member_folder, trouble_of_configuration, trouble_of_folder
from gateway.machine.ownership import acting_as_owner_of
from tests.gateway.fleet.hospital import INSTALL, Hospital
from tests.open_place import SERVICE, as_root, open_place, service_folder

pytestmark = [as_root, pytest.mark.broker, pytest.mark.timeout(300)]
END_S = 30.0
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


def agent(machine: Path) -> subprocess.Popen[str]:
    """Start the agent as root, as its unit does with roll-outs.conf."""
    command = [sys.executable, "-m", "gateway", "fleet", "agent", str(machine / "etc/ward.toml")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_membership_in_the_data_folder_is_refused_as_root_until_it_is_joined_anew_into_one_of_root_s(
    hospital: Hospital, machine: Path
) -> None:
    config, data, own = machine / "etc/ward.toml", machine / "lib/data", machine / "lib/fleet"
    join(config, data, "a", hospital.code("a"), hospital.enrol_broker())
    old = member_folder(load(config))
    assert old == data / FOLDER
    assert {path.stat().st_uid for path in (old, *old.iterdir())} == {SERVICE}
    with agent(machine) as refused:
        said, _ = refused.communicate(timeout=END_S)
    assert refused.returncode == USAGE
    assert f"{data} belongs to user {SERVICE}, and not to root" in said.replace("\n", " ")

    command = [sys.executable, "-m", "gateway", "fleet", "join", str(config), "a", hospital.code("a"), "--broker",
               f"localhost:{hospital.enrol_port}", "--folder", str(own)]  # fmt: skip
    joined = subprocess.run(command, capture_output=True, text=True, check=False, timeout=END_S)
    assert joined.returncode == 0, joined.stderr
    settings = load(config)
    assert (member_folder(settings), settings.broker.cert_file) == (own, own / "gateway.pem")
    assert trouble_of_folder(own) == ""
    hospital.roll_out(hospital.bundle("99.0.0"), "99.0.0", "ward")
    with agent(machine) as works:  # it ends by itself when a new version of it is there
        assert "A new version is there" in works.communicate(timeout=WITHIN_S)[0]
    assert works.returncode == 0
    assert orjson.loads((own / "agent.json").read_bytes())["outcome"] == "committed"
    assert (machine / "lib/version").read_text() == "99.0.0"
    assert trouble_of_folder(own) == ""
    assert {path.stat().st_gid for path in (own, own / "gateway.pem", own / "agent.json")} == {SERVICE}


def test_run_s_user_reads_its_own_certificates_and_not_the_agent_s(hospital: Hospital, machine: Path) -> None:
    own = machine / "lib/fleet"
    join(machine / "etc/ward.toml", machine / "lib/data", "a", hospital.code("a"), hospital.enrol_broker(), folder=own)
    assert stat.S_IMODE(own.stat().st_mode) == 0o750
    for name, may in {"gateway": True, "command": True, "ca": True, "agent": False}.items():
        with acting_as_owner_of(machine / "lib/data"):
            assert os.access(own / f"{name}.pem", os.R_OK, effective_ids=True) is may
            assert not os.access(own / f"{name}.pem", os.W_OK, effective_ids=True)
            assert not os.access(own, os.W_OK, effective_ids=True)


def test_a_link_in_the_data_folder_has_nobody_join_elsewhere(hospital: Hospital, machine: Path) -> None:
    (machine / "foreign").mkdir()
    with acting_as_owner_of(machine / "lib/data"):
        (machine / "lib/data" / FOLDER).symlink_to(machine / "foreign")
    with pytest.raises(PermissionError):
        join(machine / "etc/ward.toml", machine / "lib/data", "a", hospital.code("a"), hospital.enrol_broker())
    assert [*(machine / "foreign").iterdir()] == []


def test_one_file_of_somebody_else_s_is_enough(machine: Path) -> None:
    own = machine / "lib/fleet"
    (own / "bundles").mkdir(parents=True)
    for name in ("member.json", "bundles/x.bundle"):
        (own / name).write_text("{}")
        assert trouble_of_folder(own) == ""
        os.chown(own / name, SERVICE, SERVICE)
        assert f"{own / name} belongs to user {SERVICE}" in trouble_of_folder(own)
        assert "fleet join --folder" in trouble_of_folder(own)
        os.chown(own / name, 0, 0)


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
