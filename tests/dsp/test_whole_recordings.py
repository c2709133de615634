"""One function an operator: its table holds what the operator says of the same samples as they come."""

from __future__ import annotations

import numpy as np
import pytest

from dsp import whole_recordings as whole
from dsp.batch import Batch
from dsp.contact.events import FINAL_CONTACT, FOOT_FLAT, INITIAL_CONTACT
from dsp.foot.contacts import FootContacts
from dsp.gait.stride_smoothness import StrideSmoothness
from dsp.lower_back.lower_back import BOUT, LowerBack
from simulators.body.body import Placement
from simulators.body.programme import Piece, Stand, Turn, Walk
from tests.dsp.bodies import SensorData, body, wear

RATE_HZ = 100.0
HEIGHT_M = 1.70
LOST = slice(700, 720)
OUT_AND_BACK: tuple[Piece, ...] = (
    Stand(duration_s=3),
    Walk(cadence_spm=110, stride_m=1.3, steps=12),
    Turn(angle_deg=180),
    Walk(cadence_spm=110, stride_m=1.3, steps=12),
    Stand(duration_s=3),
)


def on_body(placement: Placement) -> SensorData:
    return wear(body(OUT_AND_BACK), placement, RATE_HZ)


def with_loss(sensor: SensorData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers, forces and rates that are left when some samples are lost."""
    kept = np.ones(len(sensor.index), bool)
    kept[LOST] = False
    return sensor.index[kept], sensor.acc[kept], sensor.gyr[kept]


def test_contacts_and_strides_of_a_foot_are_those_that_the_ward_is_seen() -> None:
    index, acc, gyr = with_loss(on_body("left_foot"))
    live = FootContacts()
    sensor = live.attach(RATE_HZ)
    events, strides = [], []
    for begin in range(0, len(index), 7):
        part = slice(begin, begin + 7)
        events.append(live.process(Batch.single(index[part], acc[part], gyr[part], sensor)))
        strides.append(live.strides.copy())
    seen, closed = np.concatenate(events), np.concatenate(strides)
    contacts = whole.find_foot_contacts(acc, gyr, RATE_HZ, index=index)
    for kind, name in (
        (INITIAL_CONTACT, "initial_contact"), (FINAL_CONTACT, "final_contact"), (FOOT_FLAT, "foot_flat"),
    ):  # fmt: skip
        expected = np.sort(seen["index"][seen["kind"] == kind]) / RATE_HZ
        assert len(expected) >= 8
        assert contacts["time_s"][contacts["kind"] == name].tolist() == expected.tolist()
    found = whole.find_foot_strides(acc, gyr, RATE_HZ, index=index)
    assert found["stride_length_m"].tolist() == closed["length"].tolist()
    assert np.nanmedian(found["stride_length_m"]) == pytest.approx(1.3, abs=0.05)
    assert np.nanmedian(found["stride_time_s"]) == pytest.approx(120 / 110, abs=0.02)


def test_strides_have_the_smoothness_that_the_ward_sees() -> None:
    index, acc, gyr = with_loss(on_body("left_foot"))
    contacts = whole.find_foot_contacts(acc, gyr, RATE_HZ, index=index)
    landed_s = contacts["time_s"][contacts["kind"] == "initial_contact"]
    strides_s = np.column_stack([landed_s[:-1], landed_s[1:]])
    table = whole.measure_stride_smoothness(acc, gyr, RATE_HZ, strides_s, index=index)
    live = StrideSmoothness(RATE_HZ)
    seen = []
    for first, last in (strides_s * RATE_HZ).tolist():
        live.stride(first, last)
    for begin in range(0, len(index), 7):
        part = slice(begin, begin + 7)
        seen += list(live.process(index[part], acc[part], gyr[part]))
    for metric, column in (("stride_sparc", "sparc"), ("stride_ldlj", "ldlj")):
        expected = [np.nan if row.value is None else row.value for row in seen if row.metric == metric]
        np.testing.assert_array_equal(table[column], expected)
    assert np.isnan(table["sparc"]).sum() == np.count_nonzero(table["reason"]) == 1, "one lost too much"
    assert len(whole.measure_stride_smoothness(acc, gyr, RATE_HZ, [], index=index)) == 0


def test_a_shank_has_contacts_too() -> None:
    sensor = on_body("right_shank")
    contacts = whole.find_shank_contacts(sensor.acc, sensor.gyr, RATE_HZ)
    assert (np.diff(contacts["time_s"]) >= 0).all()
    assert np.count_nonzero(contacts["kind"] == "initial_contact") >= 10


def test_steps_bouts_and_turns_of_a_lower_back() -> None:
    index, acc, gyr = with_loss(on_body("lower_back"))
    live = LowerBack()
    sensor = live.attach(RATE_HZ, HEIGHT_M)
    events = [live.process(Batch.single(index[k : k + 9], acc[k : k + 9], gyr[k : k + 9], sensor))
              for k in range(0, len(index), 9)]  # fmt: skip
    seen = np.concatenate([*events, live.flush(sensor)])
    bouts = whole.find_walking_bouts(acc, gyr, RATE_HZ, height_m=HEIGHT_M, index=index)
    expected = seen[seen["kind"] == BOUT]
    assert len(expected) >= 1
    assert bouts["walking_speed_mps"].tolist() == expected["speed_mps"].tolist()
    assert bouts["n_steps"].tolist() == expected["steps"].tolist()
    steps = whole.find_steps(acc, gyr, RATE_HZ, height_m=HEIGHT_M, index=index)
    assert len(steps) == bouts["n_steps"].sum()
    assert set(steps["side"]) <= {"left", "right", ""}
    (turn,) = whole.find_turns(acc, gyr, RATE_HZ, index=index)
    assert turn["angle_deg"] == pytest.approx(180, abs=10)
    assert np.isnan(whole.find_steps(acc, gyr, RATE_HZ)["step_length_m"]).all(), "nobody said how tall"


def test_beats_of_a_list_of_intervals() -> None:
    beats = whole.judge_beats([0.8] * 6 + [0.5, 1.1] + [0.8] * 4 + [float("nan")] + [0.8] * 3)
    assert beats["verdict"].tolist() == (
        ["regular"] * 6 + ["early_beat"] * 2 + ["regular"] * 4 + ["no_interval"] + ["regular"] * 3
    )


def test_the_freeze_index_tells_its_windows() -> None:
    time_s = np.arange(0, 20, 1 / RATE_HZ)
    acc = np.column_stack([np.sin(2 * np.pi * 6 * time_s), np.zeros_like(time_s), np.full_like(time_s, 9.81)])
    table = whole.find_freeze_index(acc, RATE_HZ)
    assert (table["end_s"] - table["start_s"] == 4.0).all()
    assert (table["freeze_index"] > 0).all(), "it trembles at 6 Hz"


@pytest.mark.parametrize("find", [whole.find_foot_contacts, whole.find_shank_contacts, whole.find_turns])
def test_what_does_not_fit_is_an_error_with_a_reason(find: object) -> None:
    assert callable(find)
    sensor = on_body("left_foot")
    with pytest.raises(ValueError, match="looks like g, not m/s2"):
        find(sensor.acc / 9.81, sensor.gyr, RATE_HZ)
    with pytest.raises(ValueError, match="deg/s, not rad/s"):
        find(sensor.acc, np.degrees(sensor.gyr), RATE_HZ)
    with pytest.raises(ValueError, match="gyr must be of shape"):
        find(sensor.acc, sensor.gyr[:-1], RATE_HZ)
    with pytest.raises(ValueError, match="whole numbers that ascend"):
        find(sensor.acc, sensor.gyr, RATE_HZ, index=sensor.index[::-1])


def test_no_samples_are_no_rows() -> None:
    nothing = np.zeros((0, 3))
    assert len(whole.find_foot_contacts(nothing, nothing, RATE_HZ)) == 0
    assert len(whole.find_walking_bouts(nothing, nothing, RATE_HZ)) == 0
    assert len(whole.find_freeze_index(nothing, RATE_HZ)) == 0
    assert len(whole.judge_beats([])) == 0
