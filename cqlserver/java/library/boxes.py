"""java.lang: Number, Integer and its kin, Boolean, Character."""

import math
import struct
import unicodedata
from collections.abc import Callable
from typing import Any

from cqlserver.java.classes import ClassSource
from cqlserver.java.errors import JavaThrow, thrown
from cqlserver.java.operators import cast_function
from cqlserver.java.types import DOUBLE, FLOAT, INT, LONG, PRIMITIVES, Type
from cqlserver.java.values import (
    Byte,
    Character,
    Float,
    Long,
    Short,
    compare_doubles,
    hash_code,
    to_int,
    to_long,
    to_string,
)
from protocol.types.java_floats import double_text, float_text
from protocol.types.java_text import to_float32

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def radix_text(value: int, radix: int = 10) -> str:
    """Integer.toString(value, radix)."""
    if not 2 <= radix <= 36:
        radix = 10
    if radix == 10:
        return int.__repr__(value)
    number, digits = abs(value), ""
    while number:
        number, digit = divmod(number, radix)
        digits = _DIGITS[digit] + digits
    return ("-" if value < 0 else "") + (digits or "0")


def _not_a_number(text: str | None, radix: int = 10) -> JavaThrow:
    if text is None:
        return thrown("NumberFormatException", "Cannot parse null string: null" if radix else "null")
    under = f" under radix {radix}" if radix != 10 else ""
    return thrown("NumberFormatException", f'For input string: "{text}"{under}')


def parse_integer(bits: int) -> Callable[..., int]:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def parse(text: str | None, radix: int = 10) -> int:
        if text is None:
            raise thrown("NumberFormatException", "Cannot parse null string")
        digits = text[1:] if text[:1] in ("+", "-") else text
        if not digits or not all(c.isalnum() for c in digits) or len(digits) > 70:
            raise _not_a_number(text, radix)
        try:
            value = int(digits, radix)
        except ValueError:
            raise _not_a_number(text, radix) from None
        value = -value if text[0] == "-" else value
        if not low <= value <= high:
            if bits < 32 and -(1 << 31) <= value < 1 << 31:
                raise thrown("NumberFormatException", f'Value out of range. Value:"{text}" Radix:{radix}')
            raise _not_a_number(text, radix)
        return value

    return parse


def parse_double(text: str | None) -> float:
    if text is None:
        raise thrown("NullPointerException")
    stripped = text.strip("".join(map(chr, range(33))))
    if not stripped:
        raise thrown("NumberFormatException", "empty String")
    whole = stripped
    body = stripped[1:] if stripped[0] in "+-" else stripped
    if body in ("NaN", "Infinity"):
        return float(stripped)
    if body[-1:] in "fFdD":
        body, stripped = body[:-1], stripped[:-1]
    if not body or not all(c in "0123456789.eE+-" for c in body) or body[:1] in "eE":
        raise thrown("NumberFormatException", f'For input string: "{whole}"')
    try:
        return float(stripped)
    except ValueError:
        raise thrown("NumberFormatException", f'For input string: "{whole}"') from None


def _conversions(source: Type) -> dict[str, Any]:
    """intValue() and so on."""
    return {
        f"{name} {name}Value()": _number_cast(source, PRIMITIVES[name])
        for name in ("byte", "short", "int", "long", "float", "double")
    }


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, float) else int(value)


def _number_cast(source: Type, target: Type) -> Callable[[Any], Any]:
    cast = cast_function(source, target)
    return _plain if cast is None else lambda value: cast(_plain(value))


def _any_number_cast(target: Type) -> Callable[[Any], Any]:
    from_float, from_long = cast_function(DOUBLE, target), cast_function(LONG, target)

    def convert(value: Any) -> Any:
        from cqlserver.java.library.big_numbers import decimal_to
        from cqlserver.java.values import BigInteger

        if isinstance(value, float):
            return float(value) if from_float is None else from_float(float(value))
        if isinstance(value, BigInteger) or not isinstance(value, int):
            return decimal_to(value, target)
        return int(value) if from_long is None else from_long(int(value))

    return convert


def _bits(value: int, width: int) -> int:
    return value & ((1 << width) - 1)


def _unsigned(base: str, width: int) -> Callable[[int], str]:
    return lambda value: format(_bits(value, width), base)


def _reverse_bits(value: int, width: int, wrap: Callable[[int], int]) -> int:
    return wrap(int(format(_bits(value, width), f"0{width}b")[::-1], 2))


def _highest_one(value: int, width: int) -> int:
    found = _bits(value, width)
    return 1 << (found.bit_length() - 1) if found else 0


def _integers(name: str, box: str, type_: Type, bits: int, make: Callable[[int], int]) -> ClassSource:
    parse = parse_integer(bits)
    wrap = to_int if bits == 32 else to_long
    compare = (lambda a, b: (a > b) - (a < b)) if bits >= 32 else (lambda a, b: int(a) - int(b))
    members: dict[str, Any] = {
        **_conversions(type_),
        f"new({name})": make,
        "new(String)": lambda text: make(parse(text)),
        f"static {box} valueOf({name})": make,
        f"static {box} valueOf(String)": lambda text: make(parse(text)),
        f"static {box} valueOf(String,int)": lambda text, radix: make(parse(text, radix)),
        f"static {name} parse{_parse_word(name)}(String)": parse,
        f"static {name} parse{_parse_word(name)}(String,int)": parse,
        f"static String toString({name})": int.__repr__,
        f"static int hashCode({name})": lambda value: hash_code(make(value)),
        f"static int compare({name},{name})": compare,
        f"int compareTo({box})": compare,
        f"static {name} MAX_VALUE": (1 << (bits - 1)) - 1,
        f"static {name} MIN_VALUE": -(1 << (bits - 1)),
        "static int SIZE": bits,
        "static int BYTES": bits // 8,
    }
    if bits >= 32:
        members |= {
            f"static String toString({name},int)": radix_text,
            f"static String toHexString({name})": _unsigned("x", bits),
            f"static String toBinaryString({name})": _unsigned("b", bits),
            f"static String toOctalString({name})": _unsigned("o", bits),
            f"static {name} max({name},{name})": max,
            f"static {name} min({name},{name})": min,
            f"static {name} sum({name},{name})": lambda a, b: wrap(a + b),
            f"static int signum({name})": lambda value: (value > 0) - (value < 0),
            f"static int bitCount({name})": lambda value: _bits(value, bits).bit_count(),
            f"static {name} reverse({name})": lambda value: _reverse_bits(value, bits, wrap),
            f"static {name} reverseBytes({name})": lambda value: wrap(
                int.from_bytes(_bits(value, bits).to_bytes(bits // 8, "big"), "little")
            ),
            f"static {name} highestOneBit({name})": lambda value: wrap(_highest_one(value, bits)),
            f"static {name} lowestOneBit({name})": lambda value: wrap(_bits(value, bits) & -_bits(value, bits)),
            f"static int numberOfLeadingZeros({name})": lambda value: bits - _bits(value, bits).bit_length(),
            f"static int numberOfTrailingZeros({name})": lambda value: (value & -value).bit_length() - 1 if value else bits,
            f"static {name} rotateLeft({name},int)": lambda value, by: wrap(_rotated(value, by % bits, bits)),
            f"static {name} rotateRight({name},int)": lambda value, by: wrap(_rotated(value, -by % bits, bits)),
            f"static int compareUnsigned({name},{name})": lambda a, b: (
                (_bits(a, bits) > _bits(b, bits)) - (_bits(a, bits) < _bits(b, bits))
            ),
            f"static {name} divideUnsigned({name},{name})": lambda a, b: wrap(_unsigned_divided(a, b, bits)[0]),
            f"static {name} remainderUnsigned({name},{name})": lambda a, b: wrap(_unsigned_divided(a, b, bits)[1]),
        }
    kind = type(make(0))
    return ClassSource(f"java.lang.{box} : Number, Comparable<{box}>", members, lambda value: type(value) is kind)


def _parse_word(name: str) -> str:
    return "Int" if name == "int" else name.capitalize()


def _rotated(value: int, by: int, bits: int) -> int:
    unsigned = _bits(value, bits)
    return _bits(unsigned << by, bits) | unsigned >> (bits - by)


def _unsigned_divided(a: int, b: int, bits: int) -> tuple[int, int]:
    if b == 0:
        raise thrown("ArithmeticException", "/ by zero")
    return divmod(_bits(a, bits), _bits(b, bits))


def _floats(name: str, box: str, type_: Type, make: Callable[[float], float]) -> ClassSource:
    text = float_text if type_ == FLOAT else double_text

    def parse(value: str | None) -> float:
        found = parse_double(value)
        return to_float32(found) if type_ == FLOAT else found

    def to_bits(value: float) -> int:
        found: int = struct.unpack(
            *((">i", struct.pack(">f", value)) if type_ == FLOAT else (">q", struct.pack(">d", value)))
        )[0]
        return found

    def from_bits(value: int) -> float:
        found: float = struct.unpack(
            *((">f", struct.pack(">i", value)) if type_ == FLOAT else (">d", struct.pack(">q", value)))
        )[0]
        return found

    whole = "int" if type_ == FLOAT else "long"
    members: dict[str, Any] = {
        **_conversions(type_),
        f"new({name})": make,
        "new(String)": lambda value: make(parse(value)),
        f"static {box} valueOf({name})": make,
        f"static {box} valueOf(String)": lambda value: make(parse(value)),
        f"static {name} parse{box}(String)": parse,
        f"static String toString({name})": text,
        f"static int hashCode({name})": lambda value: hash_code(make(value)),
        f"static int compare({name},{name})": compare_doubles,
        f"int compareTo({box})": compare_doubles,
        f"static boolean isNaN({name})": math.isnan,
        "boolean isNaN()": math.isnan,
        f"static boolean isInfinite({name})": math.isinf,
        "boolean isInfinite()": math.isinf,
        f"static boolean isFinite({name})": math.isfinite,
        f"static {name} max({name},{name})": java_max,
        f"static {name} min({name},{name})": java_min,
        f"static {name} sum({name},{name})": lambda a, b: to_float32(a + b) if type_ == FLOAT else a + b,
        f"static {whole} {name}To{'Int' if type_ == FLOAT else 'Long'}Bits({name})": to_bits,
        f"static {whole} {name}ToRaw{'Int' if type_ == FLOAT else 'Long'}Bits({name})": to_bits,
        f"static {name} {'int' if type_ == FLOAT else 'long'}BitsTo{box}({whole})": from_bits,
        f"static {name} MAX_VALUE": 3.4028234663852886e38 if type_ == FLOAT else 1.7976931348623157e308,
        f"static {name} MIN_VALUE": 1.401298464324817e-45 if type_ == FLOAT else 5e-324,
        f"static {name} MIN_NORMAL": 1.1754943508222875e-38 if type_ == FLOAT else 2.2250738585072014e-308,
        f"static {name} NaN": math.nan,
        f"static {name} POSITIVE_INFINITY": math.inf,
        f"static {name} NEGATIVE_INFINITY": -math.inf,
        "static int SIZE": 32 if type_ == FLOAT else 64,
        "static int BYTES": 4 if type_ == FLOAT else 8,
    }
    if type_ == FLOAT:
        members["new(double)"] = lambda value: make(to_float32(value))
    kind = type(make(0.0))
    return ClassSource(f"java.lang.{box} : Number, Comparable<{box}>", members, lambda value: type(value) is kind)


def java_max(a: Any, b: Any) -> Any:
    """Math.max of floats: NaN wins, 0.0 is above -0.0."""
    if math.isnan(a) or math.isnan(b):
        return math.nan
    return a if compare_doubles(a, b) >= 0 else b


def java_min(a: Any, b: Any) -> Any:
    if math.isnan(a) or math.isnan(b):
        return math.nan
    return a if compare_doubles(a, b) <= 0 else b


def _of_char(test: Callable[[str], bool]) -> Callable[[int], bool]:
    return lambda char: test(chr(char))


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] == "L"


def _is_digit(char: str) -> bool:
    return unicodedata.category(char) == "Nd"


def _case(change: Callable[[str], str]) -> Callable[[int], int]:
    def changed(char: int) -> int:
        found = change(chr(char))
        return ord(found) if len(found) == 1 else char

    return changed


def _digit(char: int, radix: int) -> int:
    text = chr(char)
    if _is_digit(text):
        value = unicodedata.digit(text)
    elif text.isascii() and text.isalpha():
        value = ord(text.lower()) - 87
    else:
        return -1
    return value if value < radix else -1


def _characters() -> ClassSource:
    members: dict[str, Any] = {
        "new(char)": Character,
        "static Character valueOf(char)": Character,
        "char charValue()": int,
        "static String toString(char)": chr,
        "static int hashCode(char)": int,
        "static int compare(char,char)": lambda a, b: a - b,
        "int compareTo(Character)": lambda a, b: int(a) - int(b),
        "static char toUpperCase(char)": _case(str.upper),
        "static char toLowerCase(char)": _case(str.lower),
        "static int toUpperCase(int)": _case(str.upper),
        "static int toLowerCase(int)": _case(str.lower),
        "static int getNumericValue(char)": lambda char: _digit(char, 36),
        "static int digit(char,int)": _digit,
        "static char forDigit(int,int)": lambda digit, radix: ord(_DIGITS[digit]) if 0 <= digit < radix else 0,
        "static char MAX_VALUE": 0xFFFF,
        "static char MIN_VALUE": 0,
    }
    tests: dict[str, Callable[[str], bool]] = {
        "isDigit": _is_digit,
        "isLetter": _is_letter,
        "isAlphabetic": _is_letter,
        "isLetterOrDigit": lambda char: _is_letter(char) or _is_digit(char),
        "isUpperCase": str.isupper,
        "isLowerCase": str.islower,
        "isWhitespace": lambda char: (
            char in " \t\n\x0b\x0c\r\x1c\x1d\x1e\x1f"
            or (unicodedata.category(char) in ("Zs", "Zl", "Zp") and char not in "\xa0\u2007\u202f")
        ),
        "isSpaceChar": lambda char: unicodedata.category(char) in ("Zs", "Zl", "Zp"),
        "isSurrogate": lambda char: "\ud800" <= char <= "\udfff",
        "isHighSurrogate": lambda char: "\ud800" <= char <= "\udbff",
        "isLowSurrogate": lambda char: "\udc00" <= char <= "\udfff",
    }
    for name, test in tests.items():
        members[f"static boolean {name}(char)"] = _of_char(test)
        members[f"static boolean {name}(int)"] = _of_char(test)
    return ClassSource("java.lang.Character : Comparable<Character>", members, lambda value: type(value) is Character)


def _booleans() -> ClassSource:
    def parse(text: str | None) -> bool:
        return text is not None and text.lower() == "true"

    members: dict[str, Any] = {
        "new(boolean)": bool,
        "static Boolean valueOf(boolean)": bool,
        "static Boolean valueOf(String)": parse,
        "static boolean parseBoolean(String)": parse,
        "boolean booleanValue()": bool,
        "static String toString(boolean)": to_string,
        "static int hashCode(boolean)": hash_code,
        "static int compare(boolean,boolean)": lambda a, b: a - b,
        "int compareTo(Boolean)": lambda a, b: a - b,
        "static boolean logicalAnd(boolean,boolean)": lambda a, b: a and b,
        "static boolean logicalOr(boolean,boolean)": lambda a, b: a or b,
        "static boolean logicalXor(boolean,boolean)": lambda a, b: a != b,
        "static Boolean TRUE": True,
        "static Boolean FALSE": False,
    }
    return ClassSource("java.lang.Boolean : Comparable<Boolean>", members, lambda value: isinstance(value, bool))


def _is_number(value: Any) -> bool:
    from decimal import Decimal

    return isinstance(value, int | float | Decimal) and not isinstance(value, bool | Character)


def sources() -> list[ClassSource]:
    numbers = {
        f"{name} {name}Value()": _any_number_cast(PRIMITIVES[name])
        for name in ("byte", "short", "int", "long", "float", "double")
    }
    return [
        ClassSource("java.lang.Number", numbers, _is_number, is_abstract=True),
        _integers("int", "Integer", INT, 32, int),
        _integers("long", "Long", LONG, 64, Long),
        _integers("short", "Short", PRIMITIVES["short"], 16, Short),
        _integers("byte", "Byte", PRIMITIVES["byte"], 8, Byte),
        _floats("double", "Double", DOUBLE, float),
        _floats("float", "Float", FLOAT, Float),
        _characters(),
        _booleans(),
    ]
