"""The pattern of a shape: a regular expression that the bytes of a text match when the text has just that shape.

To cut the literals out of a text costs a scan for all that may be one. Who knows which shape to expect matches one pattern
instead: the key's text, with a group for each literal. A pattern is made from what `shape` gave for a text, and matches no
text that `shape` would cut otherwise: outside the literals all is as it was there, so the scan finds what it found there,
and each group takes only what is a literal of that kind by itself. It may miss texts of the shape (a number with hundreds
of digits), never take others.

Groups hold the literals as bytes, in their order, a string's without its outer quotes but with quotes in it still doubled.
"""

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

Pattern = re.Pattern[bytes]

# More take milliseconds to make a pattern of: a tenth of one for each literal.
KEY_CHARS_MAX: Final = 2_048
LITERALS_MAX: Final = 32

# Each takes all that it can and gives nothing back, so that a text that does not match is refused in one go. NUL has no
# place in a shape; 200 digits and an exponent of two make no infinite number.
_GROUPS: Final = {
    "S": rb"'([^'\0]*+(?:''[^'\0]*+)*+)'",
    "I": rb"(-?[0-9]++)",
    "F": rb"(-?[0-9]{1,200}+(?:\.[0-9]*+(?:[eE][+-]?[0-9]{1,2}+)?+|[eE][+-]?[0-9]{1,2}+))",
    "U": rb"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})",
    "H": rb"(0[xX][0-9a-fA-F]*+)",
}


def maybe_pattern(key: str) -> tuple[Pattern, str] | None:
    """The pattern of a shape's key and the kinds of its literals; None where some literals are fixed, or of rare kinds, or
    too many, or a quote stands outside of them."""
    *chunks, tail = key.split("\0")
    count = len(chunks) - 1
    leads, kinds = tail[:count], tail[count:]
    if not 0 < count <= LITERALS_MAX or len(tail) != 2 * count or len(key) > KEY_CHARS_MAX:
        return None
    if "'" in key or not set(kinds) <= _GROUPS.keys():
        return None
    return re.compile(b"".join(_pieces(chunks, leads, kinds))), kinds


def text_with_markers(key: str) -> str:
    """The statement with a bind marker for each literal, of a key that has a pattern."""
    *chunks, tail = key.split("\0")
    return "?".join([chunk + lead for chunk, lead in zip_longest(chunks, tail[: len(chunks) - 1], fillvalue="")])


def _pieces(chunks: list[str], leads: str, kinds: str) -> Iterator[bytes]:
    for chunk, lead, kind in zip_longest(chunks, leads, kinds, fillvalue=""):
        yield re.escape((chunk + lead).encode()) + (_GROUPS[kind] if kind else b"")
