"""Which passwords anybody would try first: a short list, the words of the place, and what a hand types by itself."""

from __future__ import annotations

import re
import unicodedata

SHORTEST = 12
"""Characters of a password; length is what helps (NCSC, "Three random words")."""
LONGEST = 256
LEFT = 8
"""Letters that must be left when all that is easily guessed is taken out: of three words that do not belong, one may be
on the list."""
DIFFERENT = 5
"""Different characters."""
RUN = 4
"""Characters in the order of a keyboard or an alphabet that count as one key."""

# The commonest of what people choose, and what they choose on a ward.
COMMON = (
    "password passwort passwd passphrase secret geheim letmein welcome willkommen changeme default guest test admin"
    " administrator root user login signin access master superuser qwerty qwertz azerty iloveyou princess sunshine"
    " monkey dragon football baseball superman batman pokemon starwars shadow michael jordan ashley charlie jessica"
    " daniel hunter freedom whatever trustno hello hallo computer internet samsung google apple android windows"
    " chocolate cookie butterfly flower summer winter spring autumn january february march april june july august"
    " september october november december monday tuesday wednesday thursday friday saturday sunday london england"
    " liverpool arsenal chelsea"
)
PLACE = (
    "rehab rehabilitation gateway dashboard ward station hospital clinic klinik nhs nurse nursing doctor clinician"
    " technician researcher viewer patient patients physio physiotherapy therapy therapist medical health gait walking"
    " heart device devices screen wall tablet raspberry mosquitto historian station bed bay"
)
ROWS = ("1234567890", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm",
        "1qaz2wsx3edc4rfv5tgb", "1q2w3e4r5t6y7u8i9o0p", "abcdefghijklmnopqrstuvwxyz")  # fmt: skip
LIKE_LETTERS = str.maketrans("04135$@!7", "oaiessait")
"""What stands for a letter in a password that should look difficult."""

WORDS = sorted({*COMMON.split(), *PLACE.split()}, key=len, reverse=True)


def composed(password: str) -> str:
    """Return a password in the one spelling of its letters and blanks (RFC 8265, section 4.2).

    A keyboard may send ä as one sign, or as two, and a blank that holds words together, which looks like any other.
    """
    blanks = "".join(" " if unicodedata.category(one) == "Zs" else one for one in password)
    return unicodedata.normalize("NFC", blanks)


def reason_against(password: str, name: str) -> str:
    """Return why a password will not do, in one sentence; empty if it will."""
    password = composed(password)
    if not SHORTEST <= len(password) <= LONGEST:
        return f"A password has {SHORTEST} to {LONGEST} characters: three or four words that do not belong."
    if password != password.strip() or not password.isprintable():
        return "The password begins or ends with a blank, or has a character that nobody can type: take it out."
    if len(set(password.casefold())) < DIFFERENT:
        return f"The password has fewer than {DIFFERENT} different characters: take three or four words."
    if len(_hard_part(password, name)) < LEFT:
        return (
            "The password is made of what everybody tries first (common words, the user's or the ward's name, rows of"
            " keys, repetitions): take three or four words that do not belong."
        )
    return ""


def _hard_part(password: str, name: str) -> str:
    """Return the letters that are left without everything that is easily guessed; the least of two readings."""
    plain = unicodedata.normalize("NFKC", password).casefold()
    own = [part for part in re.split(r"[._-]", name.casefold()) if len(part) >= 3]
    readings = (_without_words(text, own) for text in (plain, plain.translate(LIKE_LETTERS)))
    return min(readings, key=len)


def _without_words(text: str, own: list[str]) -> str:
    letters = re.sub(r"[^\w]|_", "", text)
    for word in [re.sub(r"\W|_", "", one) for one in own] + WORDS:
        letters = letters.replace(word, " ")
    letters = re.sub(r"(.)\1{2,}", r"\1", letters)
    letters = _without_rows(letters)
    letters = re.sub(r"(?<![^\W\d])\d+|\d+(?![^\W\d])", "", letters)  # years and counters before or after a word
    return _once(letters.replace(" ", ""))


def _without_rows(letters: str) -> str:
    """Take out runs along a row of keys or the alphabet, either way."""
    kept, at = [], 0
    rows = [*ROWS, *(row[::-1] for row in ROWS)]
    while at < len(letters):
        length = RUN
        while at + length <= len(letters) and any(letters[at : at + length] in row for row in rows):
            length += 1
        if length > RUN:
            at += length - 1
        else:
            kept.append(letters[at])
            at += 1
    return "".join(kept)


def _once(letters: str) -> str:
    """Return what is repeated once only: ``dogdogdog`` is ``dog``."""
    return re.sub(r"(..+?)\1+", r"\1", letters)
