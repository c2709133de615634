"""A ward of walking people: each bed a pair of feet with DOTs, a Shimmer at the back and a heart-rate strap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from simulators.addresses import dot_address, strap_address
from simulators.body import WalkingBody
from simulators.faults import Fault
from simulators.heart import Heart
from simulators.heart_rate import HeartRateStrap
from simulators.hub import Hub
from simulators.movella_dot import MovellaDot
from simulators.scene import Bed, Scene, Worn
from simulators.shimmer3 import Shimmer3
from simulators.timeline import Timeline

DOT_RATE_HZ = 60.0  # the most that a DOT streams
SHIMMER_RATE_HZ = 51.2  # as Shimmers are shipped
MOST_BEDS = 99


def ward(*, beds: int, ports: Path, seed: int = 0, speed: float = 1.0, faults: Sequence[Fault] = ()) -> Scene:
    """Return a ward, not started; the same for the same seed.

    Args:
        beds: Number of beds, 1 to 99.
        ports: Folder for the serial ports.
        seed: Who the people are and how their sensors are imperfect.
        speed: Simulated seconds in a real one.
        faults: What goes wrong.

    Raises:
        ValueError: if there are too many beds, or a fault names a device that is not there.
    """
    if not 1 <= beds <= MOST_BEDS:
        raise ValueError(f"a ward has 1 to {MOST_BEDS} beds, not {beds}")
    hub, timeline = Hub(), Timeline(speed=speed)
    scene = Scene(hub, timeline, [_bed(number, hub, timeline, ports, seed) for number in range(1, beds + 1)], faults)
    scene.check()
    return scene


def _bed(number: int, hub: Hub, timeline: Timeline, ports: Path, seed: int) -> Bed:
    own_seed = 1000 * seed + number
    body = WalkingBody(seed=own_seed)
    name = f"bed-{number}"
    feet = []
    for at, placement in enumerate(("left_foot", "right_foot")):
        address = dot_address(number, at)
        source = body.sensor(placement, rate_hz=DOT_RATE_HZ, seed=10 * own_seed + at)
        dot = MovellaDot(
            name=f"{name}-{placement.replace('_', '-')}", timeline=timeline, hub=hub, address=address, source=source
        )
        feet.append(Worn(dot, "movella_dot", placement, address=address))
    port = ports / f"{name}-lower-back"
    back = Shimmer3(
        name=f"{name}-lower-back",
        timeline=timeline,
        path=port,
        source=body.sensor("lower_back", rate_hz=SHIMMER_RATE_HZ, seed=10 * own_seed + 2),
    )
    strap = HeartRateStrap(
        name=f"{name}-chest",
        timeline=timeline,
        hub=hub,
        address=strap_address(number),
        source=Heart(seed=own_seed),
    )
    worn = [
        *feet,
        Worn(back, "shimmer3", "lower_back", port=port),
        Worn(strap, "heart_rate", "chest", address=strap.address),
    ]
    return Bed(name, f"Bed {number}", f"sim-{number:03d}", worn)
