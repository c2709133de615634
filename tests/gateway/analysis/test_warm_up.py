"""What is warm before the first patient: everything that the pipeline will call, with the types it uses."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from config.settings import Device, Placement, Settings, Slot
from dsp.kernel_cache import cache_folder, folder_name
from gateway.analysis.warm_up import PARTS, needs, warm_up

ROOT = Path(__file__).parents[3]
COLD_S = 600.0  # where nothing has been compiled yet, and the machine is busy

WALK = """
import sys
import threading
from numba.core.runtime import rtsys
from config.settings import Device, Settings, Slot
from gateway.analysis.pipeline import Pipeline
from gateway.intake.frames import STEP_NS
from gateway.analysis.warm_up import warm_up
from tests.gateway.analysis.test_pipeline import ORIGIN, PROGRAMME, RATE_HZ, SECONDS, at, dot_frames
from simulators.body.body import WalkingBody
from simulators.sensing.clock import Clock
from simulators.sensing.imu import PERFECT

placements = sys.argv[1].split()

def compiled():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("dsp", "gateway"):
            for value in vars(module).values():
                if hasattr(value, "signatures") and hasattr(value, "py_func"):
                    found[value.py_func.__module__, value.py_func.__name__] = set(value.signatures)
    return found

devices = [
    Device(id=f"d-{n}", driver="movella_dot", placement=place, address=f"00:00:00:00:00:0{n}", options={"mode": "rate"})
    for n, place in enumerate(placements)
]
settings = Settings(simulated=True, slot=[Slot(id="bed-1", subject="p-1", device=devices)])
warm_up(settings=settings)
warm = compiled()
pipeline = Pipeline(settings, ORIGIN, {"bed-1": "bed-1-a"})
body = WalkingBody(3, programme=PROGRAMME, repeat=False)
frames = sorted(
    (
        frame
        for number, place in enumerate(placements)
        for frame in dot_frames(number, body.sensor(place, rate_hz=RATE_HZ, imperfections=PERFECT, clock=Clock(number)))
    ),
    key=lambda numbered: numbered[1].arrival_ns,
)
results = []
while pipeline.end_ns < at(SECONDS):
    end_ns = pipeline.end_ns + STEP_NS
    results += pipeline.step([frame for frame in frames if pipeline.end_ns <= frame[1].arrival_ns < end_ns])
results += pipeline.finish()
assert set(sys.argv[2].split()) <= {m.metric for m in results}, {m.metric for m in results}
print([name for name, types in compiled().items() if types - warm.get(name, set())])
print("dsp.shank.kernel" in {module for (module, _), types in warm.items() if types})
print(rtsys._init)
"""


def walk(placements: str, metrics: str) -> list[str]:
    """Let somebody walk with sensors; return which kernels the walk had to load beyond what was warm, and what was."""
    done = subprocess.run(
        [sys.executable, "-c", WALK, placements, metrics],
        cwd=ROOT, capture_output=True, check=False, text=True, timeout=COLD_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
@pytest.mark.slow
@pytest.mark.timeout(2 * COLD_S)
@pytest.mark.parametrize(
    ("placements", "metrics", "shanks"),
    [
        ("left_foot right_foot lower_back", "initial_contact stride_length walking_bout", False),
        ("left_foot left_shank left_thigh lower_back right_shank", "hip_rom knee_rom ankle_rom step_time", True),
    ],
)
def test_a_walk_finds_everything_compiled_that_it_needs_and_no_compiler(
    placements: str, metrics: str, *, shanks: bool
) -> None:
    assert walk(placements, metrics)[:2] == ["[]", str(shanks)]
    compiler = walk(placements, metrics)[2]  # the second time nothing is compiled for sure
    assert compiler == "False"


def test_only_what_is_attached_is_made_ready() -> None:
    def needed(*placements: Placement) -> set[str]:
        devices = [
            Device(id=f"d-{n}", driver="movella_dot", placement=place, address=f"00:00:00:00:00:0{n}")
            for n, place in enumerate(placements)
        ]
        return needs(Settings(slot=[Slot(id="bed-1", subject="p-1", device=devices)]))

    motion = {"device clocks", "axes", "smoothness", "posture"}
    assert needed("finger") == {"device clocks"}
    assert needed("chest") == motion
    assert needed("lower_back") == {*motion, "lower back"}
    assert needed("left_shank") == {*motion, "shanks"}
    assert needed("left_shank", "left_foot") == {*motion, "feet", "joints"}
    everything: tuple[Placement, ...] = ("left_foot", "left_shank", "right_shank", "lower_back")
    assert needed(*everything) == set(PARTS)


def test_the_cache_goes_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folders = [cache_folder(), cache_folder(ROOT / "gateway/clocks")]
    assert [folder and folder.parent for folder in folders] == [tmp_path, tmp_path]
    assert folders[0] != folders[1]


def test_kernels_of_other_source_are_kept_apart(tmp_path: Path) -> None:
    """An edit of a kernel's file, or of a file that it calls into, is never answered with old machine code."""
    (tmp_path / "one.py").write_text("@kernel\ndef f(): ...\n", "utf-8")
    (tmp_path / "other.py").write_text("no kernels in here", "utf-8")
    first = folder_name.__wrapped__(tmp_path)
    (tmp_path / "other.py").write_text("and none now", "utf-8")
    assert folder_name.__wrapped__(tmp_path) == first
    (tmp_path / "one.py").write_text("@kernel\ndef f(): return 1\n", "utf-8")
    assert folder_name.__wrapped__(tmp_path) != first


def test_kernels_in_rooms_of_a_package_are_kept_apart_too(tmp_path: Path) -> None:
    """A package may have folders: what is in them counts, by its path, and whichever of them the kernel is in."""
    package = tmp_path / "package"
    (package / "room").mkdir(parents=True)
    for folder in (package, package / "room"):
        (folder / "__init__.py").write_text("", "utf-8")
    source = package / "room" / "one.py"
    source.write_text("@kernel\ndef f(): ...\n", "utf-8")
    first = folder_name.__wrapped__(package)
    assert folder_name.__wrapped__(package / "room") == first
    source.write_text("@kernel\ndef f(): return 1\n", "utf-8")
    second = folder_name.__wrapped__(package)
    source.rename(package / "one.py")
    assert len({first, second, folder_name.__wrapped__(package)}) == 3


def test_who_waits_learns_what_is_being_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """And who does not have to wait is told nothing."""
    sentences: list[str] = []
    was_shown = threading.Event()

    def show(sentence: str) -> None:
        sentences.append(sentence)
        was_shown.set()

    monkeypatch.setattr("gateway.analysis.warm_up.note_ready", lambda _names: None)  # for they are not
    monkeypatch.setattr("gateway.analysis.warm_up.FIRST_WORD_S", 0.01)
    monkeypatch.setattr(
        "gateway.analysis.warm_up.PARTS", {"axes": lambda: None, "device clocks": lambda: was_shown.wait(60)}
    )
    warm_up(on_progress=show)
    assert sentences[0].startswith(
        "compiling the signal processing for this processor: device clocks (2 of 2), 0 s so far"
    )
    monkeypatch.setattr("gateway.analysis.warm_up.FIRST_WORD_S", 60.0)
    sentences.clear()
    warm_up(on_progress=show)
    assert sentences == []
