"""Backups and restores by root, in a data folder of a user who may put anything there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.loader import load
from config.settings import Settings
from gateway.history.history import History
from gateway.installation import sealed_file
from gateway.installation.backup import BackupError, Made, make_backup
from gateway.installation.restore import RestoreError, restore
from gateway.installation.setup import set_up
from gateway.installation.setup_answers import complete
from gateway.installation.setup_files import Place
from gateway.machine.file_lock import FileLock, LockError
from gateway.machine.ownership import acting_as_owner_of
from gateway.outbox.outbox import Outbox
from gateway.status.backup_state import read_backup_state
from tests.gateway.installation.whole_ward import PASSWORD
from tests.open_place import SERVICE, as_root, open_place, service_folder
from tests.small_disk import small_disk

KEY = "ppw9-4wy4-nhmu"
OF_AUTHORITY = "etc/certificates/authority.key"

pytestmark = as_root


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the key cost nothing; what it costs is a number in the file."""
    monkeypatch.setattr(sealed_file, "SCRYPT_N", 2)


@pytest.fixture
def place() -> Iterator[Path]:
    """``etc`` and ``backups`` of root's, ``data`` of the service's with a ward, an outbox, a history, a recording."""
    with open_place() as made:
        (made / "backups").mkdir(mode=0o700)
        data = service_folder(made / "data")
        answers = {"admin.password": PASSWORD, "certificate.names": "localhost",
                   "backup.folder": str(made / "backups"), "backup.keep": "9"}  # fmt: skip
        set_up(complete(answers), Place(made / "etc", data, None), load=load, say=lambda _: None)
        with acting_as_owner_of(data):
            Outbox(data / "outbox.db").close()
            with closing(History(data / "history.db")):
                (data / "recordings").mkdir()
            (data / "recordings/a.rgrec").write_text("recorded")
            (data / "known-devices.json").write_text("{}")
        yield made


def settings_of(place: Path) -> Settings:
    found = load(place / "etc/ward.toml")
    return found.model_copy(update={"backup": found.backup.model_copy(update={"recordings": True})})


def back_up(place: Path, folder: str = "backups", say: Callable[[str], None] = lambda _: None) -> Made:
    return make_backup(settings_of(place), place / "etc/ward.toml", place / folder, passphrase=KEY, say=say)


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


def test_set_up_makes_the_ward_for_the_service(place: Path) -> None:
    assert (place / "data/ward.db").exists()
    assert owners(place / "data") == {SERVICE}


def test_a_backup_leaves_nothing_of_root_s_in_the_data_and_has_root_s_files_too(place: Path) -> None:
    made = back_up(place)
    assert owners(place / "data") == {SERVICE}
    assert not (place / "data/.backup-staging").exists()
    assert made.path.stat().st_uid == 0
    restore(made.path, passphrase=KEY, under=place / "under", say=lambda _: None)
    under = place / "under" / str(place).lstrip("/")
    assert (under / OF_AUTHORITY).read_bytes() == (place / OF_AUTHORITY).read_bytes()
    assert {path.name for path in (under / "data").iterdir()} >= {"ward.db", "history.db", "recordings"}
    assert made.lacks == ""


def test_one_to_a_folder_of_the_service_s_is_the_service_s(place: Path) -> None:
    service_folder(place / "stick")
    assert back_up(place, "stick").path.stat().st_uid == SERVICE
    service_folder(place / "data/backups")
    (place / "data/backups").rename(place / "data/away")
    (place / "data/backups").symlink_to(place / "backups")  # root's, which root would write to
    with pytest.raises(BackupError, match="Permission denied"):
        back_up(place, "data/backups")
    assert not list((place / "backups").iterdir())


def test_what_only_root_may_read_is_in_no_backup_and_that_is_said(place: Path) -> None:
    """It is the same with another name of root's file, which root would read and put back for everybody."""
    said: list[str] = []
    (place / "data/root-made.json").write_text("{}")
    (place / "data/root-made.json").chmod(0o600)
    closed = place / "data/recordings/closed"
    closed.mkdir(mode=0o700)
    made = back_up(place, say=said.append)
    data = place / "data"
    assert made.lacks == (
        f"the backup lacks {closed} and 1 more: user {SERVICE}, whose data it is, may not read it"
        f" (sudo chown -R {SERVICE} {data})"
    )
    assert f"left out: {data}/root-made.json may not be read by the data folder's owner" in said
    assert read_backup_state(data).error == made.lacks
    assert read_backup_state(data).file == made.path.name
    (data / "ward.db").chmod(0o600)
    os.chown(data / "ward.db", 0, 0)
    with pytest.raises(BackupError, match=f"{data}/ward.db: user {SERVICE}, whose data it is, may not read it"):
        back_up(place)


def test_what_lies_in_the_place_of_the_state_leads_root_nowhere(place: Path) -> None:
    victim = place / "victim"
    victim.write_text("root's")
    for name in ("backup.json.part", ".backup.json.new"):
        (place / "data" / name).symlink_to(victim)
    back_up(place)
    assert victim.read_text() == "root's"
    assert victim.stat().st_uid == 0
    (place / "data/backup.json").unlink()
    (place / "data/backup.json").symlink_to(victim)  # a lock would come to lie beside what it leads to
    with pytest.raises(LockError, match="Permission denied"):
        back_up(place)
    assert sorted(path.name for path in place.iterdir()) == ["backups", "data", "etc", "victim"]
    (place / "data/backup.json").unlink()
    os.mkfifo(place / "data/backup.json")  # nobody ever writes into it
    back_up(place)
    assert read_backup_state(place / "data").error == ""


def test_copies_of_a_backup_that_are_led_elsewhere_meanwhile_come_to_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = place / "foreign"
    foreign.mkdir()

    def exchange(path: str, flags: int, mode: int = 0o777, **more: int) -> int:
        if Path(path).name.startswith(".ward-1"):  # the copies' folder is there, and nothing copied yet
            (place / "data/.backup-staging").rename(place / "data/away")
            (place / "data/.backup-staging").symlink_to(foreign)
        return opened(path, flags, mode, **more)

    opened = os.open
    monkeypatch.setattr(os, "open", exchange)
    with pytest.raises(BackupError):
        back_up(place)
    assert not list(foreign.iterdir())


def test_a_full_disk_is_named(place: Path) -> None:
    with small_disk(place / "stick") as disk:
        disk.fill()
        disk.folder.chmod(0o755)
        with pytest.raises(BackupError, match=f"{place}/stick has 0.0 MB free, and {place}/data has"):
            back_up(place, "stick")
    assert owners(place / "data") == {SERVICE}


def test_a_restore_beside_a_gateway_says_what_to_stop(place: Path) -> None:
    made = back_up(place)
    with FileLock(place / "data/outbox.db", gateway="ward-1"), pytest.raises(RestoreError, match="sudo systemctl stop"):
        restore(made.path, passphrase=KEY, replace=True, say=lambda _: None)


def test_a_restore_gives_the_data_to_its_owner_and_to_nobody_what_is_root_s(place: Path) -> None:
    made, key = back_up(place), (place / OF_AUTHORITY).read_bytes()
    seen: list[str] = []

    def look(words: str) -> None:
        if words.startswith("putting"):
            copies = [path for path in (place / "data/.restore.unpacked").rglob("*") if path.is_file()]
            seen.extend(path.name for path in copies)
            assert not [path for path in copies if key in path.read_bytes()]
            assert {path.stat().st_uid for path in copies} == {SERVICE}

    restore(made.path, passphrase=KEY, replace=True, say=look)
    assert seen
    assert owners(place / "data") == {SERVICE}
    assert owners(place / "etc") == {0}
    assert (place / OF_AUTHORITY).stat().st_mode & 0o777 == 0o600
    assert (place / "data/recordings/a.rgrec").read_text() == "recorded"
    restore(made.path, passphrase=KEY, replace=True, say=lambda _: None)  # once more


def test_a_link_in_the_place_of_a_folder_leads_a_restore_nowhere(place: Path) -> None:
    made = back_up(place)
    data, foreign = place / "data", place / "foreign"
    foreign.mkdir()
    (data / "recordings").rename(data / "away")
    (data / "recordings").symlink_to(foreign)
    before = (data / "ward.db").read_bytes()
    with pytest.raises(RestoreError, match="it cannot be put back: Permission denied"):
        restore(made.path, passphrase=KEY, replace=True, say=lambda _: None)
    assert not list(foreign.iterdir())
    assert (data / "ward.db").read_bytes() == before
    assert not list(place.rglob("*.part"))


def test_on_a_new_machine_the_data_are_of_whoever_the_data_folder_is_made_for(place: Path) -> None:
    made = back_up(place)
    new = place / "new"
    new.mkdir()
    data = new / str(place / "data").lstrip("/")
    data.parent.mkdir(parents=True)
    service_folder(data)
    restore(made.path, passphrase=KEY, under=new, say=lambda _: None)
    assert owners(data) == {SERVICE}
