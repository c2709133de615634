"""Bluetooth addresses of simulated devices: the same for the same bed, so that a configuration stays right."""


def dot_address(bed: int, number: int) -> str:
    """Return the Bluetooth address of a bed's DOT; the first half is the vendor's."""
    return f"D4:22:CD:00:{bed:02X}:{number:02X}"


def strap_address(bed: int) -> str:
    """Return the Bluetooth address of a bed's strap, locally administered."""
    return f"02:48:52:00:{bed:02X}:00"


def place_address(number: int) -> str:
    """Return the Bluetooth address of the device with a number in a scene of single devices, locally administered."""
    return f"02:50:4C:01:{number >> 8:02X}:{number & 0xFF:02X}"


def health_address(bed: int, number: int) -> str:
    """Return the Bluetooth address of a bed's device of a health profile, locally administered."""
    return f"02:50:4C:00:{bed:02X}:{number:02X}"


def next_address(address: str) -> str:
    """Return the address that a device has after this one, where it changes: the same for the same, and no other's."""
    number = int(address.replace(":", ""), 16)
    changed = (number & 0xFFFF_FFFF) | ((number >> 32) + 0x0400 & 0xFFFF) << 32
    return ":".join(f"{changed:012X}"[at : at + 2] for at in range(0, 12, 2))
