"""Java's values as Python has them.

    int short byte char long      int (a char is its code unit)        float double    float       boolean    bool
    Integer Double Boolean        as int, double, boolean              null            None
    Long Short Byte Character Float   subclasses of int and float, so that an Object knows what it is
    String                        str of UTF-16 code units: characters beyond the basic plane are two surrogates
    arrays                        list (plain)                         collections     containers.py
    BigInteger                    subclass of int                      BigDecimal      decimal.Decimal
    UUID InetAddress              uuid.UUID, ipaddress                 the rest        cql_values.py

What every object can do stands here: its class, toString, equals, hashCode.
"""

import struct
from collections.abc import Callable
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from math import isnan, nan
from typing import Any, Final
from uuid import UUID

from cqlserver.java.errors import Throwable, thrown
from protocol.types.java_floats import double_text, float_text

INT_MIN: Final = -(1 << 31)
INT_MAX: Final = (1 << 31) - 1
LONG_MIN: Final = -(1 << 63)
LONG_MAX: Final = (1 << 63) - 1


class Long(int):
    __slots__ = ()


class Short(int):
    __slots__ = ()


class Byte(int):
    __slots__ = ()


class Character(int):
    __slots__ = ()


class BigInteger(int):
    __slots__ = ()


class Float(float):
    __slots__ = ()


class JavaObject:
    """The root of the objects of our own; `java_class` is the fully qualified name."""

    __slots__ = ()
    java_class: str = "java.lang.Object"

    def to_string(self) -> str:
        return f"{self.java_class}@{hash_code(self) & 0xFFFFFFFF:x}"

    def hash_code(self) -> int:
        return to_int(id(self) >> 4)


def units_of(text: str) -> str:
    """A string of any characters as UTF-16 code units."""
    if text.isascii() or max(text) <= "\uffff":
        return text
    data = text.encode("utf-16-be", "surrogatepass")
    return "".join(map(chr, struct.unpack(f">{len(data) // 2}H", data)))


def text_of(units: str) -> str:
    """Code units as characters; halves that stand alone become '?', as when Java encodes them."""
    if units.isascii() or not any("\ud800" <= c <= "\udfff" for c in units):
        return units
    data = struct.pack(f">{len(units)}H", *map(ord, units))
    return data.decode("utf-16-be", "replace").replace("\ufffd", "?")


def to_int(value: int) -> int:
    """The low 32 bits, signed."""
    return value if INT_MIN <= value <= INT_MAX else ((value + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def to_long(value: int) -> int:
    return value if LONG_MIN <= value <= LONG_MAX else ((value + (1 << 63)) & 0xFFFFFFFFFFFFFFFF) - (1 << 63)


# --- classes -----------------------------------------------------------------------------------------------------------

_CLASSES: Final[dict[type, str]] = {
    bool: "java.lang.Boolean",
    int: "java.lang.Integer",
    float: "java.lang.Double",
    str: "java.lang.String",
    Long: "java.lang.Long",
    Short: "java.lang.Short",
    Byte: "java.lang.Byte",
    Character: "java.lang.Character",
    Float: "java.lang.Float",
    BigInteger: "java.math.BigInteger",
    Decimal: "java.math.BigDecimal",
    UUID: "java.util.UUID",
    IPv4Address: "java.net.Inet4Address",
    IPv6Address: "java.net.Inet6Address",
}


def class_name(value: Any) -> str:
    """The fully qualified name of an object's class."""
    found = _CLASSES.get(type(value))
    if found is not None:
        return found
    if isinstance(value, Throwable):
        return value.class_name
    if isinstance(value, list) and type(value) is list:
        return "[Ljava.lang.Object;"
    return str(value.java_class)


# --- toString ----------------------------------------------------------------------------------------------------------


def _boolean_text(value: bool) -> str:
    return "true" if value else "false"


def decimal_text(value: Decimal) -> str:
    """BigDecimal.toString."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    adjusted = exponent + len(text) - 1
    minus = "-" if sign and value else ""
    if exponent > 0 or adjusted < -6:
        mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
        return f"{minus}{mantissa}E{adjusted:+d}"
    if exponent == 0:
        return minus + text
    padded = text.rjust(1 - exponent, "0")
    return f"{minus}{padded[:exponent]}.{padded[exponent:]}"


def inet_text(value: Any) -> str:
    """InetAddress.toString of an address without a name."""
    if value.version == 4:
        return f"/{value}"
    groups = value.exploded.split(":")
    return "/" + ":".join(format(int(group, 16), "x") for group in groups)


def big_text(value: int) -> str:
    from protocol.types.big_integers import int_text

    return int_text(value)


_TEXTS: Final[dict[type, Callable[[Any], str]]] = {
    str: lambda value: value,
    bool: _boolean_text,
    int: int.__repr__,
    Long: int.__repr__,
    Short: int.__repr__,
    Byte: int.__repr__,
    BigInteger: big_text,
    Character: chr,
    float: double_text,
    Float: float_text,
    Decimal: decimal_text,
    UUID: str,
    type(None): lambda value: "null",
    IPv4Address: inet_text,
    IPv6Address: inet_text,
}


def to_string(value: Any) -> str:
    """String.valueOf(Object)."""
    text = _TEXTS.get(type(value))
    if text is not None:
        return text(value)
    if isinstance(value, Throwable):
        return value.text()
    if type(value) is list:
        return f"[Ljava.lang.Object;@{id(value) >> 4 & 0xFFFFFFFF:x}"
    return str(value.to_string())


# --- equals and hashCode -----------------------------------------------------------------------------------------------


def equals(left: Any, right: Any) -> bool:
    """left.equals(right); `left` is not null."""
    if type(left) is not type(right):
        return bool(isinstance(left, JavaObject) and isinstance(right, JavaObject) and left == right)
    if isinstance(left, list) and type(left) is list:
        return left is right
    if isinstance(left, float):
        return (left == right and (left != 0 or str(left) == str(right))) or (isnan(left) and isnan(right))
    if isinstance(left, Decimal):
        return bool(left.as_tuple() == right.as_tuple())
    return bool(left == right)


def string_hash(text: str) -> int:
    total = 0
    for unit in text:
        total = (31 * total + ord(unit)) & 0xFFFFFFFF
    return to_int(total)


def _long_hash(value: int) -> int:
    return to_int((value ^ (value >> 32)) & 0xFFFFFFFF)


def _double_hash(value: float) -> int:
    bits = struct.unpack(">q", struct.pack(">d", nan if isnan(value) else value))[0]
    return _long_hash(bits)


def _float_hash(value: float) -> int:
    found: int = struct.unpack(">i", struct.pack(">f", value))[0]
    return found


def _big_hash(value: int) -> int:
    magnitude, total = abs(value), 0
    words = []
    while magnitude:
        words.append(magnitude & 0xFFFFFFFF)
        magnitude >>= 32
    for word in reversed(words):
        total = (31 * total + word) & 0xFFFFFFFF
    return to_int(total if value >= 0 else -to_int(total))


def _uuid_hash(value: UUID) -> int:
    both = (value.int >> 64) ^ (value.int & 0xFFFFFFFFFFFFFFFF)
    return to_int((both >> 32) ^ (both & 0xFFFFFFFF))


_HASHES: Final[dict[type, Callable[[Any], int]]] = {
    bool: lambda value: 1231 if value else 1237,
    int: int,
    str: string_hash,
    Long: _long_hash,
    Short: int,
    Byte: int,
    Character: int,
    float: _double_hash,
    Float: _float_hash,
    BigInteger: _big_hash,
    Decimal: lambda value: to_int(31 * _big_hash(_unscaled(value)) - value.as_tuple().exponent),
    UUID: _uuid_hash,
    IPv4Address: lambda value: to_int(int(value)),
    IPv6Address: lambda value: to_int(int(value)),
}


def _unscaled(value: Decimal) -> int:
    sign, digits, _ = value.as_tuple()
    number = int("".join(map(str, digits)))
    return -number if sign else number


def hash_code(value: Any) -> int:
    """Objects.hashCode."""
    if value is None:
        return 0
    found = _HASHES.get(type(value))
    if found is not None:
        return found(value)
    if isinstance(value, JavaObject):
        return value.hash_code()
    return to_int(id(value) >> 4)


# --- compareTo ---------------------------------------------------------------------------------------------------------


def compare_strings(left: str, right: str) -> int:
    for a, b in zip(left, right, strict=False):
        if a != b:
            return ord(a) - ord(b)
    return len(left) - len(right)


def compare(left: Any, right: Any) -> int:
    """left.compareTo(right). Raises what Java throws where they can't be compared."""
    if left is None or right is None:
        raise thrown("NullPointerException")
    if isinstance(left, str) and isinstance(right, str):
        return compare_strings(left, right)
    if isinstance(left, JavaObject) or type(left) is not type(right):
        order = getattr(left, "compare_to", None)
        if order is None or type(left) is not type(right):
            raise cast_failure(left, class_name(right) if order is None else class_name(left))
        found: int = order(right)
        return found
    if isinstance(left, Byte | Short | Character):
        return int(left) - int(right)
    if isinstance(left, UUID):
        a, b = _signed_halves(left), _signed_halves(right)
        return (a > b) - (a < b)
    if isinstance(left, float):
        return compare_doubles(left, right)
    return int(left > right) - int(left < right)


def compare_doubles(left: float, right: float) -> int:
    """Double.compare: -0.0 below 0.0, NaN above all."""
    if left < right:
        return -1
    if left > right:
        return 1
    a, b = _order_bits(left), _order_bits(right)
    return (a > b) - (a < b)


def _order_bits(value: float) -> tuple[bool, bool]:
    return isnan(value), str(value)[0] != "-"


def _signed_halves(value: UUID) -> tuple[int, int]:
    return to_long(value.int >> 64), to_long(value.int & 0xFFFFFFFFFFFFFFFF)


_OWN_CLASSES: Final = "org.apache.cassandra."


def cast_failure(value: Any, wanted: str) -> Exception:
    """The ClassCastException, with Java 17's words."""
    found = class_name(value)
    if found.startswith(_OWN_CLASSES) or wanted.startswith(_OWN_CLASSES):
        return thrown("ClassCastException", f"class {found} cannot be cast to class {wanted}")
    message = (
        f"class {found} cannot be cast to class {wanted} "
        f"({found} and {wanted} are in module java.base of loader 'bootstrap')"
    )
    return thrown("ClassCastException", message)
