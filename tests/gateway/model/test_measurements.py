"""Measurements as a step hands them over: rows, that whoever asks reads as objects."""

from __future__ import annotations

from dataclasses import fields

from gateway.model.measurement import Measurement
from gateway.model.measurements import DEVICES, END_US, METRIC_ID, NAMES, SLOT, START_US, Measurements
from tests.gateway.samples import measurement, ward

MADE = ward(50)


def test_rows_read_as_the_measurements_they_were_made_of() -> None:
    rows = Measurements.of(MADE)
    assert list(rows) == MADE
    assert rows == MADE
    assert rows != MADE[:-1]
    assert rows[7] == MADE[7]
    assert rows[7:9] == MADE[7:9]
    assert len(rows) == len(MADE)
    assert Measurements() == []


def test_rows_are_taken_as_they_are() -> None:
    rows = Measurements.of(MADE)
    assert Measurements.of(rows) is rows


def test_rows_are_added_to_lists_from_both_sides() -> None:
    rows = Measurements.of(MADE)
    assert rows[:20] + MADE[20:] == MADE
    assert MADE[:20] + rows[20:] == MADE
    assert rows[:20] + rows[20:] == MADE


def test_events_are_those_of_an_instant() -> None:
    assert Measurements.of(MADE).events() == [i for i, m in enumerate(MADE) if m.start_us == m.end_us]


def test_places_are_those_of_the_fields() -> None:
    assert [field.name for field in fields(Measurement)] == list(NAMES)
    (row,) = Measurements.of([measurement()]).rows
    made = measurement()
    assert (row[METRIC_ID], row[START_US], row[END_US], row[DEVICES], row[SLOT]) == (
        made.metric, made.start_us, made.end_us, made.devices, made.slot,
    )  # fmt: skip
