"""Packages of others that bring drivers, as an installer leaves them: files, and what the package says of itself."""

from __future__ import annotations

from pathlib import Path

OXIMETER = '''
"""A pulse oximeter: one byte a notification, the saturation in percent."""
import numpy as np
from drivers.driver import Decoder, Driver
from drivers.packet import Flag, Packet, StreamSpec

SPO2 = StreamSpec("spo2", ("spo2",), ("%",))


class OximeterDecoder(Decoder):
    @property
    def streams(self):
        return {"spo2": SPO2}

    def decode(self, frames):
        good = []
        for frame in frames:
            if frame.channel != "measurement":
                continue
            if len(frame.data) != 1:
                self.faults["not one byte"] += 1
            else:
                good.append(frame)
        if not good:
            return []
        n = len(good)
        arrival = np.array([frame.arrival_ns for frame in good], np.int64)
        samples = np.array([[float(frame.data[0])] for frame in good])
        flags = np.full(n, Flag.LOSS_UNKNOWN, np.uint8)
        return [Packet("spo2", arrival, np.zeros(0, np.int64), samples, flags)]


class Oximeter(Driver):
    """Subscribes, and writes nothing."""

    name = "acme_oximeter"
    title = "Acme oximeter"
    transport = "ble"

    def allows(self, characteristic, data):
        return False

    def decoder(self):
        return OximeterDecoder()

    async def start(self, link):
        await link.subscribe("measurement", "2a5f")

    async def stop(self, link):
        pass
'''


def install_package(folder: Path, name: str, version: str, source: str, drivers: dict[str, str]) -> None:
    """Put a distribution with one module into a folder that is to be on ``sys.path``.

    Args:
        folder: Where to.
        name: Of the distribution; the module bears it with underscores.
        version: Of the distribution.
        source: The module's text.
        drivers: Class of each driver's name.
    """
    module = name.replace("-", "_")
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir(parents=True)
    (folder / f"{module}.py").write_text(source, "utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
    rows = [f"{driver} = {module}:{kind}" for driver, kind in drivers.items()]
    (info / "entry_points.txt").write_text("\n".join(["[rehab_gateway.drivers]", *rows, ""]), "utf-8")
