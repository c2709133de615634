"""What comes over MQTT: measurements, gaps, receipts, commands, and what the dashboard listens to."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from hypothesis import strategies as st

from config.settings import Device, Settings, Slot
from gateway.analysis.pipeline import Pipeline
from gateway.audit.chain import Books, check
from gateway.broker.link import Incoming
from gateway.dashboard import views
from gateway.dashboard.ward import Ward
from gateway.delivery.commands import CommandError, dispatch_command, may_answer_on, refusal
from gateway.historian.fair_queue import FairQueue
from gateway.historian.parked import numbers_in
from gateway.history.history import History
from gateway.history.schema import StoredRecord
from gateway.intake.frames import Origin
from gateway.model.wall_correction import SLOT as SLOT_OF_CLOCK
from gateway.model.wall_correction import Correction
from gateway.model.wall_correction import measurements as corrected
from gateway.run.watch import Watch
from gateway.wire.payload import PayloadError, decode_gaps, decode_measurements, decode_records
from gateway.wire.receipt import Receipt
from gateway.wire.topics import Topics
from gateway.wire.waveform import is_frame
from tests.fuzz.target import Target
from tests.gateway.samples import START_US, ward

GATEWAY, SLOT, EPOCH = "gateway-1", "bay-1", "0123456789abcdef"
DEEP = 400  # levels: the JSON parser takes them, the writer of the same library does not
INPUTS_OF_A_HISTORY = 500
MEASURED_EVERY = 100  # each start of tracemalloc costs a kilobyte that does not come back
MEMORY_PER_BYTE, MEMORY_AT_ALL = 8, 256 * 1024  # the second for what a first use of a part brings
KINDS = ("status", "notices", "measurements", "waveform", "stored", "nonsense", "cycles")

HEAD: dict[str, Any] = {"v": 1, "gateway": GATEWAY, "epoch": EPOCH, "released": 3}
MEASUREMENTS = {
    **HEAD,
    "slot": SLOT,
    "measurements": [{"seq": i, **asdict(m)} for i, m in enumerate(ward(3, slots=1), 1) if m],
}
CLOCK = {
    **HEAD,
    "slot": SLOT_OF_CLOCK,
    "measurements": [
        {"seq": i, **asdict(m)}
        for i, m in enumerate(corrected(Correction(1, True), [("s-1", "p-01")], at_us=START_US, simulated=True), 8)
    ],
}
RECORDS = {
    **HEAD,
    "records": [
        {"seq": 4, "kind": "notice", "what": "link-lost", "time_us": START_US, "state": "raised", "count": 1},
        {"seq": 5, "kind": "audit", "what": "clock", "time_us": START_US, "n": 1, "previous": "", "by_s": -1.5,
         "devices": ["dot-1"]},
    ],
}  # fmt: skip
GAPS = {**HEAD, "gaps": [{"first": 1, "last": 4, "reason": "outbox full"}]}
STATUS = {
    "v": 1, "gateway": GATEWAY, "state": "online", "simulated": True, "time_us": START_US,
    "slots": [{"id": SLOT, "label": "Bay 1", "subject": "p-01", "session": "s", "protocol": "free_walk",
               "devices": ["dot-1"]}],
    "devices": [{"id": "dot-1", "slot": SLOT, "placement": "left_foot", "driver": "movella_dot", "transport": "ble",
                 "state": "streaming", "samples": 5, "rate_hz": 60.0, "lost": 0, "faults": {}, "age_s": 0.1,
                 "battery": 80.0, "error": "", "advice": "", "clock": {"offset_s": 1.0, "drift_ppm": 3.0},
                 "streams": {"imu": {"channels": ["x"], "units": ["m/s2"], "rate_hz": 60.0}}}],
    "pipeline": {"latency_ms": {"p50": 3, "p95": 9}}, "outbox": {"depth": 1}, "publisher": {"connected": True},
}  # fmt: skip
CYCLES = {
    "v": 1, "gateway": GATEWAY, "slot": SLOT, "session": "s",
    "curves": [{"joint": "knee", "side": "left", "n": 2, "start_us": START_US, "end_us": START_US, "reason": "",
                "mean": [0] * 101, "sd": [1] * 101}],
}  # fmt: skip
NOTICE = {"v": 1, "id": "n", "slot": SLOT, "priority": "low", "text": "battery low", "time_us": START_US}
WATCH = {"device": "dot-1", "stream": "imu", "for_s": 10}
SETTINGS = Settings(
    slot=[Slot(id=SLOT, subject="p-01", device=[Device(id="dot-1", driver="movella_dot", placement="left_foot")])]
)

scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def targets() -> list[Target]:
    """Return a target for each parser."""
    deep = b"[" * DEEP + b"]" * DEEP
    strange = orjson.dumps(MEASUREMENTS).replace(b'"p-01"', deep, 1)
    return [
        _json("measurements", _measurements, [MEASUREMENTS], 16, [strange]),
        _json("records", _records, [RECORDS], 8, [orjson.dumps(RECORDS).replace(b'"dot-1"', deep, 1)]),
        _json("gaps", _gaps, [GAPS], 10),
        _json(
            "receipt",
            _receipt,
            [{"v": 1, "epoch": EPOCH, "stored": 9, "received": 12, "stored_beyond": "BQ==", "received_beyond": "DQ=="}],
            10,
        ),
        _intake(),
        _json("command", _command(), [WATCH], 12),
        _dashboard(),
    ]


def _json(name: str, run: Callable[[bytes], None], good: list[Any], share: float, more: Sequence[bytes] = ()) -> Target:
    seeds = [*map(orjson.dumps, good), *more]
    return Target(
        name=name, run=run, seeds=seeds, inputs=nearly(good[0]), share=share,
        longest=2048, words=words_of(good),
    )  # fmt: skip


def nearly(good: Any) -> st.SearchStrategy[bytes]:
    """JSON like a good one, with a few values exchanged for others and a few keys left out."""

    @st.composite
    def build(draw: st.DrawFn) -> bytes:
        def spoil(value: Any, odds: int) -> Any:
            chance = draw(st.integers(0, odds))
            if chance == 1:
                return draw(values)
            if isinstance(value, dict):
                return {k: spoil(v, odds) for k, v in value.items() if not (chance == 2 and draw(st.booleans()))}
            return [spoil(item, odds) for item in value] if isinstance(value, list) else value

        return _dumps(spoil(orjson.loads(orjson.dumps(good)), draw(st.sampled_from((4, 20, 60)))))

    return build()


def _dumps(value: Any) -> bytes:
    import json  # orjson refuses numbers beyond 64 bits, NaN and lone surrogates; what comes may hold them all

    return json.dumps(value, ensure_ascii=True).encode()


def words_of(good: Any) -> tuple[str, ...]:
    """Return every key and every text of JSON."""
    if isinstance(good, dict):
        return tuple(dict.fromkeys([*(f'"{key}":' for key in good), *(w for v in good.values() for w in words_of(v))]))
    if isinstance(good, list):
        return tuple(dict.fromkeys(word for value in good for word in words_of(value)))
    return (f'"{good}"',) if isinstance(good, str) else ()


def _measurements(data: bytes) -> None:
    with suppress(PayloadError):
        message = decode_measurements(GATEWAY, SLOT, data)
        assert all(len(rejected.payload) <= 4 * len(data) + 64 for rejected in message.rejected)


def _records(data: bytes) -> None:
    with suppress(PayloadError):
        message = decode_records(GATEWAY, data)
        assert all(len(record.body) <= 8 * len(data) + 64 for record in message.records)
        stored = [
            StoredRecord(GATEWAY, EPOCH, t.seq, t.kind, t.what, t.time_us, t.body.decode()) for t in message.records
        ]
        assert len(check(stored, Books([]))) == len(stored)


def _gaps(data: bytes) -> None:
    with suppress(PayloadError):
        assert all(1 <= gap.first <= gap.last for gap in decode_gaps(GATEWAY, data).gaps)


def _intake() -> Target:
    """The historian's whole intake: a topic, then its payload; in line, parsed, compared, and in the history."""
    topics = ("measurements/" + SLOT, "measurements/_clock", "records", "gaps")
    decode = {
        "records": lambda data: decode_records(GATEWAY, data),
        "gaps": lambda data: decode_gaps(GATEWAY, data),
    }
    known: list[History] = []
    runs = count()

    def run(data: bytes) -> None:
        # Quotas that are used up refuse all that follows.
        number = next(runs)
        if number % INPUTS_OF_A_HISTORY == 0 or known[0].database.refusals.beyond_quota:
            for history in known:
                history.close()
            known[:] = [History(Path(":memory:"))]
            known[0].store([decode_measurements(GATEWAY, SLOT, orjson.dumps(MEASUREMENTS))])
        topic, payload = topics[data[0] % len(topics)] if data else topics[0], data[1:]
        measured = number % MEASURED_EVERY == 0
        if measured:
            tracemalloc.start()
        try:
            queue = FairQueue(lambda _: None, [GATEWAY, "gateway-2"])
            queue.put(GATEWAY, Incoming(1, 1, f"rehab/v1/demo/{GATEWAY}/{topic}", payload, 1, False))
            for waiting in queue.next_batch(2**20, 10):
                with suppress(PayloadError):
                    kind, _, slot = topic.partition("/")
                    body = waiting.message.payload
                    message = decode_measurements(GATEWAY, slot, body) if slot else decode[kind](body)
                    known[0].store([message])
                    known[0].receipt(message.gateway, message.epoch).encode()
            peak = tracemalloc.get_traced_memory()[1] if measured else 0
        finally:
            tracemalloc.stop()
        assert peak <= MEMORY_PER_BYTE * len(data) + MEMORY_AT_ALL, f"{peak} bytes for {len(data)}"
        numbers_in(payload, 1_000)

    good = [(0, MEASUREMENTS), (1, CLOCK), (2, RECORDS), (3, GAPS)]
    bombs = [
        bytes([kind]) + orjson.dumps({**HEAD, key: [{}] * 900}) for kind, key in ((0, "measurements"), (3, "gaps"))
    ]
    return Target(
        name="intake", run=run, seeds=[*(bytes([kind]) + orjson.dumps(body) for kind, body in good), *bombs],
        inputs=st.one_of(*(st.builds(bytes.__add__, st.just(bytes([kind])), nearly(body)) for kind, body in good)),
        share=4, longest=8192, words=words_of([body for _, body in good]),
    )  # fmt: skip


def _receipt(data: bytes) -> None:
    with suppress(ValueError):
        receipt = Receipt.decode(data)
        assert Receipt.decode(receipt.encode()) == receipt


def _command() -> Callable[[bytes], None]:
    topics = Topics("demo", GATEWAY)
    pipeline = Pipeline(SETTINGS, Origin(0, START_US), {SLOT: "s"})
    watch = Watch(pipeline, topics)

    def run(data: bytes) -> None:
        name, _, payload = data.partition(b"\0") if b"\0" in data else (b"watch", b"", data)
        topic = topics.command(name.decode("latin-1"))
        message = Incoming(1, 1, topic, payload, 1, False, name.decode("latin-1"), b"")
        may_answer_on(message.response_topic, topics)
        try:
            answer = dispatch_command(message, topics, watch.command)
        except CommandError as error:
            answer = refusal(error)
        orjson.dumps(answer)
        pipeline.taps.clear()

    return run


def _dashboard() -> Target:
    """The pages' state: a kind, then its payload; every page is made after each message."""

    def run(data: bytes) -> None:
        state = Ward(GATEWAY, speed=1.0, clock_us=lambda: START_US)
        for part in data.split(b"\0\0"):
            if part:
                kind, payload = KINDS[part[0] % len(KINDS)], part[1:]
                if kind == "waveform":
                    is_frame(payload)
                state.on_message(kind, SLOT, payload, retained=bool(part[0] & 0x80))
        now = state.now_us()
        pages = [views.header(state, now, connected=True), views.ward_view(state, now), views.devices_view(state)]
        orjson.dumps([*pages, *(views.slot_view(state, slot, now) for slot in (*state.slot_ids(), "nobody"))])

    good = [(0, STATUS), (1, NOTICE), (2, MEASUREMENTS), (KINDS.index("cycles"), CYCLES)]
    seeds = [bytes([kind]) + orjson.dumps(payload) for kind, payload in good]
    deep = bytes([0]) + orjson.dumps(STATUS).replace(b'"Bay 1"', b"[" * DEEP + b"]" * DEEP)
    nearly_status = st.builds(lambda kind, body: bytes([kind]) + body, st.integers(0, len(KINDS) - 1), nearly(STATUS))
    return Target(
        name="dashboard", run=run, seeds=[*seeds, b"\0\0".join(seeds), deep], inputs=nearly_status, share=4,
        longest=4096, words=words_of([p for _, p in good]),
    )  # fmt: skip
