"""``rehab-gateway simulate``: devices that are not there, over real protocols."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from config.plain_file import SIMULATED, look, may_replace
from simulators.faults import KINDS, Fault, read_faults
from simulators.motion.recording import Recording
from simulators.radio.claim import Claim
from simulators.scenes.scene import Scene

app = typer.Typer(no_args_is_help=True, invoke_without_command=True)

SOCKET = Path("var/radio.sock")
PORTS = Path("var/ports")
TRUTH_BEGINS = '{\n "bed-1": {\n  "did": ['


def _own(mark: str) -> Callable[[Path | None], Path | None]:
    """Return a check of an option that names a file to write: what stands there and is not ours is not replaced."""

    def check(path: Path | None) -> Path | None:
        if path is not None and not may_replace(path, mark):
            raise typer.BadParameter(f"{path} is there, and 'simulate' did not write it: name another file")
        return path

    return check


SocketOption = Annotated[Path, typer.Option(help="Unix socket of the simulated radio.")]
PortsOption = Annotated[Path, typer.Option(help="Folder in which the serial ports appear.")]
SpeedOption = Annotated[float, typer.Option(min=0.01, max=100.0, help="Simulated seconds in a real one.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--write-config", callback=_own(SIMULATED), help="Write a gateway configuration that finds these devices."
    ),
]
TruthOption = Annotated[
    Path | None,
    typer.Option(
        callback=_own(TRUTH_BEGINS), help="Write what is done when, in seconds of each patient's first sensor, as JSON."
    ),
]
FaultOption = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        help="device:kind@seconds+length, such as bed-1-left-foot:silence@30+10; may be given more than once. "
        "Kinds: " + "; ".join(f"{kind}: {what}" for kind, what in KINDS.items()) + ".",
    ),
]


EventsOption = Annotated[
    Path | None, typer.Option("--events", help="File with one fault a line, as --fault has it; # begins a comment.")
]


@app.callback()
def simulate(
    context: typer.Context,
    *,
    ward: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Every device of a gateway's own configuration, those of a slot on one body."
        ),
    ] = None,
    socket: Annotated[Path | None, typer.Option(help="Socket of the simulated radio; by default the file's.")] = None,
    ports: PortsOption = PORTS,
    seed: Annotated[int, typer.Option(min=0, help="Other people and other sensors.")] = 0,
    speed: Annotated[
        float | None, typer.Option(min=0.01, max=100.0, help="Simulated seconds in a real one; by default the file's.")
    ] = None,
    write_config: ConfigOption = None,
    fault: FaultOption = None,
    events: EventsOption = None,
) -> None:
    """Stand in for devices over real protocols: people who walk, patients who do timed tests (a TUG), or a recording.

    With --ward FILE the devices of a gateway's configuration. Where its radio is the simulated one, the same file runs
    the gateway; else --write-config writes one that finds them.
    """
    if (command := context.invoked_subcommand) is not None:
        if given := _typed(context):
            raise typer.BadParameter(f"{given} before '{command}' would say nothing: write it behind '{command}'")
        return
    if ward is None:
        raise typer.BadParameter("name a ward (--ward FILE) or one of the commands")
    from simulators.scenes.ward_file import WardFile, ward_from_file

    with _refused_plainly():
        file = WardFile.read(ward)
        faults = [*_faults(fault), *(read_faults(_text(events)) if events else [])]
        scene = ward_from_file(file, ports=ports.absolute(), seed=seed, speed=speed, faults=faults)
    air = socket or file.socket or SOCKET
    asyncio.run(_run(scene, air.absolute(), ports.absolute(), write_config, wait_s=0.0))


def _typed(context: typer.Context) -> str:
    """Return the first option that somebody has typed for a command that takes none of them."""
    for param in context.command.params:
        source = context.get_parameter_source(param.name) if param.name else None
        if source is not None and source.name == "COMMANDLINE":
            return param.opts[0]
    return ""


@app.command("ward")
def simulate_ward(
    *,
    beds: Annotated[int, typer.Option(min=1, max=99, help="Number of beds.")] = 4,
    socket: SocketOption = SOCKET,
    ports: PortsOption = PORTS,
    seed: Annotated[int, typer.Option(min=0, help="Other people and other sensors.")] = 0,
    speed: SpeedOption = 1.0,
    write_config: ConfigOption = None,
    fault: FaultOption = None,
    exoskeletons: Annotated[
        int, typer.Option(min=0, help="How many of those with sensors on the shanks alone wear an exoskeleton too.")
    ] = 0,
    wrists: Annotated[
        int, typer.Option(min=0, help="How many wear DOTs on both wrists too, and use one arm less than the other.")
    ] = 0,
) -> None:
    """Simulate a ward: Movella DOTs on the legs, a Shimmer3 at the lower back, a heart-rate strap.

    Beds take turns: feet and lower back; feet, shanks, thighs and lower back, for joint angles; shanks alone. Who wears
    DOTs on the wrists works with the hands for a minute after each walk.
    """
    from simulators.scenes.ward import ward

    with _refused_plainly():
        scene = ward(
            beds=beds, ports=ports.absolute(), seed=seed, speed=speed, faults=_faults(fault),
            exoskeletons=exoskeletons, wrists=wrists,
        )  # fmt: skip
    asyncio.run(_run(scene, socket.absolute(), ports.absolute(), write_config, wait_s=0.0))


@app.command("health")
def simulate_health(
    *,
    beds: Annotated[int, typer.Option(min=1, max=99, help="Number of beds.")] = 3,
    socket: SocketOption = SOCKET,
    ports: PortsOption = PORTS,
    seed: Annotated[int, typer.Option(min=0, help="Other hearts.")] = 0,
    speed: SpeedOption = 1.0,
    write_config: ConfigOption = None,
    fault: FaultOption = None,
) -> None:
    """Simulate devices of the Bluetooth health and fitness profiles.

    Beds take turns: a walk on a treadmill with an oximeter; a ride with sensors at the crank; a scale, a cuff and a
    thermometer.
    """
    from simulators.scenes.health import health

    with _refused_plainly():
        scene = health(beds=beds, seed=seed, speed=speed, faults=_faults(fault))
    asyncio.run(_run(scene, socket.absolute(), ports.absolute(), write_config, wait_s=0.0))


@app.command("timed-tests")
def simulate_timed_tests(
    *,
    beds: Annotated[int, typer.Option(min=1, max=99, help="Number of beds.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, max=200, help="How often everybody does all tests.")] = 10,
    socket: SocketOption = SOCKET,
    ports: PortsOption = PORTS,
    seed: Annotated[int, typer.Option(min=0, help="Other people and other sensors.")] = 0,
    speed: SpeedOption = 1.0,
    write_config: ConfigOption = None,
    write_truth: TruthOption = None,
    fault: FaultOption = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="TEST", help="Only this test; may be given again: tug, 5xsts, balance, 10mwt."),
    ] = None,
) -> None:
    """Simulate patients who are tested: Timed Up and Go, five times sit-to-stand, quiet stance, ten metres.

    Each wears a Shimmer3 at the lower back, DOTs on a thigh and a wrist, and a heart-rate strap; from bed to bed they
    are more severely impaired. It ends by itself after the last round.
    """
    from simulators.scenes.timed_tests import TESTS, timed_tests

    with _refused_plainly():
        tested = timed_tests(
            beds=beds,
            ports=ports.absolute(),
            rounds=rounds,
            seed=seed,
            speed=speed,
            faults=_faults(fault),
            only=only or TESTS,
        )
    if write_truth is not None:
        _write(write_truth, json.dumps(tested.told(), indent=1))
    asyncio.run(_run(tested.scene, socket.absolute(), ports.absolute(), write_config, wait_s=0.0))


@app.command("recording")
def simulate_recording(
    file: Annotated[Path, typer.Argument(help="Recording: NAME.npz with NAME.json beside it.")],
    *,
    socket: SocketOption = SOCKET,
    ports: PortsOption = PORTS,
    speed: SpeedOption = 1.0,
    wait: Annotated[float, typer.Option(min=0.0, help="Begin after so many seconds even if not all is started.")] = 60,
    write_config: ConfigOption = None,
    fault: FaultOption = None,
) -> None:
    """Send a recording through simulated devices, radio gaps included, once the gateway has started all of them."""
    from simulators.scenes.recorded import recorded

    with _refused_plainly():
        scene = recorded(Recording.load(file), ports=ports.absolute(), speed=speed, faults=_faults(fault))
    asyncio.run(_run(scene, socket.absolute(), ports.absolute(), write_config, wait_s=wait))


@app.command("device")
def simulate_device(
    drivers: Annotated[list[str], typer.Argument(metavar="DRIVER", help="One device of each: see 'simulate list'.")],
    *,
    socket: SocketOption = SOCKET,
    ports: PortsOption = PORTS,
    seed: Annotated[int, typer.Option(min=0, help="Other people and other sensors.")] = 0,
    speed: SpeedOption = 1.0,
    write_config: ConfigOption = None,
    fault: FaultOption = None,
) -> None:
    """Simulate a person who wears any devices that have a simulator, of packages of others too.

    Where a place is taken, the next bed has the device.
    """
    from simulators.scenes.single import single

    with _refused_plainly():
        scene = single(drivers, ports=ports.absolute(), seed=seed, speed=speed, faults=_faults(fault))
    asyncio.run(_run(scene, socket.absolute(), ports.absolute(), write_config, wait_s=0.0))


@app.command("list")
def list_devices() -> None:
    """Tell which devices can be simulated: ours, and those of packages that are installed beside us."""
    from simulators.scenes.simulators import summaries

    for driver, what in summaries():
        typer.echo(f"{driver:16}  {what if what.isprintable() else repr(what)}")


@contextlib.contextmanager
def _refused_plainly() -> Iterator[None]:
    """Turn what is wrong with the arguments into one sentence and exit status 2."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _faults(texts: list[str] | None) -> list[Fault]:
    return [Fault.parse(text) for text in texts or []]


def _text(path: Path) -> str:
    try:
        look(path, or_pipe=True)
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _print_event(event: str, **facts: object) -> None:
    """Print one event as a line of JSON, for a person or for the program that waits for it."""
    typer.echo(json.dumps({"event": event, **facts}))


async def _run(scene: Scene, socket: Path, ports: Path, write_config: Path | None, *, wait_s: float) -> None:
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    # Before anything is written or made: what another simulator serves is not ours to replace.
    scene.hub.claim(socket)
    claimed = Claim(ports)
    if write_config is not None:
        _write(write_config, scene.configuration(socket))
    try:
        await scene.start(socket)
        _print_event(
            "ready", socket=str(socket), devices=list(scene.devices), config=write_config and str(write_config)
        )
        playing = asyncio.create_task(_play(scene, wait_s), name="scene")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait((playing, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not playing.done():
            playing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await playing
        else:
            playing.result()
    finally:
        await scene.stop()
        claimed.release()
        _summary(scene)


async def _play(scene: Scene, wait_s: float) -> None:
    complete = await scene.begin(wait_s)
    if wait_s:
        _print_event("begin", complete=complete)
    await scene.finished()


def _write(path: Path, text: str) -> None:
    """Write a file in one step: whoever waits for it never reads half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, "utf-8")
    beside.replace(path)


def _summary(scene: Scene) -> None:
    counts = [device.counts for device in scene.devices.values()]
    _print_event(
        "summary",
        sent=sum(count.sent for count in counts),
        lost=sum(count.lost for count in counts),
        unsent=sum(count.unsent for count in counts),
        devices={name: [d.counts.sent, d.counts.lost, d.counts.unsent] for name, d in scene.devices.items()},
    )
