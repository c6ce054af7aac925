"""duration: months, days and nanoseconds, which have no order among each other.

Three input formats: '1y2mo3d4h', ISO 8601 'P1Y2M3DT4H' or 'P3W', and the alternative 'P0001-02-03T04:05:06'
(cql3/Duration.java). On the wire: three signed vints.
"""

import re
from dataclasses import dataclass
from typing import Any

from protocol.types import vints
from protocol.types.base import MarshalError, byte_order_key
from protocol.types.java_text import java_class, java_string, json_quoted
from protocol.types.text import ByteOrderType

_INT_MAX = 2**31 - 1
_LONG_MAX = 2**63 - 1

_STANDARD = re.compile(r"([0-9]+)(y|Y|mo|MO|mO|Mo|w|W|d|D|h|H|s|S|ms|MS|mS|Ms|us|US|uS|Us|µs|µS|ns|NS|nS|Ns|m|M)")
_ISO = re.compile(r"P((\d+)Y)?((\d+)M)?((\d+)D)?(T((\d+)H)?((\d+)M)?((\d+)S)?)?", re.ASCII)
_ISO_WEEKS = re.compile(r"P(\d+)W", re.ASCII)
_ISO_ALTERNATIVE = re.compile(r"P(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})", re.ASCII)

# Symbol -> (place in the order that texts must keep, name, what it counts, how many of it).
_UNITS = {
    "y": (1, "years", "months", 12),
    "mo": (2, "months", "months", 1),
    "w": (3, "weeks", "days", 7),
    "d": (4, "days", "days", 1),
    "h": (5, "hours", "nanoseconds", 3_600_000_000_000),
    "m": (6, "minutes", "nanoseconds", 60_000_000_000),
    "s": (7, "seconds", "nanoseconds", 1_000_000_000),
    "ms": (8, "milliseconds", "nanoseconds", 1_000_000),
    "us": (9, "microseconds", "nanoseconds", 1_000),
    "µs": (9, "microseconds", "nanoseconds", 1_000),
    "ns": (10, "nanoseconds", "nanoseconds", 1),
}
_UNIT_NAMES = {place: name for place, name, _, _ in _UNITS.values()}
_LIMITS = {"months": _INT_MAX, "days": _INT_MAX, "nanoseconds": _LONG_MAX}


class DurationError(MarshalError):
    """A text that is no duration. Cassandra answers it as an invalid request even where other texts fail a function."""


@dataclass(frozen=True, slots=True)
class Duration:
    """All three of one sign, or zero."""

    months: int
    days: int
    nanoseconds: int

    def __post_init__(self) -> None:
        parts = (self.months, self.days, self.nanoseconds)
        if not (all(p >= 0 for p in parts) or all(p <= 0 for p in parts)):
            raise ValueError(f"the parts of a duration must have one sign: {parts}")

    @property
    def is_negative(self) -> bool:
        return self.months < 0 or self.days < 0 or self.nanoseconds < 0

    def __neg__(self) -> "Duration":
        return Duration(-self.months, -self.days, -self.nanoseconds)

    def __str__(self) -> str:
        """As Cassandra prints it: '1y2mo3d4h5m6s7ms8us9ns'; '' for zero."""
        out = ["-"] if self.is_negative else []
        for amount, units in (
            (abs(self.months), (("y", 12), ("mo", 1))),
            (abs(self.days), (("d", 1),)),
            (abs(self.nanoseconds), _TIME_SYMBOLS),
        ):
            for symbol, size in units:
                count, amount = divmod(amount, size)  # noqa: PLW2901
                if count:
                    out.append(f"{count}{symbol}")
        return "".join(out)


_TIME_SYMBOLS = tuple((s, _UNITS[s][3]) for s in ("h", "m", "s", "ms", "us", "ns"))


class _Builder:
    def __init__(self) -> None:
        self.totals = {"months": 0, "days": 0, "nanoseconds": 0}
        self.place = 0

    def add(self, number: str, symbol: str) -> None:
        place, name, counted, size = _UNITS[symbol]
        if place == self.place:
            raise DurationError(f"Invalid duration. The {name} are specified multiple times")
        if place < self.place:
            raise DurationError(f"Invalid duration. The {_UNIT_NAMES[self.place]} should be after {name}")
        self.place = place
        if len(number.lstrip("0")) > 19 or int(number) > (_LIMITS[counted] - self.totals[counted]) // size:
            raise DurationError(f"Invalid duration. The total number of {counted} must be less or equal to {_INT_MAX}")
        self.totals[counted] += int(number) * size

    def build(self, negative: bool) -> Duration:
        made = Duration(**self.totals)
        return -made if negative else made


def parse_duration(text: str) -> Duration:
    """Raises DurationError."""
    negative = text.startswith("-")
    source = text[1:] if negative else text
    builder = _Builder()
    if source.startswith("P"):
        if source.endswith("W"):
            found = _ISO_WEEKS.fullmatch(source)
            pairs = [("w", found[1])] if found else []
        elif "-" in source:
            found = _ISO_ALTERNATIVE.fullmatch(source)
            pairs = list(zip(("y", "mo", "d", "h", "m", "s"), found.groups(), strict=True)) if found else []
        else:
            found = _ISO.fullmatch(source)
            groups = (2, 4, 6, 9, 11, 13)
            pairs = list(zip(("y", "mo", "d", "h", "m", "s"), found.group(*groups), strict=True)) if found else []
        if found is None:
            raise DurationError(f"Unable to convert '{source}' to a duration")
        for symbol, number in pairs:
            if number is not None:
                builder.add(number, symbol)
        return builder.build(negative)
    position = 0
    while found := _STANDARD.match(source, position):
        builder.add(found[1], found[2].lower())
        position = found.end()
    if not position or position < len(source):
        raise DurationError(f"Unable to convert '{source}' to a duration")
    return builder.build(negative)


class DurationType(ByteOrderType):
    """Durations can't be keys; the order of their bytes serves only to sort somehow."""

    __slots__ = ()
    name = "duration"
    java_name = "DurationType"
    option_id = 0x0015
    option_version = 5
    allows_empty = False
    empty_is_null = False
    recodes = True

    def encode(self, value: Any) -> bytes:
        """Of a Duration, or anything with `months`, `days` and `nanoseconds`."""
        if isinstance(value, str):
            value = parse_duration(value)
        try:
            months, days, nanoseconds = value.months, value.days, value.nanoseconds
        except AttributeError:
            raise TypeError(f"no duration: {value!r}") from None
        Duration(months, days, nanoseconds)
        return vints.encode_signed(months) + vints.encode_signed(days) + vints.encode_signed(nanoseconds)

    def decode(self, data: bytes) -> Duration | None:
        if not data:
            return None
        return Duration(*_read_parts(data))

    def recoded(self, data: bytes) -> bytes:
        return b"".join(map(vints.encode_signed, _read_parts(data)))

    def validate(self, data: bytes) -> None:
        if len(data) < 3:
            raise MarshalError(f"Expected at least 3 bytes for a duration ({len(data)})")
        months, days, nanoseconds = _read_parts(data)
        if not -(2**31) <= months < 2**31:
            raise MarshalError(f"The duration months must be a 32 bits integer but was: {months}")
        if not -(2**31) <= days < 2**31:
            raise MarshalError(f"The duration days must be a 32 bits integer but was: {days}")
        parts = (months, days, nanoseconds)
        if not (all(p >= 0 for p in parts) or all(p <= 0 for p in parts)):
            raise MarshalError(
                f"The duration months, days and nanoseconds must be all of the same sign ({months}, {days}, {nanoseconds})"
            )

    def order_key(self, data: bytes) -> bytes:
        return byte_order_key(data)

    def from_text(self, text: str) -> bytes:
        return self.encode(parse_duration(text)) if text else b""

    def to_text(self, data: bytes) -> str:
        return str(self.decode(data)) if data else ""

    def to_literal(self, data: bytes | None) -> str:
        return self.to_text(data) if data else "null"

    def to_json(self, data: bytes) -> str:
        return json_quoted(self.to_text(data))

    def from_json(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise MarshalError(
                f"Expected a string representation of a duration, but got a {java_class(value)}: {java_string(value)}"
            )
        return self.from_text(value)

    def masked_value(self) -> bytes:
        return bytes(3)


def _read_parts(data: bytes) -> tuple[int, int, int]:
    try:
        months, offset = vints.decode_signed(data, 0)
        days, offset = vints.decode_signed(data, offset)
        nanoseconds, _ = vints.decode_signed(data, offset)
    except IndexError:
        # Cassandra fails with an AssertionError here; a client can't tell the difference in anything but the words.
        raise MarshalError("Unexpected error") from None
    return months, days, nanoseconds
