"""The one error that is the caller's: exit status 2, nothing was started."""

from __future__ import annotations


class UsageError(Exception):
    """The command line asks for what cannot be; the message says what to write instead."""
