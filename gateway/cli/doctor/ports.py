"""The doctor on serial ports: which there are, by what they tell of themselves, and whether they can be opened."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.cli.doctor.finding import Finding
from gateway.machine.facts import Port

OURS = "rehab-gateway"  # a gateway that runs may have its ports open
_NUMBERED = re.compile(r"/dev/tty(USB|ACM)\d+")


def judge_ports(ports: Sequence[Port], *, named: bool, others: Sequence[Port] = ()) -> Finding:
    """Every port of the configuration is there and open to this user; without one, any that is not is worth a word.

    Args:
        ports: Those of the configuration, or all that there are.
        named: Whether there is a configuration.
        others: All that there are, for who looks for the right name.
    """
    beside = _beside(ports, others)
    if not ports:
        return Finding("ttys", "ok", ("none configured" if named else "none") + beside)
    missing = [port for port in ports if not port.exists]
    if missing:
        advice = (
            "Plug the device in and switch it on; one with Bluetooth serial is bound with: sudo rfcomm bind 0 ADDRESS"
        )
        found = ", ".join(port.about or port.path for port in missing)
        return Finding("ttys", "fail", f"not there: {found}{beside}", advice)
    closed = [port.path for port in ports if not port.usable]
    if closed:
        advice = (
            "Let the gateway in: sudo adduser rehab-gateway dialout, then: sudo systemctl restart rehab-gateway@run"
        )
        return Finding("ttys", "fail" if named else "warn", f"not open to this user: {', '.join(closed)}", advice)
    found = ", ".join(described(port) for port in ports) + beside
    if any(not holder.startswith(OURS) for port in ports for holder in port.held_by):
        return Finding(
            "ttys", "warn", found, "Close the other program that has it open: it takes half of what the device sends."
        )
    numbered = next((port for port in ports if named and port.name and _NUMBERED.fullmatch(port.path)), None)
    if numbered is not None:
        advice = f"{numbered.path} may be another one after the next start: write port = '{numbered.name}'."
        return Finding("ttys", "warn", found, advice)
    return Finding("ttys", "ok", found)


def described(port: Port) -> str:
    """Return a port in words: its name, its tty, what it is, and who has it."""
    about = [part for part in (port.tty, port.name if port.name != port.path else "", port.about) if part]
    about += [f"open in {holder}" for holder in port.held_by]
    if not port.usable:
        about.append("not open to this user")
    return f"{port.path} ({', '.join(about)})" if about else port.path


def _beside(ports: Sequence[Port], others: Sequence[Port]) -> str:
    """Return what is there beside the ports of a configuration."""
    taken = {port.tty or port.path for port in ports if port.exists}
    left = [described(port) for port in others if port.path not in taken]
    return f"; also there: {', '.join(left)}" if left else ""
