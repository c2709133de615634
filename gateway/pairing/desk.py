"""What somebody does who hands out sensors: look what is in range, have one show itself, see on which limb it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from config.hardware import bluetooth_address
from config.settings import Device, Settings
from drivers.errors import LinkError, NotFoundError
from drivers.packet import Samples
from drivers.registry import load_driver
from drivers.transport.radios import Radios
from drivers.transport.survey import survey
from gateway.intake.known_devices import known_devices
from gateway.pairing.bonds import bond, unbond
from gateway.pairing.listing import bluetooth_drivers, listing
from gateway.pairing.motion import LEAST_TAP, LIMBS, Motion, clearest, lifted_side, limb_of, not_with, side_of
from gateway.pairing.visit import Visit, reason, visiting
from gateway.pairing.worn import Worn
from gateway.ward.refusals import refused
from gateway.ward.rules import find_bed, find_device
from gateway.ward.state import WardState

SCAN_S, LONGEST_S = 8.0, 60.0
TAP_S, LIFT_S = 10.0, 8.0
REACH_S = 40.0  # a search of 15 s, a connection, and both once more
MOST_VISITED = 16  # devices that are connected at once for a tap: more take longer than anybody holds one in the hand
POLL_S = 0.05

NOBODY_WEARS: Final = {"leg": "no_sensor", "arm": "no_wrist"}
CHANGED_MEANWHILE: Final = {"leg": "changed_meanwhile", "arm": "changed_meanwhile_arm"}
"""Keys of refusals, by limb."""

Json = dict[str, Any]


class Desk:
    """Looks, asks and listens; changes nothing of the ward. On the event loop of whoever has the radio.

    Args:
        settings: Where known devices are remembered.
        ward: Returns the ward as it is.
        open_radio: Returns the radio, ready.
        worn: What the gateway keeps connected.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        ward: Callable[[], WardState],
        open_radio: Callable[[], Awaitable[Radios]],
        worn: Worn,
    ) -> None:
        self._known = known_devices(settings)
        self._kind = settings.radio.name
        self._ward = ward
        self._open_radio = open_radio
        self._worn = worn

    async def scan(self, *, for_s: float = SCAN_S) -> Json:
        """Return what is in range, and what of the ward is not."""
        drivers = await asyncio.to_thread(bluetooth_drivers)
        sightings = await survey(await self._open_radio(), _length(for_s))
        return listing(
            sightings, self._ward(), drivers=drivers, connected=self._worn.connected(), met=self._known.address,
            battery=self._worn.battery,
        )  # fmt: skip

    async def blink(self, *, device: str, for_s: float = TAP_S) -> Json:
        """Have a device of the ward show itself."""
        found = self._device(device)
        if not load_driver(found.driver).blinks:
            raise refused("does_not_blink", device=device)
        if self._keeps(found):
            await self._blink_worn(device)
            await asyncio.sleep(_length(for_s))
        else:
            visit = await self._visit(found, lambda *_: None)
            async with visiting(visit):
                await visit.blink(REACH_S)
                await asyncio.sleep(_length(for_s))
        return {"device": device, "blinked": True}

    async def tap(self, *, devices: Sequence[str] = (), for_s: float = TAP_S) -> Json:
        """Name the device that somebody taps; by default among all of the ward that nobody wears."""
        asked = [self._device(name) for name in dict.fromkeys(devices)] or [
            one.device for one in self._ward().devices if not one.bed
        ]
        chosen = asked[:MOST_VISITED]
        if not chosen:
            raise refused("all_worn")
        async with self._watching(chosen) as motions:
            await self._until_they_send(motions, all_of_them=False)
            await asyncio.sleep(_length(for_s))
        tapped = clearest({name: motions[name].jump for name in motions}, LEAST_TAP)
        return {
            "tapped": tapped, "watched": sorted(name for name in motions if motions[name].samples),
            "not_reached": sorted(name for name in motions if not motions[name].samples),
            "not_watched": [device.id for device in asked[MOST_VISITED:]],
        }  # fmt: skip

    async def lift(self, *, bed: str, side: str, limb: str = "leg", for_s: float = LIFT_S) -> Json:
        """See on which leg, or arm, the devices of a bed are, by the one that the patient lifts.

        Legs are seen beside legs, arms beside arms: who lifts an arm may move a leg as well. ``ok`` says that the
        devices on this side moved, each clearly more than those on the other: all but those that are ``not_seen``,
        which measure no turning. Those that did not move with the others are ``still``.
        """
        ward = self._ward()
        find_bed(ward, bed)
        if limb not in LIMBS:
            raise refused("no_limb", limb=limb)
        if side not in ("left", "right"):
            raise refused(f"no_{limb}", side=side)
        limbs = [device for device in ward.devices_in(bed) if limb_of(device.placement) == limb]
        if not [device for device in limbs if side_of(device.placement) == side]:
            raise refused(f"{NOBODY_WEARS[limb]}_{side}", bed=bed)
        async with self._watching(limbs) as motions:
            await self._until_they_send(motions, all_of_them=True)
            motions.update({name: Motion() for name in motions})  # from now on
            await asyncio.sleep(_length(for_s))
        self._see_unchanged(ward, bed, limb)
        not_seen = sorted(name for name, motion in motions.items() if motion.samples and not motion.measures_turning)
        turns = {name: motion.turn for name, motion in motions.items() if name not in not_seen}
        placements = {device.id: device.placement for device in limbs}
        moved, device = lifted_side(turns, placements)
        still = not_with(side, turns, placements) if moved == side else []
        return {
            "bed": bed, "asked": side, "limb": limb, "ok": moved == side and not still, "moved": moved,
            "device": device, "still": still, "not_seen": not_seen,
            "turned_rad_s": {name: round(turn, 3) for name, turn in turns.items()},
        }  # fmt: skip

    def _see_unchanged(self, before: WardState, bed: str, limb: str) -> None:
        """See that the same person wears the same devices in the same places; raises RefusedError."""
        now = self._ward()
        if _worn_in(now, bed) != _worn_in(before, bed):
            raise refused(CHANGED_MEANWHILE[limb], bed=bed)

    async def bond(self, *, address: str, passkey: int | None = None) -> Json:
        """Bond with a device by Bluetooth."""
        known_as = await bond(await self._open_radio(), self._kind, _address(address), passkey)
        return {"address": known_as, "bonded": True}

    async def unbond(self, *, address: str) -> Json:
        """Have the system forget the keys of a device: only a person asks for that."""
        await unbond(await self._open_radio(), self._kind, _address(address))
        return {"address": _address(address), "bonded": False}

    async def _blink_worn(self, device: str) -> None:
        """Make a device show itself as soon as it streams: it may have been put on just now. Raises LinkError."""
        until_s = asyncio.get_running_loop().time() + REACH_S
        while True:
            try:
                return await self._worn.blink(device)
            except NotFoundError:
                if asyncio.get_running_loop().time() > until_s:
                    raise
            await asyncio.sleep(POLL_S)

    def _keeps(self, device: Device) -> bool:
        """Whether a running gateway keeps a device connected, or begins to: nobody else may touch it then."""
        worn = find_device(self._ward(), device.id).bed is not None
        return self._worn.running and (worn or self._worn.kept(device.id))

    def _device(self, name: str) -> Device:
        return find_device(self._ward(), name).device

    async def _visit(self, device: Device, moved: Callable[[str, Sequence[str], Samples], None]) -> Visit:
        radio = await self._open_radio() if load_driver(device.driver).transport == "ble" else None
        return Visit(device, radio=radio, known=self._known, clock_ns=time.monotonic_ns, moved=moved)

    @asynccontextmanager
    async def _watching(self, devices: Sequence[Device]) -> AsyncIterator[dict[str, Motion]]:
        """Take the motion of devices meanwhile; those that no gateway keeps connected are visited."""
        motions = {device.id: Motion() for device in devices}

        def moved(name: str, channels: Sequence[str], samples: Samples) -> None:
            if name in motions:
                motions[name].add(channels, samples)

        visits = [await self._visit(device, moved) for device in devices if not self._keeps(device)]
        with self._worn.watch(moved):
            async with visiting(*visits):
                yield motions

    async def _until_they_send(self, motions: dict[str, Motion], *, all_of_them: bool) -> None:
        """Wait until all send, for so long; raises RefusedError where none does, or one that is needed."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + REACH_S
        while silent := [name for name in motions if not motions[name].samples]:
            if loop.time() > until_s:
                if all_of_them or len(silent) == len(motions):
                    raise refused("nothing_comes", device=silent[0])
                break
            await asyncio.sleep(POLL_S)


def _worn_in(ward: WardState, bed: str) -> tuple[list[str], tuple[Device, ...]]:
    return [subject.id for subject in ward.subjects if subject.bed == bed], ward.devices_in(bed)


def plain(error: Exception) -> str:
    """Return what somebody who asked is told of an error."""
    return reason(error) if isinstance(error, LinkError) else str(error)


def _length(for_s: float) -> float:
    """Return a time to wait; raises RefusedError for one that nobody waits."""
    if isinstance(for_s, bool) or not isinstance(for_s, int | float) or not 0 < for_s <= LONGEST_S:
        raise refused("wrong_length", most=LONGEST_S)
    return float(for_s)


def _address(text: str) -> str:
    try:
        return bluetooth_address(text)
    except (ValueError, AttributeError, TypeError):
        raise refused("no_address") from None
