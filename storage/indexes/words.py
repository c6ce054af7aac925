"""Texts cut into words, as SASI's StandardAnalyzer cuts them (index/sasi/analyzer/StandardTokenizerImpl.jflex): the word
breaks of Unicode Standard Annex #29, as of Unicode 6, whose pieces count where they have a letter or a digit in them; of
Han and Hiragana each character is a word, of the languages of South East Asia each run of characters.

Each character is put into a class; the classes of a text are a text themselves, in which a regular expression finds words.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from unicodedata import category, east_asian_width, name

LETTER, NUMERIC, KATAKANA, CONNECTOR, EXTENDING = "A", "N", "K", "E", "X"
BETWEEN_LETTERS, BETWEEN_DIGITS, BETWEEN_BOTH = "M", "m", "q"
HAN, HIRAGANA, COMPLEX, OTHER = "H", "h", "C", "."

_BETWEEN: Final = {
    **dict.fromkeys(":··‧︓﹕：״", BETWEEN_LETTERS),
    **dict.fromkeys(",;;։،؍٬߸⁄︐︔﹐﹔，；", BETWEEN_DIGITS),
    **dict.fromkeys(".'‘’․﹒＇．", BETWEEN_BOTH),
}
_KATAKANA_SIGNS: Final = frozenset("〱〲〳〴〵゛゜゠ーｰ")
_HAN_SIGNS: Final = frozenset("〇〡〢〣〤〥〦〧〨〩〸〹〺")
_COMPLEX: Final = (
    (0x0E01, 0x0E4E), (0x0E81, 0x0EDD), (0x1000, 0x109F), (0x1780, 0x17DD), (0x1950, 0x19DF), (0x1A20, 0x1AAD),
    (0xAA60, 0xAADF),
)  # fmt: skip

_WORD: Final = re.compile(
    r"""
    (?:EX*+)*+                                                           # connectors before,
    (?: (?:KX*+)++ | (?: (?>AX*+(?:[Mq]?+X*+AX*+)*+) | (?>NX*+(?:[mq]?+X*+NX*+)*+) )++ )
    (?: (?:EX*+)++ (?: (?:KX*+)++ | (?: (?>AX*+(?:[Mq]?+X*+AX*+)*+) | (?>NX*+(?:[mq]?+X*+NX*+)*+) )++ ) )*+
    (?:EX*+)*+                                                           # and behind
    | C++ | HX*+ | hX*+
    """,
    re.VERBOSE,
)


def words(text: str) -> Iterator[str]:
    """In their order."""
    classes = "".join(map(_class_of, text))
    return (text[found.start() : found.end()] for found in _WORD.finditer(classes))


@lru_cache(4096)
def _class_of(char: str) -> str:
    between = _BETWEEN.get(char)
    if between is not None:
        return between
    kind, code = category(char), ord(char)
    if kind == "Nd" or char == "\u066b":
        return NUMERIC
    if kind == "Pc":
        return CONNECTOR
    if char in _KATAKANA_SIGNS:
        return KATAKANA
    if char in _HAN_SIGNS or 0x2E80 <= code <= 0x2FD5:
        return HAN
    if kind[0] == "M" or char in "\u200c\u200dﾞﾟ" or (kind == "Cf" and code != 0x200B):
        return EXTENDING if not _is_complex(code) else COMPLEX
    if kind[0] == "L" and char != "〆":
        return _letter_class(char, code)
    return LETTER if kind == "Nl" or 0x24B6 <= code <= 0x24E9 else OTHER


def _letter_class(char: str, code: int) -> str:
    if code < 0x0E00:
        return LETTER
    if _is_complex(code):
        return COMPLEX
    if code < 0x2E80:
        return LETTER
    script = name(char, "").removeprefix("HALFWIDTH ")
    if script.startswith("KATAKANA"):
        return KATAKANA
    if script.startswith("HIRAGANA"):
        return HIRAGANA
    return HAN if script.startswith("CJK") and east_asian_width(char) == "W" else LETTER


def _is_complex(code: int) -> bool:
    return any(first <= code <= last for first, last in _COMPLEX)
