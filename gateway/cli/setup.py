"""``rehab-gateway setup``: the questions in a terminal, what is there already, and what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from getpass import getpass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from gateway.cli.doctor.doctor import examine
from gateway.cli.options import read_configuration
from gateway.cli.terminal import Terminal
from gateway.dashboard.users import load as load_users
from gateway.installation.setup import Done, SetupError, present, set_up
from gateway.installation.setup_answers import complete, example, read_answers
from gateway.installation.setup_certificates import ends, fingerprint
from gateway.installation.setup_files import AUTHORITY, DASHBOARD, Place
from gateway.installation.setup_questions import LARGEST_PORT, Answers, Question
from gateway.installation.setup_web import run_setup_web
from gateway.model.usage import UsageError

LOOKED_AT = ("processor", "memory", "bluetooth", "ttys", "clock", "disk")
"""Of the doctor's checks: what a set-up is decided by."""


def setup(answers: Path | None, place: Place, *, web: str, replace: bool) -> None:
    """Ask, or read what was answered, and carry it out; raises SetupError, ConfigError, UsageError."""
    console = Terminal()
    say = partial(console.print, soft_wrap=True)
    if present(place) and not replace:
        show_present(console, place)
        raise SetupError("This gateway is set up already. To do it again, and keep copies of what is there: --replace")
    carry_out: Callable[[Answers], Done] = partial(
        set_up, place=place, load=read_configuration, say=say, replace=replace
    )
    if answers is not None:
        done = carry_out(read_answers(answers))
    elif web:
        host, port = _address(web)
        done = run_setup_web(host, port, carry_out=carry_out, say=say)
    elif sys.stdin.isatty():
        show_machine(console)
        done = carry_out(complete({}, partial(ask, console)))
    else:
        raise UsageError(
            "nobody is there to ask: give --answers FILE, which 'setup --example' prints, or --web ADDRESS"
        )
    show_done(console, done, place)


def show_example() -> None:
    """Print a file of answers."""
    sys.stdout.write(example())


def ask(console: Terminal, question: Question, default: str, known: Answers) -> str:
    """Ask one question until the answer will do; an empty answer is the default."""
    console.print(f"\n{question.ask}")
    console.print(Text(question.why, "dim"))
    for choice, means in (question.choices or {}).items():
        console.print(f"  {choice}{f': {means}' if means else ''}")
    while True:
        answer = _secret() if question.kind == "secret" else input(f"[{default}] " if default else "> ").strip()
        answer = answer or default
        trouble = question.trouble(answer, known)
        if not trouble:
            return answer
        console.print(Text(trouble, "yellow"))


def _secret() -> str:
    while True:
        answer = getpass("> ")
        if not answer or getpass("Once more: ") == answer:
            return answer
        Terminal().print("The two were not the same.")


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) <= LARGEST_PORT):
        raise UsageError("--web takes the address and port to listen on: --web 192.0.2.10:8443")
    return host.strip("[]"), int(port)


def show_machine(console: Terminal) -> None:
    """Tell what this computer has: radios, serial ports, clock, disk."""
    console.print("This computer:")
    table = Table.grid(padding=(0, 2))
    for finding in examine(None):
        if finding.name in LOOKED_AT:
            looks = {"ok": "green", "warn": "yellow", "fail": "bold red"}[finding.state]
            table.add_row("", finding.name, Text(finding.state, looks), f"{finding.found} {finding.advice}".strip())
    console.print(table)
    console.print("\nEach question has an answer in brackets: Enter takes it.")


def show_present(console: Terminal, place: Place) -> None:
    """Tell what a set-up before this one has left."""
    table = Table.grid(padding=(0, 2))
    for path in present(place):
        table.add_row(str(path), _about(path))
    console.print(table)


def _about(path: Path) -> str:
    """Return a word on a file of a set-up."""
    try:
        if path.name == "users.jsonl":
            return f"who may sign in: {', '.join(load_users(path))}"
        if path.suffix == ".pem":
            return f"until {ends(path.read_bytes()):%-d %B %Y}"
    except (OSError, ValueError, UsageError):
        return "cannot be read"
    return ""


def show_done(console: Terminal, done: Done, place: Place) -> None:
    """Say what was done, what has to be written down, and what is left to do."""
    say = partial(console.print, soft_wrap=True)
    for path in done.files:
        say(f"wrote {path}")
    for path in done.kept:
        say(f"kept what was there as {path}")
    for name in (AUTHORITY, DASHBOARD):
        if (cert := place.certificate(name)).is_file():
            data = cert.read_bytes()
            say(f"{name} certificate until {ends(data):%-d %B %Y}, SHA-256 {fingerprint(data)}")
    if done.shown:
        say("\nWrite this down now: it is shown this once.")
        for what, value in done.shown.items():
            say(f"  {what}: {value}")
    if done.commands:
        say("\nLeft to do:")
        for command in done.commands:
            say(f"  sudo {command}")
    say(f"\nThe pages are at {done.address}")
    say(f"Is all well?  sudo -u rehab-gateway /usr/bin/rehab-gateway doctor {place.file}")
