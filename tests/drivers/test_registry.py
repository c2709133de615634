"""Drivers are found by entry point: those of others too, each by itself, and none in the place of another."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.loader import load
from drivers.contract import DriverContract
from drivers.packet import Frame
from drivers.registry import driver_names, load_driver, make_driver
from gateway.cli.decode import decode
from gateway.cli.options import known_drivers
from gateway.model.usage import UsageError
from tests.drivers.packages import OXIMETER, install_package

OURS = [
    "blood_pressure", "bno08x_rvc", "contec_oximeter", "cycling_power", "cycling_speed", "declared_ble",
    "declared_serial", "exo_frame", "exo_frame_ble", "exo_frame_udp", "fitness_machine", "heart_rate", "metamotion",
    "microstrain", "movella_dot", "movesense", "openbci_cyton", "openexo", "orphe", "polar", "pulse_oximeter",
    "running_speed", "shimmer3", "thermometer", "vesc", "weight_scale", "witmotion", "witmotion_serial", "xsens_mti",
]  # fmt: skip


class TestOximeter(DriverContract):
    """A driver that nobody here wrote goes through the same contract as ours."""

    name = "acme_oximeter"
    main_stream = "spo2"
    forbidden = (("2a5f", b"\x01"),)

    @pytest.fixture(scope="class", autouse=True)
    @staticmethod
    def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        folder = tmp_path_factory.mktemp("others")
        install_package(folder, "acme-drivers", "2.1", OXIMETER, {"acme_oximeter": "Oximeter"})
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(folder))
            yield

    def announced(self) -> list[Frame]:
        return []

    def streamed(self, count: int) -> list[Frame]:
        return [Frame(10_000_000 * i, "measurement", bytes((90 + i % 10,))) for i in range(count)]

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        del cuts
        return frames

    def test_it_stands_among_ours(self) -> None:
        assert driver_names() == ["acme_oximeter", *OURS]
        assert known_drivers()["acme_oximeter"].transport == "ble"


def test_nothing_is_imported_but_what_is_asked_for() -> None:
    """A ward of straps does not load what a Shimmer needs."""
    script = (
        "import sys, drivers\n"
        "from drivers.registry import driver_names, make_driver\n"
        "driver_names()\n"
        "kinds = ('heart_rate', 'movella_dot', 'shimmer3')\n"
        "def loaded(): return [k for k in kinds if f'drivers.{k}' in sys.modules]\n"
        "print(loaded()); make_driver('heart_rate'); print(loaded())\n"
    )
    reason = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert reason.stdout.splitlines() == ["[]", "['heart_rate']"]


@pytest.mark.parametrize(
    ("source", "kind", "reason"),
    [
        ("import a_library_that_is_not_there", "Scale", "cannot be loaded: ModuleNotFoundError: No module named"),
        ("raise RuntimeError('no licence')", "Scale", "cannot be loaded: RuntimeError: no licence"),
        ("def", "Scale", "cannot be loaded: SyntaxError"),
        ("", "Scale", "cannot be loaded: AttributeError"),
        ("Scale = 3", "Scale", "is no driver: "),
        ("class Scale: name = 'NAME'", "Scale", "is no driver: "),
        ("from drivers.driver import Driver as Scale", "Scale", "calls itself ''"),
        ("from drivers.heart_rate.driver import HeartRate as Scale", "Scale", "calls itself 'heart_rate'"),
    ],
)
def test_one_that_does_not_load_is_named_with_its_package_and_takes_no_other_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, kind: str, reason: str
) -> None:
    install_package(tmp_path, "acme-broken", "0.3", source, {"acme_scale": kind})
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "acme_broken", raising=False)
    assert driver_names() == ["acme_scale", *OURS]
    with pytest.raises(ValueError, match=r"^driver 'acme_scale' of acme-broken 0.3 ") as caught:
        make_driver("acme_scale")
    assert reason in str(caught.value)
    with pytest.raises(UsageError, match=r"acme-broken 0.3"):
        decode("acme_scale", ["00"], None, as_json=True)
    for name in OURS:
        assert load_driver(name).name == name
    monkeypatch.delitem(sys.modules, "acme_broken", raising=False)


def test_what_is_mended_needs_no_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_package(tmp_path, "acme-mended", "1.0", "raise OSError('no library')", {"acme_mended": "Scale"})
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match="OSError"):
        load_driver("acme_mended")
    source = OXIMETER.replace("acme_oximeter", "acme_mended").replace("class Oximeter(", "class Scale(")
    (tmp_path / "acme_mended.py").write_text(source + "# another size: compiled anew\n", "utf-8")
    assert load_driver("acme_mended").title == "Acme oximeter"


def test_two_of_one_name_are_refused_with_both_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever brings a second driver of that name, nobody's sensors are read, or written to, by one of the two."""
    for package in ("acme-scales", "bolt-scales"):
        install_package(tmp_path, package, "1.0", OXIMETER, {"twice": "Oximeter"})
    install_package(tmp_path, "copy-cat", "9.9", OXIMETER, {"shimmer3": "Oximeter"})
    monkeypatch.syspath_prepend(str(tmp_path))
    load_driver.cache_clear()
    both = r"^more than one driver 'twice' is installed \(acme-scales 1.0, bolt-scales 1.0\): uninstall all but one$"
    with pytest.raises(ValueError, match=both):
        load_driver("twice")
    with pytest.raises(ValueError, match=r"'shimmer3' is installed \(copy-cat 9.9, rehab-gateway "):
        make_driver("shimmer3")
    assert load_driver("heart_rate").name == "heart_rate"


def test_an_unknown_name_is_shown_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=rf"^no driver 'toaster': known are {', '.join(OURS)}$"):
        load_driver("toaster")


@pytest.mark.parametrize(("driver", "reason"), [("acme_broken_too", "of acme-broken-too 0.3 cannot be loaded"),
                                              ("acme_broken_tow", "did you mean 'acme_broken_too'?")])  # fmt: skip
def test_a_configuration_that_names_a_broken_driver_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str, reason: str
) -> None:
    install_package(tmp_path, "acme-broken-too", "0.3", "import not_there_either", {"acme_broken_too": "Scale"})
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "ward.toml"
    device = f'[[slot.device]]\nid = "d"\ndriver = "{driver}"\nplacement = "chest"\nname = "Scale"\n'
    path.write_text(f'[[slot]]\nid = "a"\nsubject = "p"\n{device}', "utf-8")
    with pytest.raises(ConfigError) as refused:
        load(path, known_drivers())
    assert len(refused.value.problems) == 1
    assert reason in str(refused.value.problems[0])
    assert "ward.toml, line 6: slot.device.driver" in str(refused.value.problems[0])
