"""Have every Bluetooth driver find, read and find again its simulated device: ``python -m tests.radio``.

Over the real bluetoothd, kernel and bleak's own BlueZ backend, with a virtual adapter. Exit code 0 if all is there,
1 if anything is missing, 77 where there is no adapter to try it with. After the drivers come the faults of a radio that
only a real bluetoothd shows. ``--simulated`` tries the drivers without BlueZ, ``--machine`` all in a virtual machine.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from drivers.transport.bluez_radios import BluezRadios
from drivers.transport.radios import Radios
from simulators.radio.hub import Hub
from simulators.radio.radio import SimulatedRadio
from tests.radio.faults import FAULTS, Stage, suffer
from tests.radio.machine import CANNOT_RUN, run_in_machine
from tests.radio.trial import STEP_S, Outcome, attempt, ble_drivers
from tests.radio.virtual_adapter import CannotRunError, virtual_adapter


@asynccontextmanager
async def bluez(hub: Hub, _: Path) -> AsyncIterator[Radios]:
    """The adapters of this computer: one, a virtual one on the air of the hub."""
    async with virtual_adapter(hub) as name:
        print(f"over bluetoothd, adapter {name}", flush=True)
        radios = BluezRadios([name])
        await radios.start()
        try:
            yield radios
        finally:
            await radios.stop()


@asynccontextmanager
async def simulated(hub: Hub, folder: Path) -> AsyncIterator[Radios]:
    """The air of the hub without BlueZ."""
    await hub.serve(folder / "radio")
    radio = Radios([SimulatedRadio(socket=folder / "radio")])
    await radio.start()
    try:
        yield radio
    finally:
        await radio.stop()
        await hub.stop()


async def try_drivers(drivers: Sequence[str], faults: Sequence[str] = (), *, over_bluez: bool) -> list[Outcome]:
    """Try each driver, one after the other, and then each fault, within a bound of time. Raises CannotRunError."""
    outcomes = []
    hub = Hub()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (bluez if over_bluez else simulated)(hub, folder) as radio:
            for number, driver in enumerate(drivers, 1):
                try:
                    async with asyncio.timeout(4 * STEP_S):
                        outcomes.append(await attempt(driver, number, hub, radio, folder))
                except TimeoutError:
                    outcomes.append(Outcome(driver, fault=f"no end within {4 * STEP_S:g} s"))
                except Exception as problem:  # noqa: BLE001 - of one driver: the others are tried all the same
                    outcomes.append(Outcome(driver, fault=f"{type(problem).__name__}: {problem}"))
                print(outcomes[-1], flush=True)
            for fault in faults:
                assert isinstance(radio, BluezRadios)
                (adapter,) = await radio.usable()
                outcomes.append(await suffer(fault, Stage(hub, radio, str(adapter.adapter))))
                print(outcomes[-1], flush=True)
    return outcomes


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("names", nargs="*", help=f"drivers and faults ({', '.join(FAULTS)}) to try; all by default")
    parser.add_argument("--simulated", action="store_true", help="without BlueZ: the same air, the drivers alone")
    parser.add_argument("--machine", action="store_true", help="in a virtual machine that has a virtual adapter")
    parser.add_argument("--log", action="store_true", help="print what the drivers, bleak and the devices do")
    asked = parser.parse_args()
    if asked.machine:
        return run_in_machine([*asked.names, *(["--log"] if asked.log else [])])
    if asked.log:
        logging.basicConfig(level=logging.DEBUG, format="%(relativeCreated)8d %(name)s: %(message)s", stream=sys.stdout)
    began = time.monotonic()
    drivers = [name for name in asked.names if name not in FAULTS] if asked.names else ble_drivers()
    faults = [name for name in asked.names or FAULTS if name in FAULTS and not asked.simulated]
    try:
        outcomes = asyncio.run(try_drivers(drivers, faults, over_bluez=not asked.simulated))
    except CannotRunError as why:
        print(f"cannot run here: {why}")
        return CANNOT_RUN
    missing = [outcome.driver for outcome in outcomes if outcome.fault]
    print(f"{len(drivers)} drivers and {len(faults)} faults in {time.monotonic() - began:.0f} s", end="")
    print(f"; missing: {', '.join(missing)}" if missing else ": nothing is missing")
    return 1 if missing or not outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
