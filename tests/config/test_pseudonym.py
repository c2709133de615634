"""Numbers that name a person are recognised, and others are left in peace."""

from __future__ import annotations

from string import digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.pseudonym import check_digit, nhs_numbers

NINE = "999000001"  # of the range that is set aside for tests
DIGIT = str(check_digit(NINE))
NUMBER = NINE + DIGIT


def test_the_check_digit_of_a_worked_example() -> None:
    """401 023 213: 4*10 + 0*9 + 1*8 + 0*7 + 2*6 + 3*5 + 2*4 + 1*3 + 3*2 = 92, 92 mod 11 = 4, 11 - 4 = 7."""
    assert check_digit("401023213") == 7


@pytest.mark.parametrize("form", ["{}{}{}", "{} {} {}", "{}-{}-{}", "bed 4: {}{}{}.", "p_{} {} {}"])
def test_each_way_of_writing_one_is_found(form: str) -> None:
    assert nhs_numbers(form.format(NUMBER[:3], NUMBER[3:6], NUMBER[6:]))


@pytest.mark.parametrize(
    "text",
    [
        "p-0147",
        f"{NINE}{(int(DIGIT) + 1) % 10}",  # the check digit is wrong
        f"1{NUMBER}",  # eleven digits
        f"a{NUMBER}",  # part of a hash
        f"0.{NUMBER}",  # part of a fraction
        "0000000000",
        f"{NUMBER[:3]} {NUMBER[3:6]}-{NUMBER[6:]}",
    ],
)
def test_other_numbers_are_not(text: str) -> None:
    assert nhs_numbers(text) == []


@given(st.text(digits, min_size=9, max_size=9).filter(lambda nine: len(set(nine)) > 1))
def test_one_wrong_digit_is_always_noticed(nine: str) -> None:
    """Modulus 11 with these weights detects every single wrong digit."""
    tenth = check_digit(nine)
    if tenth == 10:
        return
    assert nhs_numbers(f"{nine}{tenth}")
    for position in range(9):
        wrong = nine[:position] + str((int(nine[position]) + 1) % 10) + nine[position + 1 :]
        assert nhs_numbers(f"{wrong}{tenth}") == []
