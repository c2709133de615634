"""``rehab-gateway doctor``: can this machine do the job? Judgements of facts, which `gateway.machine.facts` finds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict

import orjson
from rich.table import Table
from rich.text import Text

from config.settings import Device, Settings
from drivers.registry import load_driver
from drivers.transport.placement import DEFAULT_LINKS
from gateway.cli.doctor.files import judge_certificates, judge_data, judge_users
from gateway.cli.doctor.finding import Finding, State
from gateway.cli.doctor.kernels import judge_kernels
from gateway.cli.doctor.meaning import meaning
from gateway.cli.doctor.network import judge_listening
from gateway.cli.doctor.ports import judge_ports
from gateway.cli.doctor.services import judge_broker, judge_dashboard, judge_store
from gateway.cli.doctor.upkeep import (
    judge_backup,
    judge_fleet,
    judge_hardware,
    judge_services,
    judge_time_service,
    states_of_services,
    user_of_agent,
)
from gateway.cli.terminal import Terminal
from gateway.machine import facts
from gateway.machine.facts import Bluetooth, Clock, Disk, Processor
from gateway.machine.hardware import read_hardware
from gateway.machine.plain_text import plain_json, visible
from gateway.status.backup_state import read_backup_state

__all__ = ["Finding", "examine", "judge_broker", "judge_ports", "show", "verdict"]

MACHINES = ("x86_64", "aarch64")
PYTHONS = ((3, 11), (3, 14))  # oldest and newest that the locked dependencies have wheels for
MEGABYTE = 1 << 20
MEMORY_NEEDED = 400 * MEGABYTE  # gateway, historian, dashboard and broker at rest
MEMORY_WANTED = 1000 * MEGABYTE  # and room for the page cache, so that the history is read quickly
FREE_WANTED = 2000 * MEGABYTE  # beyond the outbox: a year of history of a small ward
FSYNC_GOOD_S = 0.05  # a commit every 200 ms then leaves the disk idle three quarters of the time
FSYNC_BAD_S = 0.2  # a commit takes longer than the time between two


def examine(settings: Settings | None) -> list[Finding]:
    """Look at this machine, for one configuration or in general. Writes only a temporary file."""
    defaults = settings or Settings()
    wearables = [device for slot in defaults.slot for device in slot.device]
    transports = {load_driver(device.driver).transport for device in wearables}
    simulated = defaults.radio.name != "bluez"
    named = [device.port for device in wearables if device.port] if settings else None
    found = [
        judge_processor(facts.processor()),
        judge_python(facts.processor()),
        judge_memory(facts.memory_bytes()),
        judge_bluetooth(
            facts.bluetooth(),
            needed="ble" in transports and not simulated,
            adapter=defaults.radio.adapter,
            sensors=_bluetooth_sensors(wearables) if not simulated else 0,
            links=defaults.radio.links or DEFAULT_LINKS,
        ),
        judge_ports(facts.ports(named), named=settings is not None, others=facts.ports(None) if settings else ()),
        judge_clock(facts.clock()),
        judge_time_service(),
        judge_disk(facts.disk(defaults.site.data), defaults.outbox.max_megabytes * MEGABYTE),
        judge_hardware(read_hardware(defaults.site.data)),
        judge_broker(defaults),
        judge_kernels(),
    ]
    if settings is not None:
        files = (judge_data(settings), judge_certificates(settings), judge_users(settings.dashboard.users_file))
        services = judge_services(states_of_services())
        fleet = judge_fleet(settings, user_of_agent())
        optional = (judge_listening(settings), *files, judge_store(settings.historian.store), services, fleet)
        found += [judge_dashboard(settings), *filter(None, optional)]
        found.append(judge_backup(settings, read_backup_state(settings.site.data)))
    return found


def judge_processor(cpu: Processor) -> Finding:
    """64-bit x86 or ARM, and more than one core."""
    found = f"{cpu.machine}, {cpu.bits}-bit, {cpu.cores} core{'s' * (cpu.cores != 1)}"
    if cpu.bits < 64 or cpu.machine not in MACHINES:
        return Finding(
            "processor", "fail", found, "Install a 64-bit system (Raspberry Pi OS 64-bit, Debian amd64 or arm64)."
        )
    if cpu.cores == 1:
        return Finding(
            "processor", "warn", found, "Enough for a few sensors; for a ward use a computer with two cores or more."
        )
    return Finding("processor", "ok", found)


def judge_python(cpu: Processor) -> Finding:
    """One of the Python versions that the lock has wheels for."""
    oldest, newest = PYTHONS
    found = _dotted(cpu.python)
    if not oldest <= cpu.python <= newest:
        advice = f"Use the package for this Debian; in a checkout: make setup PYTHON=python{_dotted(newest)}."
        return Finding("python", "fail", found, advice)
    return Finding("python", "ok", found)


def judge_memory(total: int) -> Finding:
    """Enough for the processes, and some for the page cache."""
    found = f"{total / 1e9:.1f} GB"
    if total < MEMORY_NEEDED:
        return Finding("memory", "fail", found, "The gateway and its neighbours need 400 MB: use a machine with 1 GB.")
    if total < MEMORY_WANTED:
        return Finding(
            "memory", "warn", found, "Use a computer with 1 GB or more, or have the historian run on another one."
        )
    return Finding("memory", "ok", found)


def _bluetooth_sensors(wearables: Sequence[Device]) -> int:
    return sum(load_driver(device.driver).transport == "ble" for device in wearables)


def judge_bluetooth(
    seen: Bluetooth, *, needed: bool, adapter: str | None, sensors: int = 0, links: int = DEFAULT_LINKS
) -> Finding:
    """An adapter that is switched on, and BlueZ to talk to it; only a warning when no device needs them.

    Args:
        seen: What the computer has.
        needed: Whether any device needs it.
        adapter: The only one to use; None for all.
        sensors: How many devices of the configuration need a link.
        links: How many an adapter may hold.
    """
    bad: State = "fail" if needed else "warn"
    found = ", ".join(seen.adapters) or "no adapter"
    if not seen.adapters:
        advice = "Plug in a Bluetooth adapter (a USB stick)." if needed else "Only Bluetooth devices need one."
        return Finding("bluetooth", bad, found, advice)
    if adapter and ":" in adapter:
        adapter = None  # by its address: which one that is only BlueZ knows
    if adapter and adapter not in seen.adapters:
        return Finding(
            "bluetooth", bad, found, f"The configuration asks for {adapter}: write one of those into radio.adapter."
        )
    off = [name for name in seen.blocked if adapter in (None, name)]
    if off and (adapter or len(off) == len(seen.adapters)):
        return Finding(
            "bluetooth", bad, f"{', '.join(off)} switched off", "Switch it on: sudo rfkill unblock bluetooth"
        )
    if not seen.bluez:
        advice = "Start BlueZ, Debian's Bluetooth: sudo apt install bluez, then: sudo systemctl enable --now bluetooth"
        return Finding("bluetooth", bad, f"{found}, but no BlueZ on D-Bus", advice)
    usable = 1 if adapter else len(seen.adapters) - len(off)
    if sensors > usable * links:
        have = f"{sensors} Bluetooth sensors, and room for {usable * links} ({found}, {links} links each)"
        return Finding("bluetooth", "warn", have, f"Plug in {-(-sensors // links) - usable} more, or see radio.links.")
    return Finding("bluetooth", "ok", f"{found}, BlueZ answers")


def judge_clock(clock: Clock) -> Finding:
    """Kept right by something; times of measurements are only as good as it is."""
    if clock.synchronised is None:
        return Finding(
            "clock",
            "warn",
            "may not be asked",
            "See by hand whether it says 'System clock synchronized: yes': timedatectl",
        )
    if not clock.synchronised:
        advice = "Is the network cable in? Are the time servers right? Then: sudo timedatectl set-ntp true"
        return Finding("clock", "warn", "not synchronised", advice)
    return Finding("clock", "ok", f"synchronised, within {max(clock.max_error_s * 1000, 1):.0f} ms")


def judge_disk(disk: Disk, outbox_bytes: int) -> Finding:
    """Writable, with room for a full outbox and the history, and quick to be sure of a write."""
    if disk.fsync_s is None:
        return Finding(
            "disk",
            "fail",
            f"{disk.folder} is not writable",
            "Run this as the gateway's user: sudo -u rehab-gateway rehab-gateway doctor CONFIG",
        )
    found = f"{disk.free_bytes / 1e9:.1f} GB free, a safe write takes {disk.fsync_s * 1000:.1f} ms"
    if disk.free_bytes < outbox_bytes:
        advice = f"A full outbox needs {outbox_bytes / 1e9:.1f} GB: free some, or lower outbox.max_megabytes."
        return Finding("disk", "fail", found, advice)
    if disk.fsync_s > FSYNC_BAD_S:
        return Finding("disk", "fail", found, "Too slow for the outbox: use a solid-state disk, or a better SD card.")
    if disk.free_bytes < outbox_bytes + FREE_WANTED:
        return Finding("disk", "warn", found, "Little room for the history: free some, or lower historian.keep_days.")
    if disk.fsync_s > FSYNC_GOOD_S:
        return Finding("disk", "warn", found, "Slow: raise outbox.commit_ms, or use a solid-state disk.")
    return Finding("disk", "ok", found)


def show(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print the findings, and a last line that says what they come to."""
    if as_json:
        checks = [{**asdict(f), "means": "" if f.state == "ok" else meaning(f.name)} for f in findings]
        body = {"ok": not any(f.state == "fail" for f in findings), "checks": checks}
        sys.stdout.write(plain_json(body, orjson.OPT_INDENT_2).decode())
        return
    looks = {"ok": Text("ok", "green"), "warn": Text("warn", "yellow"), "fail": Text("FAIL", "bold red")}
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        means = f"\n{meaning(finding.name)}" if finding.state != "ok" else ""
        advice = f"\n→ {visible(finding.advice)}" if finding.advice else ""
        table.add_row(
            finding.name, looks[finding.state], Text.assemble(visible(finding.found), means, (advice, "bold"))
        )
    console = Terminal()
    console.print(table)
    console.print(f"\n{verdict(findings)}")


def verdict(findings: Sequence[Finding]) -> str:
    """Return the conclusion in one sentence."""
    fails = [finding.name for finding in findings if finding.state == "fail"]
    warns = [finding.name for finding in findings if finding.state == "warn"]
    if fails:
        return f"This computer cannot do the job yet: {', '.join(fails)}. Do what the arrows say."
    if warns:
        return f"This computer can do the job; look at this when there is time: {', '.join(warns)}."
    return "This computer can do the job."


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
