"""The timed tests that the test page offers: what each needs, how it is done in plain words, and what it gives.

How a test is given stands in its own literature; here stands what the sensors have to see: that somebody stands or sits
still before and after, for the movement is found between two such times. Fields are those of ``config/protocol.py``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from config.protocol import FIELDS, read_protocol
from gateway.ward.entries import TIMED

Signal = Literal["acc", "gyr"]
Places = tuple[str, ...]

STEPS: Final[Places] = ("left_foot", "right_foot", "left_shank", "right_shank", "lower_back")
TRUNK: Final[Places] = ("lower_back", "chest")
TRANSFERS: Final[Places] = ("lower_back", "chest", "left_thigh", "right_thigh", "wrist")
HEART: Final[Places] = ("chest", "wrist")
NOTHING_BETWEEN: Final = "steps, strides and turns are not computed again"

REQUIRED: Final = frozenset({"start"})
"""Fields without which a result is in doubt: they are asked for before Start."""
LABELS: Final[dict[str, str]] = {
    "start": "How it starts", "distance_m": "Distance, m", "run_up_m": "Run-up before and behind it, m",
    "course_m": "From turn to turn, m", "aid": "Walking aid", "hands": "Hands may help", "eyes": "Eyes",
    "surface": "Surface", "stance": "Stance", "pace": "Pace",
}  # fmt: skip
WORDS: Final[dict[str, str]] = {
    "static": "from standing", "dynamic": "with a run-up", "semi-tandem": "semi-tandem", "left-leg": "on the left leg",
    "right-leg": "on the right leg", "apart": "feet apart", "together": "feet together", "frame": "walking frame",
    "stick": "one stick", "crutches": "crutches", "rollator": "rollator", "orthosis": "orthosis",
    "person": "a person helps",
}  # fmt: skip
"""How fields and their values are said, where the word itself does not do."""


@dataclass(frozen=True, slots=True)
class Need:
    """A sensor at one of these places, and what it gives; without one that is needed there is no result."""

    places: Places
    gives: str
    needed: bool = True
    signal: str = "movement"


@dataclass(frozen=True, slots=True)
class TimedTest:
    """A test as the page offers it.

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
                "label": LABELS[name],
                "choices": [{"value": v, "text": WORDS.get(str(v), str(v))} for v in found],
            }
            if isinstance((found := fields[name])[0], str)
            else {"name": name, "label": LABELS[name], "low": found[0], "high": found[1]}
            for name in self.asks
        ]
        for one in asked:
            one["required"] = one["name"] in REQUIRED
        return asdict(self) | {"fields": asked, "word": self.word}


_STEPS = Need(STEPS, "steps, from which time, speed and distance are found")
_TURNS = Need(TRUNK, "turns", needed=False)
_HEART = Need(HEART, "heart rate", needed=False, signal="heart")
_STILL = "The patient stands still at the first mark."
_WALK_NEEDS = (_STEPS, _TURNS, _HEART)
_CHAIR = Need(TRANSFERS, "rising and sitting down")
_CHAIR_BEFORE = (
    "The patient sits still in the middle of the chair, feet on the floor.",
    "Press Start, wait for two seconds, then say go.",
)


def _over_distance(word: str, metres: int, pace: str) -> TimedTest:
    speed = f"tmwt{metres}_speed"
    fast = "as fast as is safe" if pace == "fast" else "at a comfortable pace"
    return TimedTest(
        f"{word}-{pace}", f"{metres} m walk, {pace}", f"{word} pace={pace}",
        ("start", "distance_m", "run_up_m", "aid"), _WALK_NEEDS,
        (f"{_STILL} Run-up and run-out are free.", "Press Start, wait for two seconds, then say go."),
        f"The patient walks {fast} to the last mark, and stands still there.",
        "Press Stop when the patient stands still behind the last mark.",
        (speed, speed.replace("_speed", "_time")), ("steps", "cadence", "heart"),
    )  # fmt: skip


def _for_minutes(word: str, minutes: int) -> TimedTest:
    return TimedTest(
        word, f"{minutes} minute walk", word, ("course_m", "aid"), _WALK_NEEDS,
        (_STILL, "Press Start and say go at the same time."),
        "The patient walks to and fro. Press Lap at each turn: laps are the best measure of the distance.",
        f"Press Stop after {minutes} minutes, or when the patient gives up.",
        (f"mwt{minutes}_distance", "walk_test_lengths", "walk_test_stops"), ("steps", "cadence", "turns", "heart"),
        lasts_s=60.0 * minutes, laps=True,
    )  # fmt: skip


def _stands(word: str, title: str, metric: str, seconds: float | None, until: str) -> TimedTest:
    return TimedTest(
        word, title, word, ("hands",), (_CHAIR, _HEART), _CHAIR_BEFORE,
        "The patient stands up fully and sits down again, as often and as fast as is safe.", until,
        (metric,), ("rises", "heart"), signal="gyr", lasts_s=seconds, not_again="single rises are not computed again",
    )  # fmt: skip


TESTS: Final[tuple[TimedTest, ...]] = (
    _over_distance("10mwt", 10, "comfortable"),
    _over_distance("10mwt", 10, "fast"),
    _over_distance("4mwt", 4, "comfortable"),
    _for_minutes("6mwt", 6),
    _for_minutes("2mwt", 2),
    TimedTest(
        "tug", "Timed Up and Go", "tug", ("distance_m", "aid"), (_CHAIR, _HEART),
        (
            "The patient sits still, back against the chair.",
            "Press Start, wait for two seconds, then say go.",
        ),
        "The patient stands up, walks to the mark, turns, walks back and sits down.",
        "Press Stop when the patient sits still again.",
        (
            "tug_total", "tug_sit_to_stand", "tug_walk_out", "tug_turn_180", "tug_walk_back", "tug_turn_to_sit",
        ),
        ("rises", "heart"), signal="gyr", not_again="its parts (rises, walks, turns) are not computed again",
    ),
    _stands("5xsts", "5 times sit to stand", "sts5_time", None, "Press Stop when the patient sits the fifth time."),
    _stands("30scst", "30 s chair stand", "sts30_reps", 30.0, "Press Stop after 30 seconds."),
    _stands("1msts", "1 minute sit to stand", "sts60_reps", 60.0, "Press Stop after one minute."),
    TimedTest(
        "balance", "Standing balance", "balance", ("stance", "eyes", "surface"),
        (Need(("lower_back",), "sway"),),
        ("The patient takes the stance. Stay within reach.", "Press Start when the patient stands quietly."),
        "The patient stands as still as possible, arms at the sides.",
        "Press Stop after 30 seconds, or as soon as the stance is lost.",
        ("sway_path", "sway_rms_ap", "sway_rms_ml", "sway_mean_velocity"), (), lasts_s=30.0,
    ),
)  # fmt: skip


def find_test(protocol: str) -> TimedTest | None:
    """Return the test of a session's protocol; None where it is none of these."""
    given = read_protocol(protocol)
    alike = [one for one in TESTS if one.word == given.word]
    fits = [one for one in alike if read_protocol(one.protocol).fields.items() <= given.fields.items()]
    return next(iter([*fits, *alike]), None)
