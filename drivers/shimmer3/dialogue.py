"""Questions to a Shimmer that does not stream, and their answers: each acknowledged with 0xFF first."""

from __future__ import annotations

from typing import Final

from drivers.driver import Link
from drivers.errors import DialogueError, OtherDeviceError
from drivers.shimmer3.announced import EXG_CHIPS
from drivers.shimmer3.channels import SHIMMER3
from drivers.shimmer3.pressure import BMP180, BMP280, COEFFICIENT_BYTES
from drivers.shimmer3.protocol import (
    ACK,
    BMP280_REPLY,
    EXG_REGISTERS,
    GET_BMP180,
    GET_BMP280,
    GET_EXG,
    GET_HARDWARE,
    GET_NAME,
    GET_PRESSURE,
    GET_SERIAL,
    HARDWARE,
    HARDWARE_REPLY,
    INQUIRY,
    NAME_REPLY,
    PRESSURE_REPLY,
    SERIAL_REPLY,
    UNIQUE_BYTES,
    inquiry_bytes,
    inquiry_head,
)

MODEL_ADVICE = "Connect a Shimmer3 or Shimmer3R with LogAndStream firmware to this port."
LONGEST_NAME = 32  # bytes; firmware keeps 12
QUIET_S = 0.3  # a port that gives nothing for so long has stopped streaming
DRAIN_BYTES = 65536  # a device that goes on for so long does not obey
EXG_QUESTIONS: Final = tuple(bytes((GET_EXG, chip, 0, EXG_REGISTERS)) for chip in range(EXG_CHIPS))
_FILLER = 0x01  # in place of the coefficients of a sensor that is not fitted


async def drain(link: Link) -> None:
    """Take what comes until the port is quiet. Raises DialogueError if it never is."""
    for _ in range(DRAIN_BYTES):
        try:
            await link.receive(1, timeout_s=QUIET_S)
        except DialogueError:
            return
    raise DialogueError("the device does not stop streaming")


async def command(link: Link, data: bytes) -> None:
    """Send a command that is only acknowledged."""
    await link.write("", data)
    answer = await link.receive(1)
    if answer[0] != ACK:
        raise DialogueError(f"command {data.hex()} was answered with {answer.hex()}")


async def ask(link: Link, question: int | bytes, count: int) -> bytes:
    """Send a question and return the ``count`` bytes of its reply."""
    await command(link, bytes((question,)) if isinstance(question, int) else question)
    return await link.receive(count)


async def _asked(link: Link, question: int, kind: int, count: int) -> bytes:
    """Return the reply to a question that not every firmware knows; empty where there is none."""
    try:
        reply = await ask(link, question, count)
    except DialogueError:
        reply = b""
    if reply[:1] == bytes((kind,)):
        return reply
    await drain(link)
    return b""


async def ask_hardware(link: Link) -> bytes:
    """Ask what hardware it is, before its answers are read as a Shimmer's; empty if it does not know the question.

    Raises:
        OtherDeviceError: for a device of another kind.
    """
    reply = await _asked(link, GET_HARDWARE, HARDWARE_REPLY, 2)
    if reply and reply[1] not in HARDWARE:
        model = f"Shimmer of hardware version {reply[1]}"
        raise OtherDeviceError(f"this is a {model}, which this driver does not know", advice=MODEL_ADVICE)
    return reply


async def ask_name(link: Link) -> str:
    """Return the name that its owner gave it; as shipped it ends with its address."""
    head = await _asked(link, GET_NAME, NAME_REPLY, 2)
    name = await link.receive(min(head[1], LONGEST_NAME)) if head else b""
    return name.decode("utf-8", "replace").split("\0")[0].strip()


async def ask_serial(link: Link, hardware: int = SHIMMER3) -> str:
    """Return the number that its processor was made with, as digits; empty where the firmware does not tell it."""
    reply = await _asked(link, GET_SERIAL, SERIAL_REPLY, 1 + UNIQUE_BYTES[hardware])
    number = reply[1:]
    return number.hex() if len(set(number)) > 1 else ""


async def ask_inquiry(link: Link, hardware: int = SHIMMER3) -> bytes:
    """Return the whole inquiry reply."""
    head = await ask(link, INQUIRY, inquiry_head(hardware))
    return head + await link.receive(inquiry_bytes(head, hardware) - len(head))


async def ask_pressure(link: Link, hardware: int = SHIMMER3) -> bytes:
    """Return the coefficients of the pressure sensor with the reply that they came in; empty where it tells none."""
    head = await _asked(link, GET_PRESSURE, PRESSURE_REPLY, 2)
    if head:
        return head + await link.receive(head[1])
    if hardware != SHIMMER3:
        return b""
    reply = await _asked(link, GET_BMP280, BMP280_REPLY, 1 + COEFFICIENT_BYTES[BMP280])
    if reply and set(reply[1:]) != {_FILLER}:
        return reply
    return await ask(link, GET_BMP180, 1 + COEFFICIENT_BYTES[BMP180])
