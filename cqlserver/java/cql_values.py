"""The objects of Cassandra's own that functions get and give: UDTValue, TupleValue, LocalDate, Duration, and a few of Java's
that stand for CQL values (Date, ByteBuffer)."""

from typing import Any

from cqlserver.java.errors import thrown
from cqlserver.java.values import JavaObject, to_int
from protocol.types import CqlType, UserType
from protocol.types.calendar import civil_from_days

TYPES_PACKAGE = "org.apache.cassandra.cql3.functions.types"


class Parts(JavaObject):
    """A UDTValue or TupleValue: Java values by index, None where there is none."""

    __slots__ = ("type", "values")

    def __init__(self, type_: CqlType, values: list[Any]) -> None:
        self.type, self.values = type_, values

    @property
    def types(self) -> tuple[CqlType, ...]:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Parts) and self.values == other.values

    def __hash__(self) -> int:
        return self.hash_code()

    def hash_code(self) -> int:
        from cqlserver.java.values import hash_code

        total = 31 + hash_code(str(self.type.cql()))
        for value in self.values:
            total = to_int(total * 31 + hash_code(value))
        return total


class UDTValue(Parts):
    __slots__ = ()
    java_class = f"{TYPES_PACKAGE}.UDTValue"

    @property
    def types(self) -> tuple[CqlType, ...]:
        assert isinstance(self.type, UserType)
        return self.type.field_types

    def index(self, name: str) -> int:
        assert isinstance(self.type, UserType)
        wanted = name[1:-1] if name[:1] == '"' and name[-1:] == '"' else name.lower()
        for index, field in enumerate(self.type.field_names):
            if field == wanted or (name[:1] != '"' and field.lower() == wanted):
                return index
        raise thrown("IllegalArgumentException", f"{name} is not a field defined in this UDT")

    def to_string(self) -> str:
        from cqlserver.java.codecs import literal

        assert isinstance(self.type, UserType)
        pairs = zip(self.type.field_names, self.type.field_types, self.values, strict=True)
        return "{" + ",".join(f"{name}:{literal(type_, value)}" for name, type_, value in pairs) + "}"


class TupleValue(Parts):
    __slots__ = ()
    java_class = f"{TYPES_PACKAGE}.TupleValue"

    @property
    def types(self) -> tuple[CqlType, ...]:
        from protocol.types import TupleType

        assert isinstance(self.type, TupleType)
        return self.type.elements

    def to_string(self) -> str:
        from cqlserver.java.codecs import literal

        return "(" + ",".join(literal(t, v) for t, v in zip(self.types, self.values, strict=True)) + ")"


class LocalDate(JavaObject):
    """A date: days since 1970."""

    __slots__ = ("days",)
    java_class = f"{TYPES_PACKAGE}.LocalDate"

    def __init__(self, days: int) -> None:
        self.days = days

    def to_string(self) -> str:
        year, month, day = civil_from_days(self.days)
        return f"{year}-{month:02d}-{day:02d}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocalDate) and self.days == other.days

    def hash_code(self) -> int:
        return self.days

    def __hash__(self) -> int:
        return self.days


class Duration(JavaObject):
    __slots__ = ("days", "months", "nanoseconds")
    java_class = f"{TYPES_PACKAGE}.Duration"

    def __init__(self, months: int, days: int, nanoseconds: int) -> None:
        self.months, self.days, self.nanoseconds = months, days, nanoseconds

    @property
    def parts(self) -> tuple[int, int, int]:
        return self.months, self.days, self.nanoseconds

    def to_string(self) -> str:
        from protocol.types import DURATION
        from protocol.types.duration import Duration as CqlDuration

        return DURATION.to_text(DURATION.encode(CqlDuration(*self.parts)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and self.parts == other.parts

    def __hash__(self) -> int:
        return self.hash_code()

    def hash_code(self) -> int:
        total = 1
        for part in self.parts:
            total = to_int(31 * total + to_int((part ^ (part >> 32)) & 0xFFFFFFFF if abs(part) >= 1 << 31 else part))
        return total


_DAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Date(JavaObject):
    """java.util.Date: milliseconds since 1970."""

    __slots__ = ("ms",)
    java_class = "java.util.Date"

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def to_string(self) -> str:
        days, rest = divmod(self.ms, 86_400_000)
        year, month, day = civil_from_days(days)
        seconds = rest // 1000
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return f"{_DAYS[days % 7]} {_MONTHS[month - 1]} {day:02d} {clock} UTC {year}"

    def hash_code(self) -> int:
        return to_int((self.ms ^ (self.ms >> 32)) & 0xFFFFFFFF)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Date) and self.ms == other.ms

    def __hash__(self) -> int:
        return self.hash_code()

    def compare_to(self, other: "Date") -> int:
        return (self.ms > other.ms) - (self.ms < other.ms)


class ByteBuffer(JavaObject):
    __slots__ = ("data", "limit", "position")
    java_class = "java.nio.HeapByteBuffer"

    def __init__(self, data: bytearray, position: int = 0, limit: int | None = None) -> None:
        self.data, self.position = data, position
        self.limit = len(data) if limit is None else limit

    @property
    def rest(self) -> bytes:
        return bytes(self.data[self.position : self.limit])

    def to_string(self) -> str:
        return f"java.nio.HeapByteBuffer[pos={self.position} lim={self.limit} cap={len(self.data)}]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByteBuffer) and self.rest == other.rest

    def __hash__(self) -> int:
        return self.hash_code()

    def hash_code(self) -> int:
        total = 1
        for byte in reversed(self.rest):
            total = to_int(31 * total + (byte - 256 if byte > 127 else byte))
        return total

    def compare_to(self, other: "ByteBuffer") -> int:
        one = [b - 256 if b > 127 else b for b in self.rest]
        two = [b - 256 if b > 127 else b for b in other.rest]
        for a, b in zip(one, two, strict=False):
            if a != b:
                return a - b
        return len(one) - len(two)
