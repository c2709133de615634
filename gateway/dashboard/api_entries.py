"""What each route of the API is for, takes and answers: the one table from which its document is made.

A test walks the routes of the server: one of the API that has no entry here fails it, and so does an answer that is not
as its entry says. Changes of the ward and work with devices have entries by themselves, made from their fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from gateway.dashboard.access import CHANGES, DEVICE_WORK, NOTICE_WORK
from gateway.dashboard.api_schemas import ANYTHING, COUNT, MICROSECONDS, NUMBER, SIDE, TEXT, Json, a
from gateway.results.days import MOST_DAYS
from gateway.ward.changes import CHANGES as FIELDS_OF_CHANGES
from gateway.wire.commands import WARD

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One method of one route.

    Attributes:
        summary: What it is for, in a sentence.
        answer: Schema of the answer; None for one without a body.
        content: Type of the answer's body.
        query: Schemas of the query's fields; ``needed`` names those that have to be there.
        body: Schema of the request's body; None for none.
        statuses: What other statuses mean, beside those that every route has.
    """

    summary: str
    answer: Json | None = None
    content: str = JSON
    query: Mapping[str, Json] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    body: Json | None = None
    statuses: Mapping[int, str] = field(default_factory=dict)


GATEWAY: Json = {**TEXT, "description": "Which gateway, where several are shown; by default the dashboard's own."}
WINDOW: Json = {**NUMBER, "exclusiveMinimum": 0, "maximum": 1440, "default": 10}
TIME: Json = {"type": "integer", "minimum": 0, "description": "Microseconds since 1970."}
VIEW: Json = {"enum": ["ward", "beds", "devices", "dock", "fleet", "people"], "default": "ward"}
OF_RECORDS = {503: "The records cannot be read now."}
WHICH_ENTRIES: Mapping[str, Json] = {
    "kind": {**TEXT, "description": "Of this kind alone: one of 'kinds'."},
    "from_us": TIME,
    "to_us": TIME,
    "before": {**TEXT, "description": "What 'older' of another answer said: the entries before those."},
}
CHANGE_STATUSES = {
    400: "This is no such change. Nothing was changed.",
    404: "No such gateway is heard. Nothing was changed.",
    408: "The request did not come.",
    409: "The gateway refuses, in its own sentence. Nothing was changed.",
    413: "The request is too large.",
    415: "The request is not JSON.",
    422: "This Idempotency-Key was another change's.",
    503: "The gateway is offline or was not asked. Nothing was changed.",
    504: "No answer came: it may have been changed, or be changed yet. Read the ward before asking again.",
}
FOR_S: Json = {**NUMBER, "exclusiveMinimum": 0, "description": "How long, in seconds."}
ADDRESS: Json = {**TEXT, "description": "Bluetooth address."}
DEVICE_FIELDS: Mapping[str, tuple[str, Json, tuple[str, ...]]] = {
    "scan": ("Say which devices are in range.", {"for_s": FOR_S}, ()),
    "blink": ("Have a device show itself.", {"device": TEXT, "for_s": FOR_S}, ("device",)),
    "tap": ("Name the device that somebody taps.",
            {"devices": {"type": "array", "items": TEXT}, "for_s": FOR_S}, ()),
    "lift": ("See on which leg or arm devices are, by the one that the patient lifts.",
             {"bed": TEXT, "side": {"enum": ["left", "right"]}, "limb": {"enum": ["leg", "arm"]}, "for_s": FOR_S},
             ("bed", "side")),
    "bond": ("Bond with a device.", {"address": ADDRESS, "passkey": {"type": ["integer", "null"]}}, ("address",)),
    "unbond": ("Have the system forget the keys of a device.", {"address": ADDRESS}, ("address",)),
}  # fmt: skip

WHY: Json = {**TEXT, "description": "Why, or what was done; no names."}
NOTICE_FIELDS: Mapping[str, tuple[str, Json, tuple[str, ...]]] = {
    "acknowledge": ("Say that a notice was seen; it stays, quieter, until it is over.",
                    {"notice": TEXT, "since_us": {**MICROSECONDS, "description": "Refused where it was raised anew."},
                     "why": WHY}, ("notice",)),
    "pause": ("Have the notices of one kind of a bed be quiet for a while.",
              {"bed": TEXT, "code": TEXT, "minutes": {**NUMBER, "exclusiveMinimum": 0}, "why": WHY,
               "was": {**TEXT, "description": "Who is in the bed, empty for nobody; refused where another is by now."}},
              ("bed", "code", "minutes")),
    "resume": ("End such a pause.", {"bed": TEXT, "code": TEXT}, ("bed", "code")),
}  # fmt: skip


def _of_change(name: str) -> Entry:
    made = FIELDS_OF_CHANGES[name]
    schema = made.model_json_schema(ref_template="#/components/schemas/{model}")
    summary = (made.__doc__ or name).split("\n", 1)[0]
    return Entry(f"{name}: {summary}", a("Changed"), query={"gateway": GATEWAY}, body=schema, statuses=CHANGE_STATUSES)


def _of_device_work(name: str) -> Entry:
    summary, fields, needed = DEVICE_FIELDS[name]
    body = {"type": "object", "properties": fields, "required": list(needed), "additionalProperties": False}
    answer = {"type": "object", "description": "What was found."}
    return Entry(summary, answer, query={"gateway": GATEWAY}, body=body, statuses=CHANGE_STATUSES)


def _of_answer(name: str) -> Entry:
    summary, fields, needed = NOTICE_FIELDS[name]
    body = {"type": "object", "properties": fields, "required": list(needed), "additionalProperties": False}
    return Entry(summary, a("Answered"), query={"gateway": GATEWAY}, body=body, statuses=CHANGE_STATUSES)


ENTRIES: Mapping[tuple[str, str], Entry] = MappingProxyType(
    {
        ("GET", "/api/openapi.json"): Entry("This document.", a("Document")),
        ("GET", "/api/session"): Entry("Who asks, and which changes of the ward they may ask for.", a("Session")),
        ("POST", "/api/active"): Entry("Note that a person is at the page; not for programs."),
        ("GET", "/api/catalogue"): Entry("What every metric is: title, unit, decimals, codes.", a("Catalogue")),
        ("GET", "/api/history"): Entry(
            "Values of one metric of one person over the last minutes.",
            a("Curve"),
            query={
                "metric": {**TEXT, "description": "Id of the catalogue."},
                "side": {**SIDE, "default": "none"},
                "minutes": WINDOW,
                "slot": {**TEXT, "description": "A bed: of whoever is in it now. This or 'subject'."},
                "subject": {**TEXT, "description": "A pseudonym, in whatever bed. This or 'slot'."},
                "session": {**TEXT, "description": "Of this session alone."},
                "simulated": {"enum": ["true", "false"]},
                "algorithm": {**TEXT, "description": "By this algorithm alone."},
                "gateway": GATEWAY,
            },
            needed=("metric",),
            statuses={400: "The question is not whole.", 503: "The history cannot be read now."},
        ),
        ("GET", "/api/export"): Entry(
            "Every measurement of one person as CSV with a header, series by series; discarded sessions are left out."
            " A transfer that is cut off is not whole.",
            TEXT,
            content="text/csv",
            query={"subject": {**TEXT, "description": "A pseudonym."}, "from_us": TIME, "to_us": TIME},
            needed=("subject",),
            statuses={400: "The question is not whole.", 503: "The history cannot be read now."},
        ),
        ("GET", "/api/report/{session}"): Entry(
            "What stands in the report of a session, each number with the measurements that it is made of.",
            a("Report"),
            query={
                "subject": {**TEXT, "description": "Whose, where one id is of several."},
                "baseline": {**TEXT, "description": "Session that changes are told from; by default the first."},
                "gateway": GATEWAY,
            },
            statuses={404: "There is no such session.", 503: "The history cannot be read now."},
        ),
        ("GET", "/api/trend/{subject}"): Entry(
            "One metric of a person over weeks to years, by session, day or week, with milestones and adherence.",
            a("Trend"),
            query={
                "metric": {**TEXT, "description": "Id of the catalogue; by default the first that there is."},
                "days": {**NUMBER, "minimum": 1, "default": 90},
                "by": {"enum": ["session", "day", "week"]},
            },
            statuses={400: "The question is not whole.", 404: "Nothing is stored of this person.",
                      503: "The history cannot be read now."},
        ),
        ("GET", "/api/days/{subject}"): Entry(
            "What each day and week of a person gave: postures, steps and wear, and walking bouts by the names of"
            " Mobilise-D. Time that several sensors told of counts once. A day that was worn for less than ten hours is"
            " degraded, and no part of its week.",
            a("Days"),
            query={"days": {**COUNT, "minimum": 1, "maximum": MOST_DAYS, "default": 90}},
            statuses={400: "The question is not whole.", 404: "Nothing is stored of this person.",
                      503: "The history cannot be read now."},
        ),
        ("GET", "/api/bands"): Entry(
            "The bands of measurement error and of change that may be chosen, by group.",
            {"type": "object", "additionalProperties": ANYTHING},
        ),
        ("GET", "/api/tests"): Entry("Which timed tests and forms there are, and what else is reported.", a("Tests")),
        ("GET", "/api/test/{bed}"): Entry(
            "The movement, the events and the results of one timed test of who is in a bed.",
            a("Test"),
            query={"session": TEXT, "gateway": GATEWAY},
            needed=("session",),
            statuses={404: "There is no such test of who is in this bed."},
        ),
        ("GET", "/api/status"): Entry("How the dashboard itself is doing.", a("Status")),
        ("GET", "/api/fleet"): Entry("How each gateway is, and how a roll-out in the fleet goes.", a("Fleet")),
        ("GET", "/api/people"): Entry(
            "Who may sign in with what role, and which programs have a token; no secret.", a("People"),
            statuses=OF_RECORDS,
        ),
        ("GET", "/api/audit"): Entry(
            "What was done to the ward, its devices and gateways, the newest first, fifty at a time.",
            a("Audit"),
            query=WHICH_ENTRIES,
            statuses={400: "The question is not whole.", **OF_RECORDS},
        ),
        ("GET", "/api/access-log"): Entry(
            "Who signed in and who looked at what, the newest first, fifty at a time.",
            a("AccessLog"),
            query=WHICH_ENTRIES,
            statuses={400: "The question is not whole.", **OF_RECORDS},
        ),
        ("GET", "/api/chains"): Entry(
            "Whether the audit and the log of who looked at what are whole, as of at most a minute ago.", a("Chains"),
            statuses=OF_RECORDS,
        ),
        ("GET", "/api/ward"): Entry(
            "Who is in which bed, wearing what, in which session.",
            a("Ward"),
            query={"gateway": GATEWAY},
            statuses={400: "More than one gateway is named.", 404: "No such gateway is heard."},
        ),
        **{("POST", f"/api/ward/{name}"): _of_change(name) for name in CHANGES if name in WARD},
        **{("POST", f"/api/devices/{name}"): _of_device_work(name) for name in DEVICE_WORK},
        **{("POST", f"/api/notices/{name}"): _of_answer(name) for name in NOTICE_WORK},
        ("GET", "/events"): Entry(
            "Live state, twice a second or when it changes: as server-sent events, or as text over a WebSocket where"
            " one is asked for. 'slot' or 'bed' for one bed, else 'view'.",
            a("State"),
            content="text/event-stream",
            query={"view": VIEW, "slot": TEXT, "bed": TEXT, "gateway": GATEWAY},
            statuses={429: "Too many streams of one user.", 503: "Too many pages are open."},
        ),
        ("GET", "/waveform/{device}/{stream}"): Entry(
            "Raw samples of one stream over a binary WebSocket, as docs/raw-samples.md has them.",
            content="websocket",
            query={"gateway": GATEWAY},
            statuses={400: "No WebSocket was asked for.", 404: "No such stream.", 429: "Too many streams of one user.",
                      503: "Too many strips are open."},
        ),
    }
)  # fmt: skip
"""By method and plain route."""
