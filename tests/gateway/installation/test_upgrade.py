"""Another version takes the place of one that measures: real programs, a supervisor that is one, real packages."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.machine.kept_forms import MARKER
from installer.signing import sign_sums
from tests.faults.outcome import compare, contents, promised
from tests.gateway.installation.bench import FIRST, Bench, bench_in
from tests.gateway.installation.test_signature import make_key

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]


LEAST = 20
"""Rows, so that something did flow: a machine with other work makes few in so short a time."""


def assert_nothing_is_lost(bench: Bench) -> None:
    bench.stop()
    journal = bench.load / "journal"
    found = compare(bench.history, promised(journal), contents(journal))
    assert found.promised > LEAST
    assert (found.lost, found.declared, found.twice, found.wrong, found.silent) == (0, 0, 0, 0, 0)
    assert found.chain_is_whole


def test_a_good_version_is_kept_and_the_way_back_is_open(tmp_path: Path) -> None:
    with bench_in(tmp_path / "m") as bench:
        status, said = bench.upgrade(bench.package("0.2.0"))
        assert (status, bench.current) == (0, "0.2.0"), said
        assert "NOT SIGNED" in said
        assert bench.versions.installed() == [FIRST, "0.2.0"]
        assert (bench.data / MARKER).exists()
        kept = bench.data / "before-upgrade"
        assert {"outbox.db", "history.db"} <= {path.name for path in kept.iterdir()}
        assert (kept / "configuration/ward.toml").read_bytes() == bench.config.read_bytes()
        assert bench.settled()
        assert bench.goes_on()

        status, said = bench.change("rollback")
        assert (status, bench.current) == (0, FIRST), said
        past = bench.journal.past()
        assert [(entry["kind"], entry["result"]) for entry in past] == [("upgrade", "kept"), ("rollback", "kept")]
        assert past[0]["unsigned"] == "made by a test"
        assert bench.goes_on()

        status, said = bench.change("upgrade", "--settle")
        assert status == 0, said
        assert bench.versions.installed() == [FIRST]
        assert not (bench.data / MARKER).exists()
        assert_nothing_is_lost(bench)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("refuses", "does not take"),
        ("crashes", "run does not run"),
        ("mute", "says nothing"),
        ("spoilt", "this version has a mistake in it"),
    ],
)
def test_a_broken_version_is_gone_back_from(tmp_path: Path, fault: str, why: str) -> None:
    with bench_in(tmp_path / "m") as bench:
        status, said = bench.upgrade(bench.package("0.2.0", fault), within=20)
        assert (status, bench.current) == (1, FIRST), said
        assert why in said
        assert bench.versions.installed() == [FIRST]
        assert not (bench.data / MARKER).exists()
        assert bench.settled()
        assert bench.journal.past()[-1]["result"] in {"went back", "given up"}
        assert bench.goes_on()
        assert_nothing_is_lost(bench)


def test_a_newer_form_waits_until_the_way_back_is_given_up(tmp_path: Path) -> None:
    with bench_in(tmp_path / "m") as bench:
        package = bench.package("0.2.0", "history-5")
        sign_sums(package.parent, [make_key(tmp_path, "release", tmp_path / "trusted")])
        status, said = bench.change("upgrade", package, "--keys", tmp_path / "trusted", "--within", 60)
        assert (status, bench.current) == (0, "0.2.0"), said
        assert f"signed by {bench.journal.past()[0]['key']}, which is trusted" in said
        assert form_of(bench) == 4  # and so the version before can go on with it
        status, said = bench.upgrade(bench.package("0.3.0"))
        assert status == 1
        assert "history.db still has the form of the version before" in said
        status, said = bench.change("upgrade", "--settle")
        assert status == 0, said
        bench.start_again()
        assert bench.goes_on()
        assert form_of(bench) == 5
        # Now one that does not know it is refused before anything is stopped.
        package = bench.package("0.1.1")
        assert "version 0.1.1 is older than 0.2.0, which runs" in bench.upgrade(package)[1]
        why = ("--unsigned", "made by a test", "--older", "tried by a test")
        status, said = bench.change("upgrade", package, *why)
        assert (status, bench.current) == (1, "0.2.0")
        assert "history.db is of version 5, and it goes on with 3, 4" in said


def form_of(bench: Bench) -> int:
    with closing(sqlite3.connect(f"{bench.history.as_uri()}?mode=ro", uri=True)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def test_what_is_no_package_of_ours_changes_nothing(tmp_path: Path) -> None:
    with bench_in(tmp_path / "m") as bench:
        (tmp_path / "text.deb").write_text("no package")
        for file, why in (
            (tmp_path / "text.deb", "is no Debian package"),
            (tmp_path / "absent.deb", "there is no such file"),
            (bench.package("0.2.0", name="other"), "is the package of other"),
            (bench.package(FIRST), f"version {FIRST} is the one that runs"),
        ):
            status, said = bench.upgrade(file)
            assert (status, bench.current, why in said) == (1, FIRST, True), said
        status, said = bench.change("upgrade", bench.package("0.2.0"))
        assert (status, "it is not signed" in said) == (1, True), said
        status, said = bench.change("upgrade", bench.package("0.2.0"), "--unsigned", "yes")
        assert (status, "takes a sentence" in said) == (2, True), said
        assert bench.journal.past() == []
        assert not (bench.home / "upgrade.deb").exists()
