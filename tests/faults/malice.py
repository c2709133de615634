"""Strangers at the broker: receipts that no historian wrote, and messages that are made to stop one."""

from __future__ import annotations

import contextlib
import random
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.wire.receipt import UNSIGNED, Receipt
from gateway.wire.receipt_key import ReceiptKey
from gateway.wire.topics import Topics
from tests.faults.chain import Chain, chain_in, known, wait_for
from tests.faults.files import works
from tests.faults.kills import QUIET_WITHIN_S
from tests.faults.limits import resident_mb
from tests.faults.outcome import Outcome, Progress, promised, words
from tests.servers import wait_until

MINE, BOMBER = Topics("test", "faults"), Topics("test", "bomber")
AHEAD_S = 1.0
"""Time without a historian, so that the outbox has numbers that nobody has stored."""
SEEN_S = 0.7
"""Time for a forged receipt to do what it can."""
REPORTED_WITHIN_S = 30.0
LATE_S = 2.0
"""Longest time that one gateway's load may hold up another's measurement, from durable to stored."""
BETWEEN_BOMBS_S = 0.05
LOOKS = 5
"""At how late another gateway is, in a round of bombs."""
ENTRIES = 60_000
DEEP = 100_000
EPOCH = "0123456789abcdef"


@contextlib.contextmanager
def stranger_at(port: int) -> Iterator[mqtt.Client]:
    """Somebody with a connection to the broker, and whatever rights that gives."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    wait_until(client.is_connected)
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def notices_of_receipts(client: mqtt.Client) -> list[str]:
    """Return a list into which the codes of notices come that receipts bring from now on."""
    codes: list[str] = []

    def note(_client: mqtt.Client, _user: object, message: mqtt.MQTTMessage) -> None:
        with contextlib.suppress(ValueError):
            codes.extend(notice.code for notice in Receipt.decode(bytes(message.payload)).notices)

    client.on_message = note
    client.subscribe(MINE.stored, qos=1)
    return codes


def forged(receipt: bytes, key: str | None) -> list[tuple[str, bytes]]:
    """Return topics and payloads of a receipt that is not true: as it is, and signed wrongly."""
    found = [(MINE.stored, receipt), (MINE.stored_by("evil"), receipt)]
    if key is not None:
        other = Topics("test", "elsewhere").stored
        found += [
            (MINE.stored, ReceiptKey(secrets.token_hex(32)).sign(MINE.stored, receipt)),
            (MINE.stored, ReceiptKey(key).sign(other, receipt)),  # a true sum, of a receipt for somebody else
            (MINE.stored, receipt[:-1] + b',"mac":"' + b"0" * 64 + b'"}'),
        ]
    return found


def forge(chain: Chain, client: mqtt.Client, key: str | None, *, retained: bool, historian: str) -> None:
    """Say that more is stored than is: of what is on disk, where receipts are signed, and of what never was given."""
    epoch, durable = list(promised(chain.journal).items())[-1]
    claims = [durable + 5_000] if key is None else [durable, max(1, durable - 1), durable + 5_000, 2**53 - 1]
    identity = {"history": secrets.token_hex(8), "opened": 1} if historian == "another" else {}
    for claim in claims:
        for topic, payload in forged(Receipt(epoch, claim, claim, **identity).encode(), key):  # type: ignore[arg-type]
            client.publish(topic, payload, qos=1, retain=retained)


def forged_receipts(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Forge receipts with and without a key, while the historian is there and while it is away, across restarts.

    Without a key a stranger at the broker can speak of what is on disk: that is for its access list, and not tried.
    """
    outcome = Outcome("receipts forged by a stranger at the broker")
    folder.mkdir()
    for part, signed in enumerate((True, False)):
        key, file = secrets.token_hex(32), folder / "receipt.key"
        file.touch(0o600)
        file.write_text(key)
        with chain_in(folder / f"chain-{part}", resend_after_s=3.0, key=file if signed else None) as chain:
            until = (part + 1) * times // 2
            forge_rounds(
                chain, outcome, key=key if signed else None, until=until, of=times, seed=seed, progress=progress
            )
            chain.wait_until_quiet(QUIET_WITHIN_S)
            chain.result(outcome)
    return outcome


def is_told(history: Path, since_us: int, standing: list[str]) -> bool:
    """Whether the audit has it since then, or receipts bring the notice of it.

    A historian that is there undoes a forgery, often before the gateway acts on it. Its notice stands for a day, and is
    written once an hour (`gateway.history.books.historian_notices`): of a second forgery the receipts tell alone.
    """
    among = ("receipt-forged", "outbox-restored")
    return bool(words(history, since_us=since_us, among=among)) or among[0] in standing


def forge_rounds(
    chain: Chain, outcome: Outcome, *, key: str | None, until: int, of: int, seed: int, progress: Progress
) -> None:
    """Forge in every way there is, and see each time that the gateway goes on, and that somebody says so."""
    rng = random.Random(seed)
    with stranger_at(chain.broker.port) as client:
        standing = notices_of_receipts(client)
        while outcome.times < until:
            works(chain)
            began_us = time.time_ns() // 1000
            retained, away = outcome.times % 2 == 0, rng.random() < 0.7
            if away:
                chain.historian.end(rng.choice((signal.SIGKILL, signal.SIGTERM)))
                time.sleep(AHEAD_S)
            standing.clear()
            forge(chain, client, key, retained=retained, historian=rng.choice(("", "another")))
            time.sleep(SEEN_S)
            if rng.random() < 0.5:
                chain.gateway.end(rng.choice((signal.SIGKILL, signal.SIGTERM)))
                chain.start_gateway()  # finds what was retained
                time.sleep(SEEN_S)
            if away:
                chain.historian.start()
            outcome.end_round(partial(works, chain), of=of, progress=progress)
            told = partial(is_told, chain.history, began_us, [] if away else standing)
            if not (key and UNSIGNED in chain.gateway.text()) and not wait_for(told, REPORTED_WITHIN_S):
                outcome.notes.append(f"nobody said that receipts were forged (retained: {retained}, away: {away})")


def head(rng: random.Random, epoch: str = EPOCH) -> bytes:
    """Return the fields that every message of the bomber begins with."""
    fields = {"v": 1, "gateway": "bomber", "epoch": epoch, "slot": "bay-0", "released": rng.randrange(2)}
    return orjson.dumps(fields)[:-1]


def bombs(rng: random.Random) -> list[tuple[str, bytes]]:
    """Return topics and payloads that are within one gateway's rights, and made to cost as much as can be."""
    rows, epoch = BOMBER.measurements("bay-0"), f"{rng.getrandbits(64):016x}"
    empty = b",".join([b"{}"] * ENTRIES)
    numbered = b",".join(b'{"seq":%d}' % n for n in range(900))
    return [
        (rows, head(rng) + b',"measurements":[' + empty + b"]}"),
        (rows, head(rng) + b',"measurements":[' + numbered + b"]}"),
        (rows, head(rng, epoch) + b',"measurements":[' + numbered + b"]}"),
        (rows, head(rng) + b',"measurements":' + b"[" * DEEP + b"]" * DEEP + b"}"),
        (rows, head(rng) + b',"measurements":[{"seq":' + b"9" * 250_000 + b"}]}"),
        (rows, head(rng) + b',"measurements":[{"seq":1,"devices":[' + b",".join([b'"a"'] * ENTRIES) + b"]}]}"),
        (rows, b"\xff\xfe" * DEEP),
        (rows, b"[" * 250_000),
        (rows, b"x" * 900_000),
        (BOMBER.records, head(rng) + b',"records":[' + b",".join([b"null"] * 40_000) + b"]}"),
        (BOMBER.records, head(rng, epoch) + b',"records":[' + numbered + b"]}"),
        (BOMBER.gaps, head(rng) + b',"gaps":[' + b",".join([b'[1,2,"x"]'] * 20_000) + b"]}"),
        (BOMBER.gaps, head(rng, epoch) + b',"gaps":[[1,9007199254740991,"x"]]}'),
        (BOMBER.measurements("clock"), head(rng) + b',"measurements":[' + numbered + b"]}"),
    ]


def message_bombs(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Let one gateway send what costs most, for seconds, while another delivers: that one is not held up for long."""
    outcome = Outcome("one gateway sends bombs, another delivers")
    rng = random.Random(seed)
    late: list[float] = []
    with (
        chain_in(folder, resend_after_s=5.0, rate=80.0) as chain,
        stranger_at(chain.broker.port) as client,
    ):
        works(chain)
        started = [process.process and process.process.pid for process in (chain.gateway, chain.historian)]
        while outcome.times < times:
            with thrown(lambda: throw(client, rng)):
                late += [delay_s(chain) for _ in range(LOOKS)]
            outcome.end_round(partial(works, chain), of=times, progress=progress)
        ended = [process.process and process.process.pid for process in (chain.gateway, chain.historian)]
        most = resident_mb(chain.historian)
        chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
        if started != ended:
            outcome.notes.append("a process ended")
    if max(late) > LATE_S:
        outcome.notes.append(f"another gateway waited for {max(late):.1f} s")
    outcome.remark = f"another gateway waits at most {max(late):.2f} s, the historian takes at most {most} MB"
    return outcome


def delay_s(chain: Chain) -> float:
    """Return how long what has just become durable takes until it is stored, seconds."""
    before = chain.promised()
    wait_for(lambda: chain.promised() > before, QUIET_WITHIN_S, poll_s=0.01)
    began = time.monotonic()
    epoch, last = list(promised(chain.journal).items())[-1]
    wait_for(lambda: known(chain.history, epoch) >= last, QUIET_WITHIN_S, poll_s=0.01)
    return time.monotonic() - began


def throw(client: mqtt.Client, rng: random.Random) -> None:
    """Send each kind of bomb once."""
    for topic, payload in bombs(rng):
        client.publish(topic, payload, qos=1)
        time.sleep(BETWEEN_BOMBS_S)


@contextlib.contextmanager
def thrown(once: Callable[[], None]) -> Iterator[None]:
    """Have something done again and again, on a thread of its own, as long as this lasts."""
    over = threading.Event()

    def again() -> None:
        while not over.is_set():
            once()

    thread = threading.Thread(target=again, name="bombs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
