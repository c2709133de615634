"""Which of several radios takes a device: by load and signal, and none that is full."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.transport.placement import NEARLY_AS_STRONG_DB, Offer, choose

offers = st.lists(
    st.builds(
        Offer,
        st.integers(0, 9),
        st.one_of(st.none(), st.integers(1, 7)),
        st.one_of(st.none(), st.integers(-100, -30)),
        st.booleans(),
    ),
    max_size=5,
)


def test_the_least_loaded_of_those_that_hear_it_about_as_well_takes_it() -> None:
    assert choose([Offer(3, 5, -50), Offer(1, 5, -58)]) == 1
    assert choose([Offer(3, 5, -50), Offer(1, 5, -75)]) == 0
    assert choose([Offer(1, 5, -55), Offer(1, 5, -50)]) == 1, "of two with one load the one that hears it better"
    assert choose([Offer(2, 5, None), Offer(1, 5, None)]) == 1


def test_load_is_the_share_of_what_a_radio_holds() -> None:
    assert choose([Offer(3, 7, -50), Offer(3, 5, -50)]) == 0


def test_a_full_radio_takes_none_unless_it_holds_it_already() -> None:
    assert choose([Offer(5, 5, -50), Offer(4, 5, -90)]) == 1
    assert choose([Offer(5, 5, -50)]) is None
    assert choose([Offer(0, 5, -50), Offer(5, 5, holds=True)]) == 1
    assert choose([]) is None


@given(offers)
def test_who_is_chosen_has_room_and_nobody_hears_it_much_better(seen: list[Offer]) -> None:
    chosen = choose(seen)
    with_room = [offer for offer in seen if offer.has_room]
    if chosen is None:
        assert not with_room
        return
    taken = seen[chosen]
    assert taken.has_room
    if not taken.holds:
        assert not any(offer.holds for offer in seen)
        signals = [-128 if offer.signal_dbm is None else offer.signal_dbm for offer in with_room]
        assert (-128 if taken.signal_dbm is None else taken.signal_dbm) >= max(signals) - NEARLY_AS_STRONG_DB
