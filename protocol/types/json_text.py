"""JSON texts as Jackson reads them: the first value counts, and errors are told in its words.

Python's parser does the reading; only a text that it refuses goes through `_Scanner`, which finds the same fault as
com.fasterxml.jackson.core's ReaderBasedJsonParser would, and where.
"""

import json
import re
from contextlib import suppress
from decimal import Decimal
from itertools import count
from typing import Any, NoReturn

from protocol.types.big_integers import text_int
from protocol.types.turns import pause

_SOURCE = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {}"
_CORE = "com.fasterxml.jackson.core."
_PARSE = _CORE + "JsonParseException"
_EOF = _CORE + "io.JsonEOFException"
_MISMATCH = "com.fasterxml.jackson.databind.exc.MismatchedInputException"

_VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_TOO_DEEP = (
    "Document nesting depth (1001) exceeds the maximum allowed (1000, from `StreamReadConstraints.getMaxNestingDepth()`)"
)
NUMBER_DIGITS_MAX = 1000
_SPACE = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_WORD = re.compile(r"[\w$]+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_ESCAPES = '"\\/bfnrtu'


class JsonError(ValueError):
    """A text that is no JSON. `str()` is Jackson's message with its location, `java_class` its exception."""

    def __init__(self, java_class: str, message: str) -> None:
        super().__init__(message)
        self.java_class = java_class


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _bounded_int(text: str) -> int:
    digits = len(text) - text.startswith("-")
    if digits > NUMBER_DIGITS_MAX:
        message = (
            f"Number value length ({digits}) exceeds the maximum allowed ({NUMBER_DIGITS_MAX}, "
            "from `StreamReadConstraints.getMaxNumberLength()`)"
        )
        raise JsonError(_CORE + "exc.StreamConstraintsException", message)
    return text_int(text)


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=_bounded_int, parse_constant=_no_constant)
_LONG_TEXT = 1 << 16
_NUMBERS_PER_PAUSE = 64


def _decoder_with_pauses() -> json.JSONDecoder:
    """For long texts: json's scanner calls nothing of ours but for numbers."""
    numbers = count(1)

    def parse_int(text: str) -> int:
        if not next(numbers) % _NUMBERS_PER_PAUSE:
            pause()
        return _bounded_int(text)

    def parse_float(text: str) -> Decimal:
        if not next(numbers) % _NUMBERS_PER_PAUSE:
            pause()
        return Decimal(text)

    return json.JSONDecoder(parse_float=parse_float, parse_int=parse_int, parse_constant=_no_constant)


def parse_json(text: str) -> Any:
    """The first value of a text; numbers with a point or an exponent become Decimal. JsonError."""
    start = len(text) - len(text.lstrip(" \t\r\n"))
    decoder = _DECODER if len(text) < _LONG_TEXT else _decoder_with_pauses()
    try:
        value, end = decoder.raw_decode(text, start)
    except JsonError:
        raise
    except (ValueError, RecursionError):
        _Scanner(text).fail()
    if end < len(text) and text[end - 1].isalnum() and text[end] not in " \t\r\n":
        _Scanner(text).fail()
    return value


_MAP = "java.util.LinkedHashMap"
_TOKENS = {
    list: "Array value (token `JsonToken.START_ARRAY`)",
    int: "Integer value (token `JsonToken.VALUE_NUMBER_INT`)",
    Decimal: "Floating-point value (token `JsonToken.VALUE_NUMBER_FLOAT`)",
}


def parse_json_map(text: str) -> dict[str, Any] | None:
    """A text that holds an object, or null. JsonError if it holds something else."""
    value = parse_json(text)
    if value is None or isinstance(value, dict):
        return value
    java_class = _MISMATCH
    if isinstance(value, str) and not value.strip():
        java_class = "com.fasterxml.jackson.databind.exc.InvalidFormatException"
        message = (
            f'Cannot coerce empty String ("") to element of `{_MAP}` '
            "(but could if coercion was enabled using `CoercionConfig`)"
        )
    elif isinstance(value, str):
        message = (
            f"Cannot construct instance of `{_MAP}` (although at least one Creator exists): "
            f"no String-argument constructor/factory method to deserialize from String value ('{value}')"
        )
    else:
        token = f"Boolean value (token `JsonToken.VALUE_{str(value).upper()}`)"
        token = _TOKENS.get(type(value), token)
        message = f"Cannot deserialize value of type `{_MAP}<java.lang.Object,java.lang.Object>` from {token}"
    scanner = _Scanner(text)
    scanner.space()
    raise JsonError(java_class, f"{message}\n at {scanner.location(scanner.position)}")


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def fail(self) -> NoReturn:
        """Raises the JsonError that Jackson would."""
        self.space()
        if self.position == len(self.text):
            location = _SOURCE.format(self.line(self.position)) + "]"
            raise JsonError(_MISMATCH, f"No content to map due to end-of-input\n at {location}")
        with suppress(RecursionError):
            self.value(0)
        raise JsonError(_CORE + "exc.StreamConstraintsException", _TOO_DEEP)

    def line(self, index: int) -> int:
        return self.text.count("\n", 0, index) + 1

    def location(self, index: int) -> str:
        column = index - (self.text.rfind("\n", 0, index) + 1) + 1
        return f"{_SOURCE.format(self.line(index))}, column: {column}]"

    def error(self, java_class: str, message: str, index: int) -> NoReturn:
        raise JsonError(java_class, f"{message}\n at {self.location(index)}")

    def unexpected(self, message: str, index: int | None = None, shift: int = 0) -> NoReturn:
        """`shift`: how far behind the character Jackson says it is."""
        at = self.position if index is None else index
        char = self.text[at]
        shown = f"(CTRL-CHAR, code {ord(char)})" if ord(char) < 32 else f"'{char}' (code {ord(char)})"
        if char == "/" and ("expected a valid value" in message or "was expecting" in message):
            message = (
                ": maybe a (non-standard) comment? "
                "(not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)"
            )
        self.error(_PARSE, f"Unexpected character ({shown}){message}", at + shift)

    def space(self) -> None:
        found = _SPACE.match(self.text, self.position)
        self.position = found.end() if found else self.position

    def at_end(self) -> bool:
        return self.position >= len(self.text)

    def value(self, depth: int, is_next_in_array: bool = False) -> None:
        char = self.text[self.position]
        if char == '"':
            self.string()
        elif char == "{":
            self.container("Object", "}", depth)
        elif char == "[":
            self.container("Array", "]", depth)
        elif char in "-0123456789":
            self.number(depth)
        elif char in "]}":
            if is_next_in_array and char == "}":
                self.unexpected(": expected a value")
            if depth:
                self.unexpected(f": expected a valid value {_VALUES}")
            noun = "Array" if char == "]" else "Object"
            self.error(_PARSE, f"Unexpected close marker '{char}': no open {noun} to close", self.position)
        elif char == "+":
            self.infinity()
            self.error(
                _PARSE,
                "Unexpected character ('+' (code 43)) in numeric value: JSON spec does not allow numbers to have plus "
                "signs: enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow",
                self.position + 1,
            )
        elif char.isalpha() or char in "_$":
            self.word()
        elif ord(char) < 32:
            message = "only regular white space (\\r, \\n, \\t) is allowed between tokens"
            self.error(_PARSE, f"Illegal character ((CTRL-CHAR, code {ord(char)})): {message}", self.position + 1)
        else:
            self.unexpected(f": expected a valid value {_VALUES}")

    def word(self) -> None:
        found = _WORD.match(self.text, self.position)
        word = found[0] if found else self.text[self.position]
        end = self.position + len(word)
        if word in ("NaN", "Infinity"):
            feature = "enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
            self.error(_PARSE, f"Non-standard token '{word}': {feature}", end)
        if word not in ("true", "false", "null"):
            self.error(_PARSE, f"Unrecognized token '{word}': was expecting {_VALUES}", end)
        self.position = end

    def infinity(self) -> None:
        """At a sign before INF or Infinity, which Jackson knows, and refuses."""
        beginning = self.text[self.position + 1 : self.position + 3]
        if beginning not in ("IN", "In"):
            return
        token = self.text[self.position] + ("INF" if beginning == "IN" else "Infinity")
        end = self.position + 3
        while end < len(self.text) and self.text[: end + 1].endswith(token[: end + 1 - self.position]):
            end += 1
        if end - self.position == len(token):
            feature = "enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
            self.error(_PARSE, f"Non-standard token '{token}': {feature}", end)
        found = _WORD.match(self.text, end)
        end = found.end() if found else end
        self.error(_PARSE, f"Unrecognized token '{self.text[self.position : end]}': was expecting {_VALUES}", end)

    def string(self) -> None:
        self.position += 1
        while True:
            plain = _PLAIN.match(self.text, self.position)
            self.position = plain.end() if plain else self.position
            if self.at_end():
                break
            pause()
            char = self.text[self.position]
            if char == '"':
                self.position += 1
                return
            if char == "\\":
                self.position += 1
                self.escape()
            elif ord(char) < 32:
                message = "has to be escaped using backslash to be included in string value"
                shown = f"(CTRL-CHAR, code {ord(char)})"
                self.error(_PARSE, f"Illegal unquoted character ({shown}): {message}", self.position)
            self.position += 1
        self.error(_EOF, "Unexpected end-of-input: was expecting closing quote for a string value", self.position)

    def escape(self) -> None:
        """At the character behind a backslash; ends on the escape's last one."""
        if self.at_end():
            self.error(_EOF, "Unexpected end-of-input in character escape sequence", self.position)
        char = self.text[self.position]
        if char not in _ESCAPES:
            self.error(_PARSE, f"Unrecognized character escape '{char}' (code {ord(char)})", self.position)
        if char == "u":
            for _ in range(4):
                self.position += 1
                if self.at_end():
                    self.error(_EOF, "Unexpected end-of-input in character escape sequence", self.position)
                if self.text[self.position] not in "0123456789abcdefABCDEF":
                    self.unexpected(": expected a hex-digit for character escape sequence")

    def number(self, depth: int) -> None:
        found = _NUMBER.match(self.text, self.position)
        if found is None:
            self.infinity()
            after = self.position + 1
            if self.text[after : after + 1] == "I":
                after += 1
            if after == len(self.text):
                self.error(_EOF, "Unexpected end-of-inputNo digit following sign", after)
            self.unexpected(" in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value", after)
        end = found.end()
        following = self.text[end : end + 1]
        if found[0].lstrip("-") == "0" and following.isdigit():
            self.error(_PARSE, "Invalid numeric value: Leading zeroes not allowed", end)
        text = found[0]
        if following == "." and "." not in text and "e" not in text.lower():
            at = min(end + 1, len(self.text) - 1)
            self.unexpected(" in numeric value: Decimal point not followed by a digit", at, end - at)
        if following in ("e", "E") and "e" not in text.lower():
            at = end + 1 + (self.text[end + 1 : end + 2] in ("+", "-"))
            if at >= len(self.text):
                self.error(_EOF, "Unexpected end-of-inputexpected a digit for number exponent", at)
            self.unexpected(" in numeric value: Exponent indicator not followed by a digit", at, -1)
        self.position = end
        if following and not depth and following not in " \t\r\n":
            self.unexpected(": Expected space separating root-level values")

    def container(self, noun: str, closing: str, depth: int) -> None:
        start = self.position
        self.position += 1
        self.space()
        first = self.text[self.position : self.position + 1]
        if first == closing:
            self.position += 1
            return
        if noun == "Array" and first == "}":
            self.close_marker(noun, closing, start)
        is_next_in_array = False
        while True:
            pause()
            if self.at_end():
                message = f"expected close marker for {noun} (start marker at {self.location(start)})"
                self.error(_EOF, f"Unexpected end-of-input: {message}", self.position)
            if noun == "Object":
                self.field_name()
            self.value(depth + 1, is_next_in_array)
            is_next_in_array = noun == "Array"
            self.space()
            if self.at_end():
                continue
            char = self.text[self.position]
            if char == closing:
                self.position += 1
                return
            if char in "]}":
                self.close_marker(noun, closing, start)
            if char != ",":
                self.unexpected(f": was expecting comma to separate {noun} entries")
            self.position += 1
            self.within(noun, _PARSE)

    def close_marker(self, noun: str, closing: str, start: int) -> NoReturn:
        message = f"expected '{closing}' (for {noun} starting at {self.location(start)})"
        self.error(_PARSE, f"Unexpected close marker '{self.text[self.position]}': {message}", self.position)

    def within(self, noun: str, java_class: str) -> None:
        self.space()
        if self.at_end():
            self.error(java_class, f"Unexpected end-of-input within/between {noun} entries", self.position)

    def field_name(self) -> None:
        if self.text[self.position] != '"':
            self.unexpected(": was expecting double-quote to start field name")
        self.string()
        self.within("Object", _EOF)
        if self.text[self.position] != ":":
            self.unexpected(": was expecting a colon to separate field name and value")
        self.position += 1
        self.within("Object", _EOF)
