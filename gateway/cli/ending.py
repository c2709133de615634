"""How a program ends: its exit statuses, and why it ended in one sentence."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import typer

from gateway.machine.plain_text import visible

USAGE = 2  # exit status: the command line or the configuration is wrong; nothing was started
FAILURE = 1  # exit status: it was started, and failed
OURS = ("config", "drivers", "dsp", "gateway", "simulators")

MACHINE_REFUSES: tuple[tuple[type[Exception], str], ...] = (
    (
        sqlite3.OperationalError,
        "a database in site.data cannot be used: {}. Check who owns its files, and the disk",
    ),
    (UnicodeError, "a name or a file is not UTF-8 text: {}. Give it another name, or save it as UTF-8"),
    (MemoryError, "there is not enough memory: stop other programs, or use a machine with more"),
)
"""What ends a program and is no defect of it, with what to do."""


def unfit_machine(platform: str, largest_int: int) -> str:
    """Return why this machine cannot run the gateway at all; empty if it can."""
    if not platform.startswith("linux"):
        return f"this needs Linux, and this is {platform}: use a 64-bit Debian or Raspberry Pi OS"
    if largest_int <= 1 << 32:
        return "this Python is 32-bit: install a 64-bit system (Raspberry Pi OS 64-bit, Debian arm64 or amd64)"
    return ""


def print_ending(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say what ended the program in one sentence; the traceback is for ``--debug``."""
    del trace
    if not issubclass(kind, KeyboardInterrupt):  # whoever ends it knows why
        print_line(what_ended(kind, error))


def what_ended(kind: type[BaseException], error: BaseException) -> str:
    """Return the sentence: what the machine refuses, what is ours to say, or that it is a defect."""
    sentence = " ".join(str(error).split()).rstrip(".") or kind.__name__
    if kind.__module__.partition(".")[0] in OURS:
        advice = getattr(error, "advice", "")
        end = "" if sentence.endswith("?") else "."
        return f"{sentence}{end} {advice}" if advice else sentence
    if isinstance(error, ImportError):
        return f"{sentence}: it is not installed completely; install the package again"
    if isinstance(error, OSError):
        return f"{error.strerror or sentence}{f': {error.filename}' if error.filename else ''}"
    for refused, words in MACHINE_REFUSES:
        if isinstance(error, refused):
            return words.format(sentence)
    return f"{kind.__name__}: {sentence}. This is a defect: run it again as 'rehab-gateway --debug ...' and report it"


def print_trace(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show where it ended, for ``--debug``."""
    for line in "".join(traceback.format_exception(kind, error, trace)).splitlines():
        typer.echo(visible(line), err=True)


def print_line(sentence: object) -> None:
    """Write one line to standard error, whatever is in it."""
    typer.echo(f"rehab-gateway: {visible(sentence)}", err=True)


@contextmanager
def flushed() -> Iterator[None]:
    """Write out what a command has printed, also when it ends; who reads no more (``| head``) is no failure."""
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more
            if error.errno != errno.EPIPE:
                raise
