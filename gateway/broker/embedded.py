"""A broker of our own, for the demo, tests and a gateway on its own: mosquitto where it is installed, else iotcore.

It listens on loopback only and asks nobody for a password; a site that wants more configures its own broker.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import random
import shutil
import sys
from pathlib import Path

from gateway.broker.link import backoff_s

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
READY_S = 10.0
POLL_S = 0.02
STOP_S = 5.0
QUEUE_BYTES = 64 * 2**20
"""Queued for one client that is away. What does not fit is still in the outbox."""
MEMORY_BYTES = 512 * 2**20
LARGEST_PAYLOAD = 2**20
"""Ours are below 100 kB; status of a large ward is the longest."""
SEGMENT_BYTES = 2**20
SEGMENTS = 4
"""iotcore keeps messages in memory until so many segments of a topic are full."""

MOSQUITTO = """\
# Written by rehab-gateway at each start.
listener {port} {host}
allow_anonymous true
user {user}
persistence true
persistence_location {folder}/
autosave_interval 60
max_inflight_messages 1000
max_queued_messages 0
max_queued_bytes {queue}
memory_limit {memory}
max_packet_size {payload}
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
"""

IOTCORE = """\
# Written by rehab-gateway at each start.
id = 0

[router]
id = 0
max_connections = 200
max_outgoing_packet_count = 1000
max_segment_size = {segment}
max_segment_count = {segments}

[v5.1]
name = "v5"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 5000
max_payload_size = {payload}
max_inflight_count = 1000
dynamic_filters = true
"""

IOTCORE_START = "import sys; sys.path[:] = [p for p in sys.path if p]; from iotcore._serve import main; main()"


class BrokerError(Exception):
    """The embedded broker cannot be started; the text says what to do."""


class EmbeddedBroker:
    """A broker in a child process, started again if it dies.

    Args:
        port: TCP port on loopback.
        folder: Where its configuration and its memory over restarts lie; made if absent.
        kind: ``mosquitto`` or ``iotcore``; by default mosquitto if installed.
    """

    def __init__(self, port: int, folder: Path, *, kind: str | None = None) -> None:
        self.port = port
        self.folder = folder
        self.kind = kind or ("mosquitto" if find_mosquitto() else "iotcore")
        self.restarts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the broker while it runs."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start, and return when it accepts connections; raises BrokerError."""
        if await _accepts(self.port):
            raise BrokerError(
                f"port {self.port} is in use: stop the other broker, set broker.port,"
                " or set broker.embedded = false to use that one"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        await self._launch()
        self._watch = asyncio.create_task(self._keep_up(), name="broker-watch")

    async def stop(self) -> None:
        """End it in good order: mosquitto writes its memory down."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None
        await self._end()

    async def _launch(self) -> None:
        command, argument = self._command(), asyncio.subprocess.PIPE if self.kind == "iotcore" else None
        try:
            with (self.folder / "broker.log").open("wb") as said:
                # iotcore ends when its standard input does.
                self._process = await asyncio.create_subprocess_exec(*command, stdin=argument, stdout=said, stderr=said)
        except OSError as error:
            raise BrokerError(f"{command[0]} cannot be started: {error}") from error
        try:
            async with asyncio.timeout(READY_S):
                while not await _accepts(self.port):
                    if self._process.returncode is not None:
                        raise BrokerError(f"{self.kind} ended at once with status {self._process.returncode}")
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            await self._end()
            raise BrokerError(f"{self.kind} does not answer on port {self.port}") from None

    def _command(self) -> list[str]:
        folder = self.folder.absolute()
        if self.kind == "mosquitto":
            program = find_mosquitto()
            if program is None:
                raise BrokerError("mosquitto is not installed: apt install mosquitto, or leave the choice to us")
            path = folder / "mosquitto.conf"
            path.write_text(
                MOSQUITTO.format(
                    port=self.port, host=HOST, folder=folder, user=pwd.getpwuid(os.geteuid()).pw_name,
                    queue=QUEUE_BYTES, memory=MEMORY_BYTES, payload=LARGEST_PAYLOAD,
                )
            )  # fmt: skip
            return [*_end_with_parent(), program, "-c", str(path)]
        path = folder / "iotcore.toml"
        path.write_text(
            IOTCORE.format(port=self.port, host=HOST, payload=LARGEST_PAYLOAD, segment=SEGMENT_BYTES, segments=SEGMENTS)
        )
        return [sys.executable, "-c", IOTCORE_START, f'{{"config_path": "{path}"}}']

    async def _keep_up(self) -> None:
        rng = random.Random()
        while True:
            assert self._process is not None
            status = await self._process.wait()
            self.restarts += 1
            log.error("the embedded broker ended with status %s, starting it again", status)
            await self._relaunch(rng)

    async def _relaunch(self, rng: random.Random) -> None:
        attempt = 0
        while True:
            try:
                await self._launch()
            except BrokerError as error:
                log.error("%s", error)  # noqa: TRY400 - the sentence says it all
                await asyncio.sleep(backoff_s(attempt, rng))
                attempt += 1
            else:
                return

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
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def _end_with_parent() -> list[str]:
    """Return the prefix that ends a program when we are killed, where the system has it: no port is left taken."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    try:
        await writer.wait_closed()
    except OSError as error:
        log.debug("the port was closed meanwhile: %s", error)
    return True
