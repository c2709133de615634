"""The documentation agrees with the code: a page that is out of date fails here."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

import config.reference
import gateway.cli.reference
from config.loader import load
from drivers.registry import driver_names
from drivers.transport.supervisor import State
from gateway.cli.main import app, known_drivers
from gateway.dashboard import openapi
from gateway.model.measurement import Measurement
from gateway.outbox.outbox import Outbox
from gateway.status.listener import outbox_status
from gateway.status.notice_rules import DEVICE_SILENT
from gateway.status.notices import Notices, finding
from gateway.wire.curves import decode_curves
from gateway.wire.payload import decode_gaps, decode_measurements, decode_records

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("config/**/*.md")])
STATEMENT = (
    "Information for rehabilitation staff and researchers. Not a medical device. Not for diagnosis, treatment decisions"
    " or patient monitoring in place of clinical observation. Alerts may be late or missing."
)


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text(name), re.MULTILINE | re.DOTALL)


def test_every_entry_of_the_log_of_looks_is_explained() -> None:
    tellers = ("looks", "signin", "bearer", "pin_entry", "export", "openid")
    modules = ["audit/access_log", *(f"dashboard/{name}" for name in tellers)]
    sources = "".join(text(f"gateway/{name}.py") for name in modules)
    named = re.findall(r'(?:_Waiting|\.record|\.repeat)\(\s*(?:f?")([a-z-]+)"', sources)
    assert len(set(named)) >= 8
    page = text("docs/operations.md")
    assert [what for what in named if f"`{what}`" not in page] == []


def test_the_configuration_reference_is_the_settings() -> None:
    assert text("docs/configuration.md") == config.reference.page(), "run 'make docs'"


def test_the_metrics_page_is_the_catalogue() -> None:
    assert text("docs/metrics.md") == gateway.cli.reference.metrics_page(), "run 'make docs'"


def test_the_document_of_the_api_is_the_code_s() -> None:
    assert text("docs/openapi.json") == openapi.text(), "run 'make docs'"


def test_the_table_of_topics_is_the_code_s() -> None:
    page = text("docs/mqtt.md")
    assert gateway.cli.reference.with_topics(page) == page, "run 'make docs'"


def test_the_kinds_of_signal_are_those_of_the_table() -> None:
    page = text("docs/architecture.md")
    assert gateway.cli.reference.with_modalities(page) == page, "run 'make docs'"


def test_the_transcript_is_of_the_guide_as_it_is() -> None:
    typed = "".join(blocks("config/deploy/README.md", "sh")).splitlines()
    transcript = text("docs/installation.md").partition("<!-- transcript")[2].partition("<!-- end of transcript")[0]
    seen = [line.removeprefix("$ ") for line in transcript.splitlines() if line.startswith("$ ")]
    assert seen == typed, "run 'sudo tests/bare/technician SUITE PACKAGE docs/installation.md'"
    assert not re.findall(r"^  (?:password of .*|key of the backups): (?!\(shown here\)$)", transcript, re.MULTILINE)


def test_the_tables_of_notices_and_metrics_are_the_code_s() -> None:
    page = text("docs/operations.md")
    assert gateway.cli.reference.with_notices_and_metrics(page) == page, "run 'make docs'"


def test_the_example_of_a_notice_is_one() -> None:
    notices = Notices("ward-7")
    notices.update(0.0, 0, [finding(DEVICE_SILENT, device="dot-1", slot="bay-a")])
    (made,) = notices.active(0)
    shown = next(example for block in blocks("docs/mqtt.md", "json") if "code" in (example := json.loads(block)))
    assert {key: type(value) for key, value in shown.items()} == {key: type(value) for key, value in made.items()}
    table = "\n".join(line for line in text("docs/mqtt.md").splitlines() if line.startswith("| `"))
    assert [key for key in made if key not in ("v", "gateway", "simulated") and f"`{key}`" not in table] == []


def test_every_field_of_a_measurement_is_explained() -> None:
    table = "\n".join(line for line in text("docs/mqtt.md").splitlines() if line.startswith("| `"))
    assert [field.name for field in fields(Measurement) if f"`{field.name}`" not in table] == []


def test_every_entry_of_the_audit_is_explained() -> None:
    named = re.findall(r'self\._append\(\s*"([a-z-]+)"', text("gateway/audit/audit.py"))
    assert len(set(named)) >= 8
    assert [what for what in named if f"| `{what}` |" not in text("docs/mqtt.md")] == []


def test_the_outbox_of_the_example_is_the_outbox_s(tmp_path: Path) -> None:
    shown = next(e for block in blocks("docs/mqtt.md", "json") if "outbox" in (e := json.loads(block)))["outbox"]
    outbox = Outbox(tmp_path / "outbox.db")
    made = outbox_status(outbox)
    outbox.close()
    assert shown.keys() == made.keys()
    assert shown["classes"].keys() == made["classes"].keys()
    assert shown["classes"]["metric"].keys() == made["classes"]["metric"].keys()


def test_every_state_of_a_device_is_explained() -> None:
    assert [state for state in get_args(State) if f"`{state}`" not in text("docs/mqtt.md")] == []


def test_the_examples_of_payloads_are_ones() -> None:
    payloads = [json.loads(block) for block in blocks("docs/mqtt.md", "json")]
    measurements = next(payload for payload in payloads if "measurements" in payload)
    parsed = decode_measurements("ward-7", "bay-a", json.dumps(measurements).encode())
    assert len(parsed.measurements) == len(measurements["measurements"]) == 1
    assert parsed.rejected == []
    records = next(payload for payload in payloads if "records" in payload)
    read = decode_records("ward-7", json.dumps(records).encode())
    assert len(read.records) == len(records["records"]) == 2
    assert read.rejected == []
    gaps = next(payload for payload in payloads if "gaps" in payload)
    assert len(decode_gaps("ward-7", json.dumps(gaps).encode()).gaps) == len(gaps["gaps"]) == 1
    cycles = next(payload for payload in payloads if "curves" in payload)
    for curve in (*cycles["curves"], *cycles["exoskeleton"]):  # shown shortened
        curve["mean"] = (curve["mean"] * 101)[:101]
        curve["sd"] = (curve["sd"] * 101)[:101]
    assert len(decode_curves("ward-7", "bay-a", json.dumps(cycles).encode())["curves"]) == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    local = [link for link in links if not link.startswith(("http://", "https://", "mailto:"))]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_the_docs_exist(page: Path) -> None:
    """Every 'make x' and 'rehab-gateway x' that a reader may copy is a target or a command."""
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    commands = {info.name or getattr(info.callback, "__name__", "") for info in app.registered_commands}
    commands |= {"simulate", "import"}  # brought by packages above
    commands |= {info.name for info in app.registered_groups if info.name}
    code = "\n".join(re.findall(r"^```(?:sh|bash|text)?\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL))
    code += "\n".join(re.findall(r"`([^`\n]+)`", page.read_text("utf-8")))
    assert set(re.findall(r"^(?:\$ )?make ([a-z]+)", code, re.MULTILINE)) <= targets
    assert set(re.findall(r"(?<![\w/@-])rehab-gateway ([a-z-]+)\b", code)) <= commands


def test_the_readme_names_every_command_and_driver() -> None:
    readme = text("README.md")
    commands = [info.name or getattr(info.callback, "__name__", "") for info in app.registered_commands]
    commands += [info.name for info in app.registered_groups if info.name]
    assert [name for name in [*commands, "simulate"] if f"`{name}`" not in readme] == []
    assert [name for name in driver_names() if f"`{name}`" not in readme] == []


@pytest.mark.parametrize("page", sorted((DOCS / "devices").glob("*.md")), ids=lambda path: str(path.stem))
def test_every_page_of_a_device_answers_the_same_questions(page: Path) -> None:
    assert page.stem in driver_names()
    headings = re.findall(r"^## (.+)$", page.read_text("utf-8"), re.MULTILINE)
    assert headings == [
        "Measures", "Firmware", "Set-up", "Streams and units", "Timing", "Known faults", "Verified against",
    ]  # fmt: skip


def test_the_statement_stands_in_the_readme_word_for_word() -> None:
    assert STATEMENT in " ".join(text("README.md").replace("> ", "").split())


def test_configurations_in_the_docs_load(tmp_path: Path) -> None:
    shown = [(page, block) for page in PAGES for block in blocks(str(page.relative_to(ROOT)), "toml")]
    assert shown
    for page, block in shown:
        path = tmp_path / f"{page.stem}.toml"
        path.write_text(block, "utf-8")
        load(path, known_drivers())


def test_everything_that_we_claim_can_be_reproduced() -> None:
    headings = re.findall(r"^## (\d+)\. ", text("docs/reproduce.md"), re.MULTILINE)
    assert headings == [str(n) for n in range(1, 12)]


def test_the_changelog_has_this_version() -> None:
    version = re.search(r'^version = "(.+)"', text("pyproject.toml"), re.MULTILINE)
    assert version
    assert re.search(rf"^## \[{re.escape(version[1])}\]", text("CHANGELOG.md"), re.MULTILINE)
