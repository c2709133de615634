"""What a finding means for the ward, in the words of somebody who has never seen Linux: one sentence for each check."""

from __future__ import annotations

MEANING = {
    "processor": "The program cannot work on this computer, or only for a few sensors.",
    "python": "The program cannot start, or was never tried with this version of Python.",
    "memory": "The computer may stop programs when it runs out of memory; measurements would have gaps.",
    "bluetooth": "Sensors without a cable cannot be reached, or not all of them at once.",
    "ttys": "Devices on a cable cannot be read: nothing of them is shown or kept.",
    "udp": "Devices that send over the network are not heard.",
    "clock": "Measurements may be filed under a wrong time. How long things took is right all the same.",
    "time service": "After a power cut this computer may not know what time it is.",
    "disk": "When the disk is full or too slow, recordings stop first, and measurements last.",
    "hardware": "The computer may become slow, or stop without a further word.",
    "broker": "Measurements wait on this computer's disk, and pages show nothing live, until that works.",
    "kernel cache": "Each start takes minutes until movement is analysed; heart rates are shown meanwhile.",
    "data": "What is measured cannot be kept.",
    "certificates": "Browsers will warn, or refuse the pages; or the hospital's broker refuses this gateway.",
    "users": "Nobody can sign in to the pages.",
    "store": "The hospital's database gets nothing. The gateway's own history has everything.",
    "dashboard": "Nobody sees the pages. What is measured is kept all the same.",
    "services": "A part of the gateway does not run: devices are not read, or nothing is stored or shown.",
    "fleet": "This gateway gets no upgrades and no settings from the desk.",
    "backup": "If this computer or its disk breaks, what was measured since the last backup is gone.",
}
ELSE = "Something may not work as it should."


def meaning(name: str) -> str:
    """Return what a finding of a check means for the ward."""
    return MEANING.get(name, ELSE)
