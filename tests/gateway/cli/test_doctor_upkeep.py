"""The doctor on what keeps a gateway going: services, time service, heat and wear, backups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.settings import Backup, Fleet, Settings
from gateway.cli.doctor.upkeep import (
    UNITS,
    judge_backup,
    judge_fleet,
    judge_hardware,
    judge_services,
    judge_time_service,
)
from gateway.fleet.authority import make_authority, make_request
from gateway.fleet.joining import both
from gateway.fleet.member_folder import MEMBER
from gateway.machine.hardware import Hardware
from gateway.status.backup_state import MICRO, BackupState

NOW_S = 2_000_000_000.0
HOUR_US = 3600 * MICRO
NOW_US = int(NOW_S) * MICRO


def test_services_that_do_not_run_come_with_the_command_that_starts_them() -> None:
    assert judge_services(None) is None
    well = judge_services(dict.fromkeys(UNITS, "active"))
    assert well is not None
    assert well.state == "ok"
    still = judge_services({**dict.fromkeys(UNITS, "active"), UNITS[1]: "inactive"})
    assert still is not None
    assert (still.state, "stores what is measured" in still.found) == ("warn", True)
    assert f"systemctl enable --now {UNITS[1]}" in still.advice
    failed = judge_services({**dict.fromkeys(UNITS, "active"), UNITS[0]: "failed"})
    assert failed is not None
    assert failed.state == "fail"
    assert "journalctl" in failed.advice


def test_an_agent_that_is_root_goes_by_files_that_nobody_else_may_change(tmp_path: Path) -> None:
    own = tmp_path / "fleet"
    settings = Settings(fleet=Fleet(member_folder=own))
    assert judge_fleet(settings, "root") is None
    own.mkdir()
    (own / MEMBER).write_text("{}")
    (own / MEMBER).chmod(0o666)
    broken_off = judge_fleet(settings, "rehab-gateway")
    assert broken_off is not None
    assert (broken_off.state, "joining was broken off" in broken_off.found) == ("fail", True)
    authority = make_authority(tmp_path, "fleet")
    for part, days in (("gateway", 30.0), ("agent", -0.01), ("command", 30.0)):
        key, request = make_request("a")
        (own / f"{part}.pem").write_bytes(both(authority.sign_request(request, "a", days=days)[0], key))
    ended = judge_fleet(settings, "rehab-gateway")
    assert ended is not None
    assert (ended.state, "agent.pem has ended" in ended.found) == ("fail", True)
    (own / "agent.pem").write_text("x")
    none = judge_fleet(settings, "rehab-gateway")
    assert none is not None
    assert (none.state, "agent.pem is no certificate" in none.found) == ("fail", True)
    (own / "agent.pem").write_bytes((own / "gateway.pem").read_bytes())
    usual = judge_fleet(settings, "rehab-gateway")
    assert usual is not None
    assert (usual.state, "takes no roll-outs" in usual.found) == ("ok", True)
    open_to_all = judge_fleet(settings, "root")
    assert open_to_all is not None
    assert open_to_all.state == "fail"
    assert "fleet join --folder" in open_to_all.advice
    if os.geteuid() == 0:
        (own / MEMBER).chmod(0o600)
        well = judge_fleet(settings, "root")
        assert well is not None
        assert (well.state, "takes roll-outs" in well.found) == ("ok", True)


def test_a_time_service_is_known_by_what_it_keeps_in_run(tmp_path: Path) -> None:
    assert judge_time_service({"chrony": tmp_path}).found == "chrony runs"
    assert judge_time_service({"chrony": tmp_path / "absent"}).state == "warn"


@pytest.mark.parametrize(
    ("seen", "state", "word"),
    [
        (Hardware(), "ok", "tells nothing"),
        (Hardware(51.2, undervoltage=False, life_used_pct=20.0), "ok", "51 °C"),
        (Hardware(temperature_c=85.0), "warn", "85 °C"),
        (Hardware(undervoltage=True), "warn", "too weak"),
        (Hardware(life_used_pct=90.0), "warn", "90 %"),
        (Hardware(reserve="urgent"), "warn", "urgent"),
    ],
)
def test_heat_power_and_wear(seen: Hardware, state: str, word: str) -> None:
    finding = judge_hardware(seen)
    assert (finding.state, word in finding.found) == (state, True)
    assert bool(finding.advice) == (state != "ok")


@pytest.mark.parametrize(
    ("known", "state", "word"),
    [
        (BackupState(), "warn", "none was made yet"),
        (BackupState(NOW_US - 9 * HOUR_US, "ward-7.rgbackup", NOW_US), "ok", "9 hours"),
        (BackupState(NOW_US - 31 * HOUR_US, "ward-7.rgbackup", NOW_US), "fail", "31 hours old"),
        (BackupState(NOW_US - 480 * HOUR_US, "ward-7.rgbackup", NOW_US), "fail", "20 days old"),
        (BackupState(NOW_US, "ward-7.rgbackup", NOW_US, "No space left on device"), "fail", "No space left"),
    ],
)
def test_backups(known: BackupState, state: str, word: str) -> None:
    settings = Settings(backup=Backup(folder=Path("/mnt/backups"), key_file=Path("/key")))
    finding = judge_backup(settings, known, now_s=NOW_S)
    assert (finding.state, word in finding.found) == (state, True)
    assert judge_backup(Settings(), known).found == "none are made"
