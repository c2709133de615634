"""Files that may be torn, edited by hand or put there by somebody: recordings, the outbox, the configuration."""

from __future__ import annotations

import atexit
import shutil
import struct
import tempfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import orjson
import zstandard
from hypothesis import strategies as st

from config.errors import ConfigError, Problem
from config.loader import load
from config.settings import Settings
from drivers.packet import Frame
from gateway.cli.main import known_drivers
from gateway.machine.newer_file import NewerFileError
from gateway.model.row import METRIC, Gap, Row
from gateway.outbox.errors import DamagedError, FileError
from gateway.outbox.file import OutboxFile
from gateway.outbox.group import Group
from gateway.recordings.recording import BLOCK, MAGIC, Header, RecordingError, RecordingReader, RecordingWriter
from tests.fuzz.target import Target

ROOT = Path(__file__).parents[2]
PATCH = struct.Struct("<HB")  # where, how many bytes: they follow
EXACT = 0  # first byte: the input is the file; any other: good blocks, or patches to a good file
TOML_WORDS = (
    "[",
    "]",
    "[[slot]]",
    "[[slot.device]]",
    "=",
    "\n",
    '"""',
    "'''",
    "{",
    "}",
    "inf",
    "nan",
    "0x",
    "1979-05-27",
)
DEEP_TOML = b"a = " + b"[" * 5000


def targets() -> list[Target]:
    """Return a target for each kind of file; they work in a scratch folder that goes with the process."""
    place = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return [_recording(place), _outbox(place), _configuration(place)]


def _recording(place: Path) -> Target:
    path, pack = place / "fuzzed.rgrec", zstandard.ZstdCompressor(level=1)

    def block(body: bytes, end_ns: int) -> bytes:
        stored = pack.compress(body)
        return BLOCK.pack(len(stored), len(body), zlib.crc32(stored), end_ns) + stored

    def run(data: bytes) -> None:
        first, data = data[:1], data[1:]
        if first != bytes([EXACT]):  # past the check sums, to what lies behind them
            head, *bodies = data.split(b"\xff\xff\xff")
            data = MAGIC + block(head, 1) + b"".join(block(body, n) for n, body in enumerate(bodies, 1))
        path.write_bytes(data)
        with suppress(RecordingError):
            reader = RecordingReader(path)
            try:
                for _ in reader.blocks():
                    pass
            finally:
                reader.close()

    header = Header(Settings().model_dump(mode="json"), {"bay-1": "s"}, 1, 2, "0.1.0")
    good = place / "good.rgrec"
    with RecordingWriter(good, header) as writer:
        for n in range(45):
            writer.step(n * 50_000_000, [(0, Frame(n, "measurement", bytes(20))), (1, Frame(n, "data", b"abc"))])
    whole = good.read_bytes()
    body = struct.pack("<HBIq", 0, 4, 3, 7) + b"data" + b"abc"
    small = orjson.dumps({**asdict(header), "settings": {}})
    return Target(
        name="recording", run=run,
        seeds=[bytes([EXACT]) + whole, b"\1" + small + b"\xff\xff\xff" + body, b"\1[]", b"\1{}"],
        inputs=st.builds(lambda a, b: a + b, st.sampled_from((b"\0" + MAGIC, b"\1{}", b"\1")), st.binary(max_size=200)),
        share=4, longest=4096, words=(r"\xff\xff\xff",),
    )  # fmt: skip


def _outbox(place: Path) -> Target:
    good, path = place / "good.db", place / "fuzzed.db"
    file = OutboxFile(good)
    rows = [(Row(n, "bay-1", METRIC, b"{}" * 40), n) for n in range(1, 30)]
    file.commit(Group(rows, [Gap(30, 31, "outbox full")], last_seq=31), released=2, max_bytes=1 << 20)
    file.close(clean=False)  # so that every start checks the whole file
    whole = good.read_bytes()

    def run(data: bytes) -> None:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        if data[:1] == bytes([EXACT]):
            path.write_bytes(data[1:])
        else:
            path.write_bytes(_patched(whole, data[1:]))
        before = path.read_bytes()
        try:
            use(path)
        except NewerFileError:
            assert path.read_bytes() == before, "what a newer program wrote is left as it is"

    def use(path: Path) -> None:
        with suppress(DamagedError, *FileError):
            opened = OutboxFile(path)
            try:
                opened.read(0, 100)
                opened.gaps(100)
                row = Row(opened.last_seq + 1, "bay-1", METRIC, b"{}")
                opened.commit(Group([(row, 1)], last_seq=row.seq), released=5, max_bytes=1 << 16)
            finally:
                opened.abandon()

    patch = st.builds(
        lambda at, new: PATCH.pack(at, len(new)) + new, st.integers(0, len(whole)), st.binary(min_size=1, max_size=8)
    )
    return Target(
        name="outbox file", run=run, seeds=[b"\1", b"\1" + PATCH.pack(18, 2) + b"\1\1", bytes([EXACT]) + whole[:4096]],
        inputs=st.builds(lambda parts: b"\1" + b"".join(parts), st.lists(patch, min_size=1, max_size=4)),
        share=0.3, longest=4200,
    )  # fmt: skip


def _patched(whole: bytes, patches: bytes) -> bytes:
    data, at = bytearray(whole), 0
    while at + PATCH.size <= len(patches):
        where, size = PATCH.unpack_from(patches, at)
        new = patches[at + PATCH.size : at + PATCH.size + size]
        data[where : where + len(new)] = new
        at += PATCH.size + size
    return bytes(data)


def _configuration(place: Path) -> Target:
    path, known = place / "fuzzed.toml", known_drivers()

    def run(data: bytes) -> None:
        path.write_bytes(data)
        problems = refused(path)
        assert all(len(str(problem).splitlines()) == 1 for problem in problems), problems

    def refused(path: Path) -> Sequence[Problem]:
        try:
            load(path, known)
        except ConfigError as error:
            return error.problems or (Problem("", None, "not\nsaid"),)
        return ()

    examples = [p.read_bytes() for p in sorted((ROOT / "config/examples").glob("*.toml"))]
    small = [b'[site]\nsite = "a"\n', b'[[slot]]\nid = "a"\nsubject = "p"\n[[slot.device]]\nid = "b"\n']
    keys = tuple(_keys(Settings.model_json_schema()))
    lines = st.lists(
        st.builds(lambda key, value: f"{key} = {value}\n", st.sampled_from(keys), st.sampled_from(VALUES))
        | st.sampled_from(("[site]\n", "[broker]\n", "[[slot]]\n", "[[slot.device]]\n", "[historian.store]\n"))
        | st.text(max_size=20),
        max_size=12,
    )
    return Target(
        name="configuration", run=run, seeds=[*examples, *small, DEEP_TOML], share=1.5, longest=2048,
        inputs=lines.map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass")),
        words=(*TOML_WORDS, *keys),
    )  # fmt: skip


VALUES = (
    "1",
    "-1",
    "1e400",
    "nan",
    "true",
    '""',
    '"a"',
    '"x y z"',
    "[]",
    "{}",
    "[{}]",
    "'\\u0000'",
    "1979-05-27",
    '"\\u0000"',
)


def _keys(schema: dict[str, object]) -> set[str]:
    found: set[str] = set()

    def walk(part: object) -> None:
        if isinstance(part, dict):
            properties = part.get("properties")
            if isinstance(properties, dict):
                found.update(properties)
            for value in part.values():
                walk(value)

    walk(schema)
    return found
