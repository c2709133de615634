"""Whoever sends commands is answered where the broker lets it read."""

from __future__ import annotations

from pathlib import Path

from config.settings import Broker
from gateway.broker.answers import answer_topic, name_at
from tests.certificates import Authority


def test_a_certificate_is_the_name_whoever_asks(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    cert, key = authority.issue("researcher-2")
    broker = Broker(embedded=False, ca_file=authority.path, cert_file=cert, key_file=key)
    assert name_at(broker, without_certificate="command-line") == "researcher-2"
    assert name_at(Broker(embedded=False), without_certificate="command-line") == "command-line"
    cert.write_text("no certificate")
    assert name_at(broker, without_certificate="command-line") == "dashboard"


def test_two_that_ask_are_answered_apart() -> None:
    first, second = answer_topic("site", "anna"), answer_topic("site", "anna")
    assert first != second
    assert first.rpartition("/")[0] == second.rpartition("/")[0] == "rehab/answers/site/anna"
