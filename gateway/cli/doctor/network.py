"""The doctor's look at the ports on which devices of the network are heard."""

from __future__ import annotations

import errno

from config.hardware import address_and_port
from config.settings import Settings
from gateway.cli.doctor.finding import Finding
from gateway.machine import facts

NO_ADDRESS, IN_USE = errno.EADDRNOTAVAIL, errno.EADDRINUSE


def judge_listening(settings: Settings) -> Finding | None:
    """Each address that a device sends to is one of this machine, and its port is free; None where there is none."""
    places = [device.listen for slot in settings.slot for device in slot.device if device.listen]
    if not places:
        return None
    troubles = {place: facts.udp_trouble(*address_and_port(place)) for place in places}
    if absent := [place for place, trouble in troubles.items() if trouble == NO_ADDRESS]:
        advice = "Plug the network in, or correct 'listen' of the device: ip address shows what there is."
        return Finding("udp", "fail", f"not an address of this machine: {', '.join(absent)}", advice)
    if closed := [place for place, trouble in troubles.items() if trouble not in {0, IN_USE}]:
        advice = "Ports below 1024 are root's: choose a higher one, for the device too."
        return Finding("udp", "fail", f"not open to this user: {', '.join(closed)}", advice)
    if taken := [place for place, trouble in troubles.items() if trouble]:
        advice = "By the gateway, if it runs; else end the other program."
        return Finding("udp", "warn", f"in use: {', '.join(taken)}", advice)
    return Finding("udp", "ok", ", ".join(places))
