"""What an attached index makes of a text before it keeps it (index/sai/analyzer/NonTokenizingAnalyzer.java), and of an
address (index/sai/utils/IndexTermType.java, encodeInetAddress)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from unicodedata import combining, normalize

CASE_SENSITIVE: Final = "case_sensitive"
NORMALIZE: Final = "normalize"
ASCII: Final = "ascii"
ANALYSIS_OPTIONS: Final = (NORMALIZE, CASE_SENSITIVE, ASCII)

_FOLDED: Final = {
    **dict(zip("ßẞÆæŒœØøÐðĐđÞþ", "ss SS AE ae OE oe O o D d D d TH th".split(), strict=True)),
    **dict(zip("ŁłıŊŋĦħŦŧĸſ", "LliNnHhTtqs", strict=True)),
    **dict.fromkeys("‘’‚‛‹›", "'"),
    **dict.fromkeys("“”„‟«»", '"'),
    **dict(zip("‐‑‒–—⁄", "-----/", strict=True)),
}

_MAPPED: Final = bytes(10) + b"\xff\xff"

Analyze = Callable[[bytes], Sequence[bytes]]
"""The terms of a text: one, but where it is cut into words."""


def mapped_address(value: bytes) -> Sequence[bytes]:
    """IPv4 stands among IPv6, in the place that IPv6 has for it."""
    return (_MAPPED + value if len(value) == 4 else value,)


def maybe_analyzer(options: Mapping[str, str]) -> Analyze | None:
    """Of the options of an index; None where texts stay as they are."""
    steps: list[Callable[[str], str]] = []
    if options.get(CASE_SENSITIVE, "true").lower() == "false":
        steps.append(str.lower)
    if options.get(NORMALIZE, "false").lower() == "true":
        steps.append(lambda text: normalize("NFC", text))
    if options.get(ASCII, "false").lower() == "true":
        steps.append(ascii_folded)
    if not steps:
        return None

    def analyze(value: bytes) -> Sequence[bytes]:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return (value,)
        for step in steps:
            text = step(text)
        return (text.encode(),)

    return analyze


def ascii_folded(text: str) -> str:
    """Letters and signs without what sets them apart from ASCII's, where they are that near (Lucene's
    ASCIIFoldingFilter)."""
    if text.isascii():
        return text
    return "".join([char if char.isascii() else _folded(char) for char in text])


def _folded(char: str) -> str:
    known = _FOLDED.get(char)
    if known is not None:
        return known
    bare = "".join([part for part in normalize("NFKD", char) if not combining(part)])
    return bare if bare.isascii() and bare else char
