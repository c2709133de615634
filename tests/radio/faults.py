"""What goes wrong between a gateway and the real bluetoothd, one function each: a simulation of it may miss it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from dbus_fast import Variant

from drivers.registry import make_driver
from drivers.transport.bluez import ADAPTER, DEVICE, PROPERTIES, SERVICE, managed_objects, paired
from drivers.transport.bluez_radios import BUS, BUS_PATH, BluezRadios
from drivers.transport.system_bus import BusError, call, system_bus
from simulators.radio.hub import Hub
from tests.drivers.watching import Watched, watching
from tests.radio.straps import PASSKEY, Strap
from tests.radio.trial import STEP_S, Outcome, TrialError, let_go, until

ROOT = Path(__file__).parents[2]
RUNS_SYSTEMD = Path("/run/systemd/system").exists()
PRIVATE = "4A:00:5E:00:00:07"  # its two highest bits: a resolvable private address
FRAMES = 3
REFUSED = 4  # connections in a row: one more than it takes the gateway to help the radio
MORE_FRAMES = 5
LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a fault takes place.

    Attributes:
        hub: The air.
        radios: The gateway's.
        adapter: Name of the adapter.
    """

    hub: Hub
    radios: BluezRadios
    adapter: str


Fault = Callable[[Stage, Outcome], Awaitable[None]]


async def killed_gateway(stage: Stage, outcome: Outcome) -> None:
    """A gateway was killed while BlueZ holds its device, which has no service 0x1801: the next one finds it."""
    strap = Strap(stage.hub, 1)
    strap.without_attribute_service()
    async with on(strap), another(stage, strap) as other:
        other.kill()
        await other.wait()
        if not (await known(strap)).get("Connected"):
            raise TrialError("BlueZ does not hold the device of a gateway that was killed: nothing was tried")
        async with follow(stage, strap.address) as watched:
            await streams(outcome, watched, "streams again")


async def other_program(stage: Stage, outcome: Outcome) -> None:
    """A second program has the device: it is left to it, said so, and taken once that has ended."""
    strap = Strap(stage.hub, 2)
    async with on(strap), another(stage, strap) as other, follow(stage, strap.address) as watched:
        await wait(outcome, watched, "said to be in use", lambda: watched.last.problem == "in-use")
        expect(watched.last.error.endswith("is in use by another program on this computer"), watched.last.error)
        assert other.stdout
        told = [(await other.stdout.readline()).split() for _ in range(MORE_FRAMES)]
        expect(int(told[-1][1]) > int(told[0][1]), "the other program's stream stands still")
        expect(told[-1][2] == b"1", "the other program lost its link")
        other.terminate()
        await other.wait()
        await streams(outcome, watched, "streams once that ended")


async def restarted_bluetoothd(stage: Stage, outcome: Outcome) -> None:
    """Bluetoothd is killed and begins again while a lone strap with a private address is held."""
    strap = Strap(stage.hub, 3)
    strap.with_private_address(PRIVATE)
    async with on(strap), follow(stage, name=strap.local_name) as watched:
        await streams(outcome, watched, "streams")
        await restart_bluetoothd()
        await wait(outcome, watched, "seen to be gone", lambda: watched.last.state != "streaming")
        await streams(outcome, watched, "streams again")


async def one_name_twice(stage: Stage, outcome: Outcome) -> None:
    """Two straps of one name: by address and by name each id has its own; by name alone none is taken."""
    one, two = Strap(stage.hub, 4, bpm=60.0), Strap(stage.hub, 5, bpm=120.0)
    one.rename("Chest strap")
    two.rename("Chest strap")
    async with on(one, two):
        async with follow(stage, name="Chest strap") as watched:
            await wait(outcome, watched, "said to be ambiguous", lambda: watched.last.problem == "ambiguous")
        async with follow(stage, one.address) as first, follow(stage, name="Chest strap") as second:
            await streams(outcome, first, "the first streams")
            await streams(outcome, second, "the second streams")
            expect_own(first, one, second, two)
            await one.drop()
            await streams(outcome, first, "the first is back")
            expect_own(first, one, second, two)


async def just_works(stage: Stage, outcome: Outcome) -> None:
    """A device that lets nobody subscribe without keys, and asks for no passkey: our agent pairs it."""
    strap = Strap(stage.hub, 6)
    strap.with_keys(passkey=False)
    async with on(strap), follow(stage, strap.address) as watched:
        await streams(outcome, watched, "paired and streams")
        expect(paired(await known(strap)), "BlueZ has no keys of it")


async def passkey(stage: Stage, outcome: Outcome) -> None:
    """A device that shows a passkey: pairing is asked for in words, done with the number, and never undone by us."""
    strap = Strap(stage.hub, 7)
    strap.with_keys(passkey=True)
    async with on(strap):
        async with follow(stage, strap.address) as watched:
            await wait(outcome, watched, "said to be unpaired", lambda: watched.last.problem == "unpaired")
            expect("pairing mode" in watched.last.advice or "passkey" in watched.last.advice, watched.last.advice)
        stage.radios.passkeys[strap.address] = PASSKEY
        async with follow(stage, strap.address) as watched:
            await streams(outcome, watched, "paired and streams")
            expect(paired(await known(strap)), "BlueZ has no keys of it")
            strap.rude = True
            await strap.drop()
            before = len(watched.states)
            await wait(
                outcome, watched, f"failed {REFUSED} times",
                lambda: any(state.attempts >= REFUSED for state in watched.states[before:]), within_s=3 * STEP_S,
            )  # fmt: skip
            expect(paired(await known(strap)), "the keys were removed after connections that failed")
            strap.rude = False
            await streams(outcome, watched, "streams again with them")


async def read_battery(stage: Stage, outcome: Outcome) -> None:
    """A strap whose battery can be read and not subscribed to tells its level."""
    strap = Strap(stage.hub, 8, battery_notifies=False)
    async with on(strap), follow(stage, strap.address) as watched:
        await streams(outcome, watched, "streams")
        await wait(outcome, watched, "tells its battery", lambda: watched.samples("battery"))
        outcome.samples["battery"] = watched.samples("battery")


async def switched_off(stage: Stage, outcome: Outcome) -> None:
    """Bluetoothd's adapter is switched off by a person: said so, left so, and used once it is on again."""
    strap = Strap(stage.hub, 9)
    async with on(strap), follow(stage, strap.address) as watched:
        await streams(outcome, watched, "streams")
        await power(stage.adapter, on=False)
        await wait(outcome, watched, "said to be off", lambda: watched.last.problem == "adapter-off")
        await power(stage.adapter, on=True)
        await streams(outcome, watched, "streams again")


FAULTS: dict[str, Fault] = {
    "killed-gateway": killed_gateway,
    "other-program": other_program,
    "restarted-bluetoothd": restarted_bluetoothd,
    "one-name-twice": one_name_twice,
    "just-works": just_works,
    "passkey": passkey,
    "read-battery": read_battery,
    "switched-off": switched_off,
}


async def suffer(name: str, stage: Stage) -> Outcome:
    """Have one fault happen, within a bound of time."""
    outcome = Outcome(name)
    try:
        async with asyncio.timeout(6 * STEP_S):
            await FAULTS[name](stage, outcome)
    except TrialError as problem:
        outcome.fault = str(problem)
    except TimeoutError:
        outcome.fault = f"no end within {6 * STEP_S:g} s"
    except Exception as problem:  # noqa: BLE001 - of one fault: the others are tried all the same
        outcome.fault = f"{type(problem).__name__}: {problem}"
    return outcome


@asynccontextmanager
async def on(*straps: Strap) -> AsyncIterator[None]:
    """Have straps switched on meanwhile."""
    async with AsyncExitStack() as stack:
        for strap in straps:
            await strap.start()
            stack.push_async_callback(strap.stop)
            stack.push_async_callback(let_go, strap)
        yield


def follow(
    stage: Stage, address: str | None = None, *, name: str | None = None
) -> AbstractAsyncContextManager[Watched]:
    """Have a gateway's supervisor follow a strap meanwhile."""
    return watching(make_driver("heart_rate"), radio=stage.radios, address=address, name=name)


@asynccontextmanager
async def another(stage: Stage, strap: Strap) -> AsyncIterator[asyncio.subprocess.Process]:
    """Have another program read a strap meanwhile; yields once it streams."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.radio.other_program", stage.adapter, strap.address, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    try:
        try:
            async with asyncio.timeout(STEP_S):
                line = await process.stdout.readline()
        except TimeoutError:
            raise TrialError("the other program does not stream") from None
        expect(line == b"streaming\n", "the other program ended")
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def expect(right: bool, otherwise: str) -> None:
    """Raise TrialError unless something is right."""
    if not right:
        raise TrialError(otherwise)


def expect_own(first: Watched, one: Strap, second: Watched, two: Strap) -> None:
    """Raise TrialError unless each has the frames of its own strap."""
    for watched, strap in ((first, one), (second, two)):
        got = watched.last.identity.address
        expect(got == strap.address, f"{strap.address} was looked for, and {got} taken")
        beats = [packet.samples[:, 0] for packet in watched.packets if packet.stream == "heart_rate"]
        rates = {round(rate) for rate in np.concatenate(beats) if rate > 0}
        expect(rates == {round(strap.bpm)}, f"{strap.address} beats at {strap.bpm:g}, and {sorted(rates)} came")


async def wait(
    outcome: Outcome, watched: Watched, name: str, condition: Callable[[], object], *, within_s: float = STEP_S
) -> None:
    """Wait for what is to come, and note how long it took. Raises TrialError."""
    began = time.monotonic()
    try:
        await until(watched, condition, within_s=within_s)
    except TimeoutError:
        last = watched.last
        raise TrialError(f"not {name} within {within_s:g} s: {last.state} {last.error}".rstrip()) from None
    outcome.times[name] = time.monotonic() - began


async def streams(outcome: Outcome, watched: Watched, name: str) -> None:
    """Wait until new frames come. Raises TrialError."""
    frames = len(watched.frames) + FRAMES
    await wait(outcome, watched, name, lambda: watched.last.state == "streaming" and len(watched.frames) >= frames)


async def known(strap: Strap) -> dict[str, object]:
    """Return what BlueZ says of a strap."""
    for of in (await managed_objects()).values():
        if of.get(DEVICE, {}).get("Address") == strap.address:
            return dict(of[DEVICE])
    return {}


async def restart_bluetoothd() -> None:
    """Kill bluetoothd, and wait until another one is there: where systemd does not start it again, it is asked to."""
    async with system_bus() as bus:
        (pid,) = await call(bus, BUS, BUS_PATH, BUS, "GetConnectionUnixProcessID", "s", [SERVICE])
        os.kill(pid, signal.SIGKILL)
        if RUNS_SYSTEMD:
            started = await asyncio.create_subprocess_exec("systemctl", "restart", "bluetooth")
            await started.wait()
        async with asyncio.timeout(STEP_S):
            while True:
                with suppress(BusError):
                    (now,) = await call(bus, BUS, BUS_PATH, BUS, "GetConnectionUnixProcessID", "s", [SERVICE])
                    if now != pid:
                        return
                await asyncio.sleep(LOOK_S)


async def power(adapter: str, *, on: bool) -> None:
    """Switch an adapter, as a person does."""
    async with system_bus() as bus:
        body = [ADAPTER, "Powered", Variant("b", on)]
        await call(bus, SERVICE, f"/org/bluez/{adapter}", PROPERTIES, "Set", "ssv", body)
