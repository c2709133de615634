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
from drivers.identity import Told, Trait

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
        told: What it told first.
        refused: What told otherwise last; None if nothing did since.
    """

    found_by: str
    told: Told
    refused: Told | None = None


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
        return known.told.address or None if known is not None and known.found_by == found_by(device) else None

    def judge(self, device: Device, told: Told) -> str:
        """Remember what a device tells when nothing is known of it; later, see that it is the same.

        Returns:
            Why it is not certain that it is the same; empty if it is.

        Raises:
            OtherDeviceError: It is another one than the configuration or the memory says.
        """
        told = told.traits
        _as_configured(device, told)
        with self._changing() as known:
            before = known.get(device.id)
            if before is not None and before.found_by != found_by(device):
                log.info("%s is found by %s now: what was known of it is forgotten", device.id, found_by(device))
                before = None
            try:
                _as_known(device, told, before, known)
            except OtherDeviceError:
                if before is not None:
                    known[device.id] = replace(before, refused=told)
                raise
            if before is None:
                log.info("%s is %s from now on", device.id, words(told))
            known[device.id] = Known(found_by(device), _together(told, before))
            return _doubt(before, told)

    def accept(self, device: Device) -> Told:
        """Let the device that was refused last be this one from now on; raises LookupError where none was."""
        with self._changing() as known:
            before = known.get(device.id)
            if before is None or before.refused is None:
                raise LookupError(device.id)
            for other in [id_ for id_, each in known.items() if id_ != device.id and _same(each.told, before.refused)]:
                del known[other]  # it was that one until now: whatever is met there next is remembered anew
            known[device.id] = Known(found_by(device), before.refused)
            return before.refused

    def read(self) -> dict[str, Known]:
        """Return all that is known, by device id; nothing where there is no file, or none that can be read."""
        return {**self._read(), **self._unwritten}

    def _read(self) -> dict[str, Known]:
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
        try:
            self._write(known)
        except OSError as problem:
            log.warning("%s cannot be written, and is kept in memory: %s", self.path, problem)
            self._unwritten = known
        else:
            self._unwritten = {}

    def _write(self, known: dict[str, Known]) -> None:
        devices = {id_: _written(each) for id_, each in sorted(known.items())}
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


def known_devices(settings: Settings) -> KnownDevices:
    """Return the memory of a configuration's gateway."""
    return KnownDevices(settings.site.data)


def found_by(device: Device) -> str:
    """Return how the configuration finds a device."""
    if device.address:
        way = f"address {device.address}"
    elif device.name:
        way = f"name {plain_name(device.name)}"
    else:
        way = f"port {device.port}"
    told = [f"{trait} {plain_name(value)}" for trait in PROVING if (value := getattr(device, trait))]
    return " ".join([device.driver, way, *told])


def words(told: Told) -> str:
    """Return what a device told of itself, for a person."""
    found = [f"{trait} {value}" for trait in (*PROVING, "address") if (value := getattr(told, trait))]
    return ", ".join(found) or "a device that tells nothing of itself"


def _as_configured(device: Device, told: Told) -> None:
    """See that a device is the one that the configuration names."""
    for trait in PROVING:
        wanted, has = getattr(device, trait), getattr(told, trait)
        if wanted is not None and plain_name(wanted) != plain_name(has):
            said = f"tells {trait} {has}" if has else f"tells no {trait}"
            raise OtherDeviceError(
                f"the device that was found {said}, and the configuration says {wanted}: nothing is read from it",
                advice=f"Put the right device on, or mend 'slot.device.{trait}' in the configuration.",
            )


def _as_known(device: Device, told: Told, before: Known | None, known: dict[str, Known]) -> None:
    """See that a device is the one that it was before, and nobody else's."""
    if before is not None:
        trait = _differing(before.told, told)
        if trait is not None:
            raise OtherDeviceError(
                f"the device that was found tells {trait} {getattr(told, trait)}, and until now this one told"
                f" {getattr(before.told, trait)}: nothing is read from it"
            )
    elif not (device.address or device.serial):  # these say that this one is meant; a name or a port does not
        for id_, each in known.items():
            if id_ != device.id and each.found_by.split(" ")[0] == device.driver and _same(each.told, told):
                raise OtherDeviceError(
                    f"the device that was found is '{id_}' (serial {told.serial}): nothing is read from it"
                )


def _doubt(before: Known | None, told: Told) -> str:
    """Return why nothing proves that a device is the one it was; its address alone may change by itself."""
    if before is None or told.serial or told.tag or told.address == before.told.address:
        return ""
    return f"its address was {before.told.address}, it is {told.address}, and it tells no serial number"


def _differing(before: Told, now: Told) -> Trait | None:
    """Return what shows that two are not the same device; the first thing that both tell decides."""
    for trait in PROVING:
        was, is_ = getattr(before, trait), getattr(now, trait)
        if was and is_:
            return None if plain_name(was) == plain_name(is_) else trait
    return None


def _same(one: Told, other: Told) -> bool:
    """Whether two are certainly one device."""
    return bool(one.serial) and plain_name(one.serial) == plain_name(other.serial)


def _together(told: Told, before: Known | None) -> Told:
    """Return what is told now, and what was told before where it is not told now."""
    if before is None:
        return told
    return Told(
        **{trait: getattr(told, trait) or getattr(before.told, trait) for trait in ("serial", "tag", "address")}
    )


def _written(each: Known) -> dict[str, Any]:
    """Return what the file says of a device."""
    return {"found_by": each.found_by, "told": _traits(each.told), "refused": each.refused and _traits(each.refused)}


def _traits(told: Told) -> dict[str, str]:
    return {"serial": told.serial, "tag": told.tag, "address": told.address}


def _known(found: Any) -> Known:
    refused = found["refused"]
    return Known(found["found_by"], Told(**found["told"]), None if refused is None else Told(**refused))
