"""Values as Java prints and reads them: numbers, the classes behind JSON values, and quoting.

Clients see these forms in SELECT JSON, CAST(... AS text), DESCRIBE and error messages. How floats are printed is in
java_floats.py.
"""

import re
import struct
from decimal import Decimal
from fractions import Fraction
from typing import Any

from protocol.types.java_floats import double_text

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"([+-]?)(?:(NaN|Infinity)|((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?)")
_HEX_FLOAT = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+[fFdD]?")
_JAVA_WHITESPACE = "".join(map(chr, range(33)))
_FLOAT32 = struct.Struct(">f")

_JSON_ESCAPES = {i: f"\\u{i:04X}" for i in range(32)} | {
    ord("\b"): "\\b",
    ord("\t"): "\\t",
    ord("\n"): "\\n",
    ord("\f"): "\\f",
    ord("\r"): "\\r",
    ord('"'): '\\"',
    ord("\\"): "\\\\",
}


def parse_java_int(text: str, bits: int) -> int:
    """Integer.parseInt and its siblings; ValueError if it is no number or doesn't fit."""
    if len(text) > 40 and text.strip("+-0123456789"):
        raise ValueError(text)
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    if len(text) > 40:
        text = text.lstrip("0") or "0"
        if len(text) > 40:
            raise ValueError(text)
    value = int(text)
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise ValueError(text)
    return value


def parse_java_double(text: str) -> float:
    """Double.parseDouble; ValueError if it is no number."""
    text = text.strip(_JAVA_WHITESPACE)
    found = _FLOAT.fullmatch(text)
    if found is None:
        if _HEX_FLOAT.fullmatch(text):
            try:
                return float.fromhex(text.rstrip("fFdD") if "p" in text.lower() else text)
            except OverflowError:
                return float("-inf") if text.startswith("-") else float("inf")
        raise ValueError(text)
    sign, special, number = found.groups()
    value = float(special if special else number)
    return -value if sign == "-" else value


def parse_java_float(text: str) -> float:
    """Float.parseFloat, as the double that equals it."""
    value = parse_java_double(text)
    rounded = to_float32(value)
    if value != rounded and value - value == 0:
        # `value` was rounded once already: where it lies just between two floats, the text decides.
        number = text.strip(_JAVA_WHITESPACE).rstrip("fFdD")
        if "x" not in number.lower() and _is_midpoint(value, rounded) and len(number) < 4000:
            exact = Fraction(Decimal(number))
            if exact != value:
                nudged = value + (value - rounded) * (1 if (exact > value) == (value > rounded) else -1) / 2
                return to_float32(nudged)
    return rounded


def _is_midpoint(value: float, rounded: float) -> bool:
    mirrored = value + (value - rounded)
    return to_float32(mirrored) == mirrored


def to_float32(value: float) -> float:
    """The float nearest to a double, infinite where it is too large."""
    try:
        result: float = _FLOAT32.unpack(_FLOAT32.pack(value))[0]
        return result
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def json_quoted(text: str) -> str:
    """A JSON string as Jackson quotes it."""
    return f'"{text.translate(_JSON_ESCAPES)}"'


def java_class(value: Any) -> str:
    """The simple name of the class in which Jackson hands over a JSON value."""
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer" if -(2**31) <= value < 2**31 else "Long" if -(2**63) <= value < 2**63 else "BigInteger"
    if isinstance(value, str):
        return "String"
    if isinstance(value, list):
        return "ArrayList"
    if isinstance(value, dict):
        return "LinkedHashMap"
    return "Double"


def java_string(value: Any) -> str:
    """toString of a parsed JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        from protocol.types.big_integers import int_text

        return int_text(value)
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(java_string, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}={java_string(v)}' for k, v in value.items())}}}"
    return double_text(float(value))
