"""Messages with a mark, a length and a check sum: cut by trust, and one by one, they are the same."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.framing import Form, Messages
from drivers.microstrain.packet import MIP
from drivers.microstrain.packet import packet as mip
from drivers.xsens_mti.message import XBUS
from drivers.xsens_mti.message import message as xbus

FORMS = {"mip": MIP, "xbus": XBUS}


def message(form: str, data: bytes) -> bytes:
    return mip(0x80, (0x04, data)) if form == "mip" else xbus(0x36, data)


every_form = pytest.mark.parametrize("form", FORMS)
bodies = st.lists(st.binary(min_size=12, max_size=12), min_size=1, max_size=6)


@every_form
@given(datas=bodies, spoilt=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 14), st.integers(0, 255)), max_size=4))
def test_check_sums_are_right_of_many_as_of_each(
    form: str, datas: list[bytes], spoilt: list[tuple[int, int, int]]
) -> None:
    rows = np.array([list(message(form, data)) for data in datas], np.uint8)
    for row, at, byte in spoilt:
        rows[row % len(rows), at] = byte
    known: Form = FORMS[form]
    assert known.whole_rows(rows).tolist() == [known.whole(row.tobytes()) for row in rows]


@pytest.mark.parametrize("byte", [0, 0xFF])
def test_the_longest_packet_has_the_check_sum_that_each_way_makes_of_it(byte: int) -> None:
    longest = mip(0x80, (0x04, bytes([byte]) * 253))
    rows = np.frombuffer(longest * 2, np.uint8).reshape(2, -1).copy()
    rows[1, 100] ^= 0x10
    assert len(longest) == 261
    assert MIP.whole_rows(rows).tolist() == [True, False]


@every_form
@given(datas=bodies, junk=st.binary(max_size=6), sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_bytes_that_are_nothing_but_messages_are_cut_by_trust_and_others_are_left(
    form: str, datas: list[bytes], junk: bytes, sizes: list[int]
) -> None:
    wire = message(form, datas[0]) + junk + b"".join(message(form, data) for data in datas[1:])
    pieces = [(at, wire[at : at + sizes[0]]) for at in range(0, len(wire), sizes[0])]
    trusting, checking = (Messages(FORMS[form], Counter()) for _ in range(2))
    found, checked = trusting.cut(pieces, trusting=True), checking.cut(pieces)
    assert checked is not None
    if not junk:
        assert found == checked
        assert trusting.rest == checking.rest == b""
        assert checked.messages == [message(form, data) for data in datas]
    elif found is not None and all(map(FORMS[form].whole, found.messages)):
        assert found == checked, "what looked like messages were some"
