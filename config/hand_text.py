"""The text of a file that a person wrote, with whatever editor: byte order marks go, other encodings are named."""

from __future__ import annotations

import codecs

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NotTextError(ValueError):
    """The bytes are no UTF-8 text; the message says what to do, without a word of what is in them.

    Attributes:
        line: The line, from 1, where it shows; None when it is about the whole.
    """

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


def text_of(data: bytes) -> str:
    """Return the text without a byte order mark; line ends stay as they are. Raises NotTextError."""
    if data.startswith(_UTF16) or (b"\0" in data and data.count(b"\0") * 3 > len(data)):
        raise NotTextError("is UTF-16 text ('Unicode'): save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NotTextError("is not UTF-8 text: save it as UTF-8", line) from None
