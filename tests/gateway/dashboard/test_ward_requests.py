"""By which name a dashboard is answered: a broker lets each client read what is below its own alone."""

from __future__ import annotations

from pathlib import Path

from config.settings import Broker
from gateway.broker.answers import name_at
from gateway.dashboard.ward_requests import WardRequests
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
