"""How good a link is, from what arrives alone."""

from __future__ import annotations

from drivers.transport.link_quality import LinkQuality

MS = 1_000_000


def test_the_interval_is_the_usual_time_between_arrivals_that_are_not_of_one_burst() -> None:
    link = LinkQuality()
    link.connected("hci0", -61)
    for n in range(100):
        for k in range(3):  # three frames of one connection event
            link.arrived(n * 15 * MS + k * MS // 5)
    link.arrived(2_000 * MS)
    state = link.state()
    assert (state.radio, state.signal_dbm, state.links, state.frames) == ("hci0", -61, 1, 301)
    assert state.interval_ms == 14.6
    assert state.longest_gap_ms == 514.6
    assert link.state().longest_gap_ms is None, "it counts anew"


def test_the_time_between_two_links_is_no_gap() -> None:
    link = LinkQuality()
    link.connected("hci0", -61)
    link.arrived(0)
    link.connected("hci1", None)
    link.arrived(10_000 * MS)
    state = link.state()
    assert (state.radio, state.signal_dbm, state.links, state.frames) == ("hci1", None, 2, 2)
    assert state.interval_ms is None
    assert state.longest_gap_ms is None
