"""Which of what was shipped a processor runs."""

from __future__ import annotations

from dsp.processor import GENERIC, TARGETS, X86_64_V3, fitting


def test_the_best_that_a_processor_can_run_comes_first() -> None:
    assert fitting("x86_64", X86_64_V3.needs | {"avx512f"}) == [X86_64_V3, GENERIC]


def test_one_missing_instruction_is_enough_to_leave_a_target_out() -> None:
    for missing in X86_64_V3.needs:
        assert fitting("x86_64", X86_64_V3.needs - {missing}) == [GENERIC]


def test_arm_has_the_generic_target_and_other_machines_none() -> None:
    assert fitting("aarch64", {"neon", "lse"}) == [GENERIC]
    assert fitting("riscv64", set()) == []


def test_whatever_a_processor_lacks_its_kind_is_served() -> None:
    assert all(targets[-1] == GENERIC for targets in TARGETS.values())
