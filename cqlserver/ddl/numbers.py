"""Numbers inside options, read as Java reads them, with the messages of whoever wanted them."""

import re
from typing import Final

from protocol.errors import ConfigurationError
from protocol.types.java_text import parse_java_double, parse_java_int

_PREFIXES: Final = "qryzafpnum.KMGTPEZYRQ"
_ONE: Final = _PREFIXES.index(".")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE]([+-]?)\d+)?")
_BINARY_EXPONENT = re.compile(r"\*2\^([+-]?\d+)")


def integer_option(text: str, name: str, bits: int = 32, kind: str = "int") -> int:
    try:
        return parse_java_int(text, bits)
    except ValueError:
        raise ConfigurationError(f"{text} is not a parsable {kind} (base10) for {name}") from None


def float_option(text: str, name: str) -> float:
    try:
        return parse_java_double(text)
    except ValueError:
        raise ConfigurationError(f"{text} is not a parsable float for {name}") from None


def is_true_or_false(text: str) -> bool:
    return text.lower() in ("true", "false")


def is_digits(text: str) -> bool:
    """StringUtils.isNumeric."""
    return text.isdecimal()


def parse_bytes(text: str) -> float:
    """A size such as '1GiB' or '100MB' (FBUtilities.parseHumanReadable). ValueError with its message."""
    if not text.endswith("B"):
        raise ValueError(f"{text} does not end in unit B")
    end = len(text) - 1
    found = _NUMBER.match(text, 0, end)
    if found is None:
        raise ValueError("null")
    value, position = float(found[0]), found.end()
    if found[2] is None and (exponent := _BINARY_EXPONENT.match(text, position, end)):
        value *= 2.0 ** int(exponent[1])
        position = exponent.end()
    while position < end and text[position].isspace():
        position += 1
    if position < end and text[position] in _PREFIXES and text[position] != ".":
        power = _PREFIXES.index(text[position]) - _ONE
        position += 1
        if position < end and text[position] == "i":
            position += 1
            value *= 2.0 ** (10 * power)
        else:
            value *= 10.0 ** (3 * power)
    if position != end:
        raise ValueError(f"Unexpected characters between pos {position} and {end} in {text}")
    return value


def bytes_text(size: int) -> str:
    """'1.000MiB' (FBUtilities.prettyPrintMemory)."""
    index = (abs(size).bit_length() - 1) // 10
    if index <= 0:
        return f"{size}B"
    return f"{size / 2 ** (index * 10):.3f}{_PREFIXES[_ONE + index]}iB"
