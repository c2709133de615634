"""What a ward of real walkers sends: recordings encoded by the simulated devices, as frames in order of arrival.

Built once before anything is timed. Packets that the radio lost in the recording are lost here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from gateway.intake.frames import STEP_NS, Numbered
from gateway.intake.intakes import CONNECTED
from simulators.devices.shimmer3 import Shimmer3
from simulators.motion.recording import Recording
from simulators.motion.source import Floats, MotionSource
from simulators.motion.timeline import Timeline
from simulators.scenes.recorded import AXES

NS = 1_000_000_000
DATASET = "ipol497"
FEET = ("left_foot", "right_foot")
LOWER_BACK = "lower_back"
DOT_MODE, DOT_BYTES, DOT_TICK_HZ = 20, 40, 1_000_000  # rate_mag, the driver's default; its characteristic's length
INTERVAL_S = 0.015  # connection interval: notifications arrive together with the next one
READ_BYTES = (20, 120)  # of a serial port: shortest and longest read
SPREAD_S = 0.1  # walkers of the same recording are further apart than this in it
LEAST_LATENCY_S = 0.003


@dataclass(frozen=True, slots=True)
class Wire:
    """What one sensor sends: payloads by the second at which they are complete, and the answers to its start."""

    dialogue: list[tuple[str, bytes]]
    channel: str
    time_s: Floats
    data: list[bytes]


class _Recorder(Shimmer3):
    """A simulated Shimmer whose port is a list."""

    def __init__(self, source: MotionSource) -> None:
        super().__init__(name="back", timeline=Timeline(running=False), path=Path("unused"), source=source)
        self.said: list[bytes] = []

    def ask(self, command: int) -> bytes:
        """Return the answer to a one-byte command, without its acknowledgement."""
        self.said.clear()
        self.receive(bytes([command]))
        return b"".join(self.said)[1:]

    def packets(self, source: MotionSource, end_s: float) -> tuple[Floats, list[bytes]]:
        """Return data packets and their seconds."""
        self.said.clear()
        times: list[float] = []
        for at in np.arange(0.0, end_s, 1.0 / source.rate_hz):
            motion = source.read_until(float(at) + 1e-6)
            if motion is not None and len(motion.time_s):
                self._send_motion(motion)
                times += [float(at)] * (len(self.said) - len(times))
        return np.array(times), list(self.said)

    def write_packets(self, packets: Sequence[bytes], made: int) -> bool:
        """Keep the packets, which a port would take all at once."""
        del made
        self.said += packets
        return True

    def _write(self, data: bytes) -> bool:
        self.said.append(data)
        return True


def shimmer(recording: Recording, sensor: str) -> Wire:
    """Encode a sensor as a Shimmer3."""
    source = recording.source(sensor)
    device = _Recorder(source)
    dialogue = [("firmware", device.ask(0x2E)), ("inquiry", device.ask(0x01)), ("calibration", device.ask(0x2C))]
    device.ask(0x07)
    return Wire(dialogue, "data", *device.packets(source, recording.duration_s))


def dot(recording: Recording, sensor: str) -> Wire:
    """Encode a sensor as a Movella DOT."""
    from simulators.devices.movella_dot import MODES, Sample
    from simulators.sensing.fusion import Fusion

    source, encode = recording.source(sensor), MODES[DOT_MODE].encode
    motion = source.read_until(recording.duration_s)
    assert motion is not None
    fusion, first = Fusion(), recording.first_counter / recording.rate_hz
    rows = zip(motion.time_s.tolist(), motion.acc.tolist(), motion.gyr.tolist(), motion.sent.tolist(), strict=True)
    sent = [
        (at, encode(Sample(round(at * DOT_TICK_HZ), tuple(acc), tuple(gyr), (0.0, 0.0, 0.0), fusion)))
        for at, acc, gyr, there in rows
        if there
    ]
    control = bytearray(32)
    control[24:26] = round(recording.rate_hz).to_bytes(2, "little")
    times = np.array([at - first for at, _ in sent])
    return Wire([("control", bytes(control))], "measurement", times, [data.ljust(DOT_BYTES, b"\0") for _, data in sent])


@dataclass(frozen=True, slots=True)
class Ward:
    """A configuration and the frames of each step."""

    settings: Settings
    steps: list[list[Numbered]]
    recordings: int


def ward(folder: Path, *, sensors: int, seconds: float, origin_ns: int, recordings: int = 10) -> Ward:
    """Return a ward of walkers with three sensors each, the last with fewer."""
    every = sorted(folder.glob("*.npz"))
    paths = every[:: max(1, len(every) // recordings)][:recordings]
    loaded = [Recording.load(path) for path in paths]
    wires = [{s: (shimmer if s == LOWER_BACK else dot)(r, s) for s in (*FEET, LOWER_BACK)} for r in loaded]
    slots: list[Slot] = []
    frames: list[Numbered] = []
    rng = np.random.default_rng(1)
    for number in range(sensors):
        bed, sensor = number // 3, (*FEET, LOWER_BACK)[number % 3]
        if number % 3 == 0:
            slots.append(Slot(id=f"bed-{bed}", subject=f"p-{bed}", height_m=1.7, device=[]))
        driver, where = ("shimmer3", {"port": f"/dev/p{number}"}) if sensor == LOWER_BACK else ("movella_dot", {})
        address = {} if where else {"address": f"00:00:00:00:{number >> 8:02X}:{number & 255:02X}"}
        slots[-1].device.append(
            Device.model_validate(
                {"id": f"d-{number}", "driver": driver, "placement": sensor, "axes": AXES[DATASET][sensor]}
                | where
                | address
            )
        )
        which = bed % len(wires)
        spare_s = max(0.0, loaded[which].duration_s - seconds)
        begin_s = min(spare_s, SPREAD_S * (bed // len(wires)) % max(spare_s, SPREAD_S))
        frames += _frames(number, wires[which][sensor], origin_ns, begin_s, seconds, rng)
    frames.sort(key=lambda numbered: numbered[1].arrival_ns)
    steps: list[list[Numbered]] = [[] for _ in range(round(seconds * NS / STEP_NS))]
    for numbered in frames:
        at = (numbered[1].arrival_ns - origin_ns) // STEP_NS
        if at < len(steps):
            steps[at].append(numbered)
    return Ward(Settings(simulated=True, slot=slots), steps, len(loaded))


def _frames(
    number: int, wire: Wire, origin_ns: int, begin_s: float, seconds: float, rng: np.random.Generator
) -> list[Numbered]:
    chosen = (wire.time_s >= begin_s) & (wire.time_s < begin_s + seconds)
    times, data = wire.time_s[chosen] - begin_s, [d for d, there in zip(wire.data, chosen, strict=True) if there]
    if wire.channel == "data":
        times, data = _reads(times, b"".join(data), len(data[0]), rng)
    phase = rng.uniform(0, INTERVAL_S)
    arrival = (np.floor((times + LEAST_LATENCY_S - phase) / INTERVAL_S) + 1) * INTERVAL_S + phase
    stamps = origin_ns + np.round(arrival * NS).astype(np.int64)
    start = [(CONNECTED, b""), *wire.dialogue]
    return [(number, Frame(origin_ns, channel, payload)) for channel, payload in start] + [
        (number, Frame(stamp, wire.channel, payload)) for stamp, payload in zip(stamps.tolist(), data, strict=True)
    ]


def _reads(times: Floats, stream: bytes, size: int, rng: np.random.Generator) -> tuple[Floats, list[bytes]]:
    """Cut a byte stream as a port does, anywhere."""
    ends = np.cumsum(rng.integers(*READ_BYTES, len(stream) // READ_BYTES[0] + 1))
    ends = np.append(ends[ends < len(stream)], len(stream))
    begins = np.concatenate([[0], ends[:-1]])
    return times[(ends - 1) // size], [stream[a:b] for a, b in zip(begins.tolist(), ends.tolist(), strict=True)]
