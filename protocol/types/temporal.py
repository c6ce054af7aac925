"""timestamp, date and time. Python values are integers (milliseconds, days, nanoseconds), so that no range is lost."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from protocol.types.base import ORDER_EMPTY, ORDER_VALUE, MarshalError, NativeType, compare_bytes
from protocol.types.calendar import DAY_MS, civil_from_days, days_from_civil, month_length, year_text
from protocol.types.java_text import java_class, java_string
from protocol.types.numbers import SIGN_FLIPPED
from protocol.types.timestamp_text import parse_timestamp, timestamp_text

DAY_NS = 86_400_000_000_000

_RAW = re.compile(r"-?[0-9]+")
_ISO_DATE = re.compile(r"(-?[0-9]{4}|[+-][0-9]{5,10})-([0-9]{2})-([0-9]{2})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TimestampType(NativeType):
    """Milliseconds since 1970, signed 64 bits."""

    __slots__ = ()
    name = "timestamp"
    java_name = "TimestampType"
    option_id = 0x000B
    fixed_length = 8
    quotes_literal = True

    def encode(self, value: Any) -> bytes:
        """Of milliseconds, or of a datetime (without zone: UTC)."""
        if isinstance(value, datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            value = (aware - _EPOCH) // timedelta(milliseconds=1)
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"no timestamp: {value!r}")
        try:
            return value.to_bytes(8, "big", signed=True)
        except OverflowError as error:
            raise ValueError(f"{value} is out of the range of timestamp") from error

    def decode(self, data: bytes) -> int | None:
        return int.from_bytes(data, "big", signed=True) if data else None

    def validate(self, data: bytes) -> None:
        if len(data) != 8 and data:
            raise MarshalError(f"Expected 8 or 0 byte long for date ({len(data)})")

    def order_key(self, data: bytes) -> bytes:
        return SIGN_FLIPPED[data[0]] + data[1:] if data else ORDER_EMPTY

    sort_key = order_key

    def from_text(self, text: str) -> bytes:
        """All of Cassandra's patterns, but not 'now': whoever has a clock replaces that (`is_now`)."""
        return parse_timestamp(text).to_bytes(8, "big", signed=True) if text else b""

    @staticmethod
    def is_now(text: str) -> bool:
        return text.lower() == "now"

    def to_text(self, data: bytes) -> str:
        return timestamp_text(int.from_bytes(data, "big", signed=True)) if data else ""

    def to_json(self, data: bytes) -> str:
        return f'"{timestamp_text(int.from_bytes(data, "big", signed=True), " ")}"' if data else '""'

    def from_json(self, value: Any) -> bytes:
        """Java tells int from long: only numbers beyond 32 bits are taken as milliseconds."""
        if java_class(value) == "Long":
            return self.encode(value)
        if not isinstance(value, str):
            raise MarshalError(
                "Expected a long or a datestring representation of a timestamp value, "
                f"but got a {java_class(value)}: {java_string(value)}"
            )
        return self.from_text(value)

    def masked_value(self) -> bytes:
        return bytes(8)


class DateType(NativeType):
    """Days since 1970 plus 2**31, unsigned 32 bits."""

    __slots__ = ()
    name = "date"
    java_name = "SimpleDateType"
    option_id = 0x0011
    option_version = 4
    allows_empty = False
    empty_is_null = False
    quotes_literal = True

    def encode(self, value: Any) -> bytes:
        """Of days since 1970, or of a date."""
        if isinstance(value, date):
            value = value.toordinal() - 719_163
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"no date: {value!r}")
        try:
            return (value + 2**31).to_bytes(4, "big")
        except OverflowError as error:
            raise ValueError(f"{value} is out of the range of date") from error

    def decode(self, data: bytes) -> int | None:
        return int.from_bytes(data, "big") - 2**31 if data else None

    def validate(self, data: bytes) -> None:
        if len(data) != 4:
            raise MarshalError(f"Expected 4 byte long for date ({len(data)})")

    def compare(self, a: bytes, b: bytes) -> int:
        return compare_bytes(a, b)

    def sort_key(self, data: bytes) -> bytes:
        return data

    def order_key(self, data: bytes) -> bytes:
        return ORDER_VALUE + data if data else ORDER_EMPTY

    def from_text(self, text: str) -> bytes:
        if _RAW.fullmatch(text):
            if len(text) > 20 or not 0 <= int(text) < 2**32:
                raise MarshalError(f"Unable to make unsigned int (for date) from: '{text}'")
            return int(text).to_bytes(4, "big")
        found = _ISO_DATE.fullmatch(text)
        if found is not None:
            year, month, day = int(found[1]), int(found[2]), int(found[3])
            valid = 1 <= month <= 12 and 1 <= day <= month_length(year, month) and abs(year) <= 999_999_999
            if valid and not found[1].startswith("-0000"):
                return self._from_civil(text, year, month, day)
        raise MarshalError(f"Unable to coerce '{text}' to a formatted date (long)")

    def _from_civil(self, text: str, year: int, month: int, day: int) -> bytes:
        days = days_from_civil(year, month, day)
        if days < -(2**31):
            raise MarshalError(f"Input date {text} is less than min supported date -5877641-06-23T00:00Z")
        if days >= 2**31:
            raise MarshalError(f"Input date {text} is greater than max supported date +5881580-07-11T00:00Z")
        return (days + 2**31).to_bytes(4, "big")

    def to_text(self, data: bytes) -> str:
        if not data:
            return ""
        year, month, day = civil_from_days(int.from_bytes(data, "big") - 2**31)
        return f"{year_text(year)}-{month:02d}-{day:02d}"

    def to_json(self, data: bytes) -> str:
        return f'"{self.to_text(data)}"'

    def from_json(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise MarshalError(
                f"Expected a string representation of a date value, but got a {java_class(value)}: {java_string(value)}"
            )
        return self.from_text(value)

    def masked_value(self) -> bytes:
        return b"\x80\x00\x00\x00"


def _negative_time(nanoseconds: int) -> str:
    """What Cassandra makes of a time before midnight: each part has its sign, behind the zeros of a single digit."""
    parts = []
    for unit in (1000, 1000, 1000, 60, 60, 24):
        nanoseconds, part = divmod(nanoseconds, unit)
        zeros = "00" if unit == 1000 else "0"
        parts.append(f"{zeros}-{part}" if part else f"{zeros}0")
    nano, micro, milli, second, minute, hour = parts
    return f"{hour}:{minute}:{second}.{milli}{micro}{nano}"


class TimeType(NativeType):
    """Nanoseconds since midnight."""

    __slots__ = ()
    name = "time"
    java_name = "TimeType"
    option_id = 0x0012
    option_version = 4
    allows_empty = False
    empty_is_null = False
    quotes_literal = True

    def encode(self, value: Any) -> bytes:
        """Of nanoseconds, or of a time."""
        if isinstance(value, time):
            value = ((value.hour * 60 + value.minute) * 60 + value.second) * 10**9 + value.microsecond * 1000
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"no time: {value!r}")
        if not 0 <= value < DAY_NS:
            raise ValueError(f"{value} is out of the range of time")
        return value.to_bytes(8, "big")

    def decode(self, data: bytes) -> int | None:
        return int.from_bytes(data, "big", signed=True) if data else None

    def validate(self, data: bytes) -> None:
        if len(data) != 8:
            raise MarshalError(f"Expected 8 byte long for time ({len(data)})")

    def compare(self, a: bytes, b: bytes) -> int:
        return compare_bytes(a, b)

    def sort_key(self, data: bytes) -> bytes:
        return data

    def order_key(self, data: bytes) -> bytes:
        return ORDER_VALUE + data if data else ORDER_EMPTY

    def from_text(self, text: str) -> bytes:
        if _RAW.fullmatch(text):
            if len(text) > 20 or not 0 <= int(text) < DAY_NS:
                raise MarshalError(f"Unable to make long (for time) from: '{text}'")
            return int(text).to_bytes(8, "big")
        try:
            return _parse_time(text.strip("".join(map(chr, range(33))))).to_bytes(8, "big")
        except ValueError:
            raise MarshalError(f"(TimeType) Unable to coerce '{text}' to a formatted time (long)") from None

    def to_text(self, data: bytes) -> str:
        if not data:
            return "null"
        nanoseconds = int.from_bytes(data, "big", signed=True)
        if nanoseconds < 0:
            return _negative_time(-nanoseconds)
        seconds, nanos = divmod(nanoseconds, 10**9)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        return f"{hour % 24:02d}:{minute:02d}:{second:02d}.{nanos:09d}"

    def to_json(self, data: bytes) -> str:
        return f'"{self.to_text(data)}"'

    def from_json(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise MarshalError(
                f"Expected a string representation of a time value, but got a {java_class(value)}: {java_string(value)}"
            )
        return self.from_text(value)

    def masked_value(self) -> bytes:
        return bytes(8)


_TIME_PART = re.compile(r"[+-]?[0-9]{1,9}")


def _parse_time(text: str) -> int:
    """hh:mm:ss[.fffffffff], the parts of any length that an int can have. ValueError."""
    first = text.find(":")
    second = text.find(":", first + 1)
    if first <= 0 or second <= 0 or second == len(text) - 1:
        raise ValueError(text)
    seconds, period, fraction = text[second + 1 :].partition(".")
    nanos = 0
    if period:
        if not seconds or not fraction or len(fraction) > 9 or not fraction[0].isdigit():
            raise ValueError(text)
        if not fraction.isascii() or not fraction.isdigit():
            raise ValueError(text)
        nanos = int(fraction.ljust(9, "0"))
    parts = []
    for part, limit in ((text[:first], 24), (text[first + 1 : second], 60), (seconds, 60)):
        if not _TIME_PART.fullmatch(part) or not 0 <= int(part) < limit:
            raise ValueError(text)
        parts.append(int(part))
    return ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 10**9 + nanos


def add_duration(time_ms: int, months: int, days: int, nanoseconds: int) -> int:
    """Milliseconds since 1970, moved: months first (clamped to the month's end), then days, then the rest."""
    from protocol.types.calendar import add_months

    millis = abs(nanoseconds) // 1_000_000 * (1 if nanoseconds >= 0 else -1)
    moved = add_months(time_ms, months) if months else time_ms
    return moved + days * DAY_MS + millis
