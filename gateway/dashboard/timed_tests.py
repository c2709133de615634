"""The timed tests that the test page offers: what each needs, how it is done in plain words, and what it gives.

How a test is given stands in its own literature; here stands what the sensors have to see: that somebody stands or sits
still before and after, for the movement is found between two such times. Fields are those of ``config/protocol.py``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from config.protocol import FIELDS, read_protocol
from gateway.texts.languages import text
from gateway.ward.entries import TIMED

Signal = Literal["acc", "gyr"]
Places = tuple[str, ...]

STEPS: Final[Places] = ("left_foot", "right_foot", "left_shank", "right_shank", "lower_back")
TRUNK: Final[Places] = ("lower_back", "chest")
WRISTS: Final[Places] = ("wrist", "left_wrist", "right_wrist")
TRANSFERS: Final[Places] = ("lower_back", "chest", "left_thigh", "right_thigh", *WRISTS)
HEART: Final[Places] = ("chest", *WRISTS)
NOTHING_BETWEEN: Final = "timed_tests.nothing_between"

REQUIRED: Final = frozenset({"start"})
"""Fields without which a result is in doubt: they are asked for before Start."""
LABELS: Final[dict[str, str]] = {
    "start": "timed_tests.field_start",
    "distance_m": "timed_tests.field_distance_m",
    "run_up_m": "timed_tests.field_run_up_m",
    "course_m": "timed_tests.field_course_m",
    "aid": "timed_tests.field_aid",
    "hands": "timed_tests.field_hands",
    "eyes": "timed_tests.field_eyes",
    "surface": "timed_tests.field_surface",
    "stance": "timed_tests.field_stance",
    "steps": "timed_tests.field_stairs",
}
WORDS: Final[dict[str, str]] = {
    "static": "timed_tests.value_static",
    "dynamic": "timed_tests.value_dynamic",
    "none": "timed_tests.value_none",
    "stick": "timed_tests.value_stick",
    "crutches": "timed_tests.value_crutches",
    "frame": "timed_tests.value_frame",
    "rollator": "timed_tests.value_rollator",
    "orthosis": "timed_tests.value_orthosis",
    "person": "timed_tests.value_person",
    "yes": "timed_tests.value_yes",
    "no": "timed_tests.value_no",
    "open": "timed_tests.value_open",
    "closed": "timed_tests.value_closed",
    "firm": "timed_tests.value_firm",
    "foam": "timed_tests.value_foam",
    "apart": "timed_tests.value_apart",
    "together": "timed_tests.value_together",
    "semi-tandem": "timed_tests.value_semi_tandem",
    "tandem": "timed_tests.value_tandem",
    "left-leg": "timed_tests.value_left_leg",
    "right-leg": "timed_tests.value_right_leg",
}
"""Keys of what fields and their values are called."""


@dataclass(frozen=True, slots=True)
class Need:
    """A sensor at one of these places, and what it gives; without one that is needed there is no result."""

    places: Places
    gives: str
    needed: bool = True
    signal: str = "movement"


@dataclass(frozen=True, slots=True)
class TimedTest:
    """A test as the page offers it: what people read of it are keys of texts.

    Attributes:
        id: In code.
        title: What people call it.
        protocol: Word, and the fields that the choice of this test decides.
        asks: Fields that are asked for, in their order.
        needs: The sensors.
        before: What is done before Start is pressed.
        during: What is said while it runs.
        stop: When Stop is pressed.
        results: Metrics that it gives, the first is the one that is shown large.
        figures: What is shown while it runs: steps, cadence, turns, rises, heart.
        signal: Which is drawn afterwards: size of the acceleration, or of the rate of turning.
        lasts_s: For how long it is done, if that is set.
        laps: Whether lengths of a course are counted.
        not_again: What a corrected time does not change.
    """

    id: str
    title: str
    protocol: str
    asks: tuple[str, ...]
    needs: tuple[Need, ...]
    before: tuple[str, ...]
    during: str
    stop: str
    results: tuple[str, ...]
    figures: tuple[str, ...]
    signal: Signal = "acc"
    lasts_s: float | None = None
    laps: bool = False
    not_again: str = NOTHING_BETWEEN
    timed: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "timed", TIMED.get(self.word, ""))

    @property
    def word(self) -> str:
        """The word of its protocol."""
        return read_protocol(self.protocol).word

    def as_json(self) -> dict[str, Any]:
        """Return it for a page, with the fields that it asks for and what each may be."""
        fields = FIELDS[self.word]
        asked: list[dict[str, Any]] = [
            {
                "name": name,
                "label": text(LABELS[name]),
                "choices": [{"value": v, "text": text(WORDS[v]) if v in WORDS else str(v)} for v in found],
            }
            if isinstance((found := fields[name])[0], str)
            else {"name": name, "label": text(LABELS[name]), "low": found[0], "high": found[1]}
            for name in self.asks
        ]
        for one in asked:
            one["required"] = one["name"] in REQUIRED
        said = {name: text(getattr(self, name)) for name in ("title", "during", "stop", "not_again")}
        needs = [asdict(one) | {"gives": text(one.gives)} for one in self.needs]
        before = [text(one) for one in self.before]
        return asdict(self) | said | {"needs": needs, "before": before, "fields": asked, "word": self.word}


_STEPS = Need(STEPS, "timed_tests.gives_steps")
_TURNS = Need(TRUNK, "timed_tests.gives_turns", needed=False)
_HEART = Need(HEART, "timed_tests.gives_heart_rate", needed=False, signal="heart")
_STILL = "timed_tests.stands_still"
_WALK_NEEDS = (_STEPS, _TURNS, _HEART)
_CHAIR = Need(TRANSFERS, "timed_tests.gives_rising")
_CHAIR_BEFORE = (
    "timed_tests.sits_in_the_middle",
    "timed_tests.press_start_wait",
)


def _over_distance(word: str, metres: int, pace: str) -> TimedTest:
    speed = f"tmwt{metres}_speed"
    return TimedTest(
        f"{word}-{pace}", f"timed_tests.walk_{metres}_m_{pace}", f"{word} pace={pace}",
        ("start", "distance_m", "run_up_m", "aid"), _WALK_NEEDS,
        ("timed_tests.stands_still_run_up_free", "timed_tests.press_start_wait"),
        f"timed_tests.walks_{pace}",
        "timed_tests.stop_behind_the_mark",
        (speed, speed.replace("_speed", "_time")), ("steps", "cadence", "heart"),
    )  # fmt: skip


def _for_minutes(word: str, minutes: int) -> TimedTest:
    return TimedTest(
        word, f"timed_tests.walk_{minutes}_minutes", word, ("course_m", "aid"), _WALK_NEEDS,
        (_STILL, "timed_tests.press_start_say_go"),
        "timed_tests.walks_to_and_fro",
        f"timed_tests.stop_after_{minutes}_minutes",
        (f"mwt{minutes}_distance", "walk_test_lengths", "walk_test_stops"), ("steps", "cadence", "turns", "heart"),
        lasts_s=60.0 * minutes, laps=True,
    )  # fmt: skip


def _stands(word: str, title: str, metric: str, seconds: float | None, until: str) -> TimedTest:
    return TimedTest(
        word, title, word, ("hands",), (_CHAIR, _HEART), _CHAIR_BEFORE,
        "timed_tests.stands_up_and_sits", until,
        (metric,), ("rises", "heart"), signal="gyr", lasts_s=seconds, not_again="timed_tests.no_single_rises",
    )  # fmt: skip


TESTS: Final[tuple[TimedTest, ...]] = (
    _over_distance("10mwt", 10, "comfortable"),
    _over_distance("10mwt", 10, "fast"),
    _over_distance("4mwt", 4, "comfortable"),
    _for_minutes("6mwt", 6),
    _for_minutes("2mwt", 2),
    TimedTest(
        "stairs", "timed_tests.stairs", "stairs", ("steps",), (_STEPS, _HEART),
        ("timed_tests.stands_before_the_stairs", "timed_tests.press_start_say_go"),
        "timed_tests.climbs_stairs",
        "timed_tests.stop_on_the_last_stair",
        ("stairs_time", "stairs_steps", "stairs_rate"), ("steps", "cadence", "heart"),
    ),
    TimedTest(
        "tug", "timed_tests.tug", "tug", ("distance_m", "aid"), (_CHAIR, _HEART),
        (
            "timed_tests.sits_back",
            "timed_tests.press_start_wait",
        ),
        "timed_tests.stands_walks_turns_sits",
        "timed_tests.stop_sits_again",
        (
            "tug_total", "tug_sit_to_stand", "tug_walk_out", "tug_turn_180", "tug_walk_back", "tug_turn_to_sit",
        ),
        ("rises", "heart"), signal="gyr", not_again="timed_tests.no_parts",
    ),
    _stands("5xsts", "timed_tests.sts_5", "sts5_time", None, "timed_tests.stop_fifth_time"),
    _stands("30scst", "timed_tests.sts_30", "sts30_reps", 30.0, "timed_tests.stop_after_30_s"),
    _stands("1msts", "timed_tests.sts_60", "sts60_reps", 60.0, "timed_tests.stop_after_a_minute"),
    TimedTest(
        "balance", "timed_tests.balance", "balance", ("stance", "eyes", "surface"),
        (Need(("lower_back",), "timed_tests.gives_sway"),),
        ("timed_tests.takes_the_stance", "timed_tests.start_stands_quietly"),
        "timed_tests.as_still_as_possible",
        "timed_tests.stop_30_s_or_lost",
        ("sway_path", "sway_rms_ap", "sway_rms_ml", "sway_mean_velocity"), (), lasts_s=30.0,
    ),
)  # fmt: skip


def find_test(protocol: str) -> TimedTest | None:
    """Return the test of a session's protocol; None where it is none of these."""
    given = read_protocol(protocol)
    alike = [one for one in TESTS if one.word == given.word]
    fits = [one for one in alike if read_protocol(one.protocol).fields.items() <= given.fields.items()]
    return next(iter([*fits, *alike]), None)
