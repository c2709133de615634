"""A history as a ward makes it over weeks: somebody is admitted, trains, is tested; each number is known."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

from gateway.history.history import History
from gateway.history.minutes import roll_up
from gateway.model.measurement import Measurement, Quality, Side
from tests.gateway.history.ward_gateway import Gateway, us
from tests.gateway.samples import measurement

DAY_S = 86_400
PACED = "10mwt pace=comfortable"
SUBJECT = "p-0151"
QUARTER_S = 900
FULL = 44  # quarters of an hour: eleven hours
EARLY_S = 6 * 3600 - us(0) // 1_000_000 % DAY_S
"""From where a day of the clinic begins to six in the morning, UTC."""
MONDAY, WEEK_DAYS = 4, 7  # 1970 began on a Thursday


def monday_before(day: int) -> int:
    """Return the day of the clinic that was the last Monday before another."""
    return next(
        at for at in range(day - 1, -1, -1) if (us(at * DAY_S) // (DAY_S * 1_000_000) - MONDAY) % WEEK_DAYS == 0
    )


class Clinic:
    """One gateway with one bed, whose history is written into a folder.

    Args:
        folder: Where ``history.db`` is made.
        simulated: Whether all numbers are.
        name: Of the gateway: two may tell one history of the same person.
    """

    def __init__(self, folder: Path, *, simulated: bool = False, name: str = "g-1") -> None:
        self.path = folder / "history.db"
        self.gateway = Gateway(folder, name, subject=SUBJECT, epoch=f"{crc32(name.encode()):016x}")
        self.simulated = simulated

    def begin(self, day: float, protocol: str = PACED) -> str:
        """Begin a session; return its id."""
        self.gateway.do(int(day * DAY_S), "session-start", subject=SUBJECT, protocol=protocol)
        return self.gateway.registry.state.sessions[-1].id

    def give(
        self, day: float, metric: str, value: float | None, *, side: Side = "none", second: int = 30,
        quality: Quality = "ok", unit: str = "m/s", length_s: float = 5.0, **other: Any,
    ) -> None:  # fmt: skip
        """Have a number measured in the session in force; what it was measured from ended so many seconds after."""
        at = us(int(day * DAY_S) + second)
        bed = self.gateway.registry.state.in_force()[0]
        made: Measurement = replace(
            measurement(0), metric=metric, value=value, unit=unit, side=side,
            start_us=at - round(length_s * 1e6), end_us=at, quality=quality,
            reason="" if quality == "ok" else "few", session=bed.session, subject=bed.slot.subject,
            simulated=self.simulated, **({"algorithm": "timed/2"} | other),
        )  # fmt: skip
        self.gateway.seq += 1
        self.gateway.waiting.append((self.gateway.seq, made))

    def wear(
        self, day: int, quarters: int, upright_h: float = 0.1, quality: Quality = "ok", *, first: float = 0.0,
        wear_h: float = 0.25, placement: str = "left_thigh", transfers: float | None = None,
    ) -> None:  # fmt: skip
        """Have a sensor worn for quarters of an hour, from the so-maniest one after six in the morning on."""
        values = {"wear_time": wear_h, "upright_time": upright_h, "sedentary_time": 0.25 - upright_h}
        if transfers is not None:
            values["transfer_count"] = transfers
        for quarter in range(quarters):
            second = EARLY_S + round((first + quarter + 1) * QUARTER_S)
            for metric, value in values.items():
                self.give(
                    day, metric, value, second=second, unit="h", algorithm="posture/3", quality=quality,
                    length_s=QUARTER_S, placement=(placement,), devices=(f"{placement}-1",),
                )  # fmt: skip

    def bout(
        self, day: int, second: int, duration_s: float, steps: int, speed: float, *, placement: tuple[str, ...],
        algorithm: str,
    ) -> None:  # fmt: skip
        """Have a walking bout measured that ends so many seconds after six in the morning."""
        devices = tuple(f"{place}-1" for place in placement)
        for metric, value, unit in (
            ("walking_bout", duration_s, "s"), ("walking_time", duration_s, "s"),
            ("n_steps", float(steps), "1"), ("walking_speed", speed, "m/s"),
            ("cadence", 60.0 * steps / duration_s, "{steps}/min"),
        ):  # fmt: skip
            self.give(day, metric, value, side="both", second=EARLY_S + second, unit=unit, length_s=duration_s,
                      algorithm=algorithm, placement=placement, devices=devices, n=steps)  # fmt: skip

    def end(self, day: float, seconds: int = 300) -> None:
        """End the session."""
        session = self.gateway.registry.state.open_session(SUBJECT)
        assert session is not None
        self.gateway.do(int(day * DAY_S) + seconds, "session-end", session=session.id)

    def test(self, day: float, speed: float | None, *, protocol: str = PACED, **other: Any) -> str:
        """Have a ten-metre walk done; return its session."""
        session = self.begin(day, protocol)
        self.give(day, "tmwt10_speed", speed, **other)
        self.end(day)
        return session

    def walk(self, day: float, cadence: float, *, minutes: int = 10, but: Mapping[int, Quality] | None = None) -> str:
        """Have somebody walk for minutes, with a cadence every ten seconds; return the session."""
        session = self.begin(day, "free_walk")
        for second in range(10, minutes * 60, 10):
            quality = (but or {}).get(second // 60, "ok")
            if quality != "invalid":
                drift = cadence + (second % 60) / 10 - 2.5
                self.give(day, "cadence", drift, side="both", second=second, quality=quality, unit="{steps}/min",
                          algorithm="gait/3")  # fmt: skip
        self.end(day, minutes * 60)
        return session

    def store(self, *, rolled: bool = True) -> Path:
        """Write what waits into the history, and make its minutes; return the file."""
        with closing(History(self.path)) as history:
            self.gateway.send(history)
            if rolled:
                with history.database.transaction() as db:
                    while roll_up(db, 2**62).ids:
                        pass
        return self.path
