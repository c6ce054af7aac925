"""uuid and timeuuid."""

import re
from typing import Any, ClassVar
from uuid import UUID

from protocol.types.base import ORDER_EMPTY, MarshalError, NativeType, custom_option
from protocol.types.java_text import java_class, java_string

_TEXT = re.compile(r"[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}")
_SIGN_FLIPPED = bytes(i ^ 0x80 for i in range(256))

# 100 ns units between 1582-10-15, where timeuuids begin, and 1970.
EPOCH_100NS = 0x01B21DD213814000


class UuidType(NativeType):
    """By version; version 1 by time and then the unsigned rest, all others by unsigned bytes."""

    __slots__ = ()
    name = "uuid"
    java_name = "UUIDType"
    option_id = 0x000C
    fixed_length = 16
    unparsable: ClassVar[str] = "Unable to make UUID from '{}'"
    article: ClassVar[str] = "a uuid"

    def encode(self, value: Any) -> bytes:
        if isinstance(value, str):
            value = UUID(value)
        if not isinstance(value, UUID):
            raise TypeError(f"no UUID: {value!r}")
        return value.bytes

    def decode(self, data: bytes) -> UUID | None:
        return UUID(bytes=data) if data else None

    def validate(self, data: bytes) -> None:
        if len(data) != 16 and data:
            raise MarshalError(f"UUID should be 16 or 0 bytes ({len(data)})")

    def order_key(self, data: bytes) -> bytes:
        if not data:
            return ORDER_EMPTY
        if data[6] >> 4 == 1:
            return b"\x12" + data[6:8] + data[4:6] + data[:4] + data[8:]
        return bytes(((data[6] >> 4) + 0x11,)) + data

    def from_text(self, text: str) -> bytes:
        if not text:
            return b""
        if not _TEXT.fullmatch(text):
            raise MarshalError(self.unparsable.format(text))
        return bytes.fromhex(text.replace("-", ""))

    def to_text(self, data: bytes) -> str:
        h = data.hex()
        return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}" if h else ""

    def to_json(self, data: bytes) -> str:
        return f'"{self.to_text(data)}"'

    def from_json(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise MarshalError(
                f"Expected a string representation of {self.article}, but got a {java_class(value)}: {java_string(value)}"
            )
        return self.from_text(value)

    def masked_value(self) -> bytes:
        return bytes(16)


class TimeUuidType(UuidType):
    """By time, then the other eight bytes as signed bytes."""

    __slots__ = ()
    name = "timeuuid"
    java_name = "TimeUUIDType"
    option_id = 0x000F
    unparsable = "Unknown timeuuid representation: {}"
    article = "a timeuuid"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeUuidType)

    def __hash__(self) -> int:
        return hash(TimeUuidType.java_name)

    def validate(self, data: bytes) -> None:
        if data:
            if len(data) != 16:
                raise MarshalError(f"UUID should be 16 or 0 bytes ({len(data)})")
            if data[6] & 0xF0 != 0x10:
                raise MarshalError(f"Invalid version for TimeUUID type: 0x{data[0] >> 4:x}")

    def order_key(self, data: bytes) -> bytes:
        if not data:
            return ORDER_EMPTY
        return b"\x02" + data[6:8] + data[4:6] + data[:4] + data[8:].translate(_SIGN_FLIPPED)

    def from_text(self, text: str) -> bytes:
        parsed = super().from_text(text)
        if parsed and parsed[6] >> 4 != 1:
            raise MarshalError("TimeUUID supports only version 1 UUIDs")
        return parsed

    def masked_value(self) -> bytes:
        return timeuuid_bytes(0, 0x8080808080808080)


class LegacyTimeUuidType(TimeUuidType):
    """timeuuid where a function has inferred it: equal to it, but announced to clients as a custom type
    (AbstractType.udfType: user functions were to see java.util.UUID)."""

    __slots__ = ()
    java_name = "LegacyTimeUUIDType"

    def option(self, version: int) -> bytes:
        return custom_option(self.java())


def timeuuid_bytes(unix_100ns: int, clock_and_node: int) -> bytes:
    """A version 1 UUID of 100 ns units since 1970 and the eight bytes behind them."""
    timestamp = (unix_100ns + EPOCH_100NS) & 0xFFFFFFFFFFFFFFFF  # times before 1582 spoil the version, as in Cassandra
    packed = timestamp.to_bytes(8, "big")
    high = bytes((0x10 | packed[0], packed[1]))
    return packed[4:] + packed[2:4] + high + clock_and_node.to_bytes(8, "big")


def timeuuid_unix_100ns(data: bytes) -> int:
    """The time in a version 1 UUID, in 100 ns units since 1970."""
    return (int.from_bytes(data[6:8] + data[4:6] + data[:4], "big") & 0x0FFFFFFFFFFFFFFF) - EPOCH_100NS
