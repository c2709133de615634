"""A broker of our own, for the demo, tests and a gateway on its own: mosquitto where it is installed, else iotcore.

Nobody but its user reaches it: mosquitto listens on a Unix socket in a folder of that user, iotcore on a port of
loopback with a secret made at each start (`gateway.broker.door`). It may fail to start, end, or find its port taken:
whoever measures goes on, and it is tried again. A site that wants more configures its own broker.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import secrets
import shutil
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

from config.settings import Broker
from drivers.transport.unix_path import short_path
from gateway.broker.door import (
    LOOPBACK,
    SOCKET,
    USER,
    Door,
    DoorError,
    OwnBroker,
    check_holder,
    read_door,
    write_door,
)
from gateway.broker.link import STABLE_S, backoff_s

log = logging.getLogger(__name__)

READY_S = 10.0
POLL_S = 0.02
LOOK_S = 1.0
"""Between two looks at a broker that another process of this user keeps."""
STOP_S = 5.0
QUEUE_BYTES = 64 * 2**20
"""Queued for one client that is away. What does not fit is still in the outbox."""
MEMORY_BYTES = 512 * 2**20
LARGEST_PAYLOAD = 2**20
"""Ours are below 100 kB; status of a large ward is the longest."""
SEGMENT_BYTES = 2**20
SEGMENTS = 4
"""iotcore keeps messages in memory until so many segments of a topic are full."""
LAST_WORDS = 200
"""Characters of what a broker said before it ended."""
PRIVATE, PRIVATE_FILE = 0o700, 0o600
WRITTEN = "# Written by rehab-gateway at each start."

# Both are started in their folder and name everything from there: no path, whatever is in it, gets into their files.
MOSQUITTO = f"""\
{WRITTEN}
listener 0 {SOCKET}
allow_anonymous true
user root
persistence true
persistence_location ./
autosave_interval 60
max_inflight_messages 1000
max_queued_messages 1000000
max_queued_bytes {QUEUE_BYTES}
memory_limit {MEMORY_BYTES}
max_packet_size {LARGEST_PAYLOAD}
log_dest stderr
log_type error
log_type warning
"""
"""``user`` is for a start by root alone, who would lose the folder otherwise; for others mosquitto ignores it."""

IOTCORE = f"""\
{WRITTEN}
id = 0

[router]
id = 0
max_connections = 200
max_outgoing_packet_count = 1000
max_segment_size = {SEGMENT_BYTES}
max_segment_count = {SEGMENTS}

[v5.1]
name = "v5"
listen = "{LOOPBACK}:{{port}}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 5000
max_payload_size = {LARGEST_PAYLOAD}
max_inflight_count = 1000
dynamic_filters = true

[v5.1.connections.auth]
{USER} = "{{secret}}"
"""

IOTCORE_START = "import sys; sys.path[:] = [p for p in sys.path if p]; from iotcore._serve import main; main()"


class BrokerError(Exception):
    """The embedded broker cannot be started; the text says what to do."""


class EmbeddedBroker:
    """A broker in a child process, started again if it dies, and tried again if it cannot start.

    Args:
        folder: Where its door, its configuration and its memory over restarts lie; made if absent, and closed to
            others. If a process of this user keeps a broker there already, that one is used.
        port: TCP port on loopback that iotcore takes, if it is free; else another.
        kind: ``mosquitto`` or ``iotcore``; by default mosquitto if installed.

    Attributes:
        restarts: How often it ended by itself.
        problem: Why there is none at present; empty while there is.
    """

    def __init__(self, folder: Path, *, port: int = 1883, kind: str | None = None) -> None:
        self.folder = folder.absolute()
        self.kind = kind or ("mosquitto" if find_mosquitto() else "iotcore")
        self.restarts = 0
        self.problem = ""
        self._port = port
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._door = Door()
        self._tried = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id of the broker while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def settings(self) -> Broker:
        """How a link reaches it."""
        return OwnBroker(folder=self.folder)

    def start(self) -> None:
        """Begin to keep it up; whatever is wrong is said in ``problem`` and tried again."""
        self._watch = asyncio.create_task(self._keep_up(), name="broker-watch")

    async def ready(self) -> None:
        """Return when it accepts connections; raises BrokerError where the first try failed."""
        await self._tried.wait()
        if self.problem:
            raise BrokerError(self.problem)

    async def stop(self) -> None:
        """End it in good order: mosquitto writes its memory down."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None
        if self._process is not None:
            await self._end()
            write_door(self.folder, Door(problem="it was stopped: start 'rehab-gateway run'"))

    async def _keep_up(self) -> None:
        rng = random.Random()
        attempt = 0
        while True:
            began = time.monotonic()
            try:
                if await answers(self.folder):  # another process of ours keeps it; we take over when it has ended
                    self._set_problem("")
                    await asyncio.sleep(LOOK_S)
                    continue
                await self._launch()
                self._set_problem("")
                assert self._process is not None
                how = await self._ended()
                self.restarts += 1
                self._set_problem(f"the embedded broker {how}; it is started again")
            except (BrokerError, OSError) as error:
                self._set_problem(str(error))
            attempt = 0 if time.monotonic() - began > STABLE_S else attempt + 1
            await asyncio.sleep(backoff_s(max(0, attempt - 1), rng))

    async def _ended(self) -> str:
        """Return how it ended; one whose folder or socket was removed is ended, for nobody new would find it."""
        assert self._process is not None
        ending = asyncio.ensure_future(self._process.wait())
        try:
            while not (await asyncio.wait({ending}, timeout=LOOK_S))[0]:
                if not self._is_in_place():
                    await self._end()
                    return f"could not be found any more: {self.folder}, or what is in it, was removed or replaced"
            return f"ended with status {ending.result()}{self._last_words()}"
        finally:
            ending.cancel()

    def _is_in_place(self) -> bool:
        try:
            door = read_door(self.folder)
        except DoorError:
            return False
        return door == self._door and (not door.socket or (self.folder / door.socket).exists())

    def _set_problem(self, problem: str) -> None:
        """Note how it goes, for this process, for the log, and for everybody who looks at the door."""
        if problem and problem != self.problem:
            log.error("%s", problem)
        self.problem = problem
        if problem:
            with suppress(OSError):  # then the missing door says enough
                write_door(self.folder, Door(problem=problem))
        self._tried.set()

    async def _launch(self) -> None:
        self.folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        self.folder.chmod(PRIVATE)
        _bring_in_old(self.folder)
        (self.folder / SOCKET).unlink(missing_ok=True)
        command, door = self._mosquitto() if self.kind == "mosquitto" else self._iotcore()
        try:
            with _private(self.folder / "broker.log").open("wb") as output:
                # iotcore ends when its standard input does. A Ctrl-C in the terminal is for us alone: a broker that
                # ends before the last measurements are sent would look like one that has failed. What it says to a
                # service manager would be taken for ours.
                environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=PIPE if door.port else None, stdout=output, stderr=output, cwd=self.folder,
                    env=environment, umask=0o077, start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            raise BrokerError(f"{command[0]} cannot be started: {error.strerror}") from error
        door = Door(door.socket, door.port, door.secret, self._process.pid)
        try:
            async with asyncio.timeout(READY_S):
                while not await _accepts(self.folder, door):
                    if self._process.returncode is not None:
                        status = self._process.returncode
                        raise BrokerError(f"{self.kind} ended at once with status {status}{self._last_words()}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            await self._end()
            raise BrokerError(f"{self.kind} was started and does not answer within {READY_S:g} s") from None
        write_door(self.folder, door)
        self._door = door

    def _mosquitto(self) -> tuple[list[str], Door]:
        program = find_mosquitto()
        if program is None:
            raise BrokerError("mosquitto is not installed: apt install mosquitto, or leave the choice to us")
        _private(self.folder / "mosquitto.conf").write_text(MOSQUITTO, "utf-8")
        return [*_end_with_parent(), program, "-c", "mosquitto.conf"], Door(SOCKET)

    def _iotcore(self) -> tuple[list[str], Door]:
        door = Door(port=_free(self._port), secret=secrets.token_urlsafe(32))
        path = _private(self.folder / "iotcore.toml")
        path.write_text(IOTCORE.format(port=door.port, secret=door.secret), "utf-8")
        return [sys.executable, "-c", IOTCORE_START, json.dumps({"config_path": path.name})], door

    def _last_words(self) -> str:
        try:
            lines = (self.folder / "broker.log").read_text("utf-8", "replace").split("\n")
        except OSError:
            return ""
        last = " ".join([line.strip() for line in lines if line.strip()][-2:])  # what, and where
        plain = "".join(c if c.isprintable() else " " for c in last)[-LAST_WORDS:]
        return f" ({plain})" if plain else ""

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def find_mosquitto() -> str | None:
    """Return the path of mosquitto, which Debian puts where not every user's PATH leads."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    return found and str(Path(found).absolute())


async def answers(folder: Path) -> bool:
    """Whether the broker of a folder is there, and accepts connections."""
    try:
        return await _accepts(folder, read_door(folder))
    except DoorError:
        return False


def _private(path: Path) -> Path:
    """Return a path at which there is a new file that nobody else may read."""
    path.unlink(missing_ok=True)
    path.touch(PRIVATE_FILE)
    return path


def _bring_in_old(folder: Path) -> None:
    """Take what versions up to 1.0 left in the data folder itself: their broker's memory, and what they wrote."""
    old, new = folder.parent / "mosquitto.db", folder / "mosquitto.db"
    ours = [path for name in ("mosquitto.conf", "iotcore.toml") if (path := folder.parent / name).is_file()]
    ours = [path for path in ours if path.read_bytes().startswith(WRITTEN.encode())]
    if ours and old.is_file() and not new.exists():
        old.rename(new)
    for path in ours:
        path.unlink()


def _end_with_parent() -> list[str]:
    """Return the prefix that ends a program when we are killed, where the system has it."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def _free(wanted: int) -> int:
    """Return the wanted port of loopback, or another where somebody holds it."""
    for port in (wanted, 0):
        with suppress(OSError), socket.create_server((LOOPBACK, port)) as server:
            return int(server.getsockname()[1])
    raise BrokerError("no port of this machine is free")


async def _accepts(folder: Path, door: Door) -> bool:
    try:
        if door.socket:
            with short_path(folder / door.socket) as path:
                _, writer = await asyncio.open_unix_connection(path)
        else:
            check_holder(door)
            _, writer = await asyncio.open_connection(LOOPBACK, door.port)
    except OSError:
        return False
    writer.close()
    try:
        await writer.wait_closed()
    except OSError as error:
        log.debug("the connection was closed meanwhile: %s", error)
    return True
