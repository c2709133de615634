"""The doctor's look at what keeps a gateway going for years: services, time, the computer itself, backups."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from config.settings import Settings
from gateway.broker.certificates import days_left
from gateway.cli.doctor.finding import Finding, worst
from gateway.fleet.member_folder import MEMBER, member_folder, trouble_of_folder
from gateway.machine.hardware import Hardware
from gateway.status.backup_rules import HOURS_A_DAY
from gateway.status.backup_state import HOUR_S, MICRO, BackupState
from gateway.status.machine_rules import HOT_RAISED_C, LIFE_RAISED_PCT

SYSTEMD = Path("/run/systemd/system")
UNITS = ("rehab-gateway@run", "rehab-gateway@historian", "rehab-gateway@dashboard")
AGENT = "rehab-gateway-fleet-agent"
PARTS = {"run": "reads the devices", "historian": "stores what is measured", "dashboard": "shows the pages"}
TIME_SERVICES = {"chrony": Path("/run/chrony"), "systemd-timesyncd": Path("/run/systemd/timesync")}
ANSWER_S = 10.0
GOOD = frozenset({"active", "activating", "reloading"})


def states_of_services() -> Mapping[str, str] | None:
    """Return what systemd says of each of our services; None where it does not run, or is not asked."""
    program = shutil.which("systemctl")
    if program is None or not SYSTEMD.is_dir():
        return None
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [program, "is-active", *UNITS], capture_output=True, text=True, check=False, timeout=ANSWER_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    answers = done.stdout.split()
    return dict(zip(UNITS, answers, strict=True)) if len(answers) == len(UNITS) else None


def judge_services(states: Mapping[str, str] | None) -> Finding | None:
    """Each service runs; None where nobody knows, as in a container."""
    if states is None:
        return None
    still = [unit for unit, state in states.items() if state not in GOOD]
    if not still:
        return Finding("services", "ok", "all three run: " + ", ".join(PARTS.values()))
    what = ", ".join(f"{unit} ({PARTS[unit.partition('@')[2]]}) {_state(states[unit])}" for unit in still)
    if any(states[unit] == "failed" for unit in still):
        advice = f"See why: sudo journalctl -n 20 -u {still[0]}  - then: sudo systemctl restart {' '.join(still)}"
        return Finding("services", "fail", what, advice)
    return Finding("services", "warn", what, f"Start them now and at each start: sudo systemctl enable --now "
                   f"{' '.join(still)}")  # fmt: skip


def _state(state: str) -> str:
    return "has failed" if state == "failed" else "does not run"


def user_of_agent() -> str:
    """Return whom systemd has the fleet's agent be; empty where nobody knows."""
    program = shutil.which("systemctl")
    if program is None or not SYSTEMD.is_dir():
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            [program, "show", "--property=User", "--value", AGENT], capture_output=True, text=True, check=False,
            timeout=ANSWER_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def judge_fleet(settings: Settings, user: str) -> Finding | None:
    """Its certificates hold, and an agent that is root goes by files that nobody else may change.

    Returns:
        None where this gateway is in no fleet.
    """
    folder = member_folder(settings)
    if not os.access(folder / MEMBER, os.F_OK):
        return None
    if trouble := _trouble_of_certificates(folder):
        advice = (
            "Have this gateway join once more: 'fleet invite' at the desk, then 'sudo rehab-gateway fleet join' here."
        )
        return Finding("fleet", "fail", trouble, advice)
    if user != "root":
        return Finding("fleet", "ok", f"in a fleet, by {folder}; its agent takes no roll-outs")
    if trouble := trouble_of_folder(settings):
        why, _, advice = trouble.partition(". ")
        return Finding("fleet", "fail", why, advice)
    return Finding("fleet", "ok", f"in a fleet, by {folder}; its agent takes roll-outs")


def _trouble_of_certificates(folder: Path) -> str:
    """Return what is wrong with what a gateway has of its fleet, as far as this user may read it."""
    from gateway.fleet.authority import OF_OLD  # 8 MB of memory, which a gateway in no fleet does without
    from gateway.fleet.authority import PARTS as OF_GATEWAY

    for part in OF_GATEWAY:
        path = folder / f"{part}.pem"
        try:
            if days_left(path) < 0:
                return f"{path} has ended: its agent was away for longer than it holds, or the clock is wrong"
        except PermissionError:
            continue  # the agent's is its own
        except FileNotFoundError:
            if part in OF_OLD:
                return f"{path} is not there: joining was broken off"
        except (OSError, ValueError):
            return f"{path} is no certificate, or cannot be read"
    return ""


def judge_time_service(places: Mapping[str, Path] = TIME_SERVICES) -> Finding:
    """A program is there that keeps the clock right."""
    found = [name for name, place in places.items() if place.exists()]
    if found:
        return Finding("time service", "ok", f"{found[0]} runs")
    advice = "Install one: sudo apt install chrony. Which time servers it asks, 'rehab-gateway setup' writes."
    return Finding("time service", "warn", "no program keeps this computer's clock right", advice)


def judge_hardware(seen: Hardware) -> Finding:
    """Neither too hot, nor weakly powered, nor with a disk at its end; as far as the computer tells."""
    found = []
    if seen.temperature_c is not None:
        hot = seen.temperature_c > HOT_RAISED_C
        advice = "Uncover it, clean its fan, take it away from the radiator." if hot else ""
        found.append(Finding("hardware", "warn" if hot else "ok", f"processor at {seen.temperature_c:.0f} °C", advice))
    if seen.undervoltage is not None:
        advice = "Use the computer's own power supply and cable."
        found.append(Finding("hardware", "warn", "the power supply is too weak", advice) if seen.undervoltage
                     else Finding("hardware", "ok", "power supply good"))  # fmt: skip
    if seen.life_used_pct is not None or seen.reserve:
        worn = seen.reserve in {"warning", "urgent"} or (seen.life_used_pct or 0.0) >= LIFE_RAISED_PCT
        used = f"disk has used {seen.life_used_pct:.0f} % of its life" if seen.life_used_pct is not None else (
            f"disk's spare room: {seen.reserve}")  # fmt: skip
        advice = "Make a backup now (sudo rehab-gateway backup CONFIG), and have the disk changed this week."
        found.append(Finding("hardware", "warn" if worn else "ok", used, advice if worn else ""))
    well = ", ".join(finding.found for finding in found) or "this computer tells nothing of heat, power and wear"
    return worst("hardware", found, well)


def judge_backup(settings: Settings, state: BackupState, *, now_s: float | None = None) -> Finding:
    """There is a backup that is not too old, and the last try went well."""
    backup = settings.backup
    again = "Try it now, and read what it says: sudo rehab-gateway backup CONFIG"
    if backup.folder is None:
        advice = "Say where backups go: backup.folder and backup.key_file in the configuration, or 'setup --replace'."
        return Finding("backup", "warn", "none are made", advice)
    if state.error:
        return Finding("backup", "fail", f"the last one failed: {state.error}", again)
    if not state.made_us:
        return Finding("backup", "warn", f"none was made yet into {backup.folder}", again)
    age_h = ((time.time() if now_s is None else now_s) - state.made_us / MICRO) / HOUR_S
    if age_h > backup.most_hours:
        return Finding("backup", "fail", f"the newest is {in_words(age_h)} old", again)
    return Finding("backup", "ok", f"{state.file}, {in_words(age_h)} old, was read again and is whole")


def in_words(hours: float) -> str:
    """Return an age as people say it."""
    return f"{hours / HOURS_A_DAY:.0f} days" if hours >= 2 * HOURS_A_DAY else f"{hours:.0f} hours"
