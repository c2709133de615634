"""Device Information (0x180A): what a device says of its maker, model, serial number and firmware."""

from __future__ import annotations

from drivers.driver import Link
from drivers.errors import DialogueError
from drivers.gatt.uuids import sig_uuid
from drivers.identity import Identity, plain_line, serial_text

MODEL, SERIAL_NUMBER, FIRMWARE, MAKER = (sig_uuid(short) for short in (0x2A24, 0x2A25, 0x2A26, 0x2A29))


async def read_information(link: Link) -> Identity:
    """Return what the device tells; what it has not, or does not let us read, stays empty."""
    return Identity(
        serial=serial_text(await _read(link, SERIAL_NUMBER)),
        maker=plain_line(await _read(link, MAKER)),
        model=plain_line(await _read(link, MODEL)),
        firmware=plain_line(await _read(link, FIRMWARE)),
    )


async def _read(link: Link, characteristic: str) -> bytes:
    try:
        return await link.read(characteristic)
    except DialogueError:
        return b""
