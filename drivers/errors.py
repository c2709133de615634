"""Everything that can go wrong between a device and the gateway.

    DriverError
    ├── MalformedFrameError      bytes that this protocol cannot mean (also a ValueError); counted, never fatal
    ├── ForbiddenWriteError      a driver tried to write outside its allow-list; a defect, give up
    └── LinkError                the way to the device; retried by the supervisor
        ├── NotFoundError        no advertisement or no tty of that name
        ├── AmbiguousDeviceError several devices answer to what is looked for; none is taken
        ├── OtherDeviceError     it tells that it is not the configured one; nothing is read from it
        ├── ConnectError         found, but the connection was refused or timed out
        ├── LinkLostError        it was up and is gone
        ├── SilentStreamError    it is up, but no sample came for too long
        ├── DialogueError        the device answered a start or stop command wrongly or not at all
        └── AdapterError         the Bluetooth adapter or the serial port itself does not work

Each class carries ``advice``: what the technician can do, in one sentence. Where an error knows better, it says so.
"""

from __future__ import annotations


class DriverError(Exception):
    """Base of all errors of this package.

    Args:
        text: What is wrong.
        advice: What the technician can do, if that is more than the class knows.
        problem: A word for programs, likewise.

    Attributes:
        advice: What the technician can do.
        problem: A word for programs, where the state of a device alone does not tell this from a weak radio.
    """

    advice: str = ""
    problem: str = ""

    def __init__(self, text: str = "", *, advice: str = "", problem: str = "") -> None:
        super().__init__(text)
        if advice:
            self.advice = advice
        if problem:
            self.problem = problem


class MalformedFrameError(DriverError, ValueError):
    """Bytes that this protocol cannot mean."""

    advice = "Check that the device's model and firmware match the driver named in the configuration."


class ForbiddenWriteError(DriverError):
    """A driver tried to write to a characteristic that is not on its allow-list."""

    advice = "This is a defect of the driver: report it."


class LinkError(DriverError):
    """The way to the device does not work."""


class NotFoundError(LinkError):
    """No advertisement and no tty of that name."""

    advice = "Is the device charged, switched on, in range, and not connected to a phone?"


class AmbiguousDeviceError(LinkError):
    """Several devices answer to the name or service that is looked for."""

    advice = (
        "Give the device's 'address' in the configuration, or switch off the others of its name; it goes on by itself."
    )
    problem = "ambiguous"


class OtherDeviceError(LinkError):
    """The device tells that it is another one than the one that is known under this id, or of another model."""

    advice = (
        "Was it exchanged? Put the right one on, or accept this one: 'rehab-gateway accept CONFIG DEVICE', or its"
        " 'serial' in the configuration."
    )
    problem = "other-device"


class ConnectError(LinkError):
    """Found, but the connection was refused or timed out."""

    advice = "Move the device closer; if it stays, switch it off and on."


class LinkLostError(LinkError):
    """The link was up and is gone.

    Args:
        text: What is wrong.
        at_start: Whether that was before the stream had begun.
    """

    advice = "Range or battery: the gateway reconnects by itself."

    def __init__(self, text: str = "", *, at_start: bool = False) -> None:
        super().__init__(text)
        self.at_start = at_start


class SilentStreamError(LinkError):
    """The link is up, but no sample came for too long."""

    advice = "The gateway starts the stream again; if it repeats, switch the device off and on."


class DialogueError(LinkError):
    """The device answered a start or stop command wrongly or not at all."""

    advice = "Check the device's firmware version and that no other program controls it."


class AdapterError(LinkError):
    """The Bluetooth adapter or the serial port itself does not work."""

    advice = "Run 'rehab-gateway doctor'; unplug and replug the adapter."


def one_line(problem: BaseException) -> str:
    """Return what an error says in one line: D-Bus passes on texts with line ends, which logs and notices cannot."""
    text = str(problem)
    if len(problem.args) > 1 and text == str(problem.args):  # bleak's have a code beside the text
        text = next((each for each in problem.args if isinstance(each, str)), text)
    return " ".join(text.split()) or (
        "no answer in time" if isinstance(problem, TimeoutError) else type(problem).__name__
    )
