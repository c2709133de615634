"""Imports run downwards only, and what must not know of the outside does not import it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"config", "drivers", "dsp", "gateway", "importers", "simulators"}

# What each package may import of ours: a whole package, or only the modules named.
BELOW = {
    "config": {"config"},
    "drivers": {"drivers"},
    "dsp": {"dsp"},
    "gateway": {"gateway", "drivers", "dsp", "config"},
    # Above the gateway, which never loads it: the encoder of the open exoskeleton frame is the reference one.
    "importers": {"importers", "gateway", "drivers", "config", "simulators.devices.exo_frame"},
    # The shapes of samples and the interface of a radio, never a decoder: a simulator that shares the decoder's code
    # would share its mistakes.
    "simulators": {
        "simulators",
        "drivers.packet",
        "drivers.transport.radio",
        "drivers.errors",
        "drivers.transport.unix_path",
        "config.plain_file",  # what a file is, before it is opened
    },
}

# The rooms of the gateway from the top floor to the ground: a room imports only what stands below it.
ROOMS = (
    "cli", "installation", "run", "status", "recordings", "taps", "dashboard", "results", "historian", "upkeep",
    "fleet", "delivery", "pairing", "analysis", "ward", "audit", "history", "broker", "intake", "clocks", "outbox",
    "wire", "machine", "texts", "model",
)  # fmt: skip

# The folders and modules of the other packages, each from the top floor to the ground likewise.
ORDERS = {
    "drivers": (
        "contract", "registry", "exo_frame_ble", "exo_frame_udp", "declared_ble", "declared_serial", "declared",
        "exo_frame", "polar", "movesense", "heart_rate", "metamotion", "movella_dot", "openexo", "orphe",
        "pulse_oximeter", "contec_oximeter", "running_speed", "cycling_speed", "cycling_power", "fitness_machine",
        "weight_scale", "blood_pressure", "thermometer", "shimmer3", "bno08x_rvc", "openbci_cyton", "vesc",
        "witmotion_serial", "witmotion", "microstrain", "xsens_mti", "transport", "gatt", "columns", "messages",
        "framing", "gathered", "earth_frame", "driver", "fixed_frames", "kept_records",
        "exoskeleton", "identity", "packet", "errors",
    ),
    "dsp": (
        "whole_recordings", "lower_back", "gait", "exoskeleton", "joints", "shank", "foot", "orientation", "heart",
        "exertion", "freezing", "tremor", "arms", "repetitions", "sway", "walk_tests", "transfers", "falls", "activity",
        "posture", "oximetry", "contact", "mounting", "smoothness", "exercise", "vitals", "reported", "catalogue",
        "arm_metrics", "balance_metrics", "exertion_metrics", "exoskeleton_stride_metrics", "exoskeleton_metrics",
        "freezing_metrics", "gait_metrics", "health_metrics", "walk_test_metrics", "transfer_metrics",
        "posture_metrics", "repetition_metrics", "reported_metrics", "tremor_metrics", "metric",
        "sensor_rows", "units", "batch", "found", "result", "roster",
        "windows", "tapers", "arrays", "marks", "limits", "record", "kernel", "kernel_cache", "processor",
    ),
    "simulators": ("command", "scenes", "faults", "devices", "clinic", "body", "radio", "sensing", "motion"),
}  # fmt: skip

# Who may touch the outside. Whatever is not named here is pure: bytes or arrays in, packets or numbers out.
DRIVERS_THAT_DO_IO = ROOT / "drivers/transport"
OUTSIDE = {
    "asyncio",
    "bleak",
    "datetime",
    "logging",
    "os",
    "random",
    "serial",
    "socket",
    "sqlite3",
    "threading",
    "time",
}
DIALOGUES = {"asyncio"}  # a driver's start dialogue may wait


def imports(source: str, package: str) -> Iterator[str]:
    """Yield every module that a source imports, wherever it does, relative imports made absolute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from (str(arg.value) for arg in node.args if isinstance(arg, ast.Constant))


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def package_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parent.parts)


def allowed(module: str, names: set[str]) -> bool:
    """Whether a module is one of the names or inside one, or leads to one (``from drivers import packet``)."""
    return any(module == name or module.startswith(f"{name}.") for name in names)


def upward(path: Path) -> list[str]:
    """Return what a file imports of ours that it must not."""
    package = package_of(path)
    names = BELOW[package.partition(".")[0]]
    found = [m for m in imports(path.read_text("utf-8"), package) if m.partition(".")[0] in OURS]
    # ``from drivers import radio`` gives 'drivers' and 'drivers.transport.radio': the first is judged by the second.
    return [m for m in found if not allowed(m, names) and not any(n.startswith(f"{m}.") for n in names)]


@pytest.mark.parametrize("package", sorted(BELOW))
def test_imports_run_downwards(package: str) -> None:
    assert sources(package), f"{package} has no source"
    assert {str(path.relative_to(ROOT)): up for path in sources(package) if (up := upward(path))} == {}


def rooms_above(room: str, source: str) -> set[str]:
    """Return the modules of rooms at or above a room that a source imports."""
    mine = ROOMS.index(room)
    named = (m.split(".") for m in imports(source, f"gateway.{room}") if m.startswith("gateway."))
    return {".".join(m) for m in named if m[1] != room and (m[1] not in ROOMS or ROOMS.index(m[1]) < mine)}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_what_stands_below(room: str) -> None:
    found = {
        str(path.relative_to(ROOT)): above
        for path in sources(f"gateway/{room}")
        if (above := rooms_above(room, path.read_text("utf-8")))
    }
    assert found == {}


def stations(package: str) -> set[str]:
    """Return the folders and modules at the top of a package."""
    found = {path.name for path in (ROOT / package).iterdir() if path.is_dir() and any(path.glob("*.py"))}
    return found | {path.stem for path in (ROOT / package).glob("*.py") if path.stem != "__init__"}


def stations_above(package: str, station: str, source: str, inside: str) -> set[str]:
    """Return the modules of stations at or above a station of a package that a source in it imports."""
    order = ORDERS[package]
    named = (m.split(".") for m in imports(source, inside) if m.startswith(f"{package}."))
    return {".".join(m) for m in named if m[1] != station and order.index(m[1]) < order.index(station)}


@pytest.mark.parametrize("package", sorted(ORDERS))
def test_the_other_packages_import_downwards_within_too(package: str) -> None:
    """Without an order there are circles: who reads one folder would have to read them all."""
    assert stations(package) == set(ORDERS[package])
    found: dict[str, set[str]] = {}
    for path in sources(package):
        station = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
        if station != "__init__":
            above = stations_above(package, station, path.read_text("utf-8"), package_of(path))
            found |= {str(path.relative_to(ROOT)): above} if above else {}
    assert found == {}


@pytest.mark.parametrize("package", sorted(ORDERS))
def test_the_order_of_a_package_is_reported(package: str) -> None:
    shown = (ROOT / "docs/architecture.md").read_text("utf-8").partition(f"### `{package}/`")[2].partition("\n#")[0]
    folders = [name for name in ORDERS[package] if (ROOT / package / name).is_dir()]
    listed = [line.split("`")[1].rstrip("/") for line in shown.splitlines() if line.startswith("| `")]
    assert listed == folders
    for name in folders:
        assert ast.get_docstring(ast.parse((ROOT / package / name / "__init__.py").read_text("utf-8"))), name


def test_a_station_above_is_found() -> None:
    source = "from dsp.foot.layout import HISTORY\nfrom dsp.kernel import kernel"
    assert stations_above("dsp", "contact", source, "dsp.contact") == {"dsp.foot.layout", "dsp.foot.layout.HISTORY"}
    assert stations_above("dsp", "gait", source, "dsp.gait") == set()
    assert stations_above("dsp", "contact", "from ..foot import layout", "dsp.contact") == {
        "dsp.foot", "dsp.foot.layout",
    }  # fmt: skip


def test_every_file_of_the_gateway_is_in_a_room_that_says_what_it_is_for() -> None:
    folders = {path.name for path in (ROOT / "gateway").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(ROOMS)
    assert {path.name for path in (ROOT / "gateway").glob("*.py")} == {"__init__.py", "__main__.py"}
    for room in ROOMS:
        source = (ROOT / "gateway" / room / "__init__.py").read_text("utf-8")
        assert ast.get_docstring(ast.parse(source)), room
    shown = (ROOT / "docs/architecture.md").read_text("utf-8")
    rows = [line.split("`")[1].rstrip("/") for line in shown.splitlines() if line.startswith("| `")]
    assert rows[: len(ROOMS)] == list(ROOMS)


def test_a_room_above_is_found() -> None:
    assert rooms_above("wire", "from gateway.analysis.pipeline import Pipeline") == {
        "gateway.analysis.pipeline", "gateway.analysis.pipeline.Pipeline",
    }  # fmt: skip
    assert rooms_above("analysis", "from gateway.wire import curves") == set()


@pytest.mark.parametrize(
    ("package", "source", "expected"),
    [
        ("dsp", "import gateway.clocks.device_clock", {"gateway.clocks.device_clock"}),
        ("dsp", "def f():\n    from drivers import packet", {"drivers", "drivers.packet"}),
        ("gateway.dashboard", "from .. import wire", {"gateway", "gateway.wire"}),
        (
            "gateway",
            "import importlib\nimportlib.import_module('simulators.scenes.ward')",
            {"importlib", "simulators.scenes.ward"},
        ),
    ],
)
def test_an_import_is_found_wherever_it_hides(package: str, source: str, expected: set[str]) -> None:
    assert set(imports(source, package)) == expected


def test_a_simulator_may_not_borrow_a_decoder() -> None:
    assert not allowed("drivers.heart_rate.driver", BELOW["simulators"])
    assert allowed("drivers.packet.StreamSpec", BELOW["simulators"])


def test_signal_processing_knows_neither_clocks_nor_files_nor_tasks() -> None:
    """Live equals replay: what cannot ask for the time cannot depend on it."""
    barred = OUTSIDE | {"pathlib", "io"}
    found = {
        str(path.relative_to(ROOT)): barred & set(imports(path.read_text("utf-8"), "dsp"))
        for path in sources("dsp")
        if path != ROOT / "dsp/kernel_cache.py"  # it says where compiled code is kept, and computes nothing
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_decoders_are_pure() -> None:
    """Beside the transports, a module of drivers does no I/O and reads no clock; a dialogue may wait."""
    barred = OUTSIDE - DIALOGUES
    found = {
        str(path.relative_to(ROOT)): barred & {m.partition(".")[0] for m in imports(path.read_text("utf-8"), "drivers")}
        for path in sources("drivers")
        if path.parent != DRIVERS_THAT_DO_IO
    }
    assert {name: modules for name, modules in found.items() if modules} == {}
    assert DRIVERS_THAT_DO_IO.is_dir()
