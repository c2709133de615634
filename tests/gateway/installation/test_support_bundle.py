"""A support bundle has nothing of anybody: it is searched for all pseudonyms, names, devices, secrets of a ward."""

from __future__ import annotations

import os
import time
import zipfile
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from config.loader import load
from config.settings import Settings
from gateway.audit.access_log import AccessLog
from gateway.dashboard.users import make, save
from gateway.history.history import History
from gateway.installation.scrubbing import Scrubber, words_of
from gateway.installation.support_bundle import BundleError, make_bundle
from gateway.ward.kept_ward import KeptWard
from tests.gateway.installation.whole_ward import PASSWORD, command
from tests.small_disk import small_disk

SUBJECTS = ("p-0147", "p-0152", "quercus-9")
PEOPLE = ("florence", "j.smith", "night-desk")
SECRETS = ("mosquito-sugar-lamp", "rgt_AbCdEf0123456789", "wh00k-secret-path", "135791")
DEVICES = ("D4:22:CD:00:0A:01", "Polar H10 0A1B2C3D", "SN-99887766", "left-thigh-tag", "A50285BI", "A0:9E:1A:00:00:02")
LABELS = ("Mrs Beech's bed",)
SPELLINGS = ("D4_22_CD_00_0A_01", "d4:22:cd:00:0a:01", "D422CD000A01", "FLORENCE", "a0-9e-1a-00-00-02")
"""As BlueZ, the kernel and people write the same."""
PLANTED = (*SUBJECTS, *PEOPLE, *SECRETS, *DEVICES, *LABELS, *SPELLINGS)
CONFIGURATION = """
[site]
site = "elm"
gateway = "ward-7"
data = "data"
[broker]
embedded = false
host = "127.0.0.1"
port = 9
username = "night-desk"
password_file = "secrets/broker-password"
[dashboard]
users_file = "users.jsonl"
[notices]
webhook = "https://pager.example/wh00k-secret-path"
[[slot]]
id = "bay-a"
label = "Mrs Beech's bed"
subject = "p-0147"
[[slot.device]]
id = "dot-1"
driver = "movella_dot"
placement = "left_foot"
address = "D4:22:CD:00:0A:01"
serial = "SN-99887766"
tag = "left-thigh-tag"
passkey = "135791"
[[slot.device]]
id = "strap-1"
driver = "heart_rate"
placement = "chest"
name = "Polar H10 0A1B2C3D"
[[slot.device]]
id = "imu-1"
driver = "bno08x_rvc"
placement = "right_foot"
port = "usb:0403:6001:A50285BI"
"""


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """Plant a ward, with everything that names somebody also where nobody looks for it: in a log."""
    file, data = tmp_path / "ward.toml", tmp_path / "data"
    file.write_text(CONFIGURATION, "utf-8")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/broker-password").write_text(SECRETS[0], "utf-8")
    (tmp_path / "secrets/store-token").write_text(SECRETS[1], "utf-8")
    save(tmp_path / "users.jsonl", [make("florence", "admin", PASSWORD)])
    settings = load(file)
    now_us = time.time_ns() // 1000
    with closing(KeptWard(settings, at_us=now_us)) as kept:
        for name, fields in (
            ("add-bed", {"bed": "bay-c"}), ("admit", {"subject": "p-0152", "bed": "bay-c"}),
            ("add-device", {"device": {"id": "strap-2", "driver": "heart_rate", "placement": "chest",
                                       "address": DEVICES[-1]}}),
            ("discharge", {"subject": "p-0152"}), ("remove-device", {"device": "strap-2"}),
        ):  # fmt: skip
            kept.change(name, dict(fields), at_us=now_us, by="j.smith", source="command line")
    with closing(History(data / "history.db")) as history:
        del history
    log = AccessLog(data / "access.db", keep_days=30, keep_people_days=30)
    log.close()
    known = {"version": 1, "devices": {"dot-1": {"told": {"serial": "SN-99887766"}, "refused": None}}}
    (data / "known-devices.json").write_bytes(orjson.dumps(known))
    (data / "run.log").write_text("\n".join(f"2026-11-29 WARNING something of {word}, again" for word in PLANTED
                                            if word != "quercus-9"), "utf-8")  # fmt: skip
    return file


def texts_of(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name).decode() for name in bundle.namelist()}


def test_nothing_that_was_planted_is_in_the_bundle(ward: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "support.zip"
    done = command("support-bundle", ward, bundle)
    assert done.returncode == 0, done.stderr + done.stdout
    texts = texts_of(bundle)
    found = {(name, word) for name, text in texts.items() for word in PLANTED if word.casefold() in text.casefold()}
    assert found == set()
    assert PASSWORD not in "".join(texts.values())
    assert bundle.stat().st_mode & 0o777 == 0o600


def test_what_a_fault_needs_is_in_it(ward: Path, tmp_path: Path) -> None:
    settings = load(ward)
    path = tmp_path / "support.zip"
    status = {"devices": [{"id": "dot-1", "error": "D4:22:CD:00:0A:01 refused"}], "slots": [{"subject": "p-0147"}]}
    make_bundle(settings, ward, path, status=status, doctor=[{"name": "disk"}], say=lambda _: None)
    texts = texts_of(path)
    assert {"README.txt", "versions.txt", "configuration.json", "status.json", "doctor.json", "disk.txt",
            "kernel-cache.txt", "counts.json", "journal.txt", "logs/run.log"} == texts.keys()  # fmt: skip
    assert "numpy" in texts["versions.txt"]
    configuration = orjson.loads(texts["configuration.json"])
    assert configuration["slot"][0]["device"][0]["driver"] == "movella_dot"
    assert configuration["notices"]["webhook"] == "[taken out]"
    assert orjson.loads(texts["counts.json"])["ward.db"]["changes"] >= 5
    same = configuration["slot"][0]["device"][0]["address"]
    assert same in texts["status.json"]
    assert same in texts["logs/run.log"]


def test_who_answered_a_notice_from_another_computer_is_not_named(ward: Path, tmp_path: Path) -> None:
    """The ward's page may be on another machine, and so who signs in there: they are known from the answers alone."""
    answer = {"by": "rosalind", "at_us": 7, "why": "Mrs Alder's daughter took it off"}
    kept = {"v": 1, "answers": [{"notice": "x", "since_us": 7, "by": "marigold", "at_us": 7, "why": ""}]}
    (tmp_path / "data/notices.json").write_bytes(orjson.dumps(kept))
    (tmp_path / "data/withdrawn-users.jsonl").write_bytes(orjson.dumps({"name": "hyacinth"}) + b"\n")
    (tmp_path / "data/page.log").write_text("rosalind, marigold, hyacinth, sftpuser, fl33t-key", "utf-8")
    settings = load(ward)
    settings = settings.model_copy(update={
        "fleet": settings.fleet.model_copy(update={"share": "https://files.example/fl33t-key/"}),
        "backup": settings.backup.model_copy(update={"sftp_to": "sftpuser@nas:there"}),
    })  # fmt: skip
    status = {"notices": {"active": [{"id": "low", "acknowledged": answer}], "paused": [answer | {"bed": "bay-a"}]}}
    made = make_bundle(settings, ward, tmp_path / "x.zip", status=status, doctor=[], say=lambda _: None)
    texts = "".join(texts_of(made.path).values())
    left = ("rosalind", "marigold", "hyacinth", "Alder", "daughter", "sftpuser", "fl33t")
    assert not [word for word in left if word in texts]
    shown = orjson.loads(texts_of(made.path)["status.json"])["notices"]
    assert shown["active"][0]["acknowledged"]["why"] == shown["paused"][0]["why"] == "[taken out]"


def test_a_name_that_is_no_text_and_a_pipe_in_the_place_of_a_secret_stop_no_bundle(ward: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "secrets/pipe")  # nobody writes into it: whoever reads it waits for ever
    (tmp_path / "data/tokens.jsonl").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "data/tokens.jsonl")
    Path(os.fsdecode(os.fsencode(tmp_path / "data") + b"/n\xff.log")).write_text("of p-0147", "utf-8")
    make_bundle(load(ward), ward, tmp_path / "x.zip", status={}, doctor=[], say=lambda _: None)
    texts = texts_of(tmp_path / "x.zip")
    assert texts["logs/n?.log"].startswith("of [subject")
    assert "n?.log" in texts["disk.txt"]


def test_a_bundle_that_finds_no_room_leaves_nothing_and_may_be_made_again(ward: Path, tmp_path: Path) -> None:
    (tmp_path / "data/noise.log").write_text(os.urandom(100_000).hex(), "utf-8")
    with small_disk(tmp_path / "stick") as disk:
        os.posix_fallocate(os.open(disk.folder / "much", os.O_WRONLY | os.O_CREAT), 0, (8 << 20) - (64 << 10))
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                make_bundle(load(ward), ward, disk.folder / "x.zip", status={}, doctor=[], say=lambda _: None)
        assert not (disk.folder / "x.zip").exists()


def test_what_is_too_short_to_be_looked_for_is_said_and_not_called_clean(tmp_path: Path) -> None:
    ward = tmp_path / "ward.toml"
    ward.write_text('[site]\ndata = "data"\n[[slot]]\nid = "bay-a"\nlabel = "1"\nsubject = "07"\n', "utf-8")
    with ward.open("a", encoding="utf-8") as file:
        file.write('[[slot]]\nid = "bay-b"\nlabel = "B2"\nsubject = "p1"\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data/run.log").write_text("p1 of B2 in bay-b", "utf-8")
    made = make_bundle(load(ward), ward, tmp_path / "x.zip", status={}, doctor=[], say=lambda _: None)
    texts = texts_of(made.path)
    assert (made.words, made.too_short) == (1, 3)
    assert "3 pseudonyms, names or other words of this ward" in texts["README.txt"]
    assert texts["logs/run.log"].endswith("] of B2 in bay-b")


def test_a_stand_in_is_another_one_in_the_next_bundle() -> None:
    words = {"p-0147": "subject"}
    first, second = Scrubber(words), Scrubber(words)
    assert first.scrub("of p-0147, P-0147") == first.scrub("of p-0147, p-0147")
    assert first.scrub("p-0147") != second.scrub("p-0147")
    assert first.scrub("p-01470 and sp-0147x stay") == "p-01470 and sp-0147x stay"


@pytest.mark.parametrize("text", [
    "GET /api/x?of=%20p-0147&to=%2Fp-0147", r'{"told": "twice\np-0147\tp-0147"}', r"b'\x1bp-0147' \u00e4p-0147",
    "\x1b[31mp-0147\x1b[0m \x1b[1;32mp-0147", "cC0wMTQ3 eHAtMDE0Nw== eHlwLTAxNDc= Basic YWJjOnAtMDE0Nzp4",
    "Weiß weiß WEISS WEIẞ Wei%C3%9F Wei%c3%9f", r"We\u0131\u00df Wei\u00DF", "Mu\u0308ller MÜLLER M%C3%BCller",
    "Ann+Lee Ann%20Lee Ann%2BLee ANN LEE", "xrgt_AbCdEf0123456789y", "D4%3A22%3acd%3A00%3A0A%3A01 %20D4:22:CD:00:0A:01",
    "a&amp;b-ward", "l\u0131ndsay LINDSAY", "jane%40elm.example",
])  # fmt: skip
def test_however_a_word_is_written_it_is_taken_out(text: str) -> None:
    """As addresses, JSON, Python, terminals, Base64 and other alphabets write it."""
    words = {"p-0147": "subject", "Weiß": "label", "Müller": "person", "Ann Lee": "person", "Ann+Lee": "person",
             "rgt_AbCdEf0123456789": "secret", "a&b-ward": "label", "lindsay": "person"}  # fmt: skip
    clean = Scrubber(words).scrub(text)
    left = ("-0147", "cC0wMTQ3", "AtMDE0N", "LTAxND", "ei", "EI", "ller", "LLER", "Lee", "LEE", "AbCd", "22%3acd",
            "22:CD", "-ward", "indsay", "INDSAY", "elm")  # fmt: skip
    assert not [word for word in left if word in clean], clean


def test_thousands_of_words_are_looked_for_in_a_large_log_within_seconds() -> None:
    scrubber = Scrubber({f"p-{n:05d}": "subject" for n in range(5000)})
    began_s = time.monotonic()
    scrubber.scrub("2026-11-29 12:00:00 WARNING a device of p-04321 was lost, and found again\n" * 14_000)
    assert time.monotonic() - began_s < 20.0


def test_a_word_of_millions_of_letters_is_looked_through_within_seconds() -> None:
    scrubber = Scrubber({"p-0147": "subject"})
    word = "4f6ce5ba" * 500_000
    began_s = time.monotonic()
    clean = scrubber.scrub(f"{word} jane@elm.example {word}@elm.example x,jane%40elm.example")
    assert time.monotonic() - began_s < 30.0
    assert clean == f"{word} [address] [address] x,[address]"


def test_the_name_of_a_log_names_nobody_and_a_link_leads_nowhere(ward: Path, tmp_path: Path) -> None:
    (tmp_path / "data/p-0147.log").write_text("of p-0147", "utf-8")
    (tmp_path / "data/P-0147.log").write_text("of P-0147", "utf-8")
    (tmp_path / "elsewhere").write_text("of another", "utf-8")
    (tmp_path / "data/link.log").symlink_to(tmp_path / "elsewhere")
    make_bundle(load(ward), ward, tmp_path / "x.zip", status={}, doctor=[], say=lambda _: None)
    texts = texts_of(tmp_path / "x.zip")
    assert not [name for name in texts if "-0147" in name]
    assert len([name for name in texts if "[subject" in name]) == 2
    assert "of another" not in "".join(texts.values())


def test_where_a_word_is_left_nothing_is_written(ward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scrubber, "scrub", lambda _self, text: text)
    with pytest.raises(BundleError, match=r"logs/run\.log"):
        make_bundle(load(ward), ward, tmp_path / "x.zip", status={}, doctor=[], say=lambda _: None)
    assert not (tmp_path / "x.zip").exists()


def test_a_ward_that_never_ran_has_a_bundle_too(tmp_path: Path) -> None:
    settings = Settings()
    settings = settings.model_copy(update={"site": settings.site.model_copy(update={"data": tmp_path / "none"})})
    made = make_bundle(settings, tmp_path / "a.toml", tmp_path / "a.zip", status={}, doctor=[], say=lambda _: None)
    assert made.texts >= 9
    assert words_of(settings, tmp_path / "a.toml") == {}
