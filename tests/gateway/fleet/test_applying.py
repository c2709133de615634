"""A part of a configuration on a gateway: checked before, tried, and taken back where the gateway is not well."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from config.loader import load
from config.settings import Fleet
from gateway.fleet.applying import Applier
from gateway.fleet.health import Health
from tests.servers import wait_until
from tests.small_disk import small_disk

GOOD = '[notices]\nleast_priority = "low"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ward.toml"
    path.write_text('[site]\nsite = "north"\n')
    return path


def applier(config: Path, health: Callable[[], Health], **commands: list[str]) -> Applier:
    settings = Fleet(restart_command=["true"], well_within_s=1).model_copy(update=commands)
    return Applier(config, settings, lambda _since: health(), settle_s=0.0)


def well() -> Health:
    return Health(True, "is well")


def configure(made: Applier, tmp_path: Path, text: str) -> tuple[bool, str]:
    file = tmp_path / "part.toml"
    file.write_text(text)
    return made.configure(file, threading.Event())


def test_a_good_part_is_in_force(config: Path, tmp_path: Path) -> None:
    assert configure(applier(config, well), tmp_path, GOOD)[0]
    assert load(config).notices.least_priority == "low"
    assert load(config).site.site == "north"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[notices", "not a part of a configuration"),
        ('[site]\nsite = "south"\n', r"\[site\], which is each machine's own"),
        ('[broker]\nhost = "elsewhere"\n', r"\[broker\], which is each machine's own"),
        ("[fleet]\nupgrade_command = ['sh']\n", r"\[fleet\], which is"),
        ('[dashboard]\nusers_file = "/tmp/mine"\n', r"dashboard\.users_file, which is each machine's own"),
        (
            '[historian.store]\nkind = "victoriametrics"\nurl = "http://127.0.0.1:9"\n',
            r"historian\.store, which is each machine's own",
        ),
        ('[notices]\nwebhook = "https://elsewhere.example"\n', r"notices\.webhook, which is each machine's own"),
        ('[dashboard.openid]\nissuer = "https://evil.example"\n', r"dashboard\.openid, which is"),
        ('[dashboard]\nhost = "0.0.0.0"\n', r"dashboard\.host, which is"),
        ('[historian]\ndatabase = "new.db"\n', r"historian\.database, which is"),
        ("simulated = true\n", r"\[simulated\], which is"),
        ("dashboard = 3\n", "its check fails"),
        (f"x = {'[' * 3000}{']' * 3000}\n", "is not a part of a configuration"),
        ("[notices]\nloud = true\n", "its check fails: .*50-fleet.toml"),
    ],
)
def test_a_bad_part_is_refused_before_anything_is_touched(config: Path, tmp_path: Path, text: str, why: str) -> None:
    done, said = configure(applier(config, well, restart_command=["false"]), tmp_path, text)
    assert not done
    assert re.search(why, said), said
    assert not config.with_name("ward.toml.d").exists()


def test_one_with_which_the_gateway_is_not_well_is_taken_back(config: Path, tmp_path: Path) -> None:
    assert configure(applier(config, well), tmp_path, GOOD)[0]

    def health() -> Health:
        is_new = load(config).outbox.max_days == 7
        return Health(not is_new, "is well" if not is_new else "says of itself: store-behind")

    done, why = configure(applier(config, health), tmp_path, "[outbox]\nmax_days = 7\n")
    assert not done
    assert why == "1 s after its restart it says of itself: store-behind; the one before is in force again"
    assert (load(config).outbox.max_days, load(config).notices.least_priority) == (30, "low")


def test_what_cannot_be_restarted_is_taken_back_and_said(config: Path, tmp_path: Path) -> None:
    done, why = configure(applier(config, well, restart_command=["false"]), tmp_path, GOOD)
    assert not done
    assert "could not be restarted" in why
    assert load(config).notices.least_priority == "medium"


def test_a_disk_that_is_full_leaves_or_gets_back_what_was_in_force(tmp_path: Path) -> None:
    with small_disk(tmp_path / "etc") as disk:
        config = disk.folder / "ward.toml"
        config.write_text('[site]\nsite = "north"\n')
        assert configure(applier(config, well), tmp_path, GOOD)[0]
        parts = sorted(path.name for path in (disk.folder / "ward.toml.d").iterdir())
        disk.fill()
        done, why = configure(applier(config, well), tmp_path, "[outbox]\nmax_days = 7\n")
        assert (done, why) == (
            False, "it cannot be put in place (No space left on device): the one before stays in force",
        )  # fmt: skip
        assert load(config).notices.least_priority == "low"
        disk.make_room()

        def ill_with_it() -> Health:
            if load(config).outbox.max_days != 7:
                return well()
            disk.fill()  # of what the gateway does with the new one
            return Health(False, "says of itself: disk-nearly-full")

        done, why = configure(applier(config, ill_with_it), tmp_path, "[outbox]\nmax_days = 7\n")
        assert (done, "the one before is in force again" in why) == (False, True), why
        assert (load(config).outbox.max_days, load(config).notices.least_priority) == (30, "low")
        disk.make_room()
        assert sorted(path.name for path in (disk.folder / "ward.toml.d").iterdir() if path.suffix) == parts


@pytest.mark.parametrize("before", ["", "[outbox]\nmax_days = 7\n"])
def test_what_was_tried_when_the_agent_was_killed_is_taken_back(config: Path, tmp_path: Path, before: str) -> None:
    if before:
        assert configure(applier(config, well), tmp_path, before)[0]
    days = load(config).outbox.max_days
    (tmp_path / "part.toml").write_text("[outbox]\nmax_days = 3\n")
    child = os.fork()
    if not child:  # it waits for a gateway that says nothing of itself, and is killed meanwhile
        made = applier(config, lambda: Health(False, "has said nothing of itself"))
        made.configure(tmp_path / "part.toml", threading.Event())
        os._exit(1)
    wait_until(lambda: load(config).outbox.max_days == 3)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert applier(config, well).settle() == "the one before is in force again"
    assert load(config).outbox.max_days == days
    assert applier(config, well).settle() == "nothing was changed"


def test_what_was_in_force_long_ago_is_not_put_back(config: Path, tmp_path: Path) -> None:
    for days in (7, 8):
        assert configure(applier(config, well), tmp_path, f"[outbox]\nmax_days = {days}\n")[0]
    assert applier(config, well).settle() == "nothing was changed"
    assert load(config).outbox.max_days == 8


def test_an_upgrade_is_what_its_command_says(config: Path) -> None:
    script = "import sys; print('trying'); print('back to 1.0'); sys.exit(3)"
    made = applier(config, well, upgrade_command=[sys.executable, "-c", script])
    assert made.upgrade(config) == (False, "back to 1.0")
    assert applier(config, well, upgrade_command=["true"]).upgrade(config) == (True, "done")
    assert not applier(config, well, upgrade_command=["/there/is/none"]).upgrade(config)[0]
