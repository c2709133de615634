"""Which of those that are heard is taken: never one of two, never one that is somebody else's."""

from __future__ import annotations

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import AmbiguousDeviceError
from drivers.transport.search import LISTEN_S, Search, Wanted

A, B, C = "D4:22:CD:00:00:01", "D4:22:CD:00:00:02", "D4:22:CD:00:00:03"
DOT = "Movella DOT"


def device(address: str, name: str | None = DOT) -> BLEDevice:
    return BLEDevice(address, name, None)


def advertisement(name: str | None) -> AdvertisementData:
    return AdvertisementData(name, {}, {}, [], None, -50, ())


def heard(wanted: Wanted, *addresses: str) -> Search[BLEDevice]:
    search: Search[BLEDevice] = Search(wanted, object())
    for address in addresses:
        search.hear(device(address), 100.0)
    return search


def test_who_is_found_by_name_is_listened_for_long_enough() -> None:
    search = heard(Wanted(name=DOT), A)
    assert search.choice(100.0 + LISTEN_S / 2, (), 0) is None
    found = search.choice(100.0 + LISTEN_S, (), 0)
    assert found is not None
    assert found.address == A


def test_of_two_none_is_chosen_and_both_are_reported() -> None:
    with pytest.raises(AmbiguousDeviceError, match=f"2 devices answer to '{DOT}' \\({A}, {B}\\): none is taken"):
        heard(Wanted(name=DOT), B, A).choice(110.0, (), 0)


def test_one_that_two_look_for_is_given_to_neither() -> None:
    with pytest.raises(AmbiguousDeviceError, match=f"{A} answers to '{DOT}', which is looked for 2 times"):
        heard(Wanted(name=DOT), A).choice(110.0, (), 1)


def test_an_address_is_taken_at_once_whatever_else_is_heard() -> None:
    found = heard(Wanted(address=B.lower()), A, B, C).choice(100.0, (), 5)
    assert found is not None
    assert found.address == B


def test_the_address_of_before_is_preferred() -> None:
    found = heard(Wanted(name=DOT, known=B), A, B).choice(100.0, (), 0)
    assert found is not None
    assert found.address == B


def test_what_belongs_to_somebody_else_does_not_count() -> None:
    found = heard(Wanted(name=DOT), A, B).choice(110.0, {A}, 0)
    assert found is not None
    assert found.address == B
    assert heard(Wanted(address=A), A).choice(110.0, {A}, 0) is None


@given(st.sets(st.integers(1, 6), max_size=6), st.sets(st.integers(1, 6)), st.none() | st.integers(1, 6))
def test_what_is_chosen_is_the_only_one_or_the_known_one(there: set[int], others: set[int], known: int | None) -> None:
    def name(number: int) -> str:
        return f"D4:22:CD:00:00:0{number}"

    search = heard(Wanted(name=DOT, known=name(known) if known else None), *map(name, there))
    free = there - others
    try:
        found = search.choice(110.0, set(map(name, others)), 0)
    except AmbiguousDeviceError:
        assert len(free) > 1
        assert known not in free
    else:
        assert (found is None) == (not free)
        assert found is None or found.address == name(known if known in free else next(iter(free)))


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [
        ("Movella DOT", "movella dot", True),
        ("Polar H10 12345678", "Polar H10 12345678 ", True),
        ("Polar H10 12345678", "Polar H10 12345678\0\0", True),
        ("HR Strap 1", "HR Strap 10", False),
        ("HR Strap 10", "HR Strap 1", False),
        ("HR Strap 1", None, False),
    ],
)
def test_names_are_compared_whole(wanted: str, found: str | None, same: bool) -> None:
    assert Wanted(name=wanted).matches(device(A, None), advertisement(found)) == same
