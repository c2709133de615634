"""What names a person, a device or a secret of a ward, and how it is taken out of texts.

Each word becomes a stand-in that is the same throughout one bundle and tells nothing of the word: a keyed sum, whose
key is forgotten with the bundle. Beside the words of this ward, whatever looks like a hardware address, a number of a
patient or an e-mail address goes, too.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from config import plain_file
from config.pseudonym import nhs_numbers
from config.settings import Device, Section, Settings
from gateway.audit import access_log
from gateway.installation.spellings import BEHIND, any_of, in_base64, spellings
from gateway.machine.ownership import acting_as_owner_of, folder_of
from gateway.ward.kept_ward import ward_path
from gateway.ward.registry import RegistryError, read_state

SHORTEST = 3
"""Characters of a word that is looked for: a shorter one stands in half of all words."""
SHORTEST_NAME = 2
"""Of what names a person, unless it is a number: that would be half of all dates and sizes."""
SHORTEST_KEY = 6
"""Characters of a part of an address that may be a key."""
SHORTEST_INSIDE = 12
"""Characters of a secret that is looked for within longer words, too."""
DIGITS = 8
KEY_BYTES = 32
LARGEST_SECRET = 4096
LARGEST_LIST = 16 << 20
COLON = r"(?:[:_-]|%3a)"
HARDWARE = re.compile(rf"(?i)(?:(?<![0-9a-f])|{BEHIND})(?:[0-9a-f]{{2}}{COLON}){{5}}[0-9a-f]{{2}}(?![0-9a-f])")
MAIL = re.compile(r"(?i)(?<![\w.+-])[\w.+-]++(?:@|%40)[\w-]+(\.[\w-]+)+")
"""From the beginning of a word alone, and not given back: a log may have a word of a million letters."""
LINES = ("users.jsonl", "tokens.jsonl", "pins.jsonl", "withdrawn-users.jsonl", "withdrawn-tokens.jsonl")
KEPT_NOTICES = "notices.json"
NAMING = {"by": "person", "subject": "subject", "label": "label"}
"""What names somebody or something in what a gateway says of itself and keeps of its notices."""
OF_HISTORY = (
    "SELECT DISTINCT subject FROM sessions", "SELECT DISTINCT subject FROM series",
    "SELECT DISTINCT subject FROM ward_subjects", "SELECT DISTINCT subject FROM ward_sessions",
    "SELECT DISTINCT made_subject FROM ward_sessions",
)  # fmt: skip
"""Everybody whose name is in a history."""
TRAITS = ("address", "name", "serial", "tag", "passkey")
"""By which a device is known."""
WORKERS = ("clinician", "technician", "researcher", "viewer", "configuration", "command line", "setup")
"""Words in the place of a name that are none."""


class Scrubber:
    """Takes the words of a ward out of texts.

    Args:
        words: What each word is, ``subject``, ``device``, ``person`` or ``secret``, by the word.

    Attributes:
        searched: How many of the words are looked for.
        too_short: How many are not, since they would be half of any text.
    """

    def __init__(self, words: dict[str, str]) -> None:
        self._key = os.urandom(KEY_BYTES)
        known = {word: kind for word, kind in words.items() if not _too_short(word, kind)}
        self.searched, self.too_short = len(known), len(words) - len(known)
        whole = {spelling: word for word in known for spelling in spellings(word)}
        inside = {spelling: word for word in known for spelling in in_base64(word)}
        inside |= {spelling: word for word, kind in known.items() if kind == "secret" and len(word) >= SHORTEST_INSIDE
                   for spelling in spellings(word)}  # fmt: skip
        self._known = {spelling: (known[word], word) for spelling, word in (inside | whole).items()}
        self._words = re.compile(
            rf"(?i)(?:(?<![a-z0-9])|{BEHIND}){any_of(whole)}(?![a-z0-9])|{any_of(inside)}"
        )  # fmt: skip

    def scrub(self, text: str) -> str:
        """Return a text without them."""
        text = self._words.sub(lambda match: self._stand_in(*self._word(match[0])), text)
        text = HARDWARE.sub(lambda match: self._stand_in("device", re.sub(f"(?i){COLON}", "", match[0])), text)
        text = MAIL.sub("[address]", text)
        for number in nhs_numbers(text):
            text = text.replace(number, "[number]")
        return text

    def left(self, text: str) -> int:
        """Return how many words a text still has; the words are not said."""
        return len(self._words.findall(text)) + len(HARDWARE.findall(text))

    def _word(self, found: str) -> tuple[str, str]:
        """Return kind and word of what was found; letters that are others' lower case are not in the table."""
        return self._known.get(found.lower()) or self._known.get(found.casefold()) or ("word", found)

    def _stand_in(self, kind: str, word: str) -> str:
        digest = hmac.new(self._key, word.casefold().encode(), hashlib.sha256).hexdigest()
        return f"[{kind} {digest[:DIGITS]}]"


def _too_short(word: str, kind: str) -> bool:
    names = kind in ("subject", "person") and not word.isdigit()
    return len(word) < (SHORTEST_NAME if names else SHORTEST)


def words_in(said: object) -> dict[str, str]:
    """Return what names somebody in a status, or in what is kept of notices: they may sign in on another machine."""
    words: dict[str, str] = {}
    if isinstance(said, Mapping):
        for key, value in said.items():
            if key in NAMING and isinstance(value, str) and value and value not in WORKERS:
                words[value] = NAMING[key]
            words |= words_in(value)
    elif isinstance(said, list | tuple):
        for value in said:
            words |= words_in(value)
    return words


def words_of(settings: Settings, configuration: Path) -> dict[str, str]:
    """Return every word of a ward that names somebody or something, or opens something, and what it is."""
    words = dict.fromkeys(filter(None, _secrets(settings, configuration)), "secret")
    words |= dict.fromkeys(filter(None, _users(settings)), "person")
    with acting_as_owner_of(settings.site.data):
        return words | _words_of_data(settings)


def _words_of_data(settings: Settings) -> dict[str, str]:
    words: dict[str, str] = {}
    with suppress(OSError, ValueError):
        words |= words_in(orjson.loads(plain_file.read(settings.site.data / KEPT_NOTICES, LARGEST_LIST)))
    for kind, found in (
        ("person", _people(settings)),
        ("device", _devices(settings)),
        ("label", _labels(settings)),
        ("subject", _subjects(settings)),
    ):
        words |= dict.fromkeys(filter(None, found), kind)
    return words


def _subjects(settings: Settings) -> Iterator[str]:
    ward, data = ward_path(settings), settings.site.data
    yield from (slot.subject for slot in settings.slot)
    with suppress(OSError, RegistryError, sqlite3.Error):
        yield from (subject.id for subject in read_state(ward).subjects)
    yield from _column(ward, "SELECT DISTINCT json_extract(fields, '$.subject') FROM changes")
    yield from _column(data / access_log.NAME, "SELECT DISTINCT subject FROM people")
    for query in OF_HISTORY:
        yield from _column(settings.history_file, query)


def _labels(settings: Settings) -> Iterator[str]:
    """Yield what beds are called: somebody may have written a name there."""
    yield from (slot.label for slot in settings.slot)
    yield from _column(ward_path(settings), "SELECT DISTINCT json_extract(fields, '$.label') FROM changes")
    with suppress(OSError, RegistryError, sqlite3.Error):
        yield from (bed.label for bed in read_state(ward_path(settings)).beds)


def _users(settings: Settings) -> list[str]:
    """Return who may sign in: by a file of root's, which the data folder's owner may not be able to read."""
    file = settings.dashboard.users_file
    if file is None:
        return []
    with acting_as_owner_of(folder_of(file, settings.site.data)):
        return _names_in(file)


def _people(settings: Settings) -> Iterator[str]:
    data = settings.site.data
    for name in LINES:
        yield from _names_in(data / name)
    yield from _column(data / access_log.NAME, "SELECT DISTINCT json_extract(body, '$.user') FROM entries")
    history = settings.history_file
    yield from _column(history, "SELECT DISTINCT person FROM ward_corrections")
    workers = _column(ward_path(settings), 'SELECT DISTINCT "by" FROM changes')
    yield from (name for name in workers if name not in WORKERS)
    yield settings.broker.username or ""
    yield (settings.backup.sftp_to or "").partition("@")[0]


def _devices(settings: Settings) -> Iterator[str]:
    devices = [device for slot in settings.slot for device in slot.device]
    with suppress(OSError, RegistryError, sqlite3.Error):
        devices += [equipment.device for equipment in read_state(ward_path(settings)).devices]
    for device in devices:
        yield from _of_device(device)
    for trait in TRAITS:  # also of devices that were taken out
        query = f"SELECT DISTINCT json_extract(fields, '$.device.{trait}') FROM changes"  # noqa: S608 - our own words
        yield from _spellings(_column(ward_path(settings), query))
    with suppress(OSError, ValueError, KeyError, AttributeError):
        known = orjson.loads((settings.site.data / "known-devices.json").read_bytes())
        for entry in known["devices"].values():
            for told in (entry.get("told"), entry.get("refused")):
                yield from _spellings((told or {}).values())


def _of_device(device: Device) -> Iterator[str]:
    port = str(device.port or "").rpartition(":")[2] if str(device.port or "").startswith("usb:") else ""
    yield from _spellings((device.address, device.name, device.serial, device.tag, device.passkey, device.sender, port))


def _spellings(values: Iterable[object]) -> Iterator[str]:
    """Yield how a value may be written: an address as BlueZ, the kernel and people have it."""
    for value in values:
        text = str(value or "")
        yield text
        if HARDWARE.fullmatch(text):
            yield from (text.replace(":", sign) for sign in ("_", "-", ""))


def _secrets(settings: Settings, configuration: Path) -> Iterator[str]:
    """Yield what stands in files of secrets: it may have come into a text by a mistake."""
    paths = [*_files(settings), *(configuration.resolve().parent / "secrets").glob("*"),
             settings.site.data / "receipt.key", settings.site.data / "broker/door.json"]  # fmt: skip
    for path in paths:
        with suppress(OSError, UnicodeDecodeError):
            with acting_as_owner_of(folder_of(path, settings.site.data)):
                data = plain_file.read(path, LARGEST_SECRET)
            if len(data) <= LARGEST_SECRET:
                text = data.decode("utf-8").strip()
                yield text
                if text.startswith("{"):
                    with suppress(ValueError, AttributeError):
                        yield from (str(value) for value in orjson.loads(text).values() if isinstance(value, str))
    yield from _of_address(settings.notices.webhook)
    yield from _of_address(settings.fleet.share if "://" in (settings.fleet.share or "") else None)
    yield from _of_address(settings.historian.store.url if settings.historian.store else None)


def _of_address(address: str | None) -> Iterator[str]:
    """Yield what an address may have in it that opens something: a password, a key in its path."""
    parts = urlsplit(address or "")
    yield from (parts.password or "", parts.username or "")
    yield from (part for part in re.split(r"[/?&=]", f"{parts.path}?{parts.query}") if len(part) >= SHORTEST_KEY)


def _files(section: Section) -> Iterator[Path]:
    for name, value in section:
        if isinstance(value, Section):
            yield from _files(value)
        elif isinstance(value, Path) and name in {
            "password_file",
            "token_file",
            "client_secret_file",
            "receipt_key_file",
        }:
            yield value


def _column(database: Path, query: str) -> list[str]:
    """Return the texts of one column; none where there is no such database or table."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as db:
            return [str(row[0]) for row in db.execute(query) if row[0]]
    except sqlite3.Error:
        return []


def _names_in(path: Path) -> list[str]:
    """Return the names in a file of lines of JSON; none where there is no such file."""
    try:
        lines = plain_file.read(path, LARGEST_LIST).splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError):
            fields = orjson.loads(line)
            if isinstance(fields, dict):
                found.append(str(fields.get("name", "")))
    return found
