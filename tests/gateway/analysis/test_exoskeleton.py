"""From the bytes of an exoskeleton to measurements of the person who wears it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.loader import load
from config.settings import Device, Settings, Slot
from drivers.exoskeleton import UNITS
from drivers.packet import Frame, StreamSpec
from gateway.analysis.modalities import MODALITIES
from gateway.analysis.pipeline import Pipeline
from gateway.cli.options import known_drivers
from gateway.clocks.device_clock import NS
from gateway.intake.frames import Numbered, Origin, ward_frame
from gateway.model.measurement import Measurement
from gateway.model.ward import encode_ward
from tests.drivers.exo_frames import LEFT_ANKLE, device, limb

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
EXO = Device(id="exo", driver="openexo", placement="exoskeleton", name="EXOBLE_1", options={"joints": "ankle"})
STEP_NS = 50_000_000


def measured(frames: list[Numbered], device: Device = EXO) -> list[Measurement]:
    settings = Settings(slot=[Slot(id="bed-1", subject="p-1", device=[device])])
    pipeline = Pipeline(settings, ORIGIN, {"bed-1": "bed-1-a"})
    found: list[Measurement] = []
    for begin in range(0, 4 * NS, STEP_NS):
        own = [f for f in frames if begin <= f[1].arrival_ns - ORIGIN.monotonic_ns < begin + STEP_NS]
        found += pipeline.step(own)
    return found


def walking(until_s: float) -> list[Numbered]:
    """Left ankle asked for -10 Nm and giving -9, right -20 and -18, 100 times a second."""
    message = b"S?11c-1000n-900n-2000n-1800n80n100n0n0n800n1234n1150n"
    return [
        (0, Frame(ORIGIN.monotonic_ns + k * 10_000_000, "measurement", message)) for k in range(round(100 * until_s))
    ]


def test_torques_of_both_sides_and_the_battery_come_once_a_second() -> None:
    found = measured(walking(2.5))
    last = {(m.metric, m.side): m for m in found}
    assert {key: m.value for key, m in last.items()} == pytest.approx(
        {
            ("exo_ankle_torque", "left"): -9.0,
            ("exo_ankle_peak_torque", "left"): -9.0,
            ("exo_ankle_command", "left"): -10.0,
            ("exo_ankle_torque", "right"): -18.0,
            ("exo_ankle_peak_torque", "right"): -18.0,
            ("exo_ankle_command", "right"): -20.0,
            ("exo_battery_voltage", "none"): 11.5,
        }
    )
    assert len(found) == 2 * len(last)
    one = last["exo_ankle_torque", "left"]
    assert (one.placement, one.devices, one.subject, one.unit, one.n) == (("exoskeleton",), ("exo",), "p-1", "N.m", 100)
    assert one.quality == "ok"


def test_the_last_second_is_not_lost_when_it_is_taken_off() -> None:
    settings = Settings(slot=[Slot(id="bed-1", subject="p-1", device=[EXO])])
    pipeline = Pipeline(settings, ORIGIN, {"bed-1": "bed-1-a"})
    change = ward_frame(ORIGIN.monotonic_ns + round(2.4 * NS), encode_ward(()))
    found: list[Measurement] = []
    for begin in range(0, 3 * NS, STEP_NS):
        step = [f for f in (*walking(2.5), change) if begin <= f[1].arrival_ns - ORIGIN.monotonic_ns < begin + STEP_NS]
        found += pipeline.step(step)
    last = [m for m in found if (m.metric, m.side) == ("exo_ankle_torque", "left")]
    assert [m.n for m in last] == [100, 100, 45]
    assert {m.subject for m in found} == {"p-1"}
    assert pipeline.finish() == []


def test_an_error_is_reported_when_it_changes() -> None:
    at = ORIGIN.monotonic_ns
    wire = [(0, Frame(at + k * NS // 2, "error", data)) for k, data in enumerate((b"0:0", b"7:68", b"7:68", b"0:0"))]
    assert [(m.metric, m.value, m.side) for m in measured(wire)] == [
        ("exo_fault", 0.0, "none"), ("exo_fault", 7.0, "none"), ("exo_fault", 0.0, "none"),
    ]  # fmt: skip


def test_an_exoskeleton_has_a_place_that_nothing_else_has(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    known = known_drivers()
    assert known["openexo"].placements == ("exoskeleton",)
    assert known["openexo"].sensors == ("exoskeleton",)
    assert "exoskeleton" not in known["movella_dot"].placements
    path = tmp_path_factory.mktemp("ward") / "ward.toml"
    slot = '[[slot]]\nid = "bay-1"\nsubject = "p-1"\n[[slot.device]]\nid = "exo"\ndriver = "openexo"\n'
    path.write_text(slot + 'placement = "left_shank"\nname = "EXOBLE_1"\n', "utf-8")
    with pytest.raises(ConfigError) as refused:
        load(path, known)
    assert "is no place for a openexo: choose one of exoskeleton" in str(refused.value.problems[0])


@pytest.mark.parametrize(
    ("channels", "units", "misfit"),
    [
        (("left_ankle_torque", "field_1"), ("N.m", "1"), ""),
        (("field_1", "channel_8"), ("1", "1"), "exoskeleton without any channel that is known"),
        (("left_ankle_torque",), ("[lbf_av].[in_i]",), "left_ankle_torque of exoskeleton in [lbf_av].[in_i], not N.m"),
    ],
)
def test_some_known_channel_in_its_unit_is_enough(
    channels: tuple[str, ...], units: tuple[str, ...], misfit: str
) -> None:
    row = next(modality for modality in MODALITIES if modality.name == "exoskeleton")
    found = row.signals[0].misfit(StreamSpec("exoskeleton", channels, units))
    assert found.startswith(misfit)
    assert bool(found) == bool(misfit)
    assert row.signals[0].channels == tuple(UNITS)


def test_the_open_frame_tells_joints_assistance_battery_and_the_emergency_stop() -> None:
    """Left ankle at 30 degrees, -3 Nm measured and -4 Nm asked for; the stop is pressed after a second and a half."""
    wire: list[Numbered] = []
    for k in range(250):
        data = limb(k, angle=30.0)
        if k % 100 == 0 or k == 150:
            data = device(replace(LEFT_ANKLE, stopped=k >= 150, faults=0x80 if k >= 150 else 0), counter=k) + data
        wire.append((0, Frame(ORIGIN.monotonic_ns + k * 10_000_000, "data", data)))
    found = measured(wire, Device(id="exo", driver="exo_frame", placement="exoskeleton", port=Path("/dev/ttyACM0")))
    values: dict[str, list[float | None]] = {}
    for m in found:
        values.setdefault(f"{m.metric} {m.side}", []).append(m.value)
    assert values["exo_emergency_stop none"] == [0.0, 0.0, 1.0], "once a second, and at once when it is pressed"
    assert values["exo_fault none"] == [0.0, 0.0, 128.0]
    assert values["battery_pct none"] == [80.0]
    last = {name: values[-1] for name, values in values.items()}
    assert last == pytest.approx(
        {
            "exo_ankle_angle left": 30.0, "exo_ankle_torque left": -3.0, "exo_ankle_peak_torque left": -3.0,
            "exo_ankle_command left": -4.0, "exo_ankle_interaction left": 0.5, "exo_motor_temperature left": 30.0,
            "exo_assistance none": 40.0, "exo_battery_voltage none": 48.0, "exo_fault none": 128.0,
            "exo_emergency_stop none": 1.0, "battery_pct none": 80.0,
        }
    )  # fmt: skip
    assert len(values["exo_ankle_angle left"]) == 2
