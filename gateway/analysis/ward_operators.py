"""What each modality brings to the pipeline: operators over a whole ward, and what they make of each person.

A modality whose operators work on one device at a time is an `EachDevice` with a few lines: `gateway.analysis.heart`
is an example. `gateway.analysis.movement` is one whose kernels serve all devices of the ward in one call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from config.settings import Device
from dsp.reported import DELIVERED_TWICE
from dsp.result import Result
from gateway.analysis.sensor_bank import Refuse
from gateway.clocks.timeline import Floats
from gateway.intake.arrived import Arrived, ArrivedBatch
from gateway.model.ward import Bed

if TYPE_CHECKING:  # whoever wears no motion sensor need not load what makes them
    from dsp.exoskeleton.curves import ExoskeletonCurve
    from dsp.joints.strides import JointCurve
    from dsp.mounting.alignment import Mounting

INTAKE_ALGORITHM = "intake/2"
"""Of what the gateway says of a device itself: samples that are in doubt cast none on it."""

DeviceResult = tuple[Result, Sequence[int]]  # a result and the numbers of the devices it came from


class PersonOperators:
    """What one modality makes of the devices of one bed. A person who leaves takes it along.

    Attributes:
        draws: Whether there ever are mean curves to tell.
        due_s: A step that ends before this gateway time, and in which nothing is new of the person's devices
            (`WardOperators.news`), is passed over.
    """

    draws = False
    due_s = -math.inf

    def process(self, arrived: Arrived) -> Sequence[DeviceResult]:
        """Take what arrived of one of the modality's streams; return what that alone completed.

        Not called where the ward's operators have taken it (`WardOperators.process`).
        """
        raise NotImplementedError

    def step(self, now_s: float) -> Sequence[DeviceResult]:
        """Return what the step completed; ``now_s`` is its end on the gateway clock.

        The steps of a person whose kernels are being compiled come later, in order, with what was sampled in each.
        """
        del now_s
        return ()

    def mark(self, text: str, now_s: float) -> None:
        """Take what somebody marked in the session, at a gateway time."""

    def finish(self) -> Sequence[DeviceResult]:
        """End of the run, or the person leaves: return what was still open."""
        return ()

    def curves(self, now_s: float) -> Sequence[JointCurve | ExoskeletonCurve]:
        """Return mean curves over the gait cycle if it is time to tell them."""
        del now_s
        return ()


class WardOperators:
    """The operators of one modality for everybody on the ward.

    Args:
        refuse: Told of a device, and why, whose stream an operator cannot take.

    Attributes:
        news: Numbers of the devices of which the newest step found something.
    """

    news: AbstractSet[int] = frozenset()

    def __init__(self, refuse: Refuse | None = None) -> None:
        self.refuse = refuse

    def put_on(self, bed: Bed, devices: Mapping[int, Device]) -> PersonOperators:
        """Begin with a person and what they wear, by device number."""
        raise NotImplementedError

    def remove_device(self, number: int) -> None:
        """Forget a device: whoever wears it next begins afresh."""

    def process(self, arrived: ArrivedBatch) -> bool:
        """Take what arrived of all devices at once, for this step, and return True.

        False, where each person's operators are to take what is of them (`PersonOperators.process`).
        """
        del arrived
        return False

    def step(self) -> None:
        """Run the kernels over what the step brought."""

    def doubts(self) -> dict[int, str]:
        """Return what is wrong with the units of devices, by number."""
        return {}

    def mounting(self, number: int) -> Mounting | None:
        """Return how a device is found to be strapped on; None where nobody looks."""
        del number
        return None

    @classmethod
    def kernels(cls) -> Mapping[str, Callable[[], None]]:
        """Return a call for each compiled kernel, by name, that makes it ready; none where nothing is compiled."""
        return {}

    @classmethod
    def kernels_for(cls, placed: Mapping[str, int]) -> set[str]:
        """Return the names of the kernels that a person needs, by the number of the device at each placement."""
        del placed
        return set()


class DeviceOperator(Protocol):
    """Takes the streams of one device that one person wears."""

    def process(self, arrived: Arrived) -> Sequence[Result]:
        """Return what the samples that arrived completed."""
        ...


@runtime_checkable
class ClosingOperator(DeviceOperator, Protocol):
    """One that holds back what is not whole yet."""

    def finish(self) -> Sequence[Result]:
        """Return what was still open: nobody sends any more of it for this person."""
        ...


class EachDevice(WardOperators):
    """A modality whose devices are each measured by themselves.

    Attributes:
        operator: Makes the operator of a device, when its first sample arrives.
    """

    operator: ClassVar[Callable[[], DeviceOperator]]

    def put_on(self, bed: Bed, devices: Mapping[int, Device]) -> PersonOperators:
        """Begin with a person."""
        del bed, devices
        return EachOfPerson(type(self).operator)


class EachOfPerson(PersonOperators):
    """An operator for each device that one person wears.

    Args:
        make: Makes the operator of a device, when its first sample arrives.
    """

    def __init__(self, make: Callable[[], DeviceOperator]) -> None:
        self._make = make
        self._operators: dict[int, DeviceOperator] = {}
        self._repeated: dict[int, int] = {}  # second deliveries of each device that were told of

    def process(self, arrived: Arrived) -> Sequence[DeviceResult]:
        """Let the operator of the device take what arrived."""
        operator = self._operators.get(arrived.number)
        if operator is None:
            operator = self._operators[arrived.number] = self._make()
        before = self._repeated.get(arrived.number, arrived.repeated)
        results = [(result, (arrived.number,)) for result in operator.process(arrived)]
        if not results or arrived.repeated == before:
            self._repeated.setdefault(arrived.number, before)
            return results
        self._repeated[arrived.number] = arrived.repeated
        return [(_marked(result), devices) for result, devices in results]

    def finish(self) -> Sequence[DeviceResult]:
        """Close what is open of each device."""
        closing = [(number, each) for number, each in self._operators.items() if isinstance(each, ClosingOperator)]
        return [(result, (number,)) for number, each in closing for result in each.finish()]


def _marked(result: Result) -> Result:
    """Return a result of a device that delivers twice, which says so; one about the device itself as it is."""
    told = result.algorithm == INTAKE_ALGORITHM or DELIVERED_TWICE in result.reason
    return result if told else result.doubted(f"messages were {DELIVERED_TWICE}")


def seconds(arrived: Arrived) -> Floats:
    """Return when samples were taken, in seconds on the gateway clock."""
    return arrived.timeline.at(arrived.index.astype(float))


def channel(arrived: Arrived, name: str) -> Floats:
    """Return one channel of what arrived."""
    column: Floats = arrived.samples[:, arrived.spec.channels.index(name)]
    return column


def placements(devices: Mapping[int, Device]) -> dict[str, int]:
    """Return which of the devices of a slot is worn where."""
    return {device.placement: number for number, device in devices.items()}
