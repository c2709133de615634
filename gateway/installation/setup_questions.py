"""What a first set-up asks, one table for terminal, web page and answers file: key, question, help, default, check."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from config.hardware import is_host
from config.pseudonym import nhs_numbers
from config.section import IDENTIFIER
from config.settings import Store
from gateway.dashboard.passwords import reason_against
from gateway.dashboard.users import NAME

Answers = Mapping[str, str]
"""What was answered, by key; a list is its parts with commas between."""
Kind = Literal["text", "choice", "secret", "list"]

ID = re.compile(IDENTIFIER)
ZONES = Path("/usr/share/zoneinfo")
ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
LONGEST = 200
MOST_BEDS = 64
LARGEST_PORT, SMALLEST_PORT = 65535, 1024
"""Ports below belong to root, and the pages are not shown by root."""
STORES = ("none", *get_args(Store.model_fields["kind"].annotation))


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to decide.

    Attributes:
        key: Table and key in a file of answers.
        ask: The question, in a few words.
        why: What it is for, and what to answer when in doubt.
        default: What is taken where nobody answers, from what was answered before.
        kind: How it is asked.
        choices: What may be answered, where that is fixed, each with what it means.
        only_if: The key and the answers to an earlier question for which this one is asked.
        check: Says what is wrong with an answer that is not empty; empty if nothing is.
        required: Whether it may not stay empty.
    """

    key: str
    ask: str
    why: str
    default: Callable[[Answers], str] = lambda _: ""
    kind: Kind = "text"
    choices: Mapping[str, str] | None = None
    only_if: tuple[str, tuple[str, ...]] | None = None
    check: Callable[[str], str] = lambda _: ""
    required: bool = True

    def applies(self, answers: Answers) -> bool:
        """Whether it is to be asked after these answers."""
        return self.only_if is None or answers.get(self.only_if[0], "") in self.only_if[1]

    def trouble(self, answer: str, answers: Answers) -> str:
        """Return what is wrong with an answer, in one sentence; empty if nothing is."""
        if not answer:
            return "This needs an answer." if self.required else ""
        if len(answer) > LONGEST or not answer.isprintable():
            return f"Write at most {LONGEST} characters, in one line."
        if self.choices is not None and answer not in self.choices:
            return f"Choose one of: {', '.join(self.choices)}."
        if self.key == "admin.password":
            return reason_against(answer, answers.get("admin.name", ""))
        return self.check(answer)


def parts(answer: str) -> list[str]:
    """Return the parts of a list; no name in one has a semicolon, which some write between them."""
    return [part.strip() for part in answer.replace(";", ",").split(",") if part.strip()]


def id_from(words: str) -> str:
    """Return an id made of words: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", words.casefold()).strip("-")[:32].strip("-")


def _id(answer: str) -> str:
    return "" if ID.fullmatch(answer) else "Use lower-case letters, digits and hyphens, at most 32: elm-hospital."


def _words(answer: str) -> str:
    return "That looks like an NHS number: nothing here names a patient." if nhs_numbers(answer) else ""


def _user(answer: str) -> str:
    return "" if NAME.fullmatch(answer) else "Use lower-case letters, digits, dots and hyphens, at most 32."


def _zone(answer: str) -> str:
    known = _is_file(ZONES / answer) if ZONES.is_dir() else True
    return "" if ZONE.fullmatch(answer) and known else "That is no time zone: write it as Europe/London."


def _hosts(answer: str) -> str:
    wrong = [part for part in parts(answer) if not is_host(part)]
    return f"'{wrong[0]}' is neither a name nor an address on the network." if wrong else ""


def _port(answer: str) -> str:
    within = SMALLEST_PORT <= _number(answer) <= LARGEST_PORT
    return "" if within else f"Write a number from {SMALLEST_PORT} to {LARGEST_PORT}."


def _any_port(answer: str) -> str:
    return "" if 0 < _number(answer) <= LARGEST_PORT else f"Write a number up to {LARGEST_PORT}."


def _number(answer: str) -> int:
    """Return a number as it is typed; 0 where it is none: a raised two is a digit for Python, and no number."""
    return int(answer) if answer.isascii() and answer.isdigit() else 0


def _is_file(path: Path) -> bool:
    """Whether there is such a file; a name that is longer than a file's may be is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _file(answer: str) -> str:
    return "" if _is_file(Path(answer)) else "There is no such file: write its whole path, beginning with /."


def _folder(answer: str) -> str:
    return "" if Path(answer).is_absolute() else "Write the whole path, beginning with /."


def _url(answer: str) -> str:
    return (
        "" if re.fullmatch(r"https?://[^/\s]+", answer) else "Write it as https://store.example:8428, without a path."
    )


def _beds(answer: str) -> str:
    ids = [id_from(part) for part in parts(answer)]
    if not all(ids) or len(set(ids)) != len(ids):
        return "Give each bed a name of its own, with letters or digits: Bed 1, Bed 2."
    return f"At most {MOST_BEDS} beds now; more can be added later." if len(ids) > MOST_BEDS else _words(answer)


def _keep(answer: str) -> str:
    return "" if 0 < _number(answer) <= 1000 else "Write a number from 1 to 1000."


def own_zone(_: Answers) -> str:
    """Return the time zone of this machine, as far as it is known."""
    target = str(Path("/etc/localtime").resolve())
    return target.partition("/zoneinfo/")[2] or "Etc/UTC"


def own_names(_: Answers) -> str:
    """Return what browsers may call this machine by: its name, that name on a local network, its addresses."""
    host = socket.gethostname().partition(".")[0]
    found = [host, f"{host}.local", *_addresses(), "localhost", "127.0.0.1"]
    return ", ".join(dict.fromkeys(name for name in found if name and is_host(name)))


def _addresses() -> list[str]:
    """Return the address with which this machine would speak to others, if there is a way; nothing is sent."""
    found = []
    for family, somebody in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as asked:
                asked.connect((somebody, 9))
                found.append(asked.getsockname()[0])
        except OSError:
            continue
    return found


OF_HOSPITAL_BROKER = ("broker.kind", ("hospital",))
OF_STORE = ("store.kind", tuple(kind for kind in STORES if kind != "none"))
WITH_TLS = ("certificate.kind", ("own", "request"))

QUESTIONS = (
    Question("ward.site", "Which hospital or site is this?", "A short word; it is part of every message. Several wards"
             " of one hospital have the same.", lambda _: "hospital", check=_id),
    Question("ward.name", "What do people call this ward?", "As it stands at the door. No names of people.",
             lambda _: "Ward 1", check=_words),
    Question("ward.id", "A short id for the ward's gateway?", "Unique in the hospital: lower-case letters, digits and"
             " hyphens.", lambda known: id_from(known.get("ward.name", "")) or "ward-1", check=_id),
    Question("beds.names", "Which beds or bays are there?", "With commas between. Sensors and patients come later, on"
             " the page 'Beds'.", lambda _: "Bed 1", "list", check=_beds),
    Question("admin.name", "Who looks after this gateway?", "A name to sign in with on the pages: lower-case letters.",
             lambda _: "admin", check=_user),
    Question("admin.password", "A password for them?", "At least 12 characters: three or four words that do not belong"
             " together. Left empty, one is made and shown once.", kind="secret", required=False),
    Question("time.zone", "Which time zone is this?", "Such as Europe/London.", own_zone, check=_zone),
    Question("time.servers", "Which time servers does the hospital have?", "Names or addresses with commas between;"
             " empty leaves what the system has. Times of measurements are only as good as this clock.", kind="list",
             check=_hosts, required=False),
    Question("certificate.kind", "How do browsers know that this is the ward's gateway?", "When in doubt: own.",
             lambda _: "own", "choice", {
                 "own": "an authority is made here; tablets are told once to trust it",
                 "request": "the hospital signs a request; a stand-in is used until its answer is installed",
                 "none": "pages on this computer's own screen only, not over the network"}),
    Question("certificate.names", "By which names and addresses is this computer reached?", "As people type them into"
             " the browser, with commas between.", own_names, "list", only_if=WITH_TLS, check=_hosts),
    Question("pages.port", "On which port are the pages?", "Part of the address: https://ward-1:8443.",
             lambda _: "8443", only_if=WITH_TLS, check=_port),
    Question("broker.kind", "Whose message broker is used?", "When in doubt: own.", lambda _: "own", "choice", {
        "own": "one of the gateway's own, which nobody else reaches", "hospital": "one of the hospital's, over TLS"}),
    Question("broker.host", "Its name on the network?", "Such as mqtt.hospital.example.", only_if=OF_HOSPITAL_BROKER,
             check=_hosts),
    Question("broker.port", "Its port?", "8883 is usual with TLS.", lambda _: "8883", only_if=OF_HOSPITAL_BROKER,
             check=_any_port),
    Question("broker.ca_file", "Where is the certificate of its authority?", "A file on this computer; it is copied.",
             only_if=OF_HOSPITAL_BROKER, check=_file),
    Question("broker.username", "The user name that the broker asks for?", "Empty if it asks for a certificate.",
             only_if=OF_HOSPITAL_BROKER, required=False),
    Question("broker.password", "And the password?", "It is kept in a file that only the gateway reads.",
             kind="secret", only_if=OF_HOSPITAL_BROKER, required=False),
    Question("broker.cert_file", "Where is this gateway's certificate for the broker?", "Empty if it asks for a"
             " password.", only_if=OF_HOSPITAL_BROKER, check=_file, required=False),
    Question("broker.key_file", "And its private key?", "It is copied to where only the gateway reads it.",
             only_if=OF_HOSPITAL_BROKER, check=_file, required=False),
    Question("store.kind", "Does a time-series database of the hospital get the numbers too?", "When in doubt: none."
             " The gateway keeps a history of its own in any case.", lambda _: "none", "choice",
             dict.fromkeys(STORES, "")),
    Question("store.url", "Its address?", "Such as https://store.hospital.example:8428.", only_if=OF_STORE, check=_url),
    Question("store.organisation", "Its organisation?", "InfluxDB 2 asks for it.", required=False,
             only_if=("store.kind", ("influxdb2",))),
    Question("store.bucket", "Its bucket or database?", "Where the numbers go.", lambda _: "rehab", only_if=OF_STORE),
    Question("store.token", "Its token?", "It is kept in a file that only the gateway reads.", kind="secret",
             only_if=OF_STORE, required=False),
    Question("radio.kind", "Which sensors will be used?", "'practice' is for trying everything out without any; what"
             " it shows is marked as simulated.", lambda _: "bluetooth", "choice", {
                 "bluetooth": "real ones, over Bluetooth and serial ports", "practice": "simulated ones"}),
    Question("backup.folder", "Where do nightly backups go?", "A disk of its own or a mounted share; a folder on the"
             " same disk does not help when that breaks. Empty: no backups.",
             lambda _: "/var/backups/rehab-gateway", check=_folder, required=False),
    Question("backup.keep", "How many of them are kept?", "Older ones are deleted.", lambda _: "14", check=_keep),
)  # fmt: skip
KEYS = {question.key: question for question in QUESTIONS}
