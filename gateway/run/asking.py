"""Asks the broker of the site, where a ward begins, whether this gateway has been there before."""

from __future__ import annotations

from config.settings import Settings
from gateway.broker.certificates import broker_for
from gateway.broker.retained import retained_topic
from gateway.wire.topics import Topics


def topic_of_before(settings: Settings) -> str:
    """Return a topic of this gateway of which its broker holds a message; empty where of none, or it cannot be asked.

    An embedded broker is not asked: it is not there before the gateway, and its memory lies in the same folder.
    """
    if settings.broker.embedded:
        return ""
    topics = Topics(settings.site.site, settings.site.gateway)
    asked = (topics.ward, topics.status, topics.stored, topics.stored_by())
    return retained_topic(broker_for(settings, "gateway"), f"rehab-{topics.site}-{topics.gateway}", asked)
