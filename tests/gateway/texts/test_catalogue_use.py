"""Every text is said somewhere, everything that is said is a text, and no sentence stands in a page or a script."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from drivers import errors, transport
from gateway.dashboard.pages import PAGES, STATIC, keys_of
from gateway.status.notice_rules import RULES
from gateway.texts.languages import english
from tests.gateway.texts.script_words import literals, parts

GATEWAY = Path(__file__).parents[3] / "gateway"
SCRIPTS = sorted(STATIC.glob("*.js"))
KEY = re.compile(r'"([a-z_]+\.[a-z0-9_]+)"')
ONE = re.compile(r"'([a-z_]+\.[a-z0-9_]+)'")
REFUSED = re.compile(r'\brefused\(\s*"([a-z0-9_]+)"( if [a-z_.]+ else "([a-z0-9_]+)")?')
NOT_SENT = re.compile(r'\bNotSentError\(\s*"([a-z0-9_]+)"')
IN_PAGE = re.compile(r"\{\{([a-z0-9_.]+)\}\}")
MADE = {"timed_tests": re.compile(r"(walk_\d+_m_\w+|walks_\w+|walk_\d+_minutes|stop_after_\d+_minutes)"),
        "notice_says": re.compile("."), "notice_advice": re.compile("."), "notice_kinds": re.compile("."),
        "doubts": re.compile("."), "device_advice": re.compile("."), "device_errors": re.compile("."),
        "gateway_health": re.compile("."),
        "protocols": re.compile("."), "drivers": re.compile("."),
        "refusals": re.compile("field_|protocol_|no_(sensor|wrist)_|no_(leg|arm)$|changed_meanwhile")}  # fmt: skip
"""Keys that are put together: which of a section."""
ASKED = {"NO_PASSKEY_ADVICE", "AMBIGUOUS_ADVICE"}
"""Of work that somebody asks for, and of a configuration that is checked: no page shows them."""
SENTENCE = re.compile(r"[A-Z][a-z]+[ .!?,:…]|[A-Z][a-z]{2,}$|[a-z]{2,} [a-z]{2,}")
"""What words for people look like, and names in code do not."""
NOT_FOR_PEOPLE = re.compile(
    r"^(input, select|select, input|:checked, input|#report, #forms form|Content-Type|Idempotency-Key|Signed-In-As"
    r"|#scan, #tap, .sensor button"
    r"|ResizeObserver loop|rehab-gateway tries|px system-ui, sans-serif|10mwt, 6mwt, tug, treadmill, rest …"
    r"|(?:10mwt|6mwt|2mwt|balance) .*|bed nobody|remark breaks|preview doubt|sensor low|lasts up|side (?:left|right)"
    r"|wearer of|not walking|on stairs|no status|axis not known from walking yet|no standing pose before walking"
    r"|axes of the segments disagree|calibrated within this stride|max-age.*)$"
)
"""Selectors, names of classes and headers, protocols, and words of the wire."""


class Words(HTMLParser):
    """What a page says: its text, and the attributes that are read out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        self.found += [
            value for name, value in attrs if value and name in {"aria-label", "placeholder", "title", "alt"}
        ]

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def said() -> set[str]:
    """Return the keys that pages, scripts and programs name."""
    found = set().union(*(keys_of(path.stem) for path in SCRIPTS))
    for page in PAGES.glob("*.html"):
        found |= set(IN_PAGE.findall(page.read_text("utf-8")))
    for path in GATEWAY.rglob("*.py"):
        written = path.read_text("utf-8")
        found |= {f"refusals.{key}" for one in REFUSED.findall(written) for key in (one[0], one[2]) if key}
        found |= {f"answers.{key}" for key in NOT_SENT.findall(written)}
        found |= {*KEY.findall(written), *ONE.findall(written)} & english().entries.keys()
    return found


def test_no_key_is_missing_and_none_is_said_by_nobody() -> None:
    found, known = said(), set(english().entries)
    assert found - known == set()
    made = {key for key in known if (rule := MADE.get(key.partition(".")[0])) and rule.match(key.partition(".")[2])}
    made |= {f"words.{name}" for name in ("left_foot", "right_foot")}  # and the others, by `PLACES`
    assert known - found - made == set()


def test_each_kind_of_notice_has_a_name_and_an_advice() -> None:
    for rule in RULES:
        assert f"notice_kinds.{rule.key}" in english().entries
        assert f"notice_advice.{rule.key}" in english().entries


def test_each_advice_of_a_driver_is_a_text() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.DriverError)]
    advised = {kind.advice for kind in kinds if kind.advice}
    for one in iter_modules(transport.__path__):
        named = vars(import_module(f"{transport.__name__}.{one.name}"))
        advised |= {words for name, words in named.items() if name.endswith("ADVICE") and name not in ASKED}
    texts = {entry for key, entry in english().entries.items() if key.startswith("device_advice.")}
    assert advised == texts


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.html")), ids=lambda path: path.stem)
def test_no_words_stand_in_a_page(page: Path) -> None:
    words = Words()
    words.feed(page.read_text("utf-8"))
    told = (re.sub(r"\{\{[a-z0-9_.]+\}\}|\$\{?\w+\}?|rehab-gateway", "", one) for one in words.found)
    assert [one for one in told if re.search(r"[A-Za-z]", one)] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_no_sentence_stands_in_a_script(script: Path) -> None:
    found = [
        (one.line, part)
        for one in literals(script.read_text("utf-8"))
        if not re.search(r"(?:\b(?:t|has|all)\(|\bfrom )$", one.before)
        for part in parts(one)
        if SENTENCE.search(part.strip()) and not NOT_FOR_PEOPLE.match(part.strip())
    ]
    assert found == []


def test_a_sentence_in_a_script_would_be_found() -> None:
    script = (
        'say($("x"), `Nobody is in ${bed}.`); const a = "in the bed"; // "a comment"\nconst b = /"no"/; t("ward.beds")'
    )
    found = [part for one in literals(script) for part in parts(one) if SENTENCE.search(part)]
    assert found == ["Nobody is in ", "in the bed"]
