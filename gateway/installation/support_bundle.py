"""A support bundle: everything that somebody elsewhere needs to find a fault, and nothing of anybody.

It is a ZIP of texts. Before it is written, each text is looked through for every pseudonym, name, device and secret
that this ward has; where one is left, there is no bundle.
"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import orjson

from config.settings import Section, Settings
from dsp.kernel_cache import cache_base
from gateway.installation.scrubbing import Scrubber, words_in, words_of
from gateway.machine.ownership import acting_as_owner_of

TAKEN_OUT = "[taken out]"
SECRET_KEYS = frozenset({"passkey", "webhook", "username", "client_id", "public_url", "redirect_url"})
LOG_DAYS = 7
LOG_LINES = 20_000
LOG_BYTES = 4_000_000
"""Of each log file, its end."""
WITHIN_S = 60.0
MOST_ROWS = 10_000_000
MODE = 0o600

README = """\
Support bundle of a rehab-gateway, made {made}.

What is in it: versions, the configuration, the state of the gateway, what 'doctor' said, logs, sizes and counts.
What is not: measurements, passwords, keys, certificates, names. Pseudonyms, names of people, names of beds, addresses
and serial numbers of devices are stand-ins such as [subject 3fa2c100]: the same word has the same one throughout this
bundle, and another in the next. Ids of beds and devices stay. What people wrote with a notice is left out.
{short}
Look through it before you send it: it is text, and nothing else is in it.
"""

SHORT = """
{n} pseudonyms, names or other words of this ward are so short that they would be found in any text: these were NOT
looked for, and may be in it.
"""
Say = Callable[[str], None]


class BundleError(Exception):
    """A bundle would have had something in it that it must not."""

    advice = "Nothing was written. This is a defect: report which version this is ('rehab-gateway version')."


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was written.

    Attributes:
        path: The file.
        texts: How many are in it.
        words: How many words of this ward it was searched for.
        too_short: How many it could not be searched for: a pseudonym that is one letter, or a number of two digits.
    """

    path: Path
    texts: int
    words: int
    too_short: int


def make_bundle(
    settings: Settings, configuration: Path, path: Path, *, status: Mapping[str, Any], doctor: object, say: Say
) -> Bundle:
    """Write a bundle; raises BundleError, OSError.

    Args:
        settings: Of the ward.
        configuration: Their file.
        path: Where to; must not be there yet.
        status: What the gateway says of itself; empty where it says nothing.
        doctor: What the doctor found.
        say: Told what goes on.
    """
    say("collecting")
    scrubber = Scrubber(words_in(status) | words_of(settings, configuration))
    short = SHORT.format(n=scrubber.too_short) if scrubber.too_short else ""
    texts = {
        "README.txt": README.format(made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), short=short),
        "versions.txt": versions(),
        "configuration.json": as_json(plain_settings(settings)),
        "status.json": as_json(without_remarks(status)),
        "doctor.json": as_json(doctor),
        "kernel-cache.txt": kernel_cache(),
        "journal.txt": journal(),
        **_of_data(settings),
    }
    say("taking out names, pseudonyms, devices and secrets")
    clean = _clean(texts, scrubber)
    left = {name: n for name, text in clean.items() if (n := scrubber.left(name) + scrubber.left(text))}
    if left:
        raise BundleError(f"words that name somebody or something were left in {', '.join(left)}")
    _write(path, clean)
    return Bundle(path, len(clean), scrubber.searched, scrubber.too_short)


def _write(path: Path, texts: Mapping[str, str]) -> None:
    """Write texts into a new file of its folder's owner, all of them or none; raises OSError."""
    with acting_as_owner_of(path.parent):
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    try:
        with os.fdopen(number, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, text in texts.items():
                bundle.writestr(name, text)
    except BaseException:
        with acting_as_owner_of(path.parent):
            path.unlink(missing_ok=True)
        raise


def _of_data(settings: Settings) -> dict[str, str]:
    """Return the texts about the data folder, read as its owner: root would follow links that lie there."""
    with acting_as_owner_of(settings.site.data):
        return {"disk.txt": disk(settings), "counts.json": as_json(counts(settings)), **logs(settings)}


def _clean(texts: Mapping[str, str], scrubber: Scrubber) -> dict[str, str]:
    """Return texts and their names without what names somebody: a log may be called after a person."""
    clean: dict[str, str] = {}
    for name, text in texts.items():
        kept = scrubber.scrub(_readable(name))
        while kept in clean:
            kept += "~"
        clean[kept] = scrubber.scrub(_readable(text))
    return clean


def _readable(text: str) -> str:
    """Return a text in which the name of a file that is no UTF-8 has question marks."""
    return text.encode("utf-8", "replace").decode()


def as_json(value: object) -> str:
    """Return a value as JSON that people read."""
    return orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()


def versions() -> str:
    """Return what runs here: us, Python, the system and every package."""
    release = Path("/etc/os-release")
    name = next((line.partition("=")[2].strip('"') for line in _lines(release) if line.startswith("PRETTY_NAME=")), "?")
    model = (
        _text(Path("/proc/device-tree/model")).strip("\0\n") or _text(Path("/sys/class/dmi/id/product_name")).strip()
    )
    packages = sorted({f"{found.name} {found.version}" for found in distributions()}, key=str.casefold)
    return "\n".join([
        f"rehab-gateway {version('rehab-gateway')}", f"Python {platform.python_version()} on {platform.machine()}",
        f"{name}, Linux {platform.release()}", f"computer: {model or 'unknown'}", "", *packages, "",
    ])  # fmt: skip


def plain_settings(settings: Section) -> dict[str, Any]:
    """Return the configuration without what is secret in itself; words of the ward are taken out of its text later."""
    shown: dict[str, Any] = {}
    for key, value in settings:
        if isinstance(value, Section):
            shown[key] = plain_settings(value)
        elif isinstance(value, list):
            shown[key] = [plain_settings(one) if isinstance(one, Section) else one for one in value]
        else:
            shown[key] = TAKEN_OUT if key in SECRET_KEYS and value is not None else value
    return shown


def without_remarks(said: Any) -> Any:
    """Return a status without what people wrote when they answered a notice: that may be about anybody."""
    if isinstance(said, Mapping):
        written = "by" in said
        return {key: TAKEN_OUT if written and key == "why" and value else without_remarks(value)
                for key, value in said.items()}  # fmt: skip
    return [without_remarks(one) for one in said] if isinstance(said, list | tuple) else said


def disk(settings: Settings) -> str:
    """Return how full the disks are, and how large each file of the data folder is."""
    data = settings.site.data
    lines = []
    for folder in filter(None, (data, Path("/"), settings.backup.folder)):
        if folder.exists():
            use = shutil.disk_usage(folder)
            lines.append(f"{folder}: {use.free / 1e9:.1f} of {use.total / 1e9:.1f} GB free")
    lines += ["", "bytes        file"]
    for path in sorted(data.rglob("*")):
        if path.is_file():
            lines.append(f"{path.stat().st_size:<12} {path.relative_to(data)}")
    return "\n".join(lines) + "\n"


def kernel_cache() -> str:
    """Return where compiled kernels lie, and how many."""
    folder = cache_base()
    if folder is None or not folder.is_dir():
        return "none\n"
    files = [path for path in folder.rglob("*.nb?") if path.is_file()]
    return f"{folder}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB\n"


def counts(settings: Settings) -> dict[str, dict[str, int]]:
    """Return how many rows each table of each database has, up to a limit; never what is in them."""
    history = settings.history_file
    paths = (settings.site.data / "outbox.db", settings.site.data / "ward.db", history)
    return {path.name: found for path in paths if (found := _rows(path))}


def _rows(path: Path) -> dict[str, int]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as db:
            names = [str(row[0]) for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            limited = 'SELECT count(*) FROM (SELECT 1 FROM "{}" LIMIT {})'
            return {name: int(db.execute(limited.format(name, MOST_ROWS)).fetchone()[0]) for name in names}
    except sqlite3.Error:
        return {}


def logs(settings: Settings) -> dict[str, str]:
    """Return the log files of the data folder."""
    found: dict[str, str] = {}
    for path in sorted(settings.site.data.rglob("*.log")):
        if path.is_file() and not path.is_symlink():
            name = str(path.relative_to(settings.site.data)).replace("/", "-")
            found[f"logs/{name}"] = _end(path)
    return found


def journal() -> str:
    """Return the journal of our services, or why there is none."""
    program = shutil.which("journalctl")
    if program is None:
        return "there is no journal here\n"
    since = datetime.fromtimestamp(time.time() - LOG_DAYS * 86400, UTC).strftime("%Y-%m-%d")
    command = [program, "--unit", "rehab-gateway*", "--since", since, "--lines", str(LOG_LINES), "--no-pager",
               "--no-hostname", "--output", "short-iso"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=WITHIN_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the journal cannot be read: {error}\n"
    return (done.stdout[-LOG_BYTES:] or done.stderr).decode("utf-8", "replace")


def _end(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        return file.read().decode("utf-8", "replace")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def _lines(path: Path) -> Iterator[str]:
    yield from _text(path).splitlines()
