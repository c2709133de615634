"""What keeps a file from being imported."""

from __future__ import annotations


class ImportProblem(Exception):  # noqa: N818 - a problem with the file or what is said of it, told in one sentence
    """The file, or the mapping of its columns, cannot be used; the message says where and what to do."""
