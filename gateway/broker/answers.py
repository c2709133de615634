"""Where whoever sends commands is answered: below the name by which the broker knows it, for it alone."""

from __future__ import annotations

import secrets

from config.settings import Broker
from gateway.broker.access_list import ANSWERS, DASHBOARD
from gateway.broker.certificates import common_name


def name_at(broker: Broker, *, without_certificate: str = DASHBOARD) -> str:
    """Return what a broker calls us: the name in our certificate, where there is one."""
    if not broker.cert_file:
        return without_certificate
    return common_name(broker.cert_file) or DASHBOARD


def answer_topic(site: str, name: str) -> str:
    """Return a topic of our own; with certificates everybody may read answers below the name in their own only."""
    return f"{ANSWERS}/{site}/{name}/{secrets.token_hex(8)}"
