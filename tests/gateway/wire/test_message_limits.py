"""Messages that bring too much are refused before they become objects; memory stays in proportion to what came."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from gateway.model.row import METRIC, Gap, Row
from gateway.outbox.outbox import encode
from gateway.wire.message_limits import MAX_ENTRIES, MAX_MESSAGE_BYTES, MAX_VALUES, too_much
from gateway.wire.payload import (
    MAX_GAPS,
    MAX_RAW,
    Message,
    PayloadError,
    decode_gaps,
    decode_measurements,
    decode_records,
    encode_gaps,
    encode_measurements,
)
from tests.gateway.samples import ward

EPOCH = "0123456789abcdef"
HEAD = b'{"v":1,"gateway":"g-1","epoch":"%s","slot":"bay-0","released":0,"%s":' % (EPOCH.encode(), b"%s")
MANY = 60_000
DECODERS: dict[bytes, Callable[[bytes], Message]] = {
    b"measurements": lambda payload: decode_measurements("g-1", "bay-0", payload),
    b"records": lambda payload: decode_records("g-1", payload),
    b"gaps": lambda payload: decode_gaps("g-1", payload),
}
BOMBS = {
    "empty entries": b"[" + b",".join([b"{}"] * MANY) + b"]",
    "empty lists": b"[" + b",".join([b"[]"] * MANY) + b"]",
    "nulls": b"[" + b",".join([b"null"] * MANY) + b"]",
    "numbers": b"[" + b",".join([b"1.5"] * MANY) + b"]",
    "texts": b"[" + b",".join([b'"a"'] * MANY) + b"]",
    "lists in lists": b"[" + b",".join([b"[[]]"] * (MANY // 2)) + b"]",
    "deep": b"[" * MANY + b"]" * MANY,
    "deep entries": b'{"a":' * (MANY // 2) + b"1" + b"}" * (MANY // 2),
    "one key again and again": b"[{" + b",".join([b'"":1'] * 40_000) + b"}]",
    "keys": b"[{" + b",".join(b'"%d":1' % n for n in range(MANY // 3)) + b',"a":1' * MANY + b"}]",
}


@pytest.mark.parametrize("key", DECODERS)
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_by_their_bytes_alone(key: bytes, bomb: str) -> None:
    payload = HEAD % key + BOMBS[bomb] + b"}"
    assert too_much(payload)
    with pytest.raises(PayloadError, match="too many"):
        DECODERS[key](payload)


def test_too_many_bytes_are_refused_whatever_they_are() -> None:
    with pytest.raises(PayloadError, match="too many bytes"):
        decode_gaps("g-1", b'"' + b"x" * MAX_MESSAGE_BYTES + b'"')


def test_the_largest_good_messages_are_taken() -> None:
    rows = [Row(seq, "bay-0", METRIC, encode(m, seq)) for seq, m in enumerate(ward(400, slots=1), 1)]
    assert len(decode_measurements("g-1", "bay-0", encode_measurements("g-1", EPOCH, 0, rows)).measurements) == 400
    gaps = [Gap(3 * n + 1, 3 * n + 2, "disk slow") for n in range(MAX_GAPS)]
    assert decode_gaps("g-1", encode_gaps("g-1", EPOCH, 0, gaps)).gaps == gaps


@pytest.mark.parametrize("text", ["{" * 190, "[" * 190, "," * 190, '\\"{' * 60, "{\\\\"])
def test_what_stands_in_texts_does_not_count(text: str) -> None:
    rows = b",".join(
        encode(m, seq).replace(b'"too few steps"', b'"' + text.encode() + b'"') for seq, m in enumerate(ward(500), 1)
    )
    payload = HEAD % b"measurements" + b"[" + rows.replace(b'"reason":""', b'"reason":"' + text.encode() + b'"') + b"]}"
    payload = payload[:MAX_MESSAGE_BYTES]
    assert max(payload.count(each) for each in (b"{", b"[", b",")) > MAX_ENTRIES
    assert not too_much(payload)


def test_a_text_without_an_end_is_looked_at_once() -> None:
    payload = b'"' + b'\\"' * (MAX_MESSAGE_BYTES // 2 - 1)  # a second look at each would take an hour
    assert not too_much(payload)
    for end in (MAX_MESSAGE_BYTES // 2, MAX_MESSAGE_BYTES // 2 + 1):
        assert too_much(b"," * (MAX_VALUES + 1) + payload[:end])


def test_little_is_kept_of_what_cannot_be_understood() -> None:
    message = decode_measurements("g-1", "bay-0", HEAD % b"measurements" + b'[{"seq":1,"x":"%s"}]}' % (b"x" * 200_000))
    assert [len(rejected.payload) for rejected in message.rejected] == [MAX_RAW]


CONTROL = ["\n", "\r", "\x1b[2J", "\x00", "\x7f", "\x9b31m", "\u202e", "\u2028", "\ufeff"]


@pytest.mark.parametrize("text", CONTROL)
@pytest.mark.parametrize("field", ["reason", "session", "subject", "metric", "unit", "algorithm"])
def test_control_characters_do_not_come_in_with_a_measurement(field: str, text: str) -> None:
    made = orjson.loads(encode(ward(1)[0], 1)) | {"slot": "bay-0"}
    for fields in ({field: f"a{text}b"}, {"devices": [f"dot{text}1"]}):
        payload = HEAD % b"measurements" + orjson.dumps([made | fields]) + b"}"
        message = decode_measurements("g-1", "bay-0", payload)
        assert not message.measurements
        assert len(message.rejected) == 1
    gaps = decode_gaps("g-1", HEAD % b"gaps" + orjson.dumps([{"first": 1, "last": 2, "reason": f"a{text}b"}]) + b"}")
    assert gaps.gaps[0].reason.isprintable()


MEMORY = """
import sys, time
from pathlib import Path
from config.settings import Broker, Historian as HistorianSettings, Settings, Site
from gateway.historian.historian import Historian
from gateway.broker.link import Incoming
sys.path.insert(0, sys.argv[2])
from tests.gateway.wire.test_message_limits import flood
from tests.servers import free_port

def peak():
    return int(next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x).split()[1]) * 1024

folder = Path(sys.argv[1])
historian = Historian(Settings(site=Site(data=folder), broker=Broker(port=free_port()),
                               historian=HistorianSettings(keep_days=100_000)))
historian.start()
payloads = flood()
before, size, count = peak(), 0, 0
for n in range(5):
    for topic, payload in payloads:
        historian.mailbox.arrived(Incoming(1, count, f"rehab/v1/demo/g-1/{topic}", payload, 1, False))
        size, count = size + len(payload), count + 1
while historian.state().messages < count:
    time.sleep(0.01)
grown = peak() - before
historian.stop()
print(size, grown, sum(historian.state().bad.values()))
"""


def flood() -> list[tuple[str, bytes]]:
    """Return bombs of all kinds, and messages that are as large as they may be and all but understood."""
    found = [
        (topic, HEAD % key + bomb + b"}")
        for topic, key in (("measurements/bay-0", b"measurements"), ("records", b"records"), ("gaps", b"gaps"))
        for bomb in BOMBS.values()
    ]
    found = [(topic, payload) for topic, payload in found if len(payload) <= MAX_MESSAGE_BYTES]
    for entry in (b"{}", b'{"seq":%d,"x":[[],[]]}', b'{"seq":%d,"metric":"' + "\U0001f600".encode() * 50 + b'"}'):
        body = b",".join(entry % n if b"%d" in entry else entry for n in range(1, MAX_ENTRIES))
        found.append(("measurements/bay-0", (HEAD % b"measurements" + b"[" + body + b"]}")))
    return [(topic, payload) for topic, payload in found if len(payload) <= MAX_MESSAGE_BYTES]


def test_memory_of_the_whole_intake_stays_in_proportion(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path), str(root)],
        capture_output=True, text=True, check=False, timeout=120, cwd=root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    size, grown, refused = map(int, done.stdout.split())
    assert refused > 100
    assert size > 15 * 2**20
    assert grown < 2 * size, f"{grown / 2**20:.0f} MiB for {size / 2**20:.0f} MiB"
