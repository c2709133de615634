"""One table from the stream to the metrics: what is in it holds, and a new kind of signal is a row of it."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import pytest

from config.settings import Device, Settings, Slot
from drivers.packet import Frame, StreamSpec
from drivers.registry import driver_names, example_driver
from dsp.catalogue import CATALOGUE
from dsp.metric import Metric
from dsp.reported_metrics import REPORTED
from dsp.result import Result
from gateway.analysis import subject as subject_module
from gateway.analysis.derived import DERIVED
from gateway.analysis.modalities import MODALITIES, by_stream, measured_by
from gateway.analysis.modality import Modality, Signal
from gateway.analysis.needs import needs_of, unready_frame
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.ward_operators import EachDevice, WardOperators, channel, seconds
from gateway.analysis.warm_up import PARTS
from gateway.cli.options import known_drivers
from gateway.clocks.device_clock import NS
from gateway.intake.arrived import Arrived
from gateway.intake.frames import STEP_NS, Numbered, Origin
from gateway.outbox.outbox import Outbox
from gateway.wire.payload import decode_measurements, encode_measurements
from tests.drivers.packages import OXIMETER, install_package

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
OF_THE_GATEWAY = {"stream_gap"}  # what it says of any stream
OF_PEOPLE = {metric.id for metric in REPORTED}  # what no sensor measures

# --- one file: the operator of a made-up signal, and its row ---

SPO2_METRIC = Metric("spo2", "Oxygen saturation", "%", "%", "window", ("none",), "heart", 0, "As the device tells it.",
                     low=50.0, high=100.0)  # fmt: skip


class OximeterOfDevice:
    """Returns the mean of what each step brings."""

    def process(self, arrived: Arrived) -> list[Result]:
        at, values = seconds(arrived), channel(arrived, "spo2")
        return [Result("spo2", float(values.mean()), "none", float(at[0]), float(at[-1]), len(values), "spo2/1")]


class OximeterOperators(EachDevice):
    operator: ClassVar = OximeterOfDevice


def _oximeters() -> type[WardOperators]:
    return OximeterOperators


SPO2 = Modality(
    "oximetry", "oximeter", signals=(Signal("spo2", ("spo2",), ("%",)),), placements=("wrist",), metrics=("spo2",),
    operators=_oximeters,
)  # fmt: skip


@pytest.fixture
def oximeter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A ward with a device that only a package of others reads, beside a strap of ours."""
    source = OXIMETER.replace("acme_oximeter", "bolt_oximeter")
    install_package(tmp_path / "others", "bolt-drivers", "1.0", source, {"bolt_oximeter": "Oximeter"})
    monkeypatch.syspath_prepend(str(tmp_path / "others"))
    monkeypatch.setattr(subject_module, "CATALOGUE", MappingProxyType({**CATALOGUE, "spo2": SPO2_METRIC}))
    devices = [
        Device(id="clip", driver="bolt_oximeter", placement="wrist", address="00:00:00:00:00:01"),
        Device(id="strap", driver="heart_rate", placement="chest", address="00:00:00:00:00:02"),
    ]
    return Settings(slot=[Slot(id="bed-1", subject="p-1", device=devices)])


def frames() -> list[Numbered]:
    """A saturation of 97 % and a heart rate of 72, each once in the first step."""
    arrival = ORIGIN.monotonic_ns + 10_000_000
    return [(0, Frame(arrival, "measurement", bytes((97,)))), (1, Frame(arrival, "measurement", bytes((0x06, 72))))]


def test_a_new_kind_of_signal_is_a_row_and_its_metric_comes_out_of_the_outbox(
    oximeter: Settings, tmp_path: Path
) -> None:
    pipeline = Pipeline(oximeter, ORIGIN, {"bed-1": "bed-1-a"}, (*MODALITIES, SPO2))
    measured = pipeline.step(frames())
    assert {(m.metric, m.value, m.unit, m.devices, m.placement, m.subject) for m in measured} == {
        ("spo2", 97.0, "%", ("clip",), ("wrist",), "p-1"), ("heart_rate", 72.0, "/min", ("strap",), ("chest",), "p-1"),
    }  # fmt: skip
    outbox = Outbox(tmp_path / "outbox.db", commit_s=0.02)
    try:
        outbox.append(measured)
        assert outbox.flush()
        payload = encode_measurements("g-1", outbox.epoch, 0, outbox.read(0, 10))
    finally:
        outbox.close()
    decoded = decode_measurements("g-1", "bed-1", payload)
    assert not decoded.rejected
    assert {m.metric: m.value for _, m in decoded.measurements} == {"spo2": 97.0, "heart_rate": 72.0}


def test_without_its_row_a_stream_is_taken_in_and_nothing_is_made_of_it(oximeter: Settings) -> None:
    pipeline = Pipeline(oximeter, ORIGIN, {"bed-1": "bed-1-a"})
    assert [m.metric for m in pipeline.step(frames())] == ["heart_rate"]
    assert pipeline.intakes[0].counts["spo2"].samples == 1
    assert not pipeline.intakes[0].faults


class CompiledOximeters(OximeterOperators):
    """An operator that calls a kernel, whenever its samples come."""

    @classmethod
    def kernels(cls) -> Mapping[str, Callable[[], None]]:
        return {"saturation": lambda: None}

    @classmethod
    def kernels_for(cls, placed: Mapping[str, int]) -> set[str]:
        return {"saturation"} if "wrist" in placed else set()


def test_a_row_says_which_kernels_are_waited_for_and_a_heart_waits_for_none_of_them(oximeter: Settings) -> None:
    modalities = (*MODALITIES, replace(SPO2, operators=lambda: CompiledOximeters))
    devices = dict(enumerate(oximeter.slot[0].device))
    by_place = {"device clocks", "axes", "smoothness", "posture"}  # a motion sensor might be worn there
    assert needs_of(devices) == by_place
    assert needs_of(devices, modalities) == {*by_place, "saturation"}
    undisturbed = Pipeline(oximeter, ORIGIN, {"bed-1": "bed-1-a"}, modalities).step(frames())
    pipeline = Pipeline(oximeter, ORIGIN, {"bed-1": "bed-1-a"}, modalities)
    begin = ORIGIN.monotonic_ns
    at_once = pipeline.step([unready_frame(begin, {"saturation"}), *frames()])
    assert [m.metric for m in at_once] == ["heart_rate"]
    later = pipeline.step([unready_frame(begin + STEP_NS, ())])
    assert [m.metric for m in later] == ["spo2"]
    assert sorted(map(repr, at_once + later)) == sorted(map(repr, undisturbed))


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        (Signal("spo2", ("spo2",), ("1",)), "spo2 of spo2 in %, not 1: nothing is computed from it"),
        (Signal("spo2", ("pulse",), ("/min",)), "spo2 without pulse: nothing is computed from it"),
    ],
)
def test_a_stream_in_other_units_is_refused_in_words_and_its_neighbour_lives(
    oximeter: Settings, signal: Signal, reason: str
) -> None:
    """A saturation of .97 that is shown as 97 % of something, or the other way round, would be believed."""
    row = Modality("oximetry", "oximeter", (signal,), ("wrist",), ("spo2",), _oximeters)
    pipeline = Pipeline(oximeter, ORIGIN, {"bed-1": "bed-1-a"}, (*MODALITIES, row))
    out = pipeline.step(frames()) + pipeline.step([(0, Frame(ORIGIN.monotonic_ns + NS // 10, "measurement", b"a"))])
    assert [m.metric for m in out] == ["heart_rate"]
    assert pipeline.intakes[0].faults == {reason: 1}  # once, not with each sample
    assert not pipeline.intakes[1].faults


def test_every_metric_of_the_catalogue_comes_out_of_one_row() -> None:
    named = Counter(metric for modality in MODALITIES for metric in modality.metrics)
    named.update(metric for derived in DERIVED for metric in derived.metrics)
    assert set(named) | OF_THE_GATEWAY | OF_PEOPLE == set(CATALOGUE)
    assert set(named.values()) == {1}


def test_no_stream_belongs_to_two_rows() -> None:
    names = [signal.stream for modality in MODALITIES for signal in modality.signals]
    assert len(names) == len(set(names)) == len(by_stream())


@pytest.mark.parametrize("name", driver_names())
def test_our_drivers_send_what_the_table_says(name: str) -> None:
    streams = example_driver(name).decoder().streams
    assert measured_by(streams), "a device that nothing is computed from"
    for stream, spec in streams.items():
        _, signal = by_stream()[stream]
        assert not signal.misfit(spec)
        assert len(signal.channels) == len(signal.units)


def test_channels_may_come_in_any_order_and_with_others_between() -> None:
    signal = Signal("imu", ("acc_x", "gyr_x"), ("m/s2", "rad/s"))
    good = StreamSpec("imu", ("gyr_x", "temperature", "acc_x"), ("rad/s", "Cel", "m/s2"), 60.0)
    assert signal.misfit(good) == ""
    assert signal.misfit(StreamSpec("imu", ("gyr_x", "acc_x"), ("rad/s", "[g]"), 60.0)).startswith(
        "acc_x of imu in [g]"
    )


def test_the_check_of_a_configuration_and_the_warm_up_read_the_table() -> None:
    known = known_drivers()
    assert known["heart_rate"].sensors == ("heart monitor",)
    assert known["heart_rate"].placements == ("chest", "wrist", "left_wrist", "right_wrist")
    assert known["movella_dot"].sensors == known["shimmer3"].sensors == ("motion sensor",)
    kernels = {name for modality in MODALITIES for name in modality.operators().kernels()}
    assert set(PARTS) == {"device clocks"} | kernels


def test_reading_the_table_loads_no_operator() -> None:
    """A check of a configuration, and the dashboard, do not wait for numba."""
    script = (
        "import sys, gateway.analysis.modalities, gateway.dashboard.views\n"
        "from gateway.cli.options import known_drivers\n"
        "[known_drivers()[name] for name in known_drivers()]\n"
        "print([name for name in sys.modules if name == 'numba' or name.startswith('dsp.heart')])\n"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert printed.stdout == "[]\n"


def test_a_battery_describes_the_device_and_is_reported_when_it_changes() -> None:
    strap = Device(id="strap", driver="heart_rate", placement="chest", address="00:00:00:00:00:02")
    settings = Settings(slot=[Slot(id="bed-1", subject="p-1", device=[strap])])
    pipeline = Pipeline(settings, ORIGIN, {"bed-1": "bed-1-a"})
    levels = []
    for step, level in enumerate((80, 80, 79)):
        arrival = ORIGIN.monotonic_ns + step * 50_000_000 + 1_000_000
        levels += [m.value for m in pipeline.step([(0, Frame(arrival, "battery", bytes((level,))))])]
    assert levels == [80.0, 79.0]


def test_a_signal_without_a_metric_is_taken_in_and_no_number_is_made_of_it() -> None:
    sensor = Device(id="dot", driver="movella_dot", placement="wrist", name="DOT", options={"mode": "quat"})
    pipeline = Pipeline(Settings(slot=[Slot(id="bed-1", subject="p-1", device=[sensor])]), ORIGIN, {"bed-1": "bed-1-a"})
    payload = struct.pack("<I4f", 1000, 1.0, 0.0, 0.0, 0.0)
    measured = pipeline.step([(0, Frame(ORIGIN.monotonic_ns + 1_000_000, "measurement", payload))])
    assert not measured
    assert pipeline.intakes[0].counts["orientation"].samples == 1
    assert not pipeline.intakes[0].faults
