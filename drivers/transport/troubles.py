"""What can be wrong with the way to a device beside range and battery, each with what helps and a word for programs."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.errors import AdapterError, ConnectError
from drivers.transport.transport import IN_USE_ADVICE

UNPAIRED, IN_USE, NO_ROOM, SWITCHED_OFF = "unpaired", "in-use", "no-room", "adapter-off"

UNPAIRED_ADVICE = (
    "Put it into its pairing mode and pair it once: 'rehab-gateway devices pair'; one that shows a number, or has one"
    " on its label, needs it as its passkey."
)
NO_ROOM_ADVICE = "Plug in another Bluetooth adapter, or wear fewer sensors; 'radio.links' says how many one holds."
OFF_ADVICE = "Switch it on: 'bluetoothctl power on', or 'rfkill unblock bluetooth'; the gateway leaves it as it is."


def unpaired(text: str, *, advice: str = UNPAIRED_ADVICE) -> ConnectError:
    """Return the error of a device that only talks to whom it is paired with."""
    return ConnectError(text, advice=advice, problem=UNPAIRED)


def in_use(address: str) -> ConnectError:
    """Return the error of a device that another program has."""
    return ConnectError(
        f"{address} is in use by another program on this computer", advice=IN_USE_ADVICE, problem=IN_USE
    )


def no_room(device: str, radios: Sequence[str]) -> ConnectError:
    """Return the error of a device that no radio in reach may take any more."""
    full = f"{radios[0]} is full" if len(radios) == 1 else f"{', '.join(radios)} are full"
    return ConnectError(f"no radio has room for {device}: {full}", advice=NO_ROOM_ADVICE, problem=NO_ROOM)


def switched_off(adapter: str) -> AdapterError:
    """Return the error of an adapter that is not powered; a person did that, so it is left so."""
    return AdapterError(f"Bluetooth adapter {adapter} is switched off", advice=OFF_ADVICE, problem=SWITCHED_OFF)
