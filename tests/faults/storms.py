"""A bad day on the air: everything that is worn drops, resets, goes silent, sends garbage or changes its address.

Each stream has to be back within ten seconds of its fault's end, what was lost has to be counted to the sample, and no
task of the gateway may be left behind.
"""

from __future__ import annotations

import asyncio
import random
import string
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.loader import load
from gateway.analysis.known_drivers import KnownDrivers
from gateway.intake.intake import Intake
from gateway.machine.watchdog import ServiceManager
from gateway.run.run import Gateway
from simulators.faults import Fault, Kind
from simulators.radio.device import SimulatedDevice
from simulators.scenes.scene import Scene
from simulators.scenes.ward_file import WardFile, ward_from_file
from tests.faults.outcome import Outcome, Progress
from tests.servers import mosquitto_in

BACK_WITHIN_S = 10.0
START_S, QUIET_S = 300.0, 30.0
CALM_S = (4.0, 14.0)
"""Between two faults of a device."""
POLL_S = 0.02
MEASURED = ("imu", "exoskeleton")
"""Streams that tell by number or clock what is missing: these are held against the simulator to the sample."""
HELD = 4
"""Samples of a serial stream: those before the first packet that begins where one reads, and the last, which is taken
when the next one begins."""
TASKS_MORE = 4
"""That may be under way at one look and not at another: a scan, a connection."""
AT_A_RESET = 20
"""Samples: a clock that starts anew does not tell how long it was off, so what is missing there is known by arrival."""
LENGTHS: dict[Kind, float] = {"drop": 0.0, "reset": 0.0, "rotate": 0.0, "leave": 2.0, "power_cycle": 2.0,
                              "silence": 3.0, "garbage": 2.0, "drift": 3.0}  # fmt: skip
BY_CLOCK: tuple[Kind, ...] = ("drop", "leave", "power_cycle", "silence", "garbage", "reset")
BY_NAME: tuple[Kind, ...] = ("drop", "leave", "silence", "rotate")
OTHERS: tuple[Kind, ...] = ("drop", "leave", "silence", "garbage")

FEET = ("left_foot", "right_foot")


@dataclass(frozen=True, slots=True)
class Worn:
    """What is worn: how many of a kind, and what may happen to them."""

    driver: str
    count: int
    placement: str
    faults: tuple[Kind, ...]
    found_by: str = "address"


WARD = (
    Worn("movella_dot", 10, "", BY_CLOCK),
    Worn("heart_rate", 3, "chest", BY_NAME, "name"),
    Worn("pulse_oximeter", 1, "finger", OTHERS),
    Worn("running_speed", 1, "right_shank", OTHERS),
    Worn("cycling_power", 1, "bedside", OTHERS),
    Worn("shimmer3", 4, "lower_back", BY_CLOCK, "port"),
    Worn("exo_frame", 1, "exoskeleton", ("drop", "leave", "silence", "garbage"), "port"),
)
"""Sixteen over Bluetooth, four over serial ports, and an exoskeleton."""


def write_ward(folder: Path, broker_port: int, worn: tuple[Worn, ...] = WARD) -> Path:
    """Write the configuration of such a ward: five beds among which the devices are dealt out."""
    beds: dict[int, list[str]] = {bed: [] for bed in range(1, 6)}
    for at_kind, kind in enumerate(worn):
        for n in range(1, kind.count + 1):
            bed = (n - 1) % 5 + 1
            name, placement = f"{kind.driver.replace('_', '-')}-{n}", kind.placement or FEET[(n - 1) // 5]
            at = {
                "address": f"D4:22:CD:{at_kind:02X}:{n:02X}:00", "name": f"HR Strap {n:04}",
                "port": f"{folder}/ports/{name}",
            }[kind.found_by]  # fmt: skip
            beds[bed].append(
                f'[[slot.device]]\nid = "{name}"\ndriver = "{kind.driver}"\nplacement = "{placement}"\n'
                f'{kind.found_by} = "{at}"\n'
            )
    path = folder / "ward.toml"
    slots = "".join(f'[[slot]]\nid = "bed-{n}"\nsubject = "p-{n}"\n{"".join(of)}' for n, of in beds.items() if of)
    path.write_text(
        f'simulated = true\n[site]\ndata = "{folder}/data"\n[radio]\nname = "simulated"\nsocket = "{folder}/radio"\n'
        f"[broker]\nembedded = false\nport = {broker_port}\n{slots}"
    )
    return path


class Watched:
    """One device: what it made that the gateway has to know of, and how soon it came back.

    Attributes:
        back_s: How long after each fault's end samples came again.
    """

    def __init__(self, device: SimulatedDevice, intake: Intake, *, faults: tuple[Kind, ...]) -> None:
        self.device, self.intake = device, intake
        self.faults = faults
        self.back_s: dict[str, float] = {}
        self.happened: Counter[str] = Counter()
        self._not_made: int | None = None

    @property
    def total(self) -> int:
        """All samples that it made, whatever became of them."""
        counts = self.device.counts
        return counts.sent + counts.lost + counts.unsent

    @property
    def made(self) -> int:
        """Samples between the first and the last that the gateway can know of."""
        return self.total - (self._not_made or 0)

    def begun(self) -> bool:
        """Whether it is measured: what it made before its first sample came nobody can know of."""
        if self._not_made is None and self.intake.samples:
            self._not_made = self.device.counts.unsent + self.device.counts.lost
        return self._not_made is not None

    async def suffer(self, kind: Kind, timeline_s: float) -> None:
        """Let something go wrong, and wait until it is over and samples come again."""
        counts = self.device.counts
        await Fault(self.device.name, kind, timeline_s, LENGTHS[kind]).happen(self.device)
        ended, had, sent = time.monotonic(), self.intake.samples, counts.sent
        while not (self.intake.samples > had and counts.sent > sent):
            if time.monotonic() - ended > START_S:
                break
            await asyncio.sleep(POLL_S)
        self.happened[kind] += 1
        self.back_s[kind] = max(self.back_s.get(kind, 0.0), time.monotonic() - ended)


async def rage(each: Watched, scene: Scene, until_s: float, seed: int) -> None:
    """Let things go wrong with one device until it is enough; each of its faults in turn, in an order of its own."""
    rng = random.Random(f"{seed} {each.device.name}")
    order = rng.sample(each.faults, len(each.faults))
    for turn in range(10_000):
        calm_s = rng.uniform(*CALM_S)
        if scene.timeline.now_s + calm_s + BACK_WITHIN_S > until_s:
            return
        await asyncio.sleep(calm_s)
        await each.suffer(order[turn % len(order)], scene.timeline.now_s)


def device_storm(
    folder: Path, *, seconds: float, seed: int, progress: Progress, worn: tuple[Worn, ...] = WARD,
    back_within_s: float = BACK_WITHIN_S, at_a_reset: int = AT_A_RESET, at_the_end: int = 0,
) -> Outcome:  # fmt: skip
    """Run it for so many seconds; on a machine that others use, devices come back later, and what arrives is late.

    So ``at_the_end`` so many samples of a device may not have arrived when the gateway is stopped.
    """
    outcome = Outcome("everything worn drops, resets, is silent, sends garbage")
    folder.mkdir()
    with mosquitto_in(folder / "broker") as broker:
        config = write_ward(folder, broker.port, worn)
        watched, more = asyncio.run(_storm(config, worn, seconds=seconds, seed=seed, progress=progress))
    judge(watched, more, outcome, back_within_s=back_within_s, at_a_reset=at_a_reset, at_the_end=at_the_end)
    return outcome


async def _storm(
    config: Path, worn: tuple[Worn, ...], *, seconds: float, seed: int, progress: Progress
) -> tuple[list[Watched], Counter[str]]:
    """Return what became of each device, and which tasks there are that were not there before."""
    settings = load(config, KnownDrivers())
    assert settings.radio.socket
    scene = ward_from_file(WardFile.read(config), ports=config.parent / "ports", seed=seed)
    gateway, stop = Gateway(settings, manager=ServiceManager("", 0.0)), asyncio.Event()
    await scene.start(settings.radio.socket)
    await scene.begin(0.0)
    running = asyncio.create_task(gateway.run(stop), name="gateway")
    try:
        await _until(lambda: len(gateway.status.get("devices", ())) == len(scene.devices), START_S)
        faults = {kind.driver: kind.faults for kind in worn}
        watched = [
            Watched(scene.devices[intake.device.id], intake, faults=faults[intake.device.driver])
            for intake in gateway.steps.pipeline.intakes
        ]
        await _until(lambda: not [each for each in watched if not each.begun()], START_S)
        before = _tasks()
        until_s = scene.timeline.now_s + seconds
        raging = [asyncio.create_task(rage(each, scene, until_s, seed), name="rage") for each in watched]
        while not all(task.done() for task in raging):
            assert not running.done()
            progress(min(1.0, 1.0 - (until_s - scene.timeline.now_s) / seconds))
            await asyncio.wait(raging, timeout=1.0)
        for task in raging:
            task.result()
        await _until(lambda: (_tasks() - before).total() <= TASKS_MORE, QUIET_S)
        more = _tasks() - before
        for device in scene.devices.values():
            await device.stop()
        await _settled(watched)
        return watched, more
    finally:
        stop.set()
        await asyncio.wait({running})
        await scene.stop()
        running.result()


def judge(
    watched: list[Watched], more: Counter[str], outcome: Outcome, *, back_within_s: float, at_a_reset: int,
    at_the_end: int,
) -> None:  # fmt: skip
    """Note which streams came back late, what was counted wrongly, and tasks that were left behind."""
    for each in watched:
        name = each.device.name
        outcome.notes += [
            f"{name} was back {s:.1f} s after '{kind}'" for kind, s in each.back_s.items() if s > back_within_s
        ]
        counts = [count for stream, count in each.intake.counts.items() if stream in MEASURED]
        for count in counts:
            known, serial = count.samples + count.lost, each.intake.device.port is not None
            outcome.made, outcome.stored = outcome.made + each.made, outcome.stored + count.samples
            slack = at_a_reset * count.resets
            if not each.made - HELD * serial - slack - at_the_end <= known <= each.made + slack:
                outcome.notes.append(
                    f"{name} made {each.made} samples, {count.samples} came and {count.lost} are counted as lost:"
                    f" {known - each.made:+d}, {count.resets} resets ({dict(each.happened)})"
                )
    outcome.times = sum(each.happened.total() for each in watched)
    outcome.recovery_s = max((s for each in watched for s in each.back_s.values()), default=None)
    if more.total() > TASKS_MORE:
        outcome.notes.append(f"tasks left behind: {dict(more)}")
    kinds: Counter[str] = sum((each.happened for each in watched), Counter())
    outcome.remark = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in sorted(kinds.items()))


def _tasks() -> Counter[str]:
    """Return the tasks of the loop by what they do."""
    return Counter(task.get_name().rstrip(string.digits) for task in asyncio.all_tasks())


async def _settled(watched: list[Watched]) -> None:
    """Wait until nothing more comes: what was under way has arrived."""
    had = -1
    while had != (had := sum(each.intake.samples for each in watched)):  # noqa: ASYNC110 - what comes, comes
        await asyncio.sleep(1.0)


async def _until(condition: Callable[[], object], within_s: float) -> None:
    """Wait until something is so, or for so long; whoever needs it looks again."""
    until_s = time.monotonic() + within_s
    while not condition() and time.monotonic() < until_s:  # noqa: ASYNC110 - conditions come from anywhere
        await asyncio.sleep(POLL_S)
