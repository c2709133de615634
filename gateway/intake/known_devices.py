"""Which hardware each device id has been measured with, so that another one does not take its place unnoticed.

The first that a device tells of itself (serial number, tag) is remembered in the data folder. From then on a device
that tells otherwise is refused: nothing that it sends is taken for that patient or that side, until a person accepts
it (``rehab-gateway accept``) or says in the configuration how else it is found.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from config.hardware import plain_name
from config.settings import Device, Settings
from drivers.errors import OtherDeviceError
from drivers.identity import Identity, Trait
from gateway.machine.newer_file import is_newer

log = logging.getLogger(__name__)

FILE = "known-devices.json"
VERSION = 1
MODE = 0o640
PROVING: tuple[Trait, ...] = ("serial", "tag")  # in this order; an address may be another one each day


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one device.

    Attributes:
        found_by: How the configuration found it: another way makes it a new one.
        identity: What it told of itself first.
        refused: What told otherwise last; None if nothing did since.
    """

    found_by: str
    identity: Identity
    refused: Identity | None = None


class KnownDevices:
    """The memory of a gateway: a small file, written before anything is taken from a new device.

    Args:
        folder: The data folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._unwritten: dict[str, Known] = {}

    def address(self, device: Device) -> str | None:
        """Return the address that a device was met under last; None where it was not, or is found otherwise now."""
        known = self.read().get(device.id)
        return known.identity.address or None if known is not None and known.found_by == found_by(device) else None

    def judge(self, device: Device, identity: Identity) -> str:
        """Remember what a device tells when nothing is known of it; later, see that it is the same.

        Returns:
            Why it is not certain that it is the same; empty if it is.

        Raises:
            OtherDeviceError: It is another one than the configuration or the memory says, or for the other side.
        """
        _on_its_side(device, identity)
        identity = identity.traits
        _as_configured(device, identity)
        with self._changing() as known:
            before = known.get(device.id)
            if before is not None and before.found_by != found_by(device):
                log.info("%s is found by %s now: what was known of it is forgotten", device.id, found_by(device))
                before = None
            try:
                _as_known(device, identity, before, known)
            except OtherDeviceError:
                if before is not None:
                    known[device.id] = replace(before, refused=identity)
                raise
            if before is None:
                log.info("%s is %s from now on", device.id, words(identity))
            known[device.id] = Known(found_by(device), _together(identity, before))
            return _doubt(before, identity)

    def accept(self, device: Device) -> Identity:
        """Let the device that was refused last be this one from now on; raises LookupError where none was."""
        with self._changing() as known:
            before = known.get(device.id)
            if before is None or before.refused is None:
                raise LookupError(device.id)
            for other in [
                id_ for id_, each in known.items() if id_ != device.id and _same(each.identity, before.refused)
            ]:
                del known[other]  # it was that one until now: whatever is met there next is remembered anew
            known[device.id] = Known(found_by(device), before.refused)
            return before.refused

    def read(self) -> dict[str, Known]:
        """Return all that is known, by device id; nothing where there is no file, or none that can be read."""
        return {**self._read(), **self._unwritten}

    def _read(self) -> dict[str, Known]:
        if is_newer(self.path, "version", VERSION):
            return {}  # which is said when it would be written
        try:
            found = orjson.loads(self.path.read_bytes())
            return {id_: _known(each) for id_, each in found["devices"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as problem:
            log.warning("%s cannot be read, and is begun anew: %s", self.path, problem)
            return {}

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Known]]:
        """Hold the file against other processes, and write what was changed; on a full disk, once there is room."""
        with _locked(self.path.with_suffix(".lock")):
            before = self.read()
            known = dict(before)
            try:
                yield known
            finally:
                if known != before or self._unwritten:
                    self._keep(known)

    def _keep(self, known: dict[str, Known]) -> None:
        if is_newer(self.path, "version", VERSION):
            log.warning(
                "%s is of a newer version: it is left as it is, and this is known until the next start", self.path
            )
            self._unwritten = known
            return
        try:
            self._write(known)
        except OSError as problem:
            log.warning("%s cannot be written, and is kept in memory: %s", self.path, problem)
            self._unwritten = known
        else:
            self._unwritten = {}

    def _write(self, known: dict[str, Known]) -> None:
        devices = {id_: _entry(each) for id_, each in sorted(known.items())}
        data = orjson.dumps({"version": VERSION, "devices": devices}, option=orjson.OPT_INDENT_2)
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, MODE), "wb") as file:
            file.write(data + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file; where there can be none (a read-only disk), go on without."""
    try:
        lock = os.open(path, os.O_CREAT | os.O_RDWR, MODE)
    except OSError:
        yield
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def same_device(one: Device, other: Device) -> bool:
    """Whether two settings are of one device, reached and read in one way; it may be worn elsewhere."""
    elsewhere = {"placement": one.placement, "axes": one.axes}
    return one == other.model_copy(update=elsewhere)


def known_devices(settings: Settings) -> KnownDevices:
    """Return the memory of a configuration's gateway."""
    return KnownDevices(settings.site.data)


def found_by(device: Device) -> str:
    """Return how the configuration finds a device."""
    if device.address:
        way = f"address {device.address}"
    elif device.name:
        way = f"name {plain_name(device.name)}"
    elif device.listen:
        way = f"sender {device.sender} to {device.listen}"
    else:
        way = f"port {device.port}"
    traits = [f"{trait} {plain_name(value)}" for trait in PROVING if (value := getattr(device, trait))]
    return " ".join([device.driver, way, *traits])


def words(identity: Identity) -> str:
    """Return what a device told of itself, for a person."""
    found = [f"{trait} {value}" for trait in (*PROVING, "address") if (value := getattr(identity, trait))]
    return ", ".join(found) or "a device that tells nothing of itself"


def _on_its_side(device: Device, identity: Identity) -> None:
    """See that what is for one side of the body is not worn on the other: its steps would be the other leg's."""
    if identity.denies(device.placement):
        raise OtherDeviceError(
            f"the device that was found says that it is for the {identity.side} side, and is to be worn on the"
            f" {device.placement.replace('_', ' ')}: nothing is read from it",
            advice="Are two of them exchanged? Put it where it belongs, or mend its 'placement'.",
        )


def _as_configured(device: Device, identity: Identity) -> None:
    """See that a device is the one that the configuration names."""
    for trait in PROVING:
        wanted, has = getattr(device, trait), getattr(identity, trait)
        if wanted is not None and plain_name(wanted) != plain_name(has):
            own = f"tells {trait} {has}" if has else f"tells no {trait}"
            raise OtherDeviceError(
                f"the device that was found {own}, and the configuration says {wanted}: nothing is read from it",
                advice=f"Put the right device on, or mend 'slot.device.{trait}' in the configuration.",
            )


def _as_known(device: Device, identity: Identity, before: Known | None, known: dict[str, Known]) -> None:
    """See that a device is the one that it was before, and nobody else's."""
    if before is not None:
        trait = _differing(before.identity, identity)
        if trait is not None:
            raise OtherDeviceError(
                f"the device that was found tells {trait} {getattr(identity, trait)}, and until now this one told"
                f" {getattr(before.identity, trait)}: nothing is read from it"
            )
    elif not (device.address or device.serial):  # these say that this one is meant; a name or a port does not
        for id_, each in known.items():
            if id_ != device.id and each.found_by.split(" ")[0] == device.driver and _same(each.identity, identity):
                raise OtherDeviceError(
                    f"the device that was found is '{id_}' (serial {identity.serial}): nothing is read from it"
                )


def _doubt(before: Known | None, identity: Identity) -> str:
    """Return why nothing proves that a device is the one it was; its address alone may change by itself."""
    if before is None or identity.serial or identity.tag or identity.address == before.identity.address:
        return ""
    if not identity.address or not before.identity.address:
        return ""  # of a serial port that is no USB adapter, or that was met before adapters were remembered
    return f"its address was {before.identity.address}, it is {identity.address}, and it tells no serial number"


def _differing(before: Identity, now: Identity) -> Trait | None:
    """Return what shows that two are not the same device; the first thing that both tell decides."""
    for trait in PROVING:
        was, is_ = getattr(before, trait), getattr(now, trait)
        if was and is_:
            return None if plain_name(was) == plain_name(is_) else trait
    return None


def _same(one: Identity, other: Identity) -> bool:
    """Whether two are certainly one device."""
    return bool(one.serial) and plain_name(one.serial) == plain_name(other.serial)


def _together(identity: Identity, before: Known | None) -> Identity:
    """Return what is told now, and what was told before where it is not told now."""
    if before is None:
        return identity
    return Identity(
        **{trait: getattr(identity, trait) or getattr(before.identity, trait) for trait in ("serial", "tag", "address")}
    )


def _entry(known: Known) -> dict[str, Any]:
    """Return what the file has of a device; ``_known`` reads it."""
    refused = None if known.refused is None else _traits(known.refused)
    return {"found_by": known.found_by, "told": _traits(known.identity), "refused": refused}


def _traits(identity: Identity) -> dict[str, str]:
    return {"serial": identity.serial, "tag": identity.tag, "address": identity.address}


def _known(found: Any) -> Known:
    refused = found["refused"]
    return Known(found["found_by"], Identity(**found["told"]), None if refused is None else Identity(**refused))
