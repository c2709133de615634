"""The plan of a roll-out: what goes to whom, and how far it may. Signed, retained, never older than the last."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import orjson

from config.plain_file import look

PLAN_VERSION = 1
PART_BYTES = 256 << 10
"""Of a bundle in one message: a quarter of what our mosquitto takes, and seconds on a slow link."""
LARGEST_BUNDLE = 1 << 30
LONGEST_REASON = 300
"""Letters of what goes into every gateway's journal and audit."""
LARGEST_PLAN = 512 << 10
"""Bytes: 4096 parts have as many sums of 64 letters, and a third more as base64."""

Kind = Literal["upgrade", "configuration"]
PlanState = Literal["open", "stopped", "aborted", "done"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}")
"""Of a bundle's file: no folder, nothing hidden, nothing that a shell reads."""
VERSION = re.compile(r"[0-9][0-9A-Za-z.+~-]{0,63}")
"""Of an upgrade: what a gateway may say that it runs."""
SUM = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A file that is rolled out.

    Attributes:
        kind: An upgrade goes to the command that installs it, a configuration beside the gateway's own.
        version: What the gateways say of themselves when they have it; of a configuration its own name.
        file: Its name, on a share the same.
        sha256: Of all of it.
        size: In bytes.
        parts: SHA-256 of each part of `PART_BYTES`.
        older: Why gateways may go back to an older version with it; empty: they refuse one.
    """

    kind: Kind
    version: str
    file: str
    sha256: str
    size: int
    parts: tuple[str, ...]
    older: str = ""


@dataclass(frozen=True, slots=True)
class Ring:
    """Gateways that get a bundle at the same time."""

    name: str
    gateways: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a desk wants of its gateways.

    Attributes:
        site: Whose gateways: a plan of another site is none.
        counter: Grows with every plan of a desk: an older one is refused, whoever sends it.
        roll_out: Number of the roll-out.
        attempt: Grows when it is resumed: who failed tries again.
        bundle: What is rolled out.
        rings: To whom, in this order.
        open: How many of the rings may take it.
        state: Whether it goes on.
    """

    site: str
    counter: int
    roll_out: int
    attempt: int
    bundle: Bundle
    rings: tuple[Ring, ...]
    open: int
    state: PlanState

    def is_for(self, gateway: str) -> bool:
        """Whether a gateway is to take the bundle now."""
        return self.state == "open" and any(gateway in ring.gateways for ring in self.rings[: self.open])


def encode_plan(plan: Plan) -> bytes:
    """Return the body that is signed."""
    return orjson.dumps({"v": PLAN_VERSION, **asdict(plan)})


def decode_plan(body: bytes) -> Plan:
    """Return the plan of a body; raises ValueError where it is none."""
    found = orjson.loads(body)
    try:
        if found["v"] != PLAN_VERSION:
            raise ValueError("it is of another version")
        rings = tuple(Ring(str(ring["name"]), tuple(map(str, ring["gateways"]))) for ring in found["rings"])
        plan = Plan(
            str(found["site"]), _count(found["counter"]), _count(found["roll_out"]), _count(found["attempt"]),
            _bundle(found["bundle"]), rings, _count(found["open"]), found["state"],
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is no plan: {error!r}") from None
    if plan.state not in get_args(PlanState):
        raise ValueError("it has no state")
    return plan


def _bundle(found: dict[str, Any]) -> Bundle:
    bundle = Bundle(
        found["kind"], str(found["version"]), str(found["file"]), str(found["sha256"]), _count(found["size"]),
        tuple(map(str, found["parts"])), str(found.get("older", "")),
    )  # fmt: skip
    if bundle.kind not in get_args(Kind) or not NAME.fullmatch(bundle.file) or bundle.size > LARGEST_BUNDLE:
        raise ValueError("its bundle is none that is taken here")
    if bundle.kind == "upgrade" and not VERSION.fullmatch(bundle.version):
        raise ValueError("its version is none")
    if len(bundle.older) > LONGEST_REASON or not bundle.older.isprintable():
        raise ValueError("its reason for an older version is none")
    if len(bundle.parts) != -(-bundle.size // PART_BYTES) or not all(
        map(SUM.fullmatch, (bundle.sha256, *bundle.parts))
    ):
        raise ValueError("the sums of its bundle are none")
    return bundle


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a number in it is none")
    return value


def describe(path: Path, kind: Kind, version: str, older: str = "") -> Bundle:
    """Return what a plan says of a file; raises ValueError where it cannot be rolled out."""
    if not NAME.fullmatch(path.name):
        raise ValueError(f"'{path.name}' is no name for a bundle: letters, digits, '.', '_', '+', '~' and '-'")
    if kind == "upgrade" and not VERSION.fullmatch(version):
        raise ValueError(f"'{version[:64]}' is no version: write it as a gateway says it, 1.4.0")
    whole, parts, size = hashlib.sha256(), [], 0
    look(path)
    for part in parts_of(path):
        whole.update(part)
        parts.append(hashlib.sha256(part).hexdigest())
        size += len(part)
    if not 0 < size <= LARGEST_BUNDLE:
        raise ValueError(f"{path.name} has {size} bytes: a bundle has at least one, and at most {LARGEST_BUNDLE}")
    return Bundle(kind, version, path.name, whole.hexdigest(), size, tuple(parts), older)


def parts_of(path: Path) -> Iterator[bytes]:
    """Yield a file in parts."""
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield part


def rings_of(names: Sequence[str], ring_of: dict[str, str]) -> tuple[Ring, ...]:
    """Return the rings by their names: of each the gateways that were put into it, of 'all' whoever is left.

    Raises:
        ValueError: None is named, one is named twice, has nobody, or 'all' is not the last.
    """
    if not names:
        raise ValueError("no ring is named: --rings first,ward,all")
    left = dict(ring_of)
    rings = []
    for number, name in enumerate(names):
        if name in names[:number]:
            raise ValueError(f"the ring '{name}' is named twice")
        if name == "all" and number != len(names) - 1:
            raise ValueError("the ring 'all' is whoever is left: it comes last")
        members = tuple(sorted(gateway for gateway, ring in left.items() if name in ("all", ring)))
        if not members and name != "all":
            rings_there = ", ".join(sorted(set(ring_of.values()))) or "none"
            raise ValueError(f"no gateway is in the ring '{name}'; there are: {rings_there}")
        left = {gateway: ring for gateway, ring in left.items() if gateway not in members}
        if members:
            rings.append(Ring(name, members))
    return tuple(rings)
