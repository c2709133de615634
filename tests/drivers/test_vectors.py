"""Bytes that others recorded or published, decoded as they say."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from drivers.registry import driver_names, make_driver
from tests.scoring_vectors import decode
from tests.shared import shared_path

DEVICES = (
    "ble_heart_rate", "movella_dot", "openexo_ble", "shimmer3", "vesc_uart", "ble_pulse_oximeter",
    "ble_running_speed_cadence", "ble_cycling_speed_cadence", "ble_vitals", "ble_ftms", "domyos_treadmill_framing",
    "bno08x_rvc", "mbient_metamotion", "microstrain_mip", "movesense_gsp", "openbci_cyton", "orphe_insole", "polar_pmd",
    "witmotion_ble", "xsens_mti",
)  # fmt: skip


ROUNDED = (
    "mbient_metamotion",
)  # whose maker's values have three decimals: what is near nought differs by a share of it


def agrees(want: Any, got: Any, tolerance: float, *, rounded: bool = False) -> bool:
    if isinstance(want, dict):
        return isinstance(got, dict) and all(
            k in got and agrees(v, got[k], tolerance, rounded=rounded) for k, v in want.items()
        )
    if isinstance(want, list):
        return len(want) == len(got) and all(
            agrees(w, g, tolerance, rounded=rounded) for w, g in zip(want, got, strict=True)
        )
    if isinstance(want, float):
        return math.isclose(want, got, rel_tol=max(tolerance, 1e-6), abs_tol=tolerance if rounded else 0.0)
    return bool(want == got)


def published(device: str) -> list[dict[str, Any]]:
    """Return the vectors of a device that a decoder is for: not what a monitor must never send."""
    vectors = json.loads(shared_path("protocols", "vectors", f"{device}.json").read_text())["vectors"]
    return [vector for vector in vectors if vector.get("must") != "never-send"]


@pytest.mark.recordings
@pytest.mark.parametrize("device", DEVICES)
def test_published_bytes(device: str) -> None:
    vectors = published(device)
    assert vectors
    for vector in vectors:
        packets = [bytes.fromhex(h) for h in ([vector["hex"]] if isinstance(vector["hex"], str) else vector["hex"])]
        if vector["must"] == "reject":
            with pytest.raises(ValueError, match=r"."):
                decode(device, vector["stream"], packets, vector.get("context") or {})
            continue
        got = decode(device, vector["stream"], packets, vector.get("context") or {})
        assert got is not None, vector["id"]
        if vector["expected"] is not None:  # where a peer says only what it complains of
            tolerance, rounded = vector.get("tolerance") or 0, device in ROUNDED
            assert agrees(vector["expected"], got, tolerance, rounded=rounded), (vector["id"], got)


@pytest.mark.recordings
@pytest.mark.parametrize("device", DEVICES)
def test_published_bytes_cut_short_are_refused_or_hold_less(device: str) -> None:
    for vector in published(device):
        if "expectedError" in (vector["expected"] or {}):
            continue  # a peer's word for bytes that it refuses: shorter ones are refused likewise
        packet = bytes.fromhex(vector["hex"] if isinstance(vector["hex"], str) else vector["hex"][-1])
        for size in range(len(packet)):
            try:
                got = decode(device, vector["stream"], [packet[:size]], vector.get("context") or {})
            except ValueError:
                continue
            assert got != vector["expected"], (vector["id"], size)


def test_a_device_that_no_driver_reads() -> None:
    assert decode("toaster", "bread", [b"\0"], {}) is None


def test_an_unknown_driver_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=f"no driver 'toaster': known are {', '.join(driver_names())}"):
        make_driver("toaster")
    assert {"heart_rate", "movella_dot", "shimmer3"} < set(driver_names())
