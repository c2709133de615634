"""A session of the wrong patient that the remote store has already: deleted there, and written under the right one."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.settings import Store
from gateway.historian.copying import Copier
from gateway.historian.store import LineWriter, RemoteStore
from gateway.history.history import History
from tests.gateway.history.ward_gateway import Gateway
from tests.servers import Child, free_port, wait_until

WRONG, RIGHT = "p-wrong", "p-right"


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path / "history.db", copying=True)
    yield made
    made.close()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(tmp_path)
    yield made
    made.registry.close()


def held(port: int) -> Counter[tuple[str, str, float]]:
    """Return how often VictoriaMetrics shows each value, by subject and session."""
    urllib.request.urlopen(f"http://127.0.0.1:{port}/internal/force_flush").read()
    query = urllib.parse.urlencode({"match[]": '{__name__="cadence_value"}', "start": 0})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/export?{query}") as answer:
        found = [json.loads(text) for text in answer.read().splitlines()]
    shown: Counter[tuple[str, str, float]] = Counter()
    for series in found:
        for value in series["values"]:
            shown[series["metric"]["subject"], series["metric"]["session"], value] += 1
    return shown


def test_the_store_shows_a_corrected_session_of_the_right_person_only(
    history: History, gateway: Gateway, victoria_metrics: Child
) -> None:
    settings = Store(kind="victoriametrics", url=f"http://127.0.0.1:{victoria_metrics.port}", hold_back_s=0.0)
    with closing(RemoteStore(LineWriter(settings), "demo", lambda _row, _why: None)) as remote:
        copier = Copier(history.copies, remote, lambda _row, _why: None, hold_back_s=0.0)
        gateway.measure(0, 20, value=1.0)
        stay = gateway.registry.state.in_force()[0].session
        session = gateway.session(20, 40, value=2.0)
        gateway.send(history)
        while copier.write():
            copier.confirm()
        whole = {(WRONG, stay, 1.0): 20, (WRONG, session, 2.0): 20}
        wait_until(lambda: held(victoria_metrics.port) == whole)
        gateway.do(50, "session-correct", session=session, subject=RIGHT)
        gateway.send(history)
        while copier.write():
            copier.confirm()
        mended = {(WRONG, stay, 1.0): 20, (RIGHT, session, 2.0): 20}
        wait_until(lambda: held(victoria_metrics.port) == mended)
        assert history.copies.left_behind() == []
        assert history.receipt(gateway.name, gateway.epoch).stored == gateway.seq


def test_a_store_that_is_away_is_asked_when_it_is_there_again(history: History, gateway: Gateway) -> None:
    session = gateway.session(0, 5)
    gateway.do(10, "session-correct", session=session, subject=RIGHT)
    for message in gateway.messages():
        history.store([message])
    assert history.copies.left_behind() == [(gateway.name, session, WRONG)]
    settings = Store(kind="victoriametrics", url=f"http://127.0.0.1:{free_port()}", hold_back_s=0.0)
    with closing(RemoteStore(LineWriter(settings), "demo", lambda _row, _why: None)) as remote:
        copier = Copier(history.copies, remote, lambda _row, _why: None, hold_back_s=0.0)
        assert not copier.write()
        assert remote.errors["not deleted"] == 1
    assert history.copies.left_behind() == [(gateway.name, session, WRONG)]


def test_a_store_that_deletes_nothing_is_reported_and_holds_nothing_up(
    history: History, gateway: Gateway, tmp_path: Path
) -> None:
    del gateway
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o600)
    settings = Store(kind="influxdb3", url=f"http://127.0.0.1:{free_port()}", token_file=token, hold_back_s=0.0)
    with closing(RemoteStore(LineWriter(settings), "demo", lambda _row, _why: None)) as remote:
        assert remote.delete("g-1", "s-1", WRONG)
        assert remote.errors["cannot be deleted"] == 1
        assert "wrong person" in remote.last_error
    assert history.copies.left_behind() == []
