"""When a version that was just started counts as well."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.installation import trial
from gateway.installation.trial import Trial, troubles


class Up:
    """Services that run, or not, at each look."""

    def __init__(self, looks: Sequence[Sequence[str]]) -> None:
        self._looks = [list(names) for names in looks]

    def wanted(self) -> list[str]:
        return ["run"]

    def running(self) -> list[str]:
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]

    def restart(self, names: Sequence[str]) -> None:
        raise AssertionError(names)

    def at(self, name: str) -> str:
        return self.words

    words = ""

    def stand_by(self, home: Path) -> None:
        raise AssertionError(home)


def said(released: int, *, last: int = 5, codes: Sequence[str] = (), fresh: bool = True) -> dict[str, Any]:
    active = [{"code": code, "device": "dot-1"} for code in codes]
    outbox = {"epoch": "e", "last_seq": last, "released_seq": released}
    return {"fresh": fresh, "status": {"outbox": outbox, "notices": {"active": active}, "devices": []}}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "LOOK_S", 0.0)


def outcome(looks: Sequence[dict[str, Any] | None], before: set[str] = frozenset(), up: Up | None = None) -> str:  # type: ignore[assignment]
    left = list(looks)
    ask = lambda: left.pop(0) if len(left) > 1 else left[0]  # noqa: E731
    return Trial(up or Up([["run"]]), ["run"], ask, set(before), lambda _words: None).wait(0.05)


def test_a_receipt_for_what_was_there_at_first_is_enough() -> None:
    assert outcome([said(0), said(4, last=900), said(5, last=905)]) == ""


def test_what_is_missing_is_said() -> None:
    assert outcome([said(4)]) == "no receipt yet: stored up to 4 of 5"
    assert outcome([said(0, last=0)]) == "nothing was measured or noted yet"
    assert outcome([None]) == "the gateway says nothing"
    assert outcome([said(5, fresh=False)]) == "the gateway says nothing"
    assert outcome([said(5)], up=Up([[]])) == "run does not run"
    starting = Up([[]])
    starting.words = 'activating (start), it says "checking the outbox"'
    assert outcome([said(5)], up=starting) == f"run does not run: {starting.words}"


def test_a_service_that_comes_and_goes_is_not_well() -> None:
    assert outcome([said(5)], up=Up([["run"], []] * 100_000)) != ""


def test_a_trouble_of_before_may_stand_and_a_new_one_may_not() -> None:
    standing = troubles(said(5, codes=["battery-low"]))
    assert outcome([said(5, codes=["battery-low"])], standing) == ""
    assert outcome([said(5, codes=["battery-low", "sample-loss"])], standing) == "new since then: sample-loss dot-1"
    assert outcome([said(5, codes=["analysis-preparing"])]) == ""
    assert troubles({"fresh": True, "status": {"devices": [{"id": "dot-1", "state": "searching"}]}}) == {
        "dot-1 is searching"
    }
