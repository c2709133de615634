"""``rehab-gateway fleet`` as an administrator types it: what is made, what is refused, and in which words."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.fleet.register import Register
from gateway.model.usage import UsageError
from tests.servers import wait_until
from tests.small_disk import small_disk

CODE_LENGTH = 11


@pytest.fixture
def central(tmp_path: Path) -> Path:
    path = tmp_path / "central.toml"
    path.write_text('[site]\nsite = "north"\ngateway = "central"\n[fleet]\nreload_command = ["false"]\n')
    return path


def fleet(*words: object) -> tuple[int, str]:
    """Run a command; return its exit status and what it printed. Raises what it refuses with."""
    done = CliRunner().invoke(app, ["fleet", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


@pytest.fixture
def begun(central: Path) -> Path:
    fleet("init", central, "--host", "mqtt.hospital.example", "--historian", "h-1", "--historian", "h-2")
    return central


def test_a_fleet_is_made_with_secrets_that_only_the_owner_reads(begun: Path) -> None:
    folder = begun.parent / "var" / "fleet"
    assert {path.name for path in folder.iterdir()} >= {
        "ca.pem", "ca.key", "crl.pem", "plan.key", "broker.pem", "broker.key", "h-1.pem", "h-2.key", "dashboard.pem",
        "fleet-desk.pem", "mosquitto.conf", "acl", "enrol-acl", "fleet.db",
    }  # fmt: skip
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.key")} == {
        path.name: 0o600 for path in folder.glob("*.key")
    }
    with pytest.raises(UsageError, match="has a fleet already"):
        fleet("init", begun, "--host", "other.example")


@pytest.mark.timeout(90)
def test_a_desk_that_is_started_with_a_full_disk_waits_for_room(central: Path) -> None:
    folder = central.parent / "var" / "fleet"
    with small_disk(folder) as disk:
        fleet("init", central, "--host", "localhost")
        disk.fill()
        command = [sys.executable, "-m", "gateway", "fleet", "desk", str(central)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as desk:
            assert desk.stderr is not None
            said = desk.stderr.readline()
            assert f"the disk of {folder} is full: delete or move what is not needed" in said
            disk.make_room()
            assert f"{folder} can be written again" in desk.stderr.readline()
            desk.terminate()
            assert desk.wait(30) == 0


def test_a_second_desk_says_that_there_is_one_and_leaves_it_alone(begun: Path) -> None:
    command = [sys.executable, "-m", "gateway", "fleet", "desk", str(begun)]
    lock = begun.parent / "var" / "fleet" / "desk.lock"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as desk:
        wait_until(lambda: lock.exists() and str(desk.pid) in lock.read_text())
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert second.returncode == 1
        assert f"another process writes {lock.with_suffix('')}" in second.stderr
        assert f"pid {desk.pid}" in second.stderr
        assert desk.poll() is None
        desk.terminate()
        assert desk.wait(30) == 0


def test_an_invitation_prints_the_code_and_the_command_that_uses_it(begun: Path) -> None:
    status, said = fleet("invite", begun, "ward-7", "--ring", "first")
    code = said.splitlines()[0]
    assert status == 0
    assert len(code) == CODE_LENGTH
    assert f"fleet join CONFIG ward-7 {code} --broker mqtt.hospital.example:8884" in said
    assert code.encode() not in b"".join(
        path.read_bytes() for path in (begun.parent / "var" / "fleet").glob("fleet.db*")
    )
    told = orjson.loads(fleet("list", begun, "--json")[1])
    assert [(one["gateway"], one["ring"]) for one in told["invitations"]] == [("ward-7", "first")]
    assert "invited" in fleet("list", begun)[1]


def test_what_cannot_be_is_said_in_a_sentence(begun: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "rehab-gateway-2.bundle"
    bundle.write_text("x")
    for words, why in (
        (("invite", begun, "Ward 7"), "is not a name here"),
        (("revoke", begun, "ward-7"), "no gateway 'ward-7' is in the fleet"),
        (("ring", begun, "ward-7", "first"), "no gateway 'ward-7' is in the fleet"),
        (("roll-out", begun, bundle, "--version", "2"), "nobody is in the fleet yet"),
        (("resume", begun), "no roll-out that was stopped"),
        (("abort", begun), "no roll-out under way"),
        (("agent", begun), "is in no fleet"),
        (("join", begun, "ward-7", "22222-22222", "--broker", "nowhere"), "--broker is HOST:PORT"),
        (("join", begun, "ward-7", "22222-22222", "--broker", "127.0.0.1:9"), "cannot be reached"),
    ):
        with pytest.raises(UsageError, match=why):
            fleet(*words)


def test_without_a_fleet_the_command_that_makes_one_is_named(central: Path) -> None:
    with pytest.raises(UsageError, match="'rehab-gateway fleet init' makes one"):
        fleet("list", central)


def test_a_revocation_that_the_broker_does_not_hear_of_is_no_success(
    begun: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from gateway.fleet.enrolment import invite

    register = Register(begun.parent / "var" / "fleet")
    invite(register, "ward-7", "first", minutes=1, now_s=0)
    used = register.invitation("ward-7")
    assert used is not None
    register.admit(used, "x", b"", [(1, 4e9), (2, 4e9)], 0.0)
    register.close()
    status, said = fleet("revoke", begun, "ward-7", "--why", "stolen")
    assert status == 1
    assert "may still be connected" in said + "".join(capfd.readouterr())
    status, said = fleet("revoke", begun, "ward-7")  # once more, when somebody has seen to the broker
    assert status == 1
    assert "may still be connected" in said + "".join(capfd.readouterr())


def test_an_invitation_that_somebody_else_has_read_is_taken_back(begun: Path) -> None:
    fleet("invite", begun, "ward-7")
    status, said = fleet("revoke", begun, "ward-7")
    assert (status, said.strip()) == (0, "The invitation of ward-7 is taken back: its code opens nothing any more.")
    assert orjson.loads(fleet("list", begun, "--json")[1])["invitations"] == []
    with pytest.raises(UsageError, match="no gateway 'ward-7' is in the fleet"):
        fleet("revoke", begun, "ward-7")


def test_what_cannot_be_rolled_out_is_said_with_its_file_and_before_anybody_hears_of_it(
    begun: Path, tmp_path: Path
) -> None:
    register = Register(begun.parent / "var" / "fleet")
    register.invite("ward-7", b"key", "first", 4e9)
    used = register.invitation("ward-7")
    assert used is not None
    register.admit(used, "x", b"", [(1, 4e9)], 0.0)
    register.close()
    whole = tmp_path / "rehab-gateway_1.4.0+deb12_arm64.bundle"
    for path in (whole, tmp_path / "x.bundle"):
        path.write_text("x")
    for name, content in (("deep", f"x = {'[' * 3000}{']' * 3000}"), ("cut", "[notices"), ("latin", 'x = "\xe4"')):
        (tmp_path / f"{name}.toml").write_bytes(content.encode("latin-1"))
    for words, why in (
        ((tmp_path / "deep.toml",), "deep.toml is not a part of a configuration"),
        ((tmp_path / "cut.toml",), "cut.toml is not a part of a configuration"),
        ((tmp_path / "latin.toml",), "latin.toml is not a part of a configuration"),
        ((tmp_path,), "--version says what"),
        ((tmp_path, "--version", "1.4.0"), "s a directory"),
        ((tmp_path / "gone.toml",), "gone.toml: No such file"),
        ((whole, "--version", "1.4"), r"--version says 1.4, and .* is 1.4.0: gateways would say that"),
        ((tmp_path / "x.bundle", "--version", "v1"), "'v1' is no version"),
        ((tmp_path / "cut.toml", "--version", "9" * 5000), "not a part"),
        ((whole, "--version", "1.4.0", "--rings", ","), "no ring is named"),
    ):
        with pytest.raises(UsageError, match=why):
            fleet("roll-out", begun, *words, "--no-wait", *(() if "--rings" in words else ("--rings", "first")))
    assert orjson.loads(fleet("list", begun, "--json")[1])["roll_out"] is None
    assert fleet("roll-out", begun, whole, "--version", "1.4.0", "--no-wait", "--rings", "first")[0] == 0
