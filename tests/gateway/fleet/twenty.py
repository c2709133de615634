"""A fleet of twenty on one machine: enrolled, upgraded in rings, one of them bad, one thrown out, and all measuring.

    python -m tests.gateway.fleet.twenty [--gateways 20] [--real 3] [--rate 100] [--seconds 60] [--store WHICH]

Twice: with a VictoriaMetrics as the store, and, without the roll-outs, with a PostgreSQL.

Of the gateways some are light (`hospital`: the product's agent, outbox and publisher over TLS, no devices), and some
have the product's own 'run' as a process (`real_gateway`: they take part in roll-outs and measure nothing). The broker,
the desk, two historians and the store are what a hospital has. Exit status 0 only where nothing is lost or twice.
"""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from gateway.fleet.roll_outs import RollOuts
from tests.faults.chain import Process
from tests.faults.content import RUN_FACTOR, made
from tests.gateway.fleet.hospital import SITE, Hospital, LightGateway, hospital_in
from tests.gateway.fleet.real_gateway import RealGateway
from tests.gateway.fleet.stores import KINDS, FleetStore, store_of
from tests.servers import wait_until

HISTORIANS = ("h-1", "h-2")
STEP_S = 0.05
QUIET_WITHIN_S = 900.0
"""Two cores that others use too store some hundred a second; a machine of its own, some thousand."""
TELL_EVERY_S = 15.0
NEW = version("rehab-gateway")
"""What the roll-out brings: the version that real 'run' processes say; the light ones begin with an older one."""


@dataclass
class Outcome:
    """What came of it; ``notes`` are what was wrong."""

    made: int = 0
    stored: int = 0
    lost: int = 0
    twice: int = 0
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def historians_of(hospital: Hospital, store: FleetStore) -> list[Process]:
    """Return two historians that share, as processes, with certificates of the fleet."""
    found = []
    for name in HISTORIANS:
        config, fleet = hospital.folder / f"{name}.toml", hospital.fleet_folder
        config.write_text(
            f'[site]\nsite = "{SITE}"\ngateway = "central"\ndata = "{hospital.folder / name}"\n'
            f'[broker]\nembedded = false\nhost = "localhost"\nport = {hospital.port}\nca_file = "{fleet}/ca.pem"\n'
            f'[historian]\nid = "{name}"\nshare = "fleet"\ndatabase = "{hospital.folder / name}.db"\n'
            f'cert_file = "{fleet}/{name}.pem"\nkey_file = "{fleet}/{name}.key"\nkeep_days = 100000\n{store.section}'
        )
        found.append(Process(name, hospital.folder, [sys.executable, "-m", "gateway", "historian", str(config)]))
    return found


class Load:
    """Measurements of light gateways at a steady rate, from one thread; each number is made once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._stop = threading.Event()
        self._gateways: list[LightGateway] = []
        self.made: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self, gateways: list[LightGateway]) -> None:
        """Begin."""
        self._gateways = gateways
        self.began_s = time.monotonic()
        self._thread.start()

    def stop(self) -> float:
        """End, with everything on disk; return for how long it went."""
        self._stop.set()
        self._thread.join()
        for one in self._gateways:
            assert one.outbox.flush()
        return time.monotonic() - self.began_s

    def _run(self) -> None:
        while not self._stop.wait(STEP_S):
            due = int((time.monotonic() - self.began_s) * self._rate)
            for run, one in enumerate(self._gateways):
                first = run * RUN_FACTOR
                one.outbox.append([made(first + n) for n in range(self.made[one.name], due)])
                self.made[one.name] = due

    def numbers(self) -> set[int]:
        """Return all that were made."""
        return {run * RUN_FACTOR + n for run, one in enumerate(self._gateways) for n in range(self.made[one.name])}


def enrol(hospital: Hospital, count: int, real: int) -> list[LightGateway]:
    """Have them join: one in the ring 'first', five in 'ward'; return the light ones."""
    for number in range(count):
        name, ring = f"ward-{number + 1}", "first" if number == 0 else "ward" if number < 6 else "rest"
        kind = RealGateway if 0 < number <= real else LightGateway
        one = kind(hospital.folder / name, name, hospital.enrol_broker())
        one.join(hospital.code(name, ring))
        one.start()
        hospital.gateways[name] = one
    return [one for one in hospital.gateways.values() if not isinstance(one, RealGateway)]


def bad_ring(hospital: Hospital, outcome: Outcome) -> None:
    """Roll an upgrade out with one gateway that cannot take it; mend it, and go on."""
    bad = hospital.gateways[list(hospital.gateways)[min(5, len(hospital.gateways) - 1)]]
    (bad.folder / "broken").touch()
    began = time.monotonic()
    hospital.roll_out(hospital.bundle(NEW, size=3_000_000), NEW, "first", "ward", "all", within_s=120.0)
    stopped = hospital.until("stopped", within_s=180.0)
    have = sum((one.folder / "version").read_text() == NEW for one in hospital.gateways.values())
    outcome.lines.append(
        f"upgrade: stopped in ring {stopped.open} of {len(stopped.rings)} after {time.monotonic() - began:.1f} s,"
        f" {have} of {len(hospital.gateways)} have it; {stopped.why}"
    )
    beyond = {name for ring in stopped.rings[stopped.open :] for name in ring.gateways}
    if bad.name not in stopped.why or any((hospital.gateways[n].folder / "version").read_text() == NEW for n in beyond):
        outcome.notes.append("the ring did not stop at the bad gateway")
    (bad.folder / "broken").unlink()
    RollOuts(hospital.fleet.register).resume()
    hospital.until("done", within_s=180.0)
    have = sum((one.folder / "version").read_text() == NEW for one in hospital.gateways.values())
    outcome.lines.append(f"resumed: done, {have} of {len(hospital.gateways)} have it")


def configuration(hospital: Hospital, outcome: Outcome) -> None:
    """Roll a part of the configuration out; every gateway checks it, restarts, and is well."""
    part = hospital.folder / "pager.toml"
    part.write_text('[notices]\nleast_priority = "low"\n')
    began = time.monotonic()
    hospital.roll_out(part, "pager", "first", "all", within_s=180.0)
    hospital.until("done", within_s=240.0)
    starts = [one.starts for one in hospital.gateways.values() if isinstance(one, RealGateway)]
    outcome.lines.append(
        f"configuration: done after {time.monotonic() - began:.1f} s; starts of the real 'run' processes: {starts}"
    )


def throw_out(hospital: Hospital, outcome: Outcome) -> None:
    """Revoke a gateway that measures, see that it stays out, and invite it again."""
    name, one = list(hospital.gateways.items())[-1]
    began = time.monotonic()
    outcome.notes += hospital.fleet.revoke(name, "lost") or []
    wait_until(lambda: not one.publisher.state().connected and not one.agent.link.connected)
    ended_s = time.monotonic() - began
    tries = one.agent.link.errors["connection"]
    wait_until(lambda: one.agent.link.errors["connection"] >= tries + 2)
    if one.agent.link.connected or one.publisher.state().connected:
        outcome.notes.append(f"{name} is back, and should not be")
    outcome.lines.append(
        f"revoked: both connections of {name} had ended after {ended_s:.1f} s; {one.agent.link.last_error}"
    )
    one.join(hospital.code(name))
    wait_until(lambda: one.publisher.state().connected and one.agent.link.connected, 90.0)
    outcome.lines.append(f"invited again: {name} is back, with all that it measured meanwhile in its outbox")


def compare(hospital: Hospital, load: Load, store: FleetStore, outcome: Outcome) -> None:
    """Hold what the histories and the store have against what was made."""
    wanted = load.numbers()
    rows: Counter[int] = Counter()
    shares = []
    for name in HISTORIANS:
        file = hospital.folder / f"{name}.db"
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
            values = [int(value) for (value,) in db.execute("SELECT value FROM readable")]
        shares.append(len(values))
        if len(values) != len(set(values)):
            outcome.notes.append(f"{name} has {len(values) - len(set(values))} twice")
        rows.update(values)
    held = store.held()
    places = held.places
    outcome.made, outcome.stored = len(wanted), len(places)
    outcome.lost = len(wanted - rows.keys()) + len(wanted - places.keys())
    outcome.twice = sum(times > 1 for times in places.values())
    foreign = len(rows.keys() - wanted) + len(places.keys() - wanted)
    outcome.notes += [f"{foreign} that nobody made"] if foreign else []
    both = sum(n > 1 for n in rows.values())
    outcome.lines.append(sizes(hospital, store, sum(shares), len(places)))
    outcome.lines.append(
        f"shares {' + '.join(map(str, shares))}, {both} of them in both histories (sent again),"
        f" {held.again} points written to the store again"
    )


def sizes(hospital: Hospital, store: FleetStore, rows: int, values: int) -> str:
    """Return what a row takes in the histories, and in the store where it is our own."""
    histories = sum(file.stat().st_size for file in hospital.folder.glob("h-?.db*"))
    words = f"a row takes {histories / max(rows, 1):.0f} bytes in the histories"
    own = store.size()
    return f"{words} and {own / max(values, 1):.0f} in {store.name}" if own else words


def run(
    folder: Path,
    *,
    gateways: int,
    real: int = 0,
    rate: float = 100.0,
    seconds: float = 60.0,
    store: str = "victoriametrics",
    roll_outs: bool = True,
    say: Callable[[str], None] = lambda _words: None,
) -> Outcome:
    """Run all of it, or without the roll-outs; return what came of it."""
    outcome = Outcome()
    with ExitStack() as stack:
        remote = stack.enter_context(store_of(store, folder))
        hospital = stack.enter_context(hospital_in(folder, historians=HISTORIANS))
        historians = historians_of(hospital, remote)
        for historian in historians:
            historian.start()
            stack.callback(historian.end)
        wait_until(lambda: all("connected" in historian.text() for historian in historians), 60.0)
        began = time.monotonic()
        light = enrol(hospital, gateways, real)
        say(f"enrolled {gateways} gateways in {time.monotonic() - began:.1f} s, {len(light)} light, {real} with 'run'")
        load = Load(rate)
        parts = (bad_ring, *((configuration,) if real else ())) if roll_outs else ()
        for part in (*parts, throw_out):
            if part is throw_out:
                load.start(light)
            told = len(outcome.lines)
            part(hospital, outcome)
            for line in outcome.lines[told:]:
                say(line)
        while time.monotonic() - load.began_s < seconds:
            time.sleep(STEP_S)
        took = load.stop()
        wait_for_outboxes(light, say)
        say(
            f"measured for {took:.0f} s at {sum(load.made.values()) / took:.0f} a second, into {remote.name};"
            f" all outboxes were empty {time.monotonic() - load.began_s - took:.1f} s later"
        )
        compare(hospital, load, remote, outcome)
        outcome.notes += [note for historian in historians for note in historian.unclean()[:3]]
        say("; ".join(outcome.lines[-2:]))
    return outcome


def wait_for_outboxes(gateways: list[LightGateway], say: Callable[[str], None]) -> None:
    """Wait until everything is stored, and say now and then how much is not."""
    told = time.monotonic()
    deadline = told + QUIET_WITHIN_S
    while waiting := sum(one.outbox.state().depth for one in gateways):
        assert time.monotonic() < deadline, f"{waiting} measurements wait in the outboxes"
        if time.monotonic() - told > TELL_EVERY_S:
            told = time.monotonic()
            say(f"{waiting} wait in the outboxes")
        time.sleep(STEP_S)


def main() -> int:
    """Run it, and print a line a step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gateways", type=int, default=20)
    parser.add_argument("--real", type=int, default=3, help="of them with a real 'run' process")
    parser.add_argument("--rate", type=float, default=100.0, help="measurements a second of each light one")
    parser.add_argument("--seconds", type=float, default=60.0, help="of measuring")
    parser.add_argument(
        "--store",
        default="",
        help="victoriametrics, postgresql, or the address of a VictoriaMetrics; both kinds by default",
    )
    options = parser.parse_args()
    began = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {words}", flush=True)  # noqa: T201 - a program, which prints

    failed = False
    for store in [options.store] if options.store else KINDS:
        whole = bool(options.store) or store == KINDS[0]
        say(f"a hospital with {store}")
        with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
            outcome = run(
                Path(folder), gateways=options.gateways, real=options.real if whole else 0, rate=options.rate,
                seconds=options.seconds, store=store, roll_outs=whole, say=say,
            )  # fmt: skip
        say(f"made {outcome.made}, in the store {outcome.stored}, lost {outcome.lost}, twice {outcome.twice}")
        for note in outcome.notes:
            say(f"WRONG: {note}")
        failed = failed or bool(outcome.lost or outcome.twice or outcome.notes)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
