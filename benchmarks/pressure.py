"""Who still gets a page of the dashboard, and how soon, while what happens to it: ``python -m benchmarks.pressure``.

A real dashboard over TLS in a process of its own, attackers in another, and people who open pages. Each figure is the
slowest of several tries; the goal is a second. Everything is on loopback, where each of 127.0.0.x is an address.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

from benchmarks.entry import Entry
from gateway.dashboard.users import make, save
from tests.certificates import Authority
from tests.servers import free_port

PASSWORD = "purple kettle wanders"  # noqa: S105 - of people who do not exist
GOAL_S = 1.0
TIMEOUT_S = 8.0
SETTLE_S = 4.0  # an attack gets so long to build up
STARTS_WITHIN_S = 60.0
TRIES = 4
WARD, OFFICE, CROWD = "127.0.0.2", "127.0.0.3", "127.0.0.66"
"""Where a nurse is, where somebody is whom nobody knows, and where one attacker is."""
TLS_BEGINS = b"\x16"  # of a record of a handshake
DESCRIPTORS = 1024  # what a service has unless it asks for more

LARGEST = "/static/vendor/uPlot.esm.js"  # of the files of a page: most to send to who does not read

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def plain_trust() -> ssl.SSLContext:
    """Return what takes any certificate: what is measured is not trust."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


TRUST = plain_trust()  # made once: it reads every authority that the machine knows


class Caller:
    """Somebody at an address who speaks HTTP, with cookies."""

    def __init__(self, port: int, address: str) -> None:
        self.port, self.address = port, address
        self.cookies: dict[str, str] = {}

    async def connect(self) -> Stream:
        """Open a connection with TLS."""
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=TRUST, local_addr=(self.address, 0), ssl_handshake_timeout=TIMEOUT_S
        )

    def request(self, method: str, path: str, body: str = "", **headers: str) -> bytes:
        """Return the bytes of a request."""
        here = f"127.0.0.1:{self.port}"
        lines = [f"{method} {path} HTTP/1.1", f"Host: {here}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if self.cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        if method == "POST":
            form = "application/x-www-form-urlencoded"
            lines += [f"Origin: https://{here}", f"Content-Type: {form}", f"Content-Length: {len(body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    async def ask(self, method: str, path: str, body: str = "") -> int:
        """Ask on a new connection; return the status when the first bytes of the answer's body are there."""
        reader, writer = await self.connect()
        try:
            writer.write(self.request(method, path, body))
            head = await reader.readuntil(b"\r\n\r\n")
            self._keep_cookies(head)
            status = int(head.split()[1])
            if status == 200:
                await reader.read(1)
            return status
        finally:
            writer.transport.abort()

    async def sign_in(self, name: str, password: str = PASSWORD) -> int:
        """Send the form."""
        return await self.ask("POST", "/login", f"name={quote(name)}&password={quote(password)}&next=%2F")

    def _keep_cookies(self, head: bytes) -> None:
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]


async def again(work: Callable[[], Awaitable[object]], pause_s: float = 0.0) -> None:
    """Do something again and again, whatever becomes of it."""
    while True:
        with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError):
            await work()
        await asyncio.sleep(pause_s)


async def half_open(port: int, address: str, says: bytes = b"") -> None:
    """Connect, say nothing or the beginning of something, and wait until one is thrown out."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        writer.write(says)
        await reader.read(1)
    finally:
        writer.transport.abort()


async def trickle(caller: Caller, begin: bytes) -> None:
    """Send the rest of a request a byte a second."""
    _, writer = await caller.connect()
    try:
        writer.write(begin)
        while not writer.transport.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(1.0)
    finally:
        writer.transport.abort()


async def never_read(caller: Caller, request: bytes) -> None:
    """Ask for much and read nothing."""
    reader, writer = await caller.connect()
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    try:
        writer.write(request * 8)
        await asyncio.sleep(60.0)
        await reader.read(1)
    finally:
        writer.transport.abort()


async def flood(caller: Caller, request: bytes) -> None:
    """Ask as fast as it is answered on one connection."""
    reader, writer = await caller.connect()
    try:
        while True:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length"))
            await reader.readexactly(length)
    finally:
        writer.transport.abort()


async def hold(caller: Caller, request: bytes) -> None:
    """Open a stream and keep reading."""
    reader, writer = await caller.connect()
    try:
        writer.write(request)
        while await reader.read(65536):
            pass
    finally:
        writer.transport.abort()


def attackers(name: str, port: int, wall: str) -> list[Callable[[], Awaitable[object]]]:
    """Return what each of the attackers of a kind does, again and again."""
    one = Caller(port, CROWD)
    many = [Caller(port, f"127.0.{n // 200 + 1}.{n % 200 + 1}") for n in range(250)]
    viewer = Caller(port, CROWD)
    viewer.cookies["__Host-session"] = wall
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
    body = one.request("POST", "/login", "").replace(b"Content-Length: 0", b"Content-Length: 3000")
    socket_headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
                      "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA=="}  # fmt: skip
    big = [one.request("GET", "/", X_Big="x" * 60_000), one.request("POST", "/login", "x" * 200_000)]
    kinds: dict[str, list[Callable[[], Awaitable[object]]]] = {
        "half-open, one address": [lambda: half_open(port, CROWD)] * 1500,
        "half-open, 250 addresses": [lambda c=c: half_open(port, c.address) for c in many * 5],  # type: ignore[misc]
        "one byte, one address": [lambda: half_open(port, CROWD, TLS_BEGINS)] * 1500,
        "one byte, 250 addresses": [lambda c=c: half_open(port, c.address, TLS_BEGINS) for c in many * 5],  # type: ignore[misc]
        "slow headers": [lambda: trickle(one, head)] * 300,
        "slow headers, 250 addresses": [lambda c=c: trickle(c, head) for c in many],  # type: ignore[misc]
        "slow bodies": [lambda: trickle(one, body)] * 300,
        "slow readers": [lambda: never_read(one, one.request("GET", LARGEST))] * 300,
        "streams of one viewer": [lambda: hold(viewer, viewer.request("GET", "/events"))] * 300,
        "streams never read": [lambda: never_read(viewer, viewer.request("GET", "/events"))] * 300,
        "wrong passwords": [lambda: one.sign_in("anna", "wrong wrong wrong")] * 200,
        "wrong passwords, 250 addresses": [lambda c=c: c.sign_in(f"u{id(c)}", "wrong wrong") for c in many],  # type: ignore[misc]
        "wrong passwords of the nurse": [lambda c=c: c.sign_in("anna", "wrong wrong wr") for c in many[:40]],  # type: ignore[misc]
        "pages that are not there": [lambda: flood(one, one.request("GET", "/nowhere"))] * 32,
        "large headers and bodies": [lambda r=r: flood(one, r) for r in big * 16],  # type: ignore[misc]
        "WebSockets": [lambda: hold(one, one.request("GET", "/waveform/a/b", **socket_headers))] * 200,
    }
    return kinds[name]


NAMES = ("half-open, one address", "half-open, 250 addresses", "one byte, one address", "one byte, 250 addresses",
         "slow headers", "slow headers, 250 addresses", "slow bodies", "slow readers", "streams of one viewer",
         "streams never read", "wrong passwords", "wrong passwords, 250 addresses", "wrong passwords of the nurse",
         "pages that are not there", "large headers and bodies", "WebSockets")  # fmt: skip


async def attack(name: str, port: int, wall: str) -> None:
    """Attack until ended."""
    async with asyncio.TaskGroup() as group:
        for work in attackers(name, port, wall):
            group.create_task(again(work, 0.05))
        print("begun", flush=True)


async def slowest(work: Callable[[], Awaitable[int]], good: set[int]) -> float:
    """Return the longest of some tries in seconds; infinite where one got something else, or nothing."""
    worst = 0.0
    for _ in range(TRIES):
        began = time.perf_counter()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status = await work()
        except (OSError, EOFError, TimeoutError):
            return float("inf")
        if status not in good:
            return float("inf")
        worst = max(worst, time.perf_counter() - began)
        await asyncio.sleep(0.2)
    return worst


class People:
    """Those who want a page, and how long they wait."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.nurse, self.near = Caller(port, WARD), Caller(port, CROWD)

    async def arrive(self) -> str:
        """Sign in before anything happens; return the session of the screen on the wall, which is an attacker's."""
        wall = Caller(self.port, CROWD)
        for caller, name in ((self.nurse, "anna"), (self.near, "bert"), (wall, "wall")):
            assert await caller.sign_in(name) == 303
        return wall.cookies["__Host-session"]

    async def wait(self) -> dict[str, float]:
        """Return how long each of them waits."""
        known = Caller(self.port, WARD)
        known.cookies = {name: value for name, value in self.nurse.cookies.items() if "browser" in name}
        return {
            "signed in": await slowest(lambda: self.nurse.ask("GET", "/patient/bay-1"), {200}),
            "live": await slowest(lambda: self.nurse.ask("GET", "/events"), {200}),
            "same address": await slowest(lambda: self.near.ask("GET", "/"), {200}),
            "signs in": await slowest(lambda: known.sign_in("anna"), {303}),
            "stranger": await slowest(lambda: Caller(self.port, OFFICE).ask("GET", "/login"), {200}),
        }


def wait_for(log: Path, words: bytes) -> None:
    """Return when a log has these words."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while words not in log.read_bytes():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


@contextlib.asynccontextmanager
async def dashboard(folder: Path) -> AsyncIterator[tuple[int, Path]]:
    """Run a dashboard with users over TLS; yield its port and its log."""
    cert, key = Authority(folder / "ca").issue("localhost", server=True)
    save(folder / "users.jsonl", [make("anna", "clinician", PASSWORD), make("bert", "admin", PASSWORD),
                                  make("wall", "viewer", PASSWORD)])  # fmt: skip
    port = free_port()
    (folder / "ward.toml").write_text(
        f'[site]\ndata = "var"\n[broker]\nembedded = false\nport = 1\n[dashboard]\nport = {port}\n'
        f'cert_file = "{cert}"\nkey_file = "{key}"\nusers_file = "users.jsonl"\n'
    )
    log = folder / "log"
    with log.open("wb") as out:
        command = f"ulimit -Sn {DESCRIPTORS}; exec {sys.executable} -m gateway dashboard {folder / 'ward.toml'}"
        process = await asyncio.create_subprocess_exec("bash", "-c", command, stdout=out, stderr=out)
        try:
            await asyncio.to_thread(wait_for, log, b"The dashboard is at")
            yield port, log
        finally:
            process.terminate()
            await process.wait()


async def measure(name: str) -> tuple[dict[str, float], int]:
    """Return how long people wait during one attack, and by how many bytes the log grew."""
    with tempfile.TemporaryDirectory() as folder:
        async with dashboard(Path(folder)) as (port, log):
            people = People(port)
            wall = await people.arrive()
            before = log.stat().st_size
            attacker: subprocess.Popen[bytes] | None = None
            if name:
                command = ["nice", sys.executable, "-m", "benchmarks.pressure", f"--session={wall}", "--attack", name]
                attacker = subprocess.Popen([*command, str(port)], stdout=subprocess.PIPE)  # noqa: S603, ASYNC220
                assert attacker.stdout is not None
                await asyncio.to_thread(attacker.stdout.readline)
                await asyncio.sleep(SETTLE_S)
            try:
                waits = await people.wait()
            finally:
                if attacker is not None:
                    attacker.kill()
                    attacker.wait()
                    assert attacker.stdout is not None
                    attacker.stdout.close()
            return waits, log.stat().st_size - before


def table(only: str = "") -> list[Entry]:
    """Print the table; return its figures as entries of the benchmark."""
    entries: list[Entry] = []
    for name in ("", *NAMES):
        if only not in name:
            continue
        waits, grown = asyncio.run(measure(name))
        if not entries:
            print(f"{'seconds until a page while':32}" + "".join(f"{who:>14}" for who in waits) + f"{'log, bytes':>14}")
        cells = "".join(f"{'none' if w == float('inf') else f'{w:.2f}':>14}" for w in waits.values())
        print(f"{name or 'nothing happens':32}{cells}{grown:14,}", flush=True)
        longest = min(max(waits.values()), 999.0)
        entries.append(Entry(f"page while {name or 'nothing happens'}", longest, "s", GOAL_S))
    return entries


def main() -> None:
    """Print the table, or be an attacker."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pressure", description=__doc__)
    parser.add_argument("--attack", nargs=2, metavar=("NAME", "PORT"), help="be one")
    parser.add_argument("--session", default="", help="the cookie of the screen on the wall, which an attacker has")
    parser.add_argument("--only", default="", help="the attacks with this in their name")
    options = parser.parse_args()
    if options.attack:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        asyncio.run(attack(options.attack[0], int(options.attack[1]), options.session))
        return
    load = "/".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{os.cpu_count()} cores, load {load}", flush=True)
    raise SystemExit(not all(entry.ok for entry in table(options.only)))


if __name__ == "__main__":
    main()
