"""The registry as the topic ``ward`` has it: ids and pseudonyms, as in measurements, and no free text."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.ward.state import Session, WardState

VERSION = 1
ENDED_SHOWN = 3
"""Sessions that have ended, the newest of each subject who is there: what somebody may still want to mend. And as many
that were corrected last and are or were theirs: whoever shows their results has to hear that they are not theirs."""
OF_ENDED = {"id", "bed", "subject", "protocol", "started_us", "ended_us", "discarded"}


def encode_registry(gateway: str, ward: WardState) -> bytes:
    """Return the payload: beds, who is there, what is worn, and the sessions of who is there."""
    return orjson.dumps({"v": VERSION, "gateway": gateway, **published(ward)})


def published(ward: WardState) -> dict[str, Any]:
    """Return what is told of a ward."""
    return {
        "number": ward.number,
        "beds": [{"id": bed.id, "label": bed.label or bed.id} for bed in ward.beds],
        "subjects": [
            {
                "id": one.id, "bed": one.bed, "since_us": one.since_us, "height_m": one.height_m,
                "bands": one.bands, "sessions_a_week": one.sessions_a_week,
                "notices": list(one.notices), "feedback": one.feedback and one.feedback.model_dump(),
            }
            for one in ward.subjects
        ],
        "devices": [
            {
                "id": one.device.id, "driver": one.device.driver, "bed": one.bed, "since_us": one.since_us,
                "placement": one.device.placement if one.bed else None,
            }
            for one in ward.devices
        ],
        "sessions": [_session(one) for one in ward.sessions if one.state != "ended"],
        "ended": _ended(ward),
    }  # fmt: skip


def _ended(ward: WardState) -> list[dict[str, Any]]:
    over = [one for one in ward.sessions if one.state == "ended"]
    corrected = sorted((one for one in over if one.corrections), key=lambda one: one.corrections[-1].at_us)
    told: set[str] = set()
    for subject in ward.subjects:
        theirs = [one.id for one in over if one.subject == subject.id]
        mended = [one.id for one in corrected if subject.id in {one.subject, *(was.subject for was in one.corrections)}]
        told |= {*theirs[-ENDED_SHOWN:], *mended[-ENDED_SHOWN:]}
    return [
        {
            **one.model_dump(mode="json", include=OF_ENDED), "made_started_us": one.made_started_us,
            "made_ended_us": one.made_ended_us,
        }
        for one in over
        if one.id in told
    ]  # fmt: skip


def _session(session: Session) -> dict[str, Any]:
    return {
        "id": session.id, "bed": session.bed, "subject": session.subject, "protocol": session.protocol,
        "state": session.state, "started_us": session.started_us, "parts": list(session.parts),
        "marks_us": [mark.at_us for mark in session.marks],
    }  # fmt: skip
