"""How one word may be written in logs and addresses, and a pattern that finds thousands of words in one go."""

from __future__ import annotations

import base64
import html
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

ESCAPES = (
    r"%[0-9a-f]{2}", r"\\[nrtbfv]", r"\\x[0-9a-f]{2}", r"\\u[0-9a-f]{4}", r"\x1b\[m", r"[\[;][0-9]m",
    r"[\[;][0-9]{2}m",
)  # fmt: skip
"""What ends in a letter or a digit and yet begins no word: of addresses, JSON, Python, terminals."""
BEHIND = "|".join(f"(?<={escape})" for escape in ESCAPES)
SHORTEST_BASE64 = 6
"""Bytes of a word that is looked for in Base64 too: eight letters are nothing else."""
BITS_OF_BYTE, BITS_OF_LETTER = 8, 6

Tree = dict[str, "Tree"]


def spellings(word: str) -> Iterator[str]:
    """Yield how a word may be written, in lower case; what differs in case alone is the same."""
    cased = {word, word.casefold(), word.upper()}
    forms = {unicodedata.normalize(form, each) for form in ("NFC", "NFD") for each in cased}
    for form in forms:
        yield from (form.lower(), quote(form, safe="").lower(), quote_plus(form).lower(), html.escape(form).lower())
        yield from (json.dumps(form)[1:-1].lower(), json.dumps(form, ensure_ascii=False)[1:-1].lower())


def in_base64(word: str) -> Iterator[str]:
    """Yield what Base64 makes of a word, wherever in a text it stands: the letters that are of it alone."""
    data = word.encode()
    if len(data) < SHORTEST_BASE64:
        return
    for before in range(3):
        letters = base64.b64encode(bytes(before) + data).decode()
        first = -(-before * BITS_OF_BYTE // BITS_OF_LETTER)
        whole = letters[first : (before + len(data)) * BITS_OF_BYTE // BITS_OF_LETTER]
        yield from {whole.lower(), whole.translate(str.maketrans("+/", "-_")).lower()}


def any_of(words: Iterable[str]) -> str:
    """Return a pattern that matches the longest of some words: a tree of letters, which is not tried word by word."""
    tree: Tree = {}
    for word in filter(None, words):
        at = tree
        for letter in word:
            at = at.setdefault(letter, {})
        at[""] = {}
    return _pattern(tree) if tree else r"(?!)"


def _pattern(tree: Tree) -> str:
    alone = ""
    while len(tree) == 1:
        ((letter, tree),) = tree.items()
        alone += re.escape(letter)
        if not letter:
            return alone
    ends = "" in tree
    branches = [re.escape(letter) + _pattern(below) for letter, below in tree.items() if letter]
    return f"{alone}(?:{'|'.join(branches)}){'?' if ends else ''}"
