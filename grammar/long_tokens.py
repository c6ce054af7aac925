"""Tokens of long texts: where they end is found piece by piece, with pauses, and what no statement needs is refused.

A regular expression goes through all of a token in one call, and a message may be one token of 16 MB. Strings, comments and
blanks may be so long. A word, a quoted name and a number may not: a name of more than 65,535 bytes names nothing, and a
number of so many digits is no value (docs/compatibility.md). Hexadecimal digits are a blob's, and quick to go through.
"""

import re
from collections.abc import Callable

from grammar.errors import CqlTooLongError

PIECE_CHARS = 1 << 16
"""Looked at between two pauses; and the longest word, quoted name or number."""
DURATION_CHARS_MAX = 1 << 13
"""Of a duration, whose units are looked at one by one."""

_BODIES = {quote: re.compile(f"(?:[^{quote}]++|(?:{quote}{quote})++)*+") for quote in "'\""}
_LINE = re.compile(r"[^\n\r]*+")
_BLANKS = re.compile(r"[ \t\n\r]*+")

Pause = Callable[[], None] | None


def too_long() -> CqlTooLongError:
    return CqlTooLongError(f"The statement has a word, a name or a number of more than {PIECE_CHARS} characters.")


def quoted(text: str, start: int, pause: Pause = None) -> tuple[str, int]:
    """The content of what is quoted and begins at `start`, and where it ends: -1 where it does not."""
    quote, position, size = text[start], start + 1, len(text)
    body, pieces = _BODIES[quote].match, []
    while position < size:
        found = body(text, position, position + PIECE_CHARS)
        assert found is not None  # it matches nothing, too
        piece = found[0]
        pieces.append(piece.replace(quote * 2, quote) if quote in piece else piece)
        position = found.end()
        if text[position : position + 1] == quote and text[position + 1 : position + 2] != quote:
            return "".join(pieces), position + 1
        if pause is not None:
            pause()
    return "", -1


def end_of(text: str, mark: str, start: int, pause: Pause = None) -> int:
    """Behind the next `mark` of two characters; -1 where there is none."""
    for position in range(start, len(text), PIECE_CHARS):
        found = text.find(mark, position, position + PIECE_CHARS + 1)
        if found >= 0:
            return found + 2
        if pause is not None:
            pause()
    return -1


def line_end(text: str, start: int, pause: Pause = None) -> int:
    """Behind the line break that comes first; -1 where there is none."""
    for position in range(start, len(text), PIECE_CHARS):
        found = _LINE.match(text, position, position + PIECE_CHARS)
        assert found is not None  # it matches nothing, too
        if found.end() < min(position + PIECE_CHARS, len(text)):
            return found.end() + 1
        if pause is not None:
            pause()
    return -1


def comment_end(text: str, start: int, pause: Pause = None) -> int:
    """Behind the comment that begins at `start`, by its first two characters; -1 where it does not end."""
    if text[start + 1] != "*":
        return line_end(text, start, pause)
    return end_of(text, "*/", start + 2, pause)


def blanks_end(text: str, start: int, pause: Pause = None) -> int:
    position = start
    while True:
        found = _BLANKS.match(text, position, position + PIECE_CHARS)
        assert found is not None  # it matches nothing, too
        position = found.end()
        if position < start + PIECE_CHARS:
            return position
        start = position
        if pause is not None:
            pause()
