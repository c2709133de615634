"""Bluetooth addresses of simulated devices: the same for the same bed, so that a configuration stays right."""


def dot_address(bed: int, number: int) -> str:
    """Return the Bluetooth address of a bed's DOT; the first half is the vendor's."""
    return f"D4:22:CD:00:{bed:02X}:{number:02X}"


def strap_address(bed: int) -> str:
    """Return the Bluetooth address of a bed's strap, locally administered."""
    return f"02:48:52:00:{bed:02X}:00"


def health_address(bed: int, number: int) -> str:
    """Return the Bluetooth address of a bed's device of a health profile, locally administered."""
    return f"02:50:4C:00:{bed:02X}:{number:02X}"
