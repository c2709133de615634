"""Bytes that others recorded or published, through the product's own parse functions (for the vector scorer)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drivers.gatt.battery import parse_battery_level
from drivers.heart_rate.driver import parse_measurement
from drivers.movella_dot.driver import parse_control
from drivers.movella_dot.layout import MODES, parse_payload
from drivers.movella_dot.messages import parse_message
from drivers.shimmer3.channels import SHIMMER3, SHIMMER3R
from drivers.shimmer3.describe import describe
from drivers.shimmer3.stream import Layout, parse_packet
from tests import (
    scoring_exoskeletons,
    scoring_health,
    scoring_inertial,
    scoring_machines,
    scoring_motion,
    scoring_prototypes,
    scoring_wearables,
)
from tests.scoring_health import only

Answer = dict[str, Any] | None

CRC_BYTES = {"1 byte": 1, "2 bytes": 2, 1: 1, 2: 2}


def decode(device: str, stream: str, packets: Sequence[bytes], context: Mapping[str, Any]) -> Answer:
    """Return what the bytes mean with the vectors' keys, None for what no driver reads; ValueError for bad bytes."""
    decoders: dict[str, Callable[[str, Sequence[bytes], Mapping[str, Any]], Answer]] = {
        "ble_heart_rate": _heart_rate,
        "bno08x_rvc": scoring_prototypes.bno08x_rvc,
        "openbci_cyton": scoring_prototypes.openbci_cyton,
        "ble_pulse_oximeter": scoring_health.pulse_oximeter,
        "ble_running_speed_cadence": scoring_health.running_speed,
        "ble_cycling_speed_cadence": scoring_health.cycling,
        "ble_cycling_power": scoring_health.cycling,
        "ble_vitals": scoring_health.vitals,
        "ble_ftms": scoring_machines.fitness_machine,
        "domyos_treadmill_framing": scoring_health.domyos,
        "microstrain_mip": scoring_inertial.microstrain_mip,
        "mbient_metamotion": scoring_motion.metamotion,
        "movella_dot": _movella_dot,
        "movesense_gsp": scoring_wearables.movesense,
        "openexo_ble": scoring_exoskeletons.openexo,
        "orphe_insole": scoring_motion.orphe,
        "polar_pmd": scoring_wearables.polar,
        "shimmer3": _shimmer3,
        "vesc_uart": scoring_exoskeletons.vesc,
        "xsens_mti": scoring_inertial.xsens_mti,
        "witmotion_ble": scoring_motion.witmotion,
        "witmotion_serial": scoring_motion.witmotion,
    }
    return decoders[device](stream, packets, context) if device in decoders else None


def _heart_rate(_stream: str, packets: Sequence[bytes], _context: Mapping[str, Any]) -> Answer:
    measured = parse_measurement(only(packets))
    return {
        "heart_rate": measured.heart_rate,
        "contact": measured.contact,
        "energy_kj": measured.energy_kj,
        "rr_1024": list(measured.rr_1024),
    }


def _movella_dot(stream: str, packets: Sequence[bytes], context: Mapping[str, Any]) -> Answer:
    if "700" in stream:
        return parse_message(only(packets)).fields()
    if "1002" in stream:
        control = parse_control(only(packets))
        return {"rate_hz": control.rate_hz, "filter_profile": control.filter_profile}
    if "3001" in stream:
        level, charging = parse_battery_level(only(packets))
        return {"percent": level, "charging": charging}
    mode = next((mode for mode in MODES.values() if mode.number == context.get("mode")), None)
    return parse_payload(only(packets), mode) if mode else None


def _shimmer3(stream: str, packets: Sequence[bytes], context: Mapping[str, Any]) -> Answer:
    if "data packet" not in stream:
        return describe(packets)
    crc_bytes = CRC_BYTES.get(context.get("crc_mode", 0), 0)
    newer = any("3r" in str(value).lower() for value in context.values())
    stamp_bytes = 2 if context.get("stamp_bytes") == 2 else 3
    layout = Layout(
        tuple(context["channels"]), stamp_bytes=stamp_bytes, crc_bytes=crc_bytes,
        hardware=SHIMMER3R if newer else SHIMMER3,
    )  # fmt: skip
    stamp, values = parse_packet(only(packets), layout)
    return {"timestamp": stamp, "channels": values} | ({"crc_ok": True} if crc_bytes else {})
