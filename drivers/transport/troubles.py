"""What can be wrong with the way to a device beside range and battery, each with what helps and a word for programs."""

from __future__ import annotations

from drivers.errors import ConnectError
from drivers.transport.transport import IN_USE_ADVICE

UNPAIRED, IN_USE = "unpaired", "in-use"

UNPAIRED_ADVICE = (
    "Put it into its pairing mode and pair it once: 'rehab-gateway devices pair'; one that shows a number, or has one"
    " on its label, needs it as its passkey."
)


def unpaired(text: str, *, advice: str = UNPAIRED_ADVICE) -> ConnectError:
    """Return the error of a device that only talks to whom it is paired with."""
    return ConnectError(text, advice=advice, problem=UNPAIRED)


def in_use(address: str) -> ConnectError:
    """Return the error of a device that another program has."""
    return ConnectError(
        f"{address} is in use by another program on this computer", advice=IN_USE_ADVICE, problem=IN_USE
    )
