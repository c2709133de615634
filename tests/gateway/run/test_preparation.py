"""Kernels are made ready while everything else goes on: nobody else waits, and it is said how far it is."""

from __future__ import annotations

import errno
import subprocess
import threading
import time
from collections.abc import Collection, Iterator

import pytest

from gateway.analysis import warm_up
from gateway.run.preparation import Preparation, sentence
from tests.servers import wait_until


class Compiler:
    """What stands in for the kernels: a part is ready when a test says so."""

    def __init__(self) -> None:
        self.ready: set[str] = set()
        self.begun: list[str] = []
        self.may_end = threading.Event()
        self.fails = False

    def make_ready(self, name: str) -> None:
        self.begun.append(name)
        assert self.may_end.wait(30)
        if self.fails:
            raise OSError("no compiler here")
        self.ready.add(name)


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[Compiler]:
    made = Compiler()
    monkeypatch.setattr(warm_up, "make_ready", made.make_ready)
    monkeypatch.setattr(warm_up, "ready_here", lambda: made.ready)
    monkeypatch.setattr(warm_up, "is_kept", lambda _name: True)
    yield made
    made.may_end.set()


@pytest.fixture
def reported() -> list[set[str]]:
    return []


@pytest.fixture
def preparation(reported: list[set[str]]) -> Iterator[Preparation]:
    def put_in(names: Collection[str]) -> None:
        reported.append(set(names))

    made = Preparation(put_in, give_way_s=0.0)
    yield made
    made.close()


def test_what_is_needed_is_reported_at_once_and_ready_when_it_is(
    compiler: Compiler, preparation: Preparation, reported: list[set[str]]
) -> None:
    preparation.need({"feet", "joints"})
    assert reported == [{"feet", "joints"}]
    preparation.need({"feet"})  # is being made ready already
    preparation.need({"feet", "lower back"})
    assert reported == [{"feet", "joints"}, {"feet", "joints", "lower back"}]
    assert preparation.state()["parts"] == ["feet", "joints", "lower back"]
    compiler.may_end.set()
    wait_until(lambda: reported[-1] == set(), 30.0)
    assert reported[2:] == [{"lower back"}, set()]
    assert compiler.begun == ["joints", "feet", "lower back"]  # the longest first
    assert preparation.state() == {}
    preparation.need({"feet", "joints", "lower back"})
    assert len(reported) == 4


def test_how_far_it_is_only_grows(compiler: Compiler, preparation: Preparation) -> None:
    preparation.need({"feet", "joints"})
    shown = [preparation.state()["percent"] for _ in range(50)]
    assert shown == sorted(shown)
    assert all(0 <= percent < 100 for percent in shown)
    assert sentence(preparation.state()) == f"preparing movement analysis, {shown[-1]} %"
    compiler.may_end.set()
    wait_until(lambda: not preparation.state(), 30.0)
    assert sentence(preparation.state()) == ""


def test_kernels_that_cannot_be_made_ready_keep_nobody_out(
    compiler: Compiler, preparation: Preparation, reported: list[set[str]]
) -> None:
    compiler.fails = True
    preparation.need({"feet"})
    compiler.may_end.set()
    wait_until(lambda: reported[-1] == set(), 30.0)
    preparation.need({"feet"})  # once is enough
    assert reported == [{"feet"}, set()]


def test_a_machine_that_starts_no_process_keeps_nobody_out(
    compiler: Compiler, preparation: Preparation, reported: list[set[str]], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def no_memory(*_args: object, **_options: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(warm_up, "is_kept", lambda _name: False)
    monkeypatch.setattr(warm_up, "can_keep", lambda: True)
    monkeypatch.setattr(subprocess, "Popen", no_memory)
    compiler.may_end.set()
    preparation.need({"feet"})
    wait_until(lambda: reported[-1] == set(), 10.0)
    assert compiler.ready == {"feet"}
    assert "'feet' was not compiled by a process of its own: [Errno 12] Cannot allocate memory" in caplog.text


def test_after_the_end_nothing_is_reported(
    compiler: Compiler, preparation: Preparation, reported: list[set[str]]
) -> None:
    preparation.need({"feet"})
    wait_until(lambda: compiler.begun, 30.0)
    compiler.may_end.set()
    preparation.close()
    preparation.need({"joints"})
    assert reported[0] == {"feet"}
    assert {"joints"} not in reported


def test_the_radios_have_time_to_connect_before_anything_is_loaded(compiler: Compiler) -> None:
    reported: list[set[str]] = []
    begun = time.monotonic()
    preparation = Preparation(lambda names: reported.append(set(names)), give_way_s=0.3)
    compiler.may_end.set()
    preparation.need({"feet"})
    assert reported == [{"feet"}]
    wait_until(lambda: compiler.begun, 30.0)
    assert time.monotonic() - begun >= 0.3
    preparation.close()


def test_a_run_that_ends_meanwhile_loads_nothing(compiler: Compiler) -> None:
    preparation = Preparation(lambda _names: None, give_way_s=3600.0)
    preparation.need({"feet"})
    preparation.close()
    assert not compiler.begun
