"""The registry of a gateway: begun from the file, followed while nobody changes it, kept when somebody has."""

from __future__ import annotations

import errno
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.settings import Device, Historian, Settings, Site, Slot
from drivers.identity import Identity
from drivers.registry import driver_names
from gateway.cli.options import known_drivers
from gateway.history.history import History
from gateway.intake.known_devices import known_devices
from gateway.machine.file_lock import HeldError
from gateway.outbox.outbox import Outbox
from gateway.upkeep.erasure import erase
from gateway.ward.kept_ward import KeptWard, ward_path
from gateway.ward.refusals import RefusedError
from gateway.ward.registry import RegistryError
from gateway.ward.remembered import FACT, remembered
from gateway.wire.payload import Message
from tests.gateway.samples import measurement
from tests.gateway.ward.test_changes import NOW_US

LATER_US = NOW_US + 60_000_000


def configured(folder: Path, *subjects: str) -> Settings:
    def device(n: int) -> Device:
        return Device(
            id=f"dot-{n}", driver="movella_dot", placement="left_foot", address=f"D4:22:CD:00:00:{n:02X}"
        )  # fmt: skip

    slots = [Slot(id=f"bay-{n}", subject=subject, device=[device(n)]) for n, subject in enumerate(subjects, 1)]
    return Settings(site=Site(data=folder), slot=slots)


Opened = Callable[..., KeptWard]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens wards, each as another process after the one before has ended."""
    made: list[KeptWard] = []

    def open_ward(settings: Settings, at_us: int = NOW_US) -> KeptWard:
        for ward in made:
            ward.close()
        made.append(KeptWard(settings, at_us=at_us))
        return made[-1]

    yield open_ward
    for ward in made:
        ward.close()


def subjects(ward: KeptWard) -> list[str]:
    return [bed.slot.subject for bed in ward.state.in_force()]


def test_a_new_registry_is_the_ward_of_the_file_and_closed_to_others(opened: Opened, tmp_path: Path) -> None:
    settings = configured(tmp_path / "data", "p-1", "p-2")
    ward = opened(settings)
    assert [bed.slot for bed in ward.state.in_force()] == settings.slot
    assert stat.S_IMODE(ward_path(settings).stat().st_mode) & 0o027 == 0
    ward.starts(NOW_US)
    assert [bed.session for bed in ward.state.in_force()] == ["bay-1-20260921t141320z", "bay-2-20260921t141320z"]
    again = opened(settings)
    again.starts(NOW_US)  # within one second
    assert [bed.session for bed in again.state.in_force()] == ["bay-1-20260921t141320z-2", "bay-2-20260921t141320z-2"]
    assert not ward.differs


def test_it_follows_an_edited_file_until_somebody_changes_it(opened: Opened, tmp_path: Path) -> None:
    opened(configured(tmp_path, "p-1", "p-2"))
    ward = opened(configured(tmp_path, "p-1", "p-3"))
    assert (subjects(ward), ward.differs) == (["p-1", "p-3"], False)
    ward.change("discharge", {"subject": "p-3"}, at_us=NOW_US, by="anna", source="test")
    same = opened(configured(tmp_path, "p-1", "p-3"))
    assert (subjects(same), same.differs) == (["p-1"], False)
    edited = opened(configured(tmp_path, "p-4"))
    assert (subjects(edited), edited.differs) == (["p-1"], True)
    edited.import_configuration(configured(tmp_path, "p-4"), at_us=NOW_US, by="anna", source="test")
    taken = opened(configured(tmp_path, "p-4"))
    assert (subjects(taken), taken.differs) == (["p-4"], False)


def test_a_file_without_slots_says_nothing_of_the_ward(opened: Opened, tmp_path: Path) -> None:
    opened(configured(tmp_path, "p-1"))
    ward = opened(configured(tmp_path))
    assert (subjects(ward), ward.differs) == (["p-1"], False)


def test_taking_a_file_over_ends_the_sessions_of_who_is_gone_and_no_others(opened: Opened, tmp_path: Path) -> None:
    ward = opened(configured(tmp_path, "p-1", "p-2"))
    for subject in ("p-1", "p-2"):
        ward.change("session-start", {"subject": subject, "protocol": "10mwt"}, at_us=NOW_US, by="", source="test")
    ward.import_configuration(configured(tmp_path, "p-1", "p-3"), at_us=LATER_US, by="", source="test")
    assert [(s.subject, s.state, s.ended_us) for s in ward.state.sessions] == [
        ("p-1", "running", None), ("p-2", "ended", LATER_US),
    ]  # fmt: skip


def test_two_processes_never_hold_one_ward(opened: Opened, tmp_path: Path) -> None:
    settings = configured(tmp_path, "p-1")
    opened(settings)
    with pytest.raises(HeldError, match=r"ward\.db"):
        KeptWard(settings, at_us=NOW_US)


def test_a_clock_that_begins_in_1970_gives_no_id_twice(opened: Opened, tmp_path: Path) -> None:
    settings = configured(tmp_path, "p-1")
    seen: set[str] = set()
    for _ in range(3):
        ward = opened(settings, 0)
        ward.starts(0)
        ward.change("discharge", {"subject": "p-1"}, at_us=0, by="", source="test")
        seen |= {bed.session for bed in ward.state.in_force()}
        ward.change("admit", {"subject": "p-1", "bed": "bay-1"}, at_us=0, by="", source="test")
        seen |= {bed.session for bed in ward.state.in_force()}
    assert len(seen) == 3


def test_what_the_audit_knows_is_remembered(opened: Opened, tmp_path: Path) -> None:
    settings = configured(tmp_path, "p-1")
    ward = opened(settings)
    ward.starts(NOW_US)
    assert ward.untold() == []
    ward.mark_audited(ward.state.number)
    ward.change("discharge", {"subject": "p-1"}, at_us=NOW_US, by="anna", source="command line")
    again = opened(settings)
    assert [(e.name, e.by, e.source) for e in again.untold()] == [("discharge", "anna", "command line")]


def test_a_file_that_cannot_be_used_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way")
    with pytest.raises(RegistryError, match=r"ward\.db cannot be used"):
        KeptWard(configured(tmp_path / "data", "p-1"), at_us=NOW_US)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets the disk be full from when it is called."""

    def full(path: Path) -> None:
        if path.name == ward_path(Settings()).name:
            raise OSError(errno.ENOSPC, "No space left on device")

    return lambda: monkeypatch.setattr("gateway.ward.registry.make_private", full)


def test_a_full_disk_at_the_first_start_has_the_ward_of_the_file_and_refuses_changes(
    opened: Opened, tmp_path: Path, full_disk: Callable[[], None]
) -> None:
    full_disk()
    ward = opened(configured(tmp_path, "p-1"))
    ward.starts(NOW_US)
    assert (subjects(ward), ward.durable) == (["p-1"], False)
    with pytest.raises(RefusedError, match="make room"):
        ward.change("discharge", {"subject": "p-1"}, at_us=NOW_US, by="", source="test")


def test_a_full_disk_never_puts_the_ward_of_the_file_in_place_of_what_people_made(
    opened: Opened, tmp_path: Path, full_disk: Callable[[], None]
) -> None:
    ward = opened(configured(tmp_path, "p-1"))
    ward.change("discharge", {"subject": "p-1"}, at_us=NOW_US, by="", source="test")
    ward.change("admit", {"subject": "p-2", "bed": "bay-1"}, at_us=NOW_US, by="", source="test")
    full_disk()
    again = opened(configured(tmp_path, "p-1"))
    again.starts(NOW_US)
    assert (subjects(again), again.durable) == (["p-2"], False)


def test_a_damaged_registry_is_no_reason_to_use_the_file(opened: Opened, tmp_path: Path) -> None:
    opened(configured(tmp_path, "p-1")).close()
    ward_path(configured(tmp_path)).write_bytes(b"SQLite format 3\0" + bytes(4000))
    with pytest.raises(RegistryError, match=r"ward\.db"):
        KeptWard(configured(tmp_path, "p-1"), at_us=NOW_US)


@pytest.mark.parametrize(
    ("driver", "options", "reason"),
    [
        ("toaster", {}, f"no driver 'toaster': known are {', '.join(driver_names())}"),
        ("movella_dot", {"mode": "fast"}, "mode"),
        ("heart_rate", {"colour": "blue"}, "driver 'heart_rate' has no option 'colour'"),
    ],
)
def test_a_device_that_nothing_can_read_is_refused(
    opened: Opened, tmp_path: Path, driver: str, options: dict[str, str], reason: str
) -> None:
    ward = opened(configured(tmp_path / "data"))
    before = ward.state
    device = {"id": "d-9", "driver": driver, "placement": "chest", "address": "D4:22:CD:00:00:09", "options": options}
    with pytest.raises(RefusedError, match=reason):
        ward.change("add-device", {"device": device}, at_us=LATER_US, by="anna", source="mqtt")
    assert ward.state == before


def remember(ward: KeptWard, settings: Settings) -> None:
    """Have an outbox remember the ward, as the gateway does with each change."""
    with closing(Outbox(settings.site.data / "outbox.db")) as outbox:
        outbox.facts.keep(FACT, remembered(ward.state))
        outbox.flush()


def spoil(path: Path) -> None:
    path.write_bytes(b"nonsense" * 4096)


GONE: dict[str, Callable[[Path, bytes], object]] = {
    "removed": lambda path, _: path.unlink(),
    "rolled back": lambda path, older: path.write_bytes(older),
    "damaged": lambda path, _: spoil(path),
}


@pytest.mark.parametrize("how", GONE)
def test_without_its_file_the_ward_is_as_it_was_last_known_and_not_as_it_once_was(
    opened: Opened, tmp_path: Path, how: str
) -> None:
    settings = configured(tmp_path, "p-1")
    ward = opened(settings)
    ward.starts(NOW_US)
    older = ward.path.read_bytes()
    changes: list[tuple[str, dict[str, object]]] = [
        ("discharge", {"subject": "p-1"}), ("admit", {"subject": "p-2", "bed": "bay-1"}),
        ("assign", {"device": "dot-1", "bed": "bay-1", "placement": "left_foot"}),
        ("session-start", {"subject": "p-2", "protocol": "rest"}),
    ]  # fmt: skip
    for name, fields in changes:
        ward.change(name, fields, at_us=NOW_US, by="anna", source="test")
    remember(ward, settings)
    number = ward.state.number
    ward.close()
    GONE[how](ward.path, older)
    again = opened(settings, LATER_US)
    assert subjects(again) == ["p-2"]
    assert again.was_recalled
    assert [session.state for session in again.state.sessions] == ["running"]
    assert again.state.number > number
    again.mark_audited(again.state.number)
    assert not again.was_recalled
    assert (subjects(opened(settings)), opened(settings).was_recalled) == (["p-2"], False)


def test_a_newer_file_than_the_outbox_remembers_is_the_ward(opened: Opened, tmp_path: Path) -> None:
    settings = configured(tmp_path, "p-1")
    ward = opened(settings)
    remember(ward, settings)
    ward.change("discharge", {"subject": "p-1"}, at_us=NOW_US, by="anna", source="test")
    again = opened(settings)
    assert (subjects(again), again.was_recalled) == ([], False)


def test_what_is_remembered_names_nobody_who_has_left(opened: Opened, tmp_path: Path) -> None:
    ward = opened(configured(tmp_path, "p-1", "p-2"))
    ward.starts(NOW_US)
    ward.change("session-start", {"subject": "p-1", "protocol": "rest"}, at_us=NOW_US, by="anna", source="test")
    ward.change("discharge", {"subject": "p-1"}, at_us=NOW_US, by="anna", source="test")
    assert "p-1" not in remembered(ward.state)
    assert "p-2" in remembered(ward.state)


@pytest.mark.parametrize("how", GONE)
def test_a_file_that_goes_under_the_process_is_written_anew(opened: Opened, tmp_path: Path, how: str) -> None:
    settings = configured(tmp_path, "p-1", "p-2")
    ward = opened(settings)
    older = ward.path.read_bytes()
    ward.change("discharge", {"subject": "p-1"}, at_us=NOW_US, by="anna", source="test")
    assert ward.look_after() == ""
    GONE[how](ward.path, older)
    assert "was written anew" in ward.look_after()
    assert ward.look_after() == ""
    ward.change("discharge", {"subject": "p-2"}, at_us=NOW_US, by="anna", source="test")
    assert stat.S_IMODE(ward.path.stat().st_mode) & 0o027 == 0
    assert subjects(opened(settings)) == []


def test_a_lock_file_that_was_removed_is_made_again(opened: Opened, tmp_path: Path) -> None:
    settings = configured(tmp_path, "p-1")
    ward = opened(settings)
    (tmp_path / "ward.db.lock").unlink()
    assert ward.look_after() == ""
    with pytest.raises(HeldError):
        KeptWard(settings, at_us=NOW_US)


DOT = {"id": "dot-9", "driver": "movella_dot", "placement": "left_foot", "address": "D4:22:CD:00:00:99"}
STRAP = {"id": "strap-9", "driver": "heart_rate", "placement": "chest", "name": "Strap 9"}
BACK = {"id": "back-9", "driver": "shimmer3", "placement": "lower_back", "port": "/dev/rfcomm9"}


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[KeptWard]:
    """Yields a ward as the gateway opens it, with a DOT, a strap and a Shimmer that nobody wears."""
    ward = KeptWard(configured(tmp_path, "p-1"), at_us=NOW_US, drivers=known_drivers())
    for device in ({**DOT, "serial": "D1"}, STRAP, BACK):
        ward.change("add-device", {"device": device}, at_us=NOW_US, by="anna", source="test")
    yield ward
    ward.close()


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ({**DOT, "address": "D4:22:CD:00:00:98", "serial": " d1 "}, "serial = ' d1 ' is already another device's"),
        ({**DOT, "address": "d422cd000099"}, "address = 'D4:22:CD:00:00:99' is already another device's"),
        ({**DOT, "address": "00:00:00:00:00:00"}, "is no device's"),
        ({**STRAP, "name": " strap  9"}, "name = ' strap  9' is already another device's"),
        ({**STRAP, "name": "  "}, "name is empty"),
        ({**STRAP, "name": None}, "give it an 'address' or a 'name'"),
        ({**STRAP, "name": "Strap 8", "port": "/dev/rfcomm8"}, "port is for a tty"),
        ({**BACK, "port": "/dev/../dev/rfcomm9"}, "is already the tty of 'back-9' by another name"),
        ({**BACK, "port": "rfcomm8"}, "must be a whole path"),
        ({**BACK, "port": None}, "give it a 'port'"),
        ({**BACK, "port": "/dev/rfcomm8", "axes": "x y -z"}, "is a mirror image"),
    ],
)
def test_a_device_is_added_that_a_file_could_have_and_no_other(
    checked: KeptWard, device: dict[str, object], words: str
) -> None:
    added: dict[str, object] = {"device": {**device, "id": "another"}}
    with pytest.raises(RefusedError, match=re.escape(words)):
        checked.change("add-device", added, at_us=NOW_US, by="anna", source="test")
    assert checked.state.device("another") is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"device": "strap-9", "placement": "left_foot"}, "placement = 'left_foot' is no place for a heart_rate"),
        ({"device": "back-9", "placement": "left_foot"}, "already has a movella_dot in this bed"),
        ({"device": "dot-9", "placement": "right_foot", "axes": "x y -z"}, "is a mirror image"),
        ({"device": "dot-9", "placement": "right_foot", "axes": "x y y"}, "must name each of x, y and z once"),
    ],
)
def test_a_device_is_worn_where_a_file_could_have_it_and_nowhere_else(
    checked: KeptWard, fields: dict[str, object], words: str
) -> None:
    with pytest.raises(RefusedError, match=re.escape(words)):
        checked.change("assign", {"bed": "bay-1", **fields}, at_us=NOW_US, by="anna", source="test")
    right: dict[str, object] = {"device": "dot-9", "bed": "bay-1", "placement": "right_foot", "axes": "-x -y z"}
    checked.change("assign", right, at_us=NOW_US, by="anna", source="test")


def leave_history(settings: Settings) -> None:
    """Leave a history on this computer that has something of the gateway."""
    with closing(History(settings.site.data.parent / "history.db")) as history:
        history.store([Message(settings.site.gateway, "0123456789abcdef", 0, [(1, measurement())])])


TRACES: dict[str, Callable[[Settings], object]] = {
    "the history has measurements of it": leave_history,
    "history.db is damaged": lambda s: (s.site.data.parent / "history.db").write_bytes(b"nonsense" * 1000),
    "it has met devices": lambda settings: known_devices(settings).judge(settings.slot[0].device[0], Identity("s-1")),
    "outbox.db.corrupt-1 was set aside": lambda s: (s.site.data / "outbox.db.corrupt-1").write_bytes(b"nonsense"),
    "the broker still has rehab/v1/demo/gateway-1/ward": lambda _: None,
}


@pytest.mark.parametrize("trace", TRACES)
def test_a_ward_that_was_there_before_and_is_lost_begins_with_nobody_in_a_bed(tmp_path: Path, trace: str) -> None:
    """Registry and outbox are gone: the configuration has the first patients, who may be long gone."""
    settings = configured(tmp_path / "data", "p-1", "p-2")
    settings = settings.model_copy(update={"historian": Historian(database=tmp_path / "history.db")})
    settings.site.data.mkdir()
    TRACES[trace](settings)

    def ask() -> str:
        return "rehab/v1/demo/gateway-1/ward" if "broker" in trace else ""

    def opened() -> KeptWard:
        return KeptWard(settings, at_us=NOW_US, drivers=known_drivers(), ask_broker=ask)

    with closing(opened()) as ward:
        assert (subjects(ward), ward.begun, ward.vacated, ward.differs) == ([], False, trace, False)
        assert [bed.id for bed in ward.state.beds] == ["bay-1", "bay-2"]
        assert [(one.device.id, one.bed) for one in ward.state.devices] == [("dot-1", None), ("dot-2", None)]
        assert [(entry.name, entry.source) for entry in ward.untold()] == [("vacated", "trace")]
        assert not list(ward.words())  # nobody was in a bed, so nobody has left one
        ward.starts(NOW_US)
    with closing(opened()) as ward:
        ward.change("add-bed", {"bed": "bay-9"}, at_us=NOW_US, by="anna", source="test")
        assert (subjects(ward), ward.vacated) == ([], trace)  # nobody has said yet who is there
        ward.change("admit", {"subject": "p-3", "bed": "bay-1"}, at_us=NOW_US, by="anna", source="test")
        assert (subjects(ward), ward.vacated) == (["p-3"], "")
    with closing(opened()) as ward:
        ward.import_configuration(settings, at_us=NOW_US, by="anna", source="command line")
        assert (subjects(ward), ward.vacated) == (["p-1", "p-2"], "")
    with closing(opened()) as ward:
        assert (subjects(ward), ward.differs) == (["p-1", "p-2"], False)


def test_a_first_ward_of_all_is_that_of_the_file_and_the_broker_is_asked_once(tmp_path: Path) -> None:
    settings = configured(tmp_path / "data", "p-1")
    asked: list[str] = []

    def ask() -> str:
        asked.append("")
        return ""

    for begun in (True, False):
        with closing(KeptWard(settings, at_us=NOW_US, ask_broker=ask)) as ward:
            assert (subjects(ward), ward.begun, ward.vacated) == (["p-1"], begun, "")
            ward.mark_audited(ward.state.number)  # as a gateway does that runs
    assert len(asked) == 1


def test_a_ward_that_a_command_made_is_the_first_one_for_the_gateway_too(tmp_path: Path) -> None:
    """While the broker was away: what the gateway hears later still shows that there was one before."""
    settings = configured(tmp_path / "data", "p-1")
    with closing(KeptWard(settings, at_us=NOW_US)):
        pass
    with closing(KeptWard(settings, at_us=LATER_US)) as ward:
        assert (subjects(ward), ward.begun) == (["p-1"], True)


def test_whom_a_file_alone_put_there_leaves_and_nobody_else(tmp_path: Path) -> None:
    with closing(KeptWard(configured(tmp_path, "p-1", "p-2", "p-3"), at_us=NOW_US)) as ward:
        ward.change("discharge", {"subject": "p-2"}, at_us=LATER_US, by="anna", source="test")
        ward.change("admit", {"subject": "p-9", "bed": "bay-2"}, at_us=LATER_US, by="anna", source="test")
        ward.change("session-start", {"subject": "p-3", "protocol": "walk"}, at_us=LATER_US, by="anna", source="test")
        ward.vacate("the historian has measurements of it", at_us=LATER_US)
        assert subjects(ward) == ["p-9", "p-3"], "Anna stands beside p-3, who walks"
        assert [session.state for session in ward.state.sessions] == ["running"]
        assert ward.vacated == "the historian has measurements of it"


def test_no_session_is_corrected_to_somebody_who_was_erased_as_its_numbers_would_go_for_good(
    opened: Opened, tmp_path: Path
) -> None:
    settings = configured(tmp_path / "data", "p-1", "p-2")
    ward = opened(settings)
    history = History(settings.site.data / "history.db")
    erase(history.database, "p-3", now_us=NOW_US)
    history.close()

    def ask(name: str, minute: int, **fields: object) -> str:
        after = ward.change(name, fields, at_us=NOW_US + minute * 60_000_000, by="anna", source="mqtt")
        return after.sessions[-1].id

    session = ask("session-start", 1, subject="p-1", protocol="rest")
    ask("session-end", 2, session=session)
    with pytest.raises(RefusedError, match="'p-3' was erased: the numbers of this session"):
        ask("session-correct", 3, session=session, subject="p-3")
    assert ward.state.sessions[-1].subject == "p-1"
    ask("session-correct", 3, session=session, subject="p-4")
    assert ward.state.sessions[-1].subject == "p-4"
    (settings.site.data / "history.db").write_bytes(b"no history" * 100)  # what cannot be read forbids nothing
    ask("session-correct", 4, session=session, subject="p-3")
    assert ward.state.sessions[-1].subject == "p-3"


def test_a_test_is_corrected_that_was_found_where_the_history_knows_what_was(opened: Opened, tmp_path: Path) -> None:
    settings = configured(tmp_path / "data", "p-1")
    ward = opened(settings)

    def at(second: float) -> int:
        return NOW_US + round(second * 1e6)

    def correct(start: float, end: float, metric: str = "tmwt10_time") -> None:
        times = {"found_start_us": at(start), "found_end_us": at(end), "start_us": at(start + 1), "end_us": at(end)}
        fields: dict[str, object] = {"session": session, "metric": metric, **times}
        ward.change("test-correct", fields, at_us=at(90), by="anna", source="mqtt")

    ward.change("session-start", {"subject": "p-1", "protocol": "10mwt"}, at_us=at(0), by="anna", source="mqtt")
    session = ward.state.sessions[0].id
    ward.change("session-end", {"session": session}, at_us=at(60), by="anna", source="mqtt")
    correct(40, 50)  # there is no history yet
    with closing(History(settings.history_file)) as history:
        found = replace(
            measurement(0), metric="tmwt10_time", session=session, subject="p-1", start_us=at(20.4), end_us=at(30.4)
        )
        history.store([Message(settings.site.gateway, "0123456789abcdef", 0, [(1, found)])])
    correct(20, 30)
    with pytest.raises(
        RefusedError, match=f"no 'Ten-metre walk, time' of session '{session}' was found at these times"
    ):
        correct(40, 50)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"answers": {"mobility": 2}}, "form 'five-questions' has no item 'mobility': it has walking, washing, day, "),
        ({"answers": {"walking": 9}}, "'walking' of form 'five-questions' is one of 1, 2, 3, 4, 5, not 9"),
        ({"answers": {"health": 101}}, "'health' of form 'five-questions' is 0 to 100, not 101"),
        ({"answers": {"walking": 1}, "version": 2}, "form 'five-questions' is of version 1 here, not 2"),
        ({"answers": {"walking": 5, "health": 40.5}}, ""),
        ({"answers": {"anything": 7}, "form": "of-a-dashboard-elsewhere"}, ""),
    ],
)
def test_answers_are_those_that_the_form_has(
    opened: Opened, tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    ward = opened(configured(tmp_path, "p-1"))
    asked: list[tuple[str, dict[str, object]]] = [
        ("session-start", {"subject": "p-1", "protocol": "tug"}),
        ("session-report", {"session": "p-1", "form": "five-questions"} | fields),
    ]
    refusal = ""
    try:
        for name, given in asked:
            ward.change(name, given, at_us=LATER_US, by="anna", source="test")
    except RefusedError as error:
        refusal = str(error)
    assert refusal.startswith(words)
    assert bool(refusal) == bool(words)
    assert len(ward.state.sessions[0].entered) == (0 if words else len(fields["answers"]))
