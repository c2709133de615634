"""Another program that reads a strap through BlueZ: ``python -m tests.radio.other_program ADAPTER ADDRESS``.

Says ``streaming`` once measurements come, then each second how many came and on how many links; until it is killed.
"""

from __future__ import annotations

import asyncio
import sys

from drivers.registry import make_driver
from drivers.transport.bluez_radios import BluezRadios
from tests.drivers.watching import watching

TOLD_S = 1.0


async def read(adapter: str, address: str) -> None:
    """Read one strap for ever."""
    radios = BluezRadios([adapter])
    await radios.start()
    async with watching(make_driver("heart_rate"), radio=radios, address=address) as watched:
        await watched.until(lambda: watched.last.state == "streaming", within_s=sys.maxsize)
        print("streaming", flush=True)
        while True:
            await asyncio.sleep(TOLD_S)
            print("FRAMES", len(watched.frames), watched.names.count("streaming"), flush=True)


if __name__ == "__main__":
    asyncio.run(read(*sys.argv[1:3]))
