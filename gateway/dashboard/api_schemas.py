"""JSON Schemas (2020-12) of what the API answers: what is named here is there, and stays; more may come beside it."""

from __future__ import annotations

from typing import Any, get_args

from dsp.metric import Group, Kind
from gateway.dashboard.access import ROLES
from gateway.model.measurement import Quality, Side

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
COUNT: Json = {"type": "integer", "minimum": 0}
TRUTH: Json = {"type": "boolean"}
MICROSECONDS: Json = {"type": "integer", "description": "Microseconds since 1970, UTC."}
SECONDS: Json = {"type": "number", "minimum": 0, "description": "Seconds."}
ANYTHING: Json = {"type": "object"}


def some(schema: Json) -> Json:
    """Return a schema that has null too."""
    return {"anyOf": [schema, {"type": "null"}]}


def listed(schema: Json) -> Json:
    """Return a list of things of one schema."""
    return {"type": "array", "items": schema}


def a(name: str) -> Json:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def one(fields: Json, *, perhaps: Json | None = None, description: str = "") -> Json:
    """Return an object that has these fields, and may have others."""
    schema: Json = {"type": "object", "properties": {**fields, **(perhaps or {})}, "required": list(fields)}
    return {**schema, "description": description} if description else schema


QUALITY: Json = {"enum": list(get_args(Quality))}
SIDE: Json = {"enum": list(get_args(Side))}
GATEWAY_STATE: Json = {"enum": ["online", "offline", "silent", "unknown", "no status"]}
ROW: Json = {
    "type": "array", "prefixItems": [MICROSECONDS, some(NUMBER), QUALITY], "minItems": 3, "maxItems": 3,
    "description": "End of the window, the value (null where there is none), and how good it is.",
}  # fmt: skip
OLDER: Json = {**TEXT, "description": "What to send as 'before' to have those before them; empty if there are none."}
SUBJECT_IN_BED = one({"id": TEXT, "since_us": MICROSECONDS, "height_m": some(NUMBER)})
BED_HISTORY = one({"id": TEXT, "protocol": TEXT, "started_us": MICROSECONDS, "ended_us": MICROSECONDS,
                   "discarded": TRUTH, "made_started_us": some(MICROSECONDS),
                   "made_ended_us": some(MICROSECONDS)})  # fmt: skip
SESSION_IN_BED = one({"id": TEXT, "subject": TEXT, "protocol": TEXT, "state": {"enum": ["running", "paused"]},
                      "started_us": MICROSECONDS, "marks_us": listed(MICROSECONDS)})  # fmt: skip
WORN = one({"id": TEXT, "driver": TEXT, "placement": some(TEXT), "state": some(TEXT), "battery": some(NUMBER)})
OUTCOMES: Json = {
    "type": "object",
    "additionalProperties": some(NUMBER),
    "description": "By metric, or the name of Mobilise-D; null where it is not known.",
}
CODE = one({"system": TEXT, "code": TEXT})

SCHEMAS: Json = {
    "Error": one({"error": TEXT}, perhaps={"unknown": TRUTH},
                 description="What was not done, in a sentence. 'unknown': whether it was done is not known."),
    "Session": {
        "description": "Who asks; empty where the dashboard has no users.",
        "anyOf": [
            one({"user": TEXT, "role": {"enum": list(ROLES)}, "idle_s": SECONDS, "may": listed(TEXT)}),
            {"type": "object", "maxProperties": 0},
        ],
    },
    "Metric": one(
        {"id": TEXT, "title": TEXT, "unit": TEXT, "unit_text": TEXT, "kind": {"enum": list(get_args(Kind))},
         "sides": listed(SIDE), "group": {"enum": list(get_args(Group))}, "digits": COUNT, "description": TEXT,
         "codes": listed(CODE), "low": some(NUMBER), "high": some(NUMBER)},
        description="What one number is; the unit is a UCUM code.",
    ),
    "Catalogue": {"type": "object", "additionalProperties": a("Metric")},
    "Curve": one(
        {"slot": TEXT, "metric": TEXT, "side": SIDE, "subject": TEXT, "simulated": TRUTH, "new_patient": TRUTH,
         "sessions": listed(one({"from_us": MICROSECONDS, "session": TEXT, "slot": TEXT})), "rows": listed(ROW)},
        description="Values of one metric of one person, oldest first.",
    ),
    "Bed": one(
        {"id": TEXT, "label": TEXT, "subject": some(SUBJECT_IN_BED),
         "session": some(SESSION_IN_BED), "ended": listed(BED_HISTORY), "worn": listed(WORN)},
    ),
    "Ward": one(
        {"gateway": TEXT, "gateway_state": GATEWAY_STATE, "gateways": listed(TEXT), "number": some(COUNT),
         "beds": listed(a("Bed")), "free": listed(one({"id": TEXT, "driver": TEXT}))},
        description="Who is in which bed, wearing what, in which session, after change 'number'.",
    ),
    "Changed": one({"number": COUNT, "change": TEXT}, perhaps={"session": TEXT, "note": TEXT},
                   description="The change is on the gateway's disk. 'note' is what to look at all the same:"
                   " of a correction that nobody of the pseudonym is on the ward, of a session that nothing is measured"
                   " by its protocol."),
    "Answered": one({}, perhaps={"notice": TEXT, "bed": TEXT, "code": TEXT, "until_us": MICROSECONDS},
                    description="The answer is on the gateway's disk."),
    "Status": one(
        {"broker": TRUTH, "gateway": TEXT, "gateway_state": GATEWAY_STATE, "gateway_age_s": some(NUMBER),
         "gateways": {"type": "object", "additionalProperties": GATEWAY_STATE}, "slots": COUNT, "connections": COUNT,
         "connections_ended": {"type": "object", "additionalProperties": COUNT}, "access_log_lost": COUNT,
         "viewers": COUNT, "strips": COUNT, "dropped": {"type": "object", "additionalProperties": COUNT},
         "delays": ANYTHING, "up_s": SECONDS},
        description="How the dashboard itself is doing.",
    ),
    "Notice": one({"id": TEXT, "text": TEXT, "advice": TEXT, "priority": TEXT, "slot": TEXT}),
    "Value": some(one({"metric": TEXT, "side": SIDE, "value": some(NUMBER), "quality": QUALITY, "reason": TEXT,
                       "end_us": MICROSECONDS})),
    "State": one(
        {"v": COUNT, "now_us": MICROSECONDS, "broker": TRUTH, "gateway": TEXT, "gateway_state": GATEWAY_STATE,
         "gateway_age_s": some(NUMBER), "simulated": TRUTH, "notices": listed(a("Notice")), "doubts": listed(TEXT),
         "build": TEXT, "sent_ms": COUNT},
        perhaps={
            "doubt_keys": listed(ANYTHING),
            "slots": listed(one({"id": TEXT, "label": TEXT, "subject": TEXT, "session": TEXT, "activity": TEXT,
                                 "age_s": some(NUMBER),
                                 "values": {"type": "object", "additionalProperties": a("Value")}})),
            "slot": one({"id": TEXT, "subject": TEXT, "session": TEXT, "age_s": some(NUMBER),
                         "values": listed(a("Value")), "devices": listed(ANYTHING)}),
            "devices": listed(one({"id": TEXT})),
            "beds": listed(a("Bed")), "bed": some(a("Bed")),
        },
        description="The live state of a view: of the ward ('slots'), a patient ('slot'), the devices, the beds, a bed."
        " What cannot be relied on stands in 'doubts'; show it.",
    ),
    "Report": one(
        {"session": one({"session": TEXT, "subject": TEXT}), "made_us": MICROSECONDS, "bands": some(ANYTHING),
         "bands_missing": TEXT, "baseline": TEXT, "choices": listed(ANYTHING), "lines": listed(ANYTHING),
         "sources": listed(ANYTHING), "curves": listed(ANYTHING), "gaps": listed(ANYTHING), "notes": ANYTHING},
        description="A session with its results beside earlier ones; each line names its sources.",
    ),
    "TrendPoint": one({"at_us": MICROSECONDS, "value": some(NUMBER), "low": some(NUMBER), "high": some(NUMBER),
                       "n": COUNT, "quality": QUALITY, "session": TEXT}),
    "Trend": one(
        {"subject": TEXT, "simulated": TRUTH, "from_us": MICROSECONDS, "to_us": MICROSECONDS,
         "by": {"enum": ["session", "day", "week"]}, "metric": TEXT, "metrics": listed(TEXT),
         "lines": listed(one({"side": SIDE, "algorithm": TEXT, "points": listed(a("TrendPoint"))})),
         "milestones": listed(ANYTHING), "weeks": listed(ANYTHING), "bands": TEXT, "sessions": COUNT,
         "first_us": some(MICROSECONDS), "both_kinds": TRUTH},
        description="Points of one side as one algorithm measured them make a line: two algorithms are not joined.",
    ),
    "Days": one(
        {"subject": TEXT, "simulated": TRUTH, "from_us": MICROSECONDS, "to_us": MICROSECONDS,
         "days": listed(one({"at_us": MICROSECONDS, "outcomes": OUTCOMES, "quality": QUALITY, "reason": TEXT})),
         "weeks": listed(one({"at_us": MICROSECONDS, "n_days": COUNT, "outcomes": OUTCOMES}))},
        description="Days with anything measured, the oldest first; a week is the mean of its days of ten hours' wear.",
    ),
    "Tests": one({"tests": listed(ANYTHING), "forms": listed(ANYTHING), "form_problems": listed(TEXT),
                  "reported": listed(TEXT)}),
    "Test": one(
        {"session": TEXT, "state": {"enum": ["running", "paused", "ended", "discarded"]}, "trace": some(ANYTHING),
         "events": listed(ANYTHING), "results": listed(ANYTHING), "outside": listed(TEXT), "problem": TEXT},
        description="Of a session that is 'discarded' nothing is to be used. 'outside' are the metrics of tests that"
        " reach beyond the corrected times of the session: they are no results of it, and not among 'results'.",
    ),
    "FleetGateway": one(
        {"gateway": TEXT, "ring": TEXT, "in_fleet": some(TRUTH), "state": TEXT, "well": TRUTH, "health": TEXT,
         "age_s": some(NUMBER), "version": TEXT, "notices": COUNT, "clock_s": some(NUMBER), "synchronised": some(TRUTH),
         "certificate_days": some(NUMBER), "outbox": some(NUMBER), "disk_free": some(NUMBER),
         "disk_total": some(NUMBER),
         "result": some(one({"version": TEXT, "outcome": TEXT, "why": TEXT, "refused": TEXT}))},
    ),
    "Fleet": one(
        {"desk": some(TRUTH), "trouble": TEXT, "invited": listed(TEXT), "gateways": listed(a("FleetGateway")),
         "roll_out": some(one({"id": COUNT, "kind": TEXT, "version": TEXT, "state": TEXT, "why": TEXT, "open": COUNT,
                               "rings": listed(TEXT)}))},
        description="The gateways that are in the fleet or are heard; 'desk' is null where it is not listened to.",
    ),
    "People": one(
        {"users": listed(one({"name": TEXT, "role": {"enum": list(ROLES)}, "pin": TRUTH,
                              "last_us": some(MICROSECONDS)})),
         "tokens": listed(one({"name": TEXT, "role": {"enum": list(ROLES)}, "made_us": MICROSECONDS,
                               "until_us": MICROSECONDS, "over": TRUTH, "last_us": some(MICROSECONDS)})),
         "openid": TRUTH, "problem": TEXT},
        description="'last_us' is null where the log of who looked at what does not tell it; 'openid': whether people"
        " of a trust's own sign-in come in besides.",
    ),
    "Audit": one(
        {"entries": listed(one({"time_us": MICROSECONDS, "gateway": TEXT, "who": TEXT, "what": TEXT, "bed": TEXT,
                                "subject": TEXT, "text": TEXT})),
         "older": OLDER, "kinds": listed(TEXT)},
    ),
    "AccessLog": one(
        {"entries": listed(one({"time_us": MICROSECONDS, "who": TEXT, "role": TEXT, "address": TEXT, "what": TEXT,
                                "people": listed(one({"bed": TEXT, "subject": TEXT})), "text": TEXT})),
         "older": OLDER, "kinds": listed(TEXT)},
    ),
    "Chains": one({"at_us": MICROSECONDS, "audit": listed(a("Chain")), "access_log": a("Chain")}),
    "Chain": one({"gateway": TEXT, "whole": some(TRUTH), "text": TEXT, "troubles": listed(TEXT)},
                 description="'whole' is null where there are too many entries to check, or none."),
    "Document": one({"openapi": TEXT, "info": ANYTHING, "paths": ANYTHING}),
}  # fmt: skip
