"""Backups: what is in one, what a failure leaves and says, how many are kept, and where they are put back."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from config.loader import load
from config.settings import Fleet, Settings
from gateway.cli.backup import restore as put_back
from gateway.installation import sealed_file
from gateway.installation.backup import PAUSES_S, BackupError, copy_database, make_backup
from gateway.installation.backup_contents import contents
from gateway.installation.restore import RestoreError, read_about, restore
from gateway.installation.setup import set_up
from gateway.installation.setup_answers import complete
from gateway.installation.setup_files import Place
from gateway.machine.staging import StagedError, remove_left_over
from gateway.outbox.outbox import Outbox
from gateway.status.backup_state import read_backup_state
from gateway.ward.kept_ward import KeptWard
from tests.gateway.installation.whole_ward import PASSWORD
from tests.small_disk import small_disk

NOW_US = 1_790_000_000_000_000
KEY = "ppw9-4wy4-nhmu"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the key cost nothing; what it costs is a number in the file."""
    monkeypatch.setattr(sealed_file, "SCRYPT_N", 2)


@pytest.fixture
def ward(tmp_path: Path) -> Settings:
    """Set a ward up that has an outbox, a recording and what a running gateway has beside them."""
    place = Place(tmp_path / "etc", tmp_path / "data", None)
    (tmp_path / "backups").mkdir()
    answers = {"admin.password": PASSWORD, "certificate.names": "localhost",
               "backup.folder": str(tmp_path / "backups"), "backup.keep": "2"}  # fmt: skip
    set_up(complete(answers), place, load=load, say=lambda _: None)
    settings = load(place.file)
    Outbox(settings.site.data / "outbox.db").close()
    for name in (
        "recordings/a.rgrec",
        "broker/door.json",
        "x.sock",
        "history.db.working",
        "known-devices.json",
        "backups/old.rgbackup",
    ):
        path = settings.site.data / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    return settings


def back_up(settings: Settings, tmp_path: Path) -> Path:
    return make_backup(
        settings, tmp_path / "etc/ward.toml", tmp_path / "backups", passphrase=KEY, say=lambda _: None
    ).path  # fmt: skip


def test_the_ward_is_copied_before_the_outbox_and_that_before_all_else(ward: Settings, tmp_path: Path) -> None:
    names = [content.name for content in contents(ward, tmp_path / "etc/ward.toml")]
    assert names[:2] == ["data/ward.db", "data/outbox.db"]
    assert {"configuration/ward.toml", "configuration/certificates/authority.key", "data/known-devices.json",
            "configuration/secrets/backup-key", "named/users.jsonl"} <= set(names)  # fmt: skip
    assert not [name for name in names if name.startswith(("data/recordings", "data/broker"))]
    assert not [name for name in names if name.endswith((".lock", ".sock", ".working"))]
    assert len(names) == len(set(names))


def test_what_a_gateway_has_of_its_fleet_is_in_it_where_it_is_no_part_of_the_data(
    ward: Settings, tmp_path: Path
) -> None:
    own = tmp_path / "fleet"
    (own / "bundles").mkdir(parents=True)
    for name in ("member.json", "agent.pem", "agent.json", "bundles/x.bundle", ".agent.json.new"):
        (own / name).write_text("{}")
    (own / "ca.pem").symlink_to(tmp_path / "etc/ward.toml")
    settings = ward.model_copy(update={"fleet": Fleet(member_folder=own)})
    names = [content.name for content in contents(settings, tmp_path / "etc/ward.toml")]
    of_fleet = {
        name for name in names if Path(name).name in ("member.json", "agent.json", "agent.pem", "ca.pem", "x.bundle")
    }
    assert of_fleet == {"named/member.json", "named/agent.pem", "named/agent.json"}
    assert not [name for name in names if name.endswith(".new")]


def test_a_backup_elsewhere_has_all_of_it_and_leaves_nothing_behind(ward: Settings, tmp_path: Path) -> None:
    backup = back_up(ward, tmp_path)
    assert not (ward.site.data / ".backup-staging").exists()
    assert backup.stat().st_mode & 0o777 == 0o600
    assert read_about(backup)["gateway"] == "ward-1"
    restore(backup, passphrase=KEY, under=tmp_path / "under", say=lambda _: None)
    under = tmp_path / "under" / str(ward.site.data).lstrip("/")
    assert (under / "known-devices.json").read_text() == "{}"
    assert len(list(under.glob("outbox.db.left-*"))) == 1
    state = read_backup_state(ward.site.data)
    assert (state.file, state.error) == (backup.name, "")


def test_what_is_unpacked_for_looking_is_not_called_a_ward_that_goes_on(
    ward: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup, key = back_up(ward, tmp_path), tmp_path / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    put_back(backup, key, replace=False, under=tmp_path / "under", look=False)
    said = capsys.readouterr().out
    assert "0 measurements were not stored yet when the backup was made." in said
    assert f"All of it lies below {tmp_path / 'under'}, for looking: nothing runs there, and nothing is sent." in said
    put_back(backup, key, replace=True, under=Path("/"), look=False)
    then = capsys.readouterr().out
    for words in ("they are sent now", "goes on in a new epoch", "Who is in which bed", "sudo systemctl start"):
        assert words in then
        assert words not in said


def test_who_is_in_which_bed_is_in_doubt_after_a_restore(ward: Settings, tmp_path: Path) -> None:
    with closing(KeptWard(ward, at_us=NOW_US)) as kept:
        kept.change("add-bed", {"bed": "bay-9"}, at_us=NOW_US, by="anna", source="test")
        kept.change("admit", {"subject": "p-9", "bed": "bay-9"}, at_us=NOW_US, by="anna", source="test")
        kept.mark_audited(kept.state.number)
        there = kept.state.subjects
    restore(back_up(ward, tmp_path), passphrase=KEY, replace=True, say=lambda _: None)
    with closing(KeptWard(ward, at_us=NOW_US)) as kept:
        assert kept.state.subjects == there
        assert kept.was_recalled
        assert [(entry.name, entry.source) for entry in kept.untold()] == [("recalled", "restore")]


def test_a_share_that_is_not_mounted_is_said_and_remembered(ward: Settings, tmp_path: Path) -> None:
    good = back_up(ward, tmp_path)
    with pytest.raises(BackupError, match="mounted"):
        make_backup(ward, tmp_path / "etc/ward.toml", tmp_path / "absent", passphrase=KEY, say=lambda _: None)
    state = read_backup_state(ward.site.data)
    assert (state.file, "mounted" in state.error) == (good.name, True)


def test_the_newest_are_kept_and_what_is_another_s_stays(ward: Settings, tmp_path: Path) -> None:
    others = [tmp_path / "backups" / name for name in (
        "ward-1-b-20260101T000000Z.rgbackup", "ward-2-20260101T000000Z.rgbackup", "notes.txt")]  # fmt: skip
    old = [tmp_path / "backups" / f"ward-1-2026010{day}T000000Z.rgbackup" for day in (1, 2, 3)]
    for path in (*others, *old):
        path.touch()
    newest = back_up(ward, tmp_path)
    assert set((tmp_path / "backups").iterdir()) == {*others, old[-1], newest}


def test_a_backup_made_while_the_clock_was_behind_is_not_the_one_that_is_deleted(
    ward: Settings, tmp_path: Path
) -> None:
    later = [tmp_path / "backups" / f"ward-1-2999010{day}T000000Z.rgbackup" for day in (1, 2, 3)]
    for path in later:
        path.touch()
    made = back_up(ward, tmp_path)
    assert set((tmp_path / "backups").iterdir()) == {made, later[-1]}


def test_what_a_backup_that_was_killed_has_left_does_not_fill_the_disk(ward: Settings, tmp_path: Path) -> None:
    left = tmp_path / "backups/.ward-1-20260101T000000Z.rgbackup.part"
    another = tmp_path / "backups/.ward-1-b-20260101T000000Z.rgbackup.part"
    left.touch()
    another.touch()
    made = back_up(ward, tmp_path)
    assert set((tmp_path / "backups").iterdir()) == {made, another}


def test_what_an_upgrade_copied_for_itself_is_not_copied_again(ward: Settings, tmp_path: Path) -> None:
    copy = ward.site.data / "before-upgrade/data/history.db"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"x")
    copied = [one.path for one in contents(ward, tmp_path / "etc/ward.toml")]
    assert copied
    assert not [path for path in copied if "before-upgrade" in str(path)]


def test_what_is_there_is_put_aside_and_never_written_over(ward: Settings, tmp_path: Path) -> None:
    backup = back_up(ward, tmp_path)
    changed = tmp_path / "etc/ward.toml"
    changed.write_text("# edited since\n")
    with pytest.raises(RestoreError, match="--replace"):
        restore(backup, passphrase=KEY, say=lambda _: None)
    assert changed.read_text() == "# edited since\n"
    done = restore(backup, passphrase=KEY, replace=True, say=lambda _: None)
    assert load(changed) == ward
    aside = [folder / "ward.toml" for folder in done.aside if (folder / "ward.toml").exists()]
    assert [path.read_text() for path in aside] == ["# edited since\n"]
    assert not [path for path in contents(ward, changed) if "before-restore" in path.name], (
        "a backup of what was put aside would grow for ever"
    )


def test_a_damaged_backup_changes_nothing(ward: Settings, tmp_path: Path) -> None:
    backup = back_up(ward, tmp_path)
    data = bytearray(backup.read_bytes())
    data[-20] ^= 1
    backup.write_bytes(data)
    with pytest.raises(RestoreError, match="was changed"):
        restore(backup, passphrase=KEY, under=tmp_path / "under", say=lambda _: None)
    assert not list((tmp_path / "under").rglob("*.db"))


def test_a_database_is_copied_as_it_was_at_one_moment_while_it_is_written(tmp_path: Path) -> None:
    """Two tables that always have the same number of rows have it in the copy, though each commit changes both."""
    path, ends = tmp_path / "busy.db", threading.Event()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.executescript("CREATE TABLE a (x BLOB); CREATE TABLE b (x BLOB);")
        db.executemany("INSERT INTO a VALUES (?)", [(bytes(4000),)] * 8000)
        db.executemany("INSERT INTO b VALUES (?)", [(bytes(10),)] * 8000)
        db.commit()

    def write() -> None:
        with closing(sqlite3.connect(path, timeout=30)) as db:
            while not ends.is_set():
                db.execute("INSERT INTO a VALUES (x'00')")
                db.execute("INSERT INTO b VALUES (x'00')")
                db.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            copy_database(path, tmp_path / f"copy-{number}", lambda _: None)
    finally:
        ends.set()
        writer.join()
    for number in range(3):
        with closing(sqlite3.connect(tmp_path / f"copy-{number}")) as db:
            of_a, of_b = db.execute("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)").fetchone()
        assert of_a == of_b >= 8000
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM a").fetchone()[0] > 8000


def test_a_backup_is_opened_without_us_by_the_lines_in_the_docs(ward: Settings, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/operations.md").read_text("utf-8")
    (lines,) = re.findall(r"^```python\n(.*?ChaCha20.*?)^```", page, re.MULTILINE | re.DOTALL)
    back_up(ward, tmp_path).rename(tmp_path / "ward-7.rgbackup")
    (tmp_path / "key.txt").write_text(KEY)
    done = subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "opened/data/known-devices.json").read_text() == "{}"
    with closing(sqlite3.connect(tmp_path / "opened/data/outbox.db")) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)


SLOW = """
import pathlib, sys, time
from gateway.installation.restore import restore
def say(words):
    print(words, flush=True)
    if words.startswith("putting"):
        time.sleep(600)
restore(pathlib.Path(sys.argv[1]), passphrase=sys.argv[2], under=pathlib.Path(sys.argv[3]), say=say)
"""


def test_what_is_in_clear_lies_in_the_data_folder_alone_and_not_longer_than_it_must(
    ward: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    stick = tmp_path / "stick"
    stick.mkdir()
    backup = back_up(ward, tmp_path).rename(stick / "ward-7.rgbackup")
    new = tmp_path / "new"
    data = new / str(ward.site.data).lstrip("/")
    data.mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, backup, KEY, new], stdout=subprocess.PIPE, text=True
    ) as restoring:
        assert restoring.stdout is not None
        assert [restoring.stdout.readline()[:7] for _ in range(2)] == ["reading", "putting"]
        assert [path.name for path in stick.iterdir()] == ["ward-7.rgbackup"]
        unpacked = data / ".restore.unpacked"
        assert unpacked.stat().st_mode & 0o777 == 0o700
        assert {path.name for path in unpacked.iterdir()} > {"outbox"}
        with pytest.raises(StagedError, match="another process is at work in"):
            restore(backup, passphrase=KEY, under=new, say=lambda _: None)
        remove_left_over(data)  # as a gateway does that starts meanwhile
        assert unpacked.exists()
        restoring.kill()
    remove_left_over(data)
    assert not unpacked.exists()
    assert f"{unpacked} is removed: it was left by a process that was killed" in caplog.text
    restore(backup, passphrase=KEY, under=new, say=lambda _: None)
    assert {path.name for path in stick.iterdir()} == {"ward-7.rgbackup"}
    assert not list(new.rglob("*.unpacked"))


def test_on_a_new_machine_it_is_unpacked_on_the_disk_that_the_data_will_be_on(ward: Settings, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    backup = back_up(ward, tmp_path).rename(stick / "ward-7.rgbackup")
    (left := stick / ".ward-7.rgbackup.unpacked").mkdir()  # by an earlier version that was killed
    (left / "x").write_text("clear")
    new = tmp_path / "new"
    with small_disk(new, size="16m") as disk:
        restore(backup, passphrase=KEY, under=new, say=lambda _: None)
        assert {path.stat().st_dev for path in new.rglob("*")} == {disk.folder.stat().st_dev}
        assert not list(new.rglob("*.unpacked"))
    assert [path.name for path in stick.iterdir()] == ["ward-7.rgbackup"]


def test_a_header_that_names_a_foreign_folder_leads_nowhere(ward: Settings, tmp_path: Path) -> None:
    backup = back_up(ward, tmp_path)
    new = tmp_path / "new"
    new.mkdir()
    text = backup.read_bytes()
    backup.write_bytes(
        text.replace(str(ward.site.data).encode(), b"/../../" + b"x" * (len(str(ward.site.data)) - 7), 1)
    )
    with pytest.raises(RestoreError):
        restore(backup, passphrase=KEY, under=new, say=lambda _: None)
    assert not list(new.iterdir())


def test_links_are_not_followed_and_are_named(ward: Settings, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "shadow").write_text("root's own")
    data, etc = ward.site.data, tmp_path / "etc"
    (data / "notes").symlink_to(outside / "shadow")
    (data / "round").symlink_to(data)
    (data / "elsewhere").symlink_to(outside)
    (data / "nowhere").symlink_to(outside / "absent")
    (etc / "secrets/other").symlink_to(outside / "shadow")
    (etc / "certificates/far").symlink_to(outside)
    (etc / "ward.toml.d").mkdir()
    (etc / "ward.toml.d/10-joined.toml").write_text("[outbox]\nmax_days = 7\n")
    own = etc / "certificates/dashboard.pem"  # the hospital's, which the configuration names
    own.rename(outside / "hospital.pem")
    own.symlink_to(outside / "hospital.pem")
    said: list[str] = []
    made = make_backup(ward, etc / "ward.toml", tmp_path / "backups", passphrase=KEY, say=said.append)
    links = {data / "notes", data / "round", data / "elsewhere", data / "nowhere", etc / "secrets/other",
             etc / "certificates/far"}  # fmt: skip
    assert {words for words in said if words.startswith("left out")} == {
        f"left out: {link} is a link, and links are not followed" for link in links
    }
    assert made.links == len(links)
    restore(made.path, passphrase=KEY, under=(new := tmp_path / "new"), say=lambda _: None)
    back = {path for path in new.rglob("*") if path.is_file()}
    assert not [path for path in back if b"root's own" in path.read_bytes()]
    at = new / str(etc).lstrip("/")
    assert (at / "certificates/dashboard.pem").read_text() == (outside / "hospital.pem").read_text()
    assert (at / "ward.toml.d/10-joined.toml").read_text() == "[outbox]\nmax_days = 7\n"


def test_a_share_that_is_cut_off_in_the_middle_is_waited_for(ward: Settings, tmp_path: Path) -> None:
    said: list[str] = []
    (ward.site.data / "link").symlink_to("nowhere")  # which is told in the middle
    with small_disk(tmp_path / "share") as share:

        def say(words: str) -> None:
            said.append(words)
            if words.startswith("left out") and len(said) == 1:
                share.pull()

        def pause(seconds: float) -> None:
            assert not list(share.folder.iterdir()), "nothing is written beneath a share that is away"
            if seconds == PAUSES_S[1]:
                share.plug()

        made = make_backup(ward, tmp_path / "etc/ward.toml", share.folder, passphrase=KEY, say=say, pause=pause)
        cut = [words for words in said if "was cut off in the middle" in words]
        assert [words.rpartition("; ")[2] for words in cut] == ["again in 10 s", "again in 60 s"]
        assert "it is no longer mounted" in cut[1]
        assert [path.name for path in share.folder.iterdir()] == [made.path.name]
        assert read_backup_state(ward.site.data).error == ""
        share.pull()
        said.clear()
        share.plug()
        with pytest.raises(BackupError, match="4 times: look at its cable, its power"):
            make_backup(ward, tmp_path / "etc/ward.toml", share.folder, passphrase=KEY, say=say, pause=lambda _s: None)
        assert "was cut off in the middle (" in read_backup_state(ward.site.data).error
        assert not list(share.folder.iterdir())
    assert not (ward.site.data / ".backup-staging").exists()


def test_a_history_behind_a_link_is_no_backup_without_it(ward: Settings, tmp_path: Path) -> None:
    (tmp_path / "ssd").mkdir()
    (tmp_path / "ssd/history.db").touch()
    (ward.site.data / "history.db").symlink_to(tmp_path / "ssd/history.db")
    with pytest.raises(BackupError, match=r"history\.db is a link.*'historian\.database'\) name the place itself, /"):
        back_up(ward, tmp_path)
    assert "is a link" in read_backup_state(ward.site.data).error
    named = ward.model_copy(
        update={"historian": ward.historian.model_copy(update={"database": tmp_path / "ssd/history.db"})}
    )
    (ward.site.data / "history.db").unlink()
    assert "data/history.db" in [content.name for content in contents(named, tmp_path / "etc/ward.toml")]


@pytest.mark.parametrize("nth", [1, 4, 20])
def test_a_restore_that_fails_half_way_leaves_what_was_there(
    ward: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """Whichever name cannot be changed, the old ward is there whole."""
    backup = back_up(ward, tmp_path)
    before = everything_in(tmp_path)
    rename, n = Path.rename, 0

    def fail(self: Path, target: Path) -> Path:
        nonlocal n
        n += ".unpacked" not in str(self)
        if n == nth:
            n += 1
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(RestoreError, match="No space left"):
        restore(backup, passphrase=KEY, replace=True, say=lambda _: None)
    assert everything_in(tmp_path) == before


def test_a_restore_that_finds_the_disk_full_leaves_what_was_there(
    ward: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = back_up(ward, tmp_path)
    before = everything_in(tmp_path)
    full = iter(range(3))

    def fail(*_: object) -> None:
        if next(full) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.installation.restore.os.fsync", fail)
    with pytest.raises(RestoreError, match="No space left"):
        restore(backup, passphrase=KEY, replace=True, say=lambda _: None)
    monkeypatch.undo()
    assert everything_in(tmp_path) == before


def everything_in(folder: Path) -> dict[str, bytes]:
    """Return each file below a folder, but for locks and empty folders."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and path.suffix != ".lock"}  # fmt: skip


KILLED = """
import os, pathlib, sys
from gateway.installation.restore import restore
left = int(sys.argv[3])
def counted(whole):
    def move(self, target):
        global left
        left -= ".unpacked" not in str(self)
        if left < 0:
            os.kill(os.getpid(), 9)
        return whole(self, target)
    return move
pathlib.Path.rename, pathlib.Path.replace = counted(pathlib.Path.rename), counted(pathlib.Path.replace)
restore(pathlib.Path(sys.argv[1]), passphrase=sys.argv[2], replace=True, say=lambda _: None)
"""


@pytest.mark.parametrize("after", [0, 9, 14, 15])
def test_an_outbox_of_a_restore_that_was_killed_never_goes_on_with_old_numbers(
    ward: Settings, tmp_path: Path, after: int
) -> None:
    """Whenever it is killed: in the outbox's place is what was there, nothing, or the new life of what came back."""
    backup = back_up(ward, tmp_path)
    (outbox := ward.site.data / "outbox.db").unlink()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(backup), KEY, str(after)], check=False)
    assert killed.returncode == -9
    if outbox.exists():
        assert list(outbox.parent.glob("outbox.db.left-*")), "the image of the backup would give its numbers again"
    restore(backup, passphrase=KEY, replace=True, say=lambda _: None)
    assert load(tmp_path / "etc/ward.toml") == ward
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("name", ["outbox.db", "ward.db"])
def test_a_backup_of_a_newer_version_says_which_to_install_and_changes_nothing(
    ward: Settings, tmp_path: Path, name: str
) -> None:
    with closing(sqlite3.connect(ward.site.data / name)) as db:
        db.execute("PRAGMA user_version = 99")
    made = back_up(ward, tmp_path)
    before = {path.name: path.stat().st_ino for path in ward.site.data.iterdir()}
    with pytest.raises(RestoreError, match=r"made by version .*: install that version, and restore with it"):
        restore(made, passphrase=KEY, replace=True, say=lambda _: None)
    assert {path.name: path.stat().st_ino for path in ward.site.data.iterdir()} == before
    other = tmp_path / "other.rgbackup"
    other.write_bytes(made.read_bytes().replace(b"backup 1", b"backup 2", 1))
    with pytest.raises(RestoreError, match="a backup of another form: restore it with the version that made it"):
        restore(other, passphrase=KEY, say=lambda _: None)


def test_a_header_that_nobody_could_compute_is_refused(ward: Settings, tmp_path: Path) -> None:
    backup = back_up(ward, tmp_path)
    backup.write_bytes(backup.read_bytes().replace(b'"n":2,', b'"n":3,', 1))
    with pytest.raises(RestoreError, match="another version"):
        restore(backup, passphrase=KEY, under=tmp_path / "under", say=lambda _: None)


@pytest.mark.parametrize("when", [b'"x"', b"9" * 20, b"-1", b"null"])
def test_what_somebody_wrote_into_a_header_is_no_defect_of_ours(ward: Settings, tmp_path: Path, when: bytes) -> None:
    backup = back_up(ward, tmp_path)
    backup.write_bytes(re.sub(rb'"made_us":\d+', b'"made_us":' + when, backup.read_bytes(), count=1))
    with pytest.raises(RestoreError, match="beginning of the backup"):
        read_about(backup)


def test_backups_in_the_data_folder_are_in_no_backup(ward: Settings, tmp_path: Path) -> None:
    """Else each would have all before it in it, and double."""
    (tmp_path / "data/elsewhere").mkdir()
    make_backup(ward, tmp_path / "etc/ward.toml", tmp_path / "data/elsewhere", passphrase=KEY, say=lambda _: None)
    assert not [name for name in contents(ward, tmp_path / "etc/ward.toml") if name.path.suffix == ".rgbackup"]


def test_one_that_could_not_be_sent_is_kept_and_is_a_failed_one(ward: Settings, tmp_path: Path) -> None:
    key = tmp_path / "no-key"
    backup = ward.backup.model_copy(update={"sftp_to": "backup@127.0.0.1:ward-7", "sftp_key_file": key})
    settings = ward.model_copy(update={"backup": backup})
    with pytest.raises(BackupError, match=r"could not be sent to backup@127\.0\.0\.1:ward-7"):
        make_backup(
            settings, tmp_path / "etc/ward.toml", tmp_path / "backups", passphrase=KEY, say=lambda _: None,
            pause=lambda _: None,
        )  # fmt: skip
    (made,) = (tmp_path / "backups").glob("*.rgbackup")
    state = read_backup_state(settings.site.data)
    assert state.file == made.name
    assert "could not be sent" in state.error
