"""By which name a dashboard is answered: a broker lets each client read what is below its own alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import orjson

from config.section import Section
from config.settings import Broker
from gateway.broker.answers import name_at
from gateway.dashboard.feed import Feed, Message
from gateway.dashboard.ward_requests import WardRequests
from gateway.status.notice_desk import ResumeNotices
from gateway.ward.changes import Discharge, Move
from gateway.ward.refusals import RefusedError, named
from gateway.ward.rules import valid
from gateway.wire.topics import Topics
from tests.certificates import Authority


def test_answers_come_below_the_name_in_the_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    cert, key = authority.issue("tablet-2")
    broker = Broker(embedded=False, ca_file=authority.path, cert_file=cert, key_file=key)
    requests = WardRequests("site", name=name_at(broker))
    assert requests.answers.startswith("rehab/answers/site/tablet-2/")
    assert name_at(Broker(embedded=False)) == "dashboard"
    cert.write_text("no certificate")
    assert name_at(broker) == "dashboard"


class MoveOfBefore(Section):
    """As a gateway of before knows it."""

    subject: str
    bed: str


class Gateways:
    """A feed behind which a gateway reads commands, and answers at once."""

    def __init__(self, requests: WardRequests, model: type[Section]) -> None:
        self.heard: list[Mapping[str, Any]] = []
        self._requests = requests
        self._model = model

    def ask(self, topic: str, payload: bytes, *, answers: str, correlation: bytes, refused: object) -> bool:
        self.heard.append(orjson.loads(payload))
        answer: dict[str, Any] = {"ok": True}
        try:
            valid(self._model, self.heard[-1])
        except RefusedError as error:
            answer = {"ok": False, "error": str(error), **named(error.said)}
        self._requests.on_answer(Message(answers, orjson.dumps(answer), False, correlation))
        return True


async def test_a_gateway_of_before_is_asked_without_what_it_does_not_know() -> None:
    change, topics = {"subject": "p-1", "bed": "bay-2", "was": "bay-1"}, Topics("site", "ward")
    for model, asked in ((Move, [change]), (MoveOfBefore, [change, {"subject": "p-1", "bed": "bay-2"}])):
        requests = WardRequests("site", name="dashboard")
        gateway = Gateways(requests, model)
        assert (await requests.ask(cast("Feed", gateway), topics, "move", change))["ok"]
        assert gateway.heard == asked


async def test_so_is_one_that_pauses_the_notices_of_whoever_is_in_a_bed() -> None:
    requests = WardRequests("site", name="dashboard")
    gateway = Gateways(requests, ResumeNotices)  # which takes the fields of a pause of before
    pause = {"bed": "bay-1", "code": "link-lost", "was": "p-1"}
    assert (await requests.ask(cast("Feed", gateway), Topics("site", "ward"), "notice-pause", pause))["ok"]
    assert gateway.heard == [pause, {"bed": "bay-1", "code": "link-lost"}]


async def test_another_field_that_nobody_knows_stays_refused() -> None:
    requests = WardRequests("site", name="dashboard")
    gateway = Gateways(requests, MoveOfBefore)
    change = {"subject": "p-1", "bed": "bay-2", "wos": "bay-1"}
    answer = await requests.ask(cast("Feed", gateway), Topics("site", "ward"), "move", change)
    assert (answer["ok"], len(gateway.heard)) == (False, 1)


async def test_what_stood_there_is_left_out_of_no_change_that_does_not_ask_for_it() -> None:
    """Whoever says it has the change depend on it, and would be told that it was made."""
    requests = WardRequests("site", name="dashboard")
    gateway = Gateways(requests, Discharge)
    change = {"subject": "p-1", "was": "bay-1"}
    answer = await requests.ask(cast("Feed", gateway), Topics("site", "ward"), "discharge", change)
    assert (answer["ok"], len(gateway.heard)) == (False, 1)
