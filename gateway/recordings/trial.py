"""Other settings for the devices of a recording: what a configuration says of them, put into the recorded ward.

Who was in which bed, wearing which devices, in which session stays as it was recorded. Of a device that the
configuration names, what the analysis goes by is the configuration's; how it was reached stays the recording's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from config.settings import Device, Settings, Slot
from drivers.registry import load_driver
from gateway.analysis.modalities import measured_by
from gateway.model.ward import Ward

TRIED = ("driver", "placement", "axes", "options")
"""What the analysis of a device goes by."""


class TrialError(Exception):
    """A configuration that cannot be tried on a recording; one sentence says why."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is tried in place of what was recorded.

    Attributes:
        about: The device with its bed, or the person.
        setting: Which setting.
        was: As recorded.
        tried: As tried.
    """

    about: str
    setting: str
    was: object
    tried: object

    def __str__(self) -> str:
        return f"{self.about}: {self.setting} {_words(self.was)} -> {_words(self.tried)}"


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried.

    Attributes:
        devices: By device id, the settings to take.
        heights_m: By pseudonym, the body height to take, metres.
    """

    devices: Mapping[str, Device]
    heights_m: Mapping[str, float]

    def put_into(self, ward: Ward) -> Ward:
        """Return a recorded ward with what is tried."""
        return tuple(replace(bed, slot=self._slot(bed.slot)) for bed in ward)

    def _slot(self, slot: Slot) -> Slot:
        height_m = self.heights_m.get(slot.subject, slot.height_m)
        return slot.model_copy(update={"device": [self._device(one) for one in slot.device], "height_m": height_m})

    def _device(self, recorded: Device) -> Device:
        tried = self.devices.get(recorded.id)
        return recorded if tried is None else recorded.model_copy(update=_settings_of(tried))


def trial_of(settings: Settings, wards: Sequence[Ward]) -> tuple[Trial, list[Difference]]:
    """Return what a configuration changes in the wards of a recording, and each difference once.

    Args:
        settings: The configuration to try.
        wards: Every ward of the recording, in order.

    Raises:
        TrialError: It names a device that the recording does not have, or puts two on one place.
    """
    named = {device.id: device for slot in settings.slot for device in slot.device}
    heights_m = {slot.subject: slot.height_m for slot in settings.slot if slot.height_m is not None}
    trial = Trial(named, heights_m)
    found: dict[str, Difference] = {}
    present: set[str] = set()
    for ward in wards:
        tried = trial.put_into(ward)
        for before, after in zip(ward, tried, strict=True):
            present |= {device.id for device in before.slot.device}
            _one_a_place(before.slot, after.slot)
            for difference in _differences(before.slot, after.slot):
                found.setdefault(str(difference), difference)
    if absent := sorted(named.keys() - present):
        raise TrialError(
            f"the recording has no device {', '.join(absent)}; it has {', '.join(sorted(present)) or 'none'}"
        )
    return trial, list(found.values())


def stays(settings: Settings, wards: Sequence[Ward]) -> Iterator[str]:
    """Yield a sentence for each device that a configuration has in a bed where it was never worn: it stays."""
    beds: dict[str, dict[str, None]] = {}
    for ward in wards:
        for bed in ward:
            for device in bed.slot.device:
                beds.setdefault(device.id, {})[bed.slot.id] = None
    for slot in settings.slot:
        for device in slot.device:
            if slot.id not in (was := beds.get(device.id, {slot.id: None})):
                yield f"{device.id} stays in {', '.join(was)}: who wore what is the recording's"


def _settings_of(device: Device) -> dict[str, object]:
    return {name: getattr(device, name) for name in TRIED}


def _differences(before: Slot, after: Slot) -> Iterator[Difference]:
    if before.height_m != after.height_m:
        yield Difference(before.subject, "height_m", before.height_m, after.height_m)
    for was, tried in zip(before.device, after.device, strict=True):
        about = f"{before.id} {was.id}"
        side_was, side_tried = _side(was), _side(tried)
        for name in TRIED:
            if (old := getattr(was, name)) != (new := getattr(tried, name)):
                yield Difference(about, name, old, new)
        if side_was and side_tried and side_was != side_tried:
            yield Difference(about, "side", side_was, side_tried)


def _side(device: Device) -> str:
    side, _, part = device.placement.partition("_")
    return side if part and side in ("left", "right") else ""


def _one_a_place(before: Slot, after: Slot) -> None:
    """Refuse what would put two devices of a kind on one place of a person, where they were not on one before."""
    recorded = _places(before)
    for (place, sensor), found in _places(after).items():
        if len(found) > max(1, len(recorded.get((place, sensor), []))):
            both = ", ".join(found)
            raise TrialError(f"in {after.id} both {both} would be worn on {place}: name the other one too")


def _places(slot: Slot) -> dict[tuple[str, str], list[str]]:
    """Return the devices of a bed by where they are worn and what they are, such as "motion sensor"."""
    found: dict[tuple[str, str], list[str]] = {}
    for device in slot.device:
        for modality in measured_by(load_driver(device.driver)(**device.options).decoder().streams):
            found.setdefault((device.placement, modality.sensor), []).append(device.id)
    return found


def _words(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inner!r}" for key, inner in value.items()) + "}"
    return "none" if value is None else str(value)
