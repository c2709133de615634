"""The set-up without a browser: questions with defaults, files that are accepted, certificates, nothing replaced."""

from __future__ import annotations

import re
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from config.errors import ConfigError
from config.loader import load
from gateway.dashboard.users import Users
from gateway.installation.setup import Done, SetupError, present, run_all, service_commands, set_up
from gateway.installation.setup_answers import AnswerError, complete, example, read_answers
from gateway.installation.setup_certificates import (
    CertificateError,
    check_answer,
    issue,
    make_authority,
    make_stand_in,
    names_of,
)
from gateway.installation.setup_files import Place
from gateway.installation.setup_questions import QUESTIONS
from gateway.ward.kept_ward import ward_path
from gateway.ward.registry import read_state
from tests.certificates import Authority
from tests.gateway.installation.whole_ward import PASSWORD, command, new_ward

SECRET = "mosquito-sugar"  # noqa: S105 - of a broker that does not exist
BASE = {"admin.password": PASSWORD, "certificate.names": "localhost, 127.0.0.1", "backup.folder": ""}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "etc/rehab-gateway", tmp_path / "data", None)


def done_with(place: Place, *, replace: bool = False, **more: str) -> Done:
    answers = complete({**BASE, **{key.replace("__", "."): value for key, value in more.items()}})
    return set_up(answers, place, load=load, say=lambda _: None, replace=replace)


def test_every_question_has_an_answer_of_its_own() -> None:
    assert complete({}).keys() >= {question.key for question in QUESTIONS if question.only_if is None}


def test_the_example_has_every_question_and_is_read_with_and_without_its_marks(tmp_path: Path) -> None:
    path = tmp_path / "answers.toml"
    path.write_text(example(), "utf-8")
    assert read_answers(path) == complete({})
    named = set(re.findall(r"^#(\w+) = ", example(), re.MULTILINE))
    assert named == {question.key.partition(".")[2] for question in QUESTIONS}
    wanted = re.sub(r"^#(?=\w+ = )", "", example(), flags=re.MULTILINE)
    path.write_text(wanted, "utf-8")
    read = read_answers(path)
    assert read["certificate.kind"] == "own"


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ('[ward]\nsite = "Elm Hospital"\n', 2, "ward.site: Use lower-case"),
        ('[ward]\nsyte = "elm"\n', 2, "'ward.syte' is not asked"),
        ("[ward]\nsite = true\n", 2, "ward.site is a text"),
        ('[admin]\nname = "sam"\npassword = "password1234"\n', 3, "everybody tries first"),
        ('[time]\nzone = "Mars/Olympus"\n', 2, "no time zone"),
        ("[pages]\nport = 80\n", 2, "1024"),
        ('[pages]\nport = "²"\n', 2, "1024"),
        ('[backup]\nkeep = "٣"\n', 2, "from 1 to 1000"),
        (f'[time]\nzone = "{"ä" * 200}"\n', 2, "no time zone"),  # more bytes than a file's name may have
        (f'[broker]\nkind = "hospital"\nhost = "h"\nca_file = "/{"ä" * 199}"\n', 4, "no such file"),
        ('[broker]\nkind = "hospital"\n', None, "broker.host: This needs an answer"),
        ('[certificate]\nnames = ["ward 7"]\n', 2, "'ward 7' is neither"),
        ('[beds]\nnames = ["Bed 1", "bed-1"]\n', 2, "a name of its own"),
        ("[ward\n", None, "is not TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_answers_is_said_with_its_line(
    tmp_path: Path, text: str, line: int | None, word: str
) -> None:
    path = tmp_path / "answers.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as raised:
        read_answers(path)
    (problem,) = raised.value.problems
    assert word in str(problem)
    if line is not None:
        assert f"line {line}" in str(problem)


def test_the_files_are_accepted_and_beds_and_administrator_are_there(place: Place) -> None:
    done = done_with(place, beds__names="Bay A, Bay B", admin__name="sam", store__kind="victoriametrics",
                     store__url="http://127.0.0.1:8428")  # fmt: skip
    settings = load(place.file)
    assert settings.historian.store is not None
    beds = read_state(ward_path(settings)).beds
    assert [(bed.id, bed.label) for bed in beds] == [("bay-a", "Bay A"), ("bay-b", "Bay B")]
    assert settings.dashboard.users_file is not None
    found = Users(settings.dashboard.users_file).verify("sam", PASSWORD)
    assert found is not None
    assert found.role == "admin"
    assert done.shown == {}
    assert {path.stat().st_mode & 0o777 for path in done.files if path.suffix in {".toml", ".jsonl"}} == {0o640}
    assert place.certificate("authority", "key").stat().st_mode & 0o777 == 0o600
    assert place.certificate("dashboard", "key").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("names", ["Bed 1; Bed 2", "Bed 1;Bed 2,", "Bed 1, Bed 2"])
def test_names_of_beds_have_commas_or_semicolons_between(place: Place, names: str) -> None:
    done_with(place, beds__names=names)
    beds = read_state(ward_path(load(place.file))).beds
    assert [(bed.id, bed.label) for bed in beds] == [("bed-1", "Bed 1"), ("bed-2", "Bed 2")]


def test_a_file_names_itself_where_it_tells_how_to_check_it(place: Place) -> None:
    done_with(place)
    assert f"# After a change:  sudo rehab-gateway check {place.file}\n" in place.file.read_text()


def test_a_password_that_nobody_chose_is_made_and_shown_once(place: Place) -> None:
    done = done_with(place, admin__password="", admin__name="sam")
    made = done.shown["password of sam"]
    users = load(place.file).dashboard.users_file
    assert users is not None
    assert Users(users).verify("sam", made) is not None
    again = done_with(place, replace=True, admin__password="", admin__name="sam")
    assert again.shown == {}
    assert Users(users).verify("sam", made) is not None


@pytest.mark.parametrize("at", ["users.jsonl", "ward.toml", "beds"])
def test_what_was_broken_off_before_its_end_shows_its_secrets_the_next_time(
    place: Place, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Nobody has seen password and key yet."""
    more: dict[str, Any] = {"admin__password": "", "backup__folder": "/mnt/backups"}

    def break_off(self: Path, target: Path) -> Path:
        if target.name == at:
            raise KeyboardInterrupt
        return replace(self, target)

    replace = Path.replace

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", break_off)
    if at == "beds":
        monkeypatch.setattr("gateway.installation.setup.KeptWard", interrupt)
    with pytest.raises(KeyboardInterrupt):
        done_with(place, **more)
    monkeypatch.undo()
    shown = done_with(place, replace=True, **more).shown
    assert shown["key of the backups"] == (place.configuration / "secrets/backup-key").read_text().strip()
    assert Users(place.configuration / "users.jsonl").verify("admin", shown["password of admin"])
    assert done_with(place, replace=True, **more).shown == {}, "they were shown"


def test_what_goes_wrong_once_files_are_written_hides_no_secret(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.installation.setup.SYSTEMD", place.configuration)
    monkeypatch.setattr("gateway.installation.setup.subprocess.run", _hangs)
    said: list[str] = []
    assert run_all(["systemctl enable"], said.append) == ["systemctl enable"]
    monkeypatch.setattr("gateway.installation.setup.KeptWard", _fails)
    answers = complete({**BASE, "backup.folder": "/mnt/backups"})
    done = set_up(answers, place, load=load, say=said.append)
    assert done.shown
    assert "No space left" in "".join(said)


def _hangs(command: list[str], **_: object) -> None:
    raise subprocess.TimeoutExpired(command, 1)


def _fails(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_copy_of_a_private_key_is_nobody_else_s_from_its_first_byte(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    done_with(place)
    rights: set[int] = set()
    monkeypatch.setattr("gateway.installation.setup.own", lambda path, mode: rights.add(path.stat().st_mode & 0o777))
    done_with(place, replace=True, certificate__names="elsewhere.example")
    assert rights - {0o750} == {0o600}


def test_a_broker_of_the_hospital_gets_its_files_and_its_secret_apart(place: Place, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    cert, key = authority.issue("ward-7")
    done_with(place, broker__kind="hospital", broker__host="mqtt.hospital.example", broker__username="ward-7",
              broker__password=SECRET, broker__ca_file=str(authority.path), broker__cert_file=str(cert),
              broker__key_file=str(key))  # fmt: skip
    broker = load(place.file).broker
    assert not broker.embedded
    assert broker.ca_file is not None
    assert broker.ca_file.read_bytes() == authority.path.read_bytes()
    assert SECRET not in place.file.read_text()
    assert broker.password_file is not None
    assert broker.password_file.read_text() == f"{SECRET}\n"


def test_a_second_set_up_replaces_nothing_in_silence(place: Place) -> None:
    done_with(place, ward__name="Ward 7")
    before = {path: path.read_bytes() for path in present(place)}
    with pytest.raises(SetupError, match="--replace"):
        done_with(place, ward__name="Ward 8")
    assert {path: path.read_bytes() for path in present(place)} == before
    users = place.configuration / "users.jsonl"
    command("user", "add", users, "florence", "--role", "admin")
    done = done_with(place, ward__name="Ward 8", replace=True, admin__name="sam")
    kept = [path for path in done.kept if path.name.startswith("ward.toml.before-")]
    assert [path.read_bytes() for path in kept] == [before[place.file]]
    assert place.certificate("authority").read_bytes() == before[place.certificate("authority")]
    assert b'"sam"' in users.read_bytes()


def test_other_names_need_another_authority(place: Place) -> None:
    done_with(place)
    before = place.certificate("authority").read_bytes()
    done_with(place, replace=True, certificate__names="ward-8.example")
    assert place.certificate("authority").read_bytes() != before


def test_an_authority_speaks_for_its_own_names_alone() -> None:
    authority = make_authority("Ward 7", ["ward-7.example", "192.0.2.7", "2001:db8::7"])
    pair = issue(authority, ["ward-7.example", "192.0.2.7"])
    assert names_of(pair.cert) == ["ward-7.example", "192.0.2.7"]
    with pytest.raises(CertificateError, match=r"bank\.example"):
        issue(authority, ["bank.example"])
    constraints = x509.load_pem_x509_certificate(authority.cert).extensions.get_extension_for_class(
        x509.NameConstraints
    )
    assert constraints.critical


def test_what_a_hospital_signs_is_installed_and_what_does_not_fit_is_refused(place: Place, tmp_path: Path) -> None:
    done_with(place, certificate__kind="request")
    request = x509.load_pem_x509_csr(place.certificate("dashboard", "csr").read_bytes())
    assert request.is_signature_valid
    key = place.certificate("dashboard", "key").read_bytes()
    stand_in = place.certificate("dashboard").read_bytes()
    signed = make_stand_in(["localhost"], key=key, days=300).cert  # its own signature stands for the hospital's
    answer = tmp_path / "answer.pem"
    for data, why in ((b"x", "PEM"), (make_stand_in(["localhost"]).cert, "another request"), (
            make_stand_in(["localhost"], key=key, days=0).cert, "ended")):  # fmt: skip
        answer.write_bytes(data)
        with pytest.raises(CertificateError, match=why):
            check_answer(data, key)
        done = command("certificate", "install", place.file, answer)
        assert (done.returncode, why in done.stderr) == (1, True)
        assert place.certificate("dashboard").read_bytes() == stand_in
    answer.write_bytes(signed)
    assert command("certificate", "install", place.file, answer).returncode == 0
    assert place.certificate("dashboard").read_bytes() == signed
    refused = command("certificate", "renew", place.file)
    assert "not of the ward's own authority" in refused.stderr


def test_the_ward_s_own_certificate_is_renewed_in_time_and_not_before(place: Place) -> None:
    done_with(place)
    cert = place.certificate("dashboard")
    before = cert.read_bytes()
    assert "nothing to do before 60" in " ".join(command("certificate", "renew", place.file).stdout.split())
    assert cert.read_bytes() == before
    assert command("certificate", "renew", place.file, "--now").returncode == 0
    assert cert.read_bytes() != before
    ssl.create_default_context().load_cert_chain(cert, place.certificate("dashboard", "key"))
    shown = command("certificate", "show", place.file).stdout
    assert "localhost, 127.0.0.1" in shown
    assert "396 days" in shown


def test_services_are_those_that_are_wanted() -> None:
    commands = service_commands(complete(BASE), restart=False)
    assert " ".join(commands) == (
        "systemctl enable --now rehab-gateway@run rehab-gateway@historian rehab-gateway@dashboard"
        " rehab-gateway-certificate.timer"
    )
    assert len(service_commands(complete(BASE), restart=True)) == 2


def test_nobody_is_asked_where_nobody_is(tmp_path: Path) -> None:
    done = command("setup", "--folder", tmp_path / "etc", "--data", tmp_path / "data")
    assert (done.returncode, "--answers FILE" in done.stderr) == (2, True)
    assert not (tmp_path / "etc").exists()


def test_a_wrong_answer_of_a_caller_is_said_by_its_key() -> None:
    with pytest.raises(AnswerError, match=r"ward\.id"):
        complete({"ward.id": "No Id"})


def test_what_is_there_is_shown_and_the_second_call_fails(tmp_path: Path) -> None:
    ward = new_ward(tmp_path)
    assert ward.set_up().returncode == 0
    again = ward.set_up()
    assert again.returncode == 1
    assert "who may sign in: sam" in again.stdout
    assert "--replace" in again.stderr
