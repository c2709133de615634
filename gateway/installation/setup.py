"""The first set-up, carried out: files written whole or not at all, beds made, services started."""

from __future__ import annotations

import grp
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from config.settings import Settings
from gateway.installation.setup_files import CERTIFICATES, SECRETS, File, Place, plan
from gateway.installation.setup_questions import Answers, id_from, parts
from gateway.machine.file_lock import HeldError
from gateway.machine.ownership import SERVICE, acting_as_owner_of
from gateway.ward.kept_ward import KeptWard
from gateway.ward.registry import RegistryError

GROUP = SERVICE
"""User and group of the services, as the package makes them."""
FOLDER_MODE = 0o750
SERVICES = ("rehab-gateway@run", "rehab-gateway@historian", "rehab-gateway@dashboard")
BACKUPS = Path("/var/backups/rehab-gateway")
"""Where backups go by default; another folder is not made here: it may be a share that is not mounted."""
SOURCE = "setup"
SYSTEMD = Path("/run/systemd/system")
STARTS_WITHIN_S = 1200.0
"""A service that checks a large outbox takes its time, and systemd waits for it."""

Load = Callable[[Path], Settings]
Say = Callable[[str], None]


class SetupError(Exception):
    """The set-up cannot be carried out; the sentence says why."""

    advice = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class Done:
    """What a set-up did.

    Attributes:
        files: What was written.
        kept: Copies of what was there before.
        shown: Secrets that are shown this once.
        commands: What is left to do by hand; empty where systemd runs.
        address: Where the pages are.
    """

    files: Sequence[Path]
    kept: Sequence[Path]
    shown: Mapping[str, str]
    commands: Sequence[str]
    address: str


def present(place: Place) -> list[Path]:
    """Return the files of a set-up before this one."""
    folders = (place.configuration / CERTIFICATES, place.configuration / SECRETS)
    found = [place.file, place.configuration / "users.jsonl", *(path for each in folders for path in each.glob("*"))]
    return sorted(path for path in found if path.is_file())


def set_up(answers: Answers, place: Place, *, load: Load, say: Say, replace: bool = False) -> Done:
    """Carry out a set-up; raises SetupError, ConfigError, CertificateError, OSError.

    Args:
        answers: To all the questions.
        place: Where files go.
        load: Reads and checks a configuration.
        say: Told what goes on.
        replace: Whether what is there may be replaced; a copy of it is kept.
    """
    if present(place) and not replace:
        raise SetupError(f"{place.configuration} is set up already; --replace does it again and keeps copies")
    made = plan(answers, place)
    _try_out(made.files, load)
    say("writing files")
    _make_folders(answers, place)
    place.under_way.touch(0o600)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    kept = [copy for file in made.files if (copy := write(file, stamp))]
    if answers["radio.kind"] != "practice":
        _make_beds(load(place.file), parts(answers["beds.names"]), say)
    commands = [*_time_commands(answers, place), *service_commands(answers, restart=bool(kept))]
    left = commands
    if place.etc is not None and SYSTEMD.is_dir() and os.geteuid() == 0:
        left = run_all(commands, say)
    place.under_way.unlink(missing_ok=True)
    return Done([file.path for file in made.files], kept, made.shown, left, address(answers))


def address(answers: Answers) -> str:
    """Return where the pages are."""
    if answers["certificate.kind"] == "none":
        return "http://127.0.0.1:8080/"
    return f"https://{parts(answers['certificate.names'])[0]}:{answers['pages.port']}/"


def service_commands(answers: Answers, *, restart: bool) -> list[str]:
    """Return the commands that start everything, now and after each start of the machine."""
    timers = ["rehab-gateway-backup.timer"] if answers["backup.folder"] else []
    timers += ["rehab-gateway-certificate.timer"] if answers["certificate.kind"] == "own" else []
    commands = [f"systemctl enable --now {' '.join((*SERVICES, *timers))}"]
    return [*commands, f"systemctl restart {' '.join(SERVICES)}"] if restart else commands


def run_all(commands: Sequence[str], say: Say) -> list[str]:
    """Run commands; return those that failed, to be done by hand."""
    failed = []
    for command in commands:
        say(command)
        try:
            subprocess.run(command.split(), capture_output=True, text=True, check=True, timeout=STARTS_WITHIN_S)
        except subprocess.CalledProcessError as error:
            say(f"this failed: {(error.stderr or error.stdout).strip() or 'no word of why'}")
            failed.append(command)
        except (OSError, subprocess.TimeoutExpired) as error:
            say(f"this failed: {error}")
            failed.append(command)
    return failed


def write(file: File, stamp: str) -> Path | None:
    """Write a file, whole or not at all; return the copy of what was there, if that was something else."""
    path = file.path
    kept = None
    if path.exists():
        if path.read_bytes() == file.data:
            return None
        kept = path.with_name(f"{path.name}.before-{stamp}")
        number = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)  # it may be a private key
        with os.fdopen(number, "wb") as copy:
            copy.write(path.read_bytes())
        own(kept, path.stat().st_mode & 0o777)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(file.data)
            written.flush()
            os.fsync(written.fileno())
        own(Path(name), file.mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return kept


def own(path: Path, mode: int) -> None:
    """Give a file its rights, and to the group of the services where there is one."""
    path.chmod(mode)
    if os.geteuid() == 0:
        try:
            os.chown(path, 0, grp.getgrnam(GROUP).gr_gid)
        except KeyError:
            return


def _try_out(files: Sequence[File], load: Load) -> None:
    """See that the configuration will be accepted, before anything is written; raises ConfigError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, files[-1].path.name)
        path.write_bytes(files[-1].data)
        load(path)


def _make_folders(answers: Answers, place: Place) -> None:
    for folder in (place.configuration, place.configuration / CERTIFICATES, place.configuration / SECRETS):
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        own(folder, FOLDER_MODE)
    if not place.data.exists():
        place.data.mkdir(mode=FOLDER_MODE, parents=True)
        if os.geteuid() == 0:
            with suppress(LookupError):  # a checkout: whoever runs it is whose it is
                shutil.chown(place.data, GROUP, GROUP)
    if answers["time.servers"] and place.etc is not None:
        for name in ("chrony/sources.d", "systemd/timesyncd.conf.d"):
            if (place.etc / name).parent.is_dir():
                (place.etc / name).mkdir(exist_ok=True)
    if answers["backup.folder"] == str(BACKUPS):
        BACKUPS.mkdir(mode=0o700, parents=True, exist_ok=True)


def _make_beds(settings: Settings, names: Sequence[str], say: Say) -> None:
    """Make the beds that are not there; who lies in them comes later."""
    with acting_as_owner_of(settings.site.data):
        _add_beds(settings, names, say)


def _add_beds(settings: Settings, names: Sequence[str], say: Say) -> None:
    now_us = time.time_ns() // 1000
    try:
        ward = KeptWard(settings, at_us=now_us)
    except HeldError:
        say("the gateway runs: beds are added on its page 'Beds'")
        return
    except (
        OSError,
        sqlite3.Error,
        RegistryError,
    ) as error:  # files are written: their secrets have to be shown all the same
        say(f"no beds were made ({error}): add them on the page 'Beds'")
        return
    with closing(ward):
        for name in names:
            if ward.state.bed(id_from(name)) is None:
                fields: dict[str, object] = {"bed": id_from(name), "label": name}
                ward.change("add-bed", fields, at_us=now_us, by=SOURCE, source="command line")


def _time_commands(answers: Answers, place: Place) -> list[str]:
    if place.etc is None:
        return []
    commands = [f"timedatectl set-timezone {answers['time.zone']}"]
    if answers["time.servers"]:
        chrony = (place.etc / "chrony").is_dir()
        commands.append(f"systemctl try-restart {'chrony' if chrony else 'systemd-timesyncd'}")
    return commands
