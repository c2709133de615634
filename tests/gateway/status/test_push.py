"""Notices sent on over real HTTP: bed and kind alone, a few tries, and what is not taken is counted and said."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pydantic import ValidationError

from config.settings import Notices, Settings, Site
from gateway.model.status import NoticeStatus
from gateway.status.push import TRIES, Push
from gateway.status.push_rules import push_findings
from tests.servers import wait_until

WITHIN_S = 30.0


class Pager(HTTPServer):
    """Takes what comes, after refusing as often as it is told to."""

    def __init__(self, refuses: int) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.refuses = refuses
        self.asked = 0
        self.taken: list[dict[str, Any]] = []


class Answers(BaseHTTPRequestHandler):
    """One request."""

    server: Pager

    def do_POST(self) -> None:
        """Take it, or not."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        refused = self.server.asked <= self.server.refuses
        if not refused:
            self.server.taken.append(json.loads(body))
        self.send_response(503 if refused else 204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def pager(refuses: int = 0) -> Iterator[tuple[Pager, Push]]:
    server = Pager(refuses)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    notices = Notices(webhook=f"http://127.0.0.1:{server.server_port}/hook")
    settings = Settings(site=Site(site="s", gateway="ward-7"), notices=notices)
    try:
        with closing(Push(settings, first_wait_s=0.001)) as push:
            yield server, push
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def notice(name: str = "link-lost/dot-1", **fields: Any) -> NoticeStatus:
    made: dict[str, Any] = {
        "id": name, "code": name.partition("/")[0], "slot": "bay-1", "priority": "medium", "since_us": 7,
        "text": "dot-1 of p-0151 is lost", "device": "dot-1", "simulated": True, **fields,
    }  # fmt: skip
    return made  # type: ignore[return-value]


def test_a_notice_is_told_once_when_raised_and_once_when_cleared_and_names_nobody() -> None:
    with pager() as (server, push):
        for active in ([notice()], [notice()], []):
            push.look(active)
        wait_until(lambda: push.status()["sent"] == 2, WITHIN_S)
    raised, cleared = server.taken
    assert raised == {
        "v": 1, "site": "s", "gateway": "ward-7", "bed": "bay-1", "kind": "link-lost", "priority": "medium",
        "state": "raised", "since_us": 7, "simulated": True, "notice": raised["notice"],
    }  # fmt: skip
    assert cleared == raised | {"state": "cleared"}
    assert not {"p-0151", "dot-1"} & set(json.dumps(server.taken).replace('"', " ").split())


def test_what_somebody_has_seen_or_paused_or_is_of_low_priority_is_not_told() -> None:
    with pager() as (server, push):
        push.look([
            notice("a", acknowledged={"by": "anna"}), notice("b", paused={"by": "anna"}), notice("c", priority="low"),
            notice("d"),
        ])  # fmt: skip
        wait_until(lambda: push.status()["sent"] == 1, WITHIN_S)
        push.look([notice("a", acknowledged={"by": "anna"}), notice("b"), notice("d")])  # the pause of b is over
        wait_until(lambda: push.status()["sent"] == 2, WITHIN_S)
    assert [told["kind"] for told in server.taken] == ["d", "b"]


def test_it_is_tried_again_a_few_times() -> None:
    with pager(refuses=TRIES - 1) as (server, push):
        push.look([notice()])
        wait_until(lambda: push.status()["sent"] == 1, WITHIN_S)
        assert push.status()["failed"] == 0
    assert server.asked == TRIES


def test_what_is_not_taken_is_counted_and_becomes_a_notice_until_one_is_taken() -> None:
    with pager(refuses=TRIES) as (_, push):
        push.look([notice("a")])
        wait_until(lambda: push.status()["failed"] == 1, WITHIN_S)
        assert push.status()["error"] == "it answered 503"
        (found,) = push_findings({"notices": {"push": push.status()}})
        assert found.text == "Notices are not sent on (1 so far): it answered 503"
        push.look([notice("a"), notice("b")])
        wait_until(lambda: push.status()["sent"] == 1, WITHIN_S)
        assert push.status()["error"] == ""


@pytest.mark.parametrize("address", ["http://pager.example/x", "ftp://127.0.0.1/", "127.0.0.1:80", "https://", "x"])
def test_an_address_in_clear_text_elsewhere_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="https"):
        Notices(webhook=address)


def test_nothing_is_sent_unless_an_address_is_named() -> None:
    assert Settings().notices.webhook is None
    for address in ("https://pager.example/x", "http://127.0.0.1:9/x", "http://[::1]:9/x"):
        assert Notices(webhook=address).webhook == address
