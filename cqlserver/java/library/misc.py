"""Date, UUID, ByteBuffer, InetAddress, Optional."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

from cqlserver.java.classes import ClassSource
from cqlserver.java.cql_values import ByteBuffer, Date
from cqlserver.java.errors import thrown
from cqlserver.java.run import Run
from cqlserver.java.values import JavaObject, compare, to_long, to_string


class Optional(JavaObject):
    __slots__ = ("value",)
    java_class = "java.util.Optional"

    def __init__(self, value: Any) -> None:
        self.value = value

    def to_string(self) -> str:
        return "Optional.empty" if self.value is None else f"Optional[{to_string(self.value)}]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Optional) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)


def _present(value: Any) -> Optional:
    if value is None:
        raise thrown("NullPointerException")
    return Optional(value)


def _value_of(optional: Optional) -> Any:
    if optional.value is None:
        raise thrown("java.util.NoSuchElementException", "No value present")
    return optional.value


def _parse_uuid(text: str) -> UUID:
    parts = text.split("-")
    if len(parts) != 5 or not all(parts):
        raise thrown("IllegalArgumentException", f"Invalid UUID string: {text}")
    try:
        a, b, c, d, e = (int(part, 16) for part in parts)
    except ValueError:
        raise thrown("NumberFormatException", f'For input string: "{text}"') from None
    return UUID(
        int=(a & 0xFFFFFFFF) << 96 | (b & 0xFFFF) << 80 | (c & 0xFFFF) << 64 | (d & 0xFFFF) << 48 | (e & 0xFFFFFFFFFFFF)
    )


def _timestamp(value: UUID) -> int:
    if value.version != 1:
        raise thrown("UnsupportedOperationException", "Not a time-based UUID")
    return value.time


def _uuids() -> ClassSource:
    return ClassSource(
        "java.util.UUID : Comparable<UUID>",
        {
            "new(long,long)": lambda high, low: UUID(int=(high & (1 << 64) - 1) << 64 | (low & (1 << 64) - 1)),
            "static UUID fromString(String)": _parse_uuid,
            "int version()": lambda value: value.int >> 76 & 0xF,
            "int variant()": lambda value: 2 if value.int >> 62 & 3 == 2 else 0,
            "long timestamp()": _timestamp,
            "long getMostSignificantBits()": lambda value: to_long(value.int >> 64),
            "long getLeastSignificantBits()": lambda value: to_long(value.int & (1 << 64) - 1),
            "int compareTo(UUID)": compare,
        },
        lambda value: isinstance(value, UUID),
    )


def _set_time(date: Date, ms: int) -> None:
    date.ms = ms


def _dates() -> ClassSource:
    return ClassSource(
        "java.util.Date : Comparable<Date>",
        {
            "new()": lambda run: Date(run.now_ms()),
            "new(long)": lambda run, ms: Date(ms),
            "long getTime()": lambda date: date.ms,
            "void setTime(long)": _set_time,
            "boolean before(Date)": lambda date, other: date.ms < other.ms,
            "boolean after(Date)": lambda date, other: date.ms > other.ms,
            "int compareTo(Date)": Date.compare_to,
        },
        lambda value: isinstance(value, Date),
        needs_run=frozenset(("new",)),
    )


def _allocate(run: Run, size: int) -> ByteBuffer:
    if size < 0:
        raise thrown("IllegalArgumentException", f"capacity < 0: ({size} < 0)")
    run.take(size)
    return ByteBuffer(bytearray(size))


def _getter(size: int) -> Callable[..., int]:
    def get(buffer: ByteBuffer, at: int | None = None) -> int:
        start = buffer.position if at is None else at
        if start < 0 or start + size > buffer.limit:
            raise thrown("java.nio.BufferUnderflowException" if at is None else "IndexOutOfBoundsException")
        if at is None:
            buffer.position += size
        return int.from_bytes(buffer.data[start : start + size], "big", signed=True)

    return get


def _putter(size: int) -> Callable[..., ByteBuffer]:
    mask = (1 << 8 * size) - 1

    def put(buffer: ByteBuffer, value: int) -> ByteBuffer:
        if buffer.position + size > buffer.limit:
            raise thrown("java.nio.BufferOverflowException")
        buffer.data[buffer.position : buffer.position + size] = (value & mask).to_bytes(size, "big")
        buffer.position += size
        return buffer

    return put


def _put_at(size: int) -> Callable[..., ByteBuffer]:
    mask = (1 << 8 * size) - 1

    def put(buffer: ByteBuffer, at: int, value: int) -> ByteBuffer:
        if at < 0 or at + size > buffer.limit:
            raise thrown("IndexOutOfBoundsException")
        buffer.data[at : at + size] = (value & mask).to_bytes(size, "big")
        return buffer

    return put


def _get_array(buffer: ByteBuffer, target: list[int]) -> ByteBuffer:
    if len(target) > buffer.limit - buffer.position:
        raise thrown("java.nio.BufferUnderflowException")
    data = buffer.data[buffer.position : buffer.position + len(target)]
    target[:] = [b - 256 if b > 127 else b for b in data]
    buffer.position += len(target)
    return buffer


def _put_bytes(buffer: ByteBuffer, data: bytes) -> ByteBuffer:
    if len(data) > buffer.limit - buffer.position:
        raise thrown("java.nio.BufferOverflowException")
    buffer.data[buffer.position : buffer.position + len(data)] = data
    buffer.position += len(data)
    return buffer


def _unsigned(values: list[int]) -> bytes:
    return bytes(value & 0xFF for value in values)


def _flip(buffer: ByteBuffer) -> ByteBuffer:
    buffer.limit, buffer.position = buffer.position, 0
    return buffer


def _rewind(buffer: ByteBuffer) -> ByteBuffer:
    buffer.position = 0
    return buffer


def _clear(buffer: ByteBuffer) -> ByteBuffer:
    buffer.position, buffer.limit = 0, len(buffer.data)
    return buffer


def _moved(buffer: ByteBuffer, position: int) -> ByteBuffer:
    if not 0 <= position <= buffer.limit:
        raise thrown("IllegalArgumentException", f"newPosition > limit: ({position} > {buffer.limit})")
    buffer.position = position
    return buffer


def _limited(buffer: ByteBuffer, limit: int) -> ByteBuffer:
    if not 0 <= limit <= len(buffer.data):
        raise thrown("IllegalArgumentException", f"newLimit > capacity: ({limit} > {len(buffer.data)})")
    buffer.limit, buffer.position = limit, min(buffer.position, limit)
    return buffer


def _shared(buffer: ByteBuffer) -> ByteBuffer:
    return ByteBuffer(buffer.data, buffer.position, buffer.limit)


def _buffers() -> ClassSource:
    members: dict[str, Any] = {
        "static ByteBuffer allocate(int)": _allocate,
        "static ByteBuffer wrap(byte[])": lambda data: ByteBuffer(bytearray(_unsigned(data))),
        "byte get()": _getter(1),
        "byte get(int)": _getter(1),
        "ByteBuffer get(byte[])": _get_array,
        "ByteBuffer put(byte)": _putter(1),
        "ByteBuffer put(int,byte)": _put_at(1),
        "ByteBuffer put(byte[])": lambda buffer, data: _put_bytes(buffer, _unsigned(data)),
        "ByteBuffer put(ByteBuffer)": lambda buffer, other: _put_bytes(buffer, other.rest),
        "byte[] array()": lambda buffer: [b - 256 if b > 127 else b for b in buffer.data],
        "int arrayOffset()": lambda buffer: 0,
        "boolean hasArray()": lambda buffer: True,
        "ByteBuffer flip()": _flip,
        "ByteBuffer rewind()": _rewind,
        "ByteBuffer clear()": _clear,
        "ByteBuffer duplicate()": _shared,
        "ByteBuffer slice()": lambda buffer: ByteBuffer(bytearray(buffer.rest)),
        "int position()": lambda buffer: buffer.position,
        "ByteBuffer position(int)": _moved,
        "int limit()": lambda buffer: buffer.limit,
        "ByteBuffer limit(int)": _limited,
        "int capacity()": lambda buffer: len(buffer.data),
        "int remaining()": lambda buffer: buffer.limit - buffer.position,
        "boolean hasRemaining()": lambda buffer: buffer.limit > buffer.position,
        "int compareTo(ByteBuffer)": ByteBuffer.compare_to,
    }
    for name, word, size in (("short", "Short", 2), ("int", "Int", 4), ("long", "Long", 8)):
        members |= {
            f"{name} get{word}()": _getter(size),
            f"{name} get{word}(int)": _getter(size),
            f"ByteBuffer put{word}({name})": _putter(size),
            f"ByteBuffer put{word}(int,{name})": _put_at(size),
        }
    return ClassSource(
        "java.nio.ByteBuffer : Comparable<ByteBuffer>",
        members,
        lambda value: isinstance(value, ByteBuffer),
        is_abstract=True,
        needs_run=frozenset(("allocate",)),
    )


def _address_text(address: Any) -> str:
    from cqlserver.java.values import inet_text

    return inet_text(address)[1:]


def _addresses() -> list[ClassSource]:
    members: dict[str, Any] = {
        "String getHostAddress()": _address_text,
        "byte[] getAddress()": lambda value: [b - 256 if b > 127 else b for b in value.packed],
        "boolean isLoopbackAddress()": lambda value: value.is_loopback,
        "boolean isAnyLocalAddress()": lambda value: value.is_unspecified,
        "boolean isMulticastAddress()": lambda value: value.is_multicast,
    }
    return [
        ClassSource(
            "java.net.InetAddress", members, lambda value: isinstance(value, IPv4Address | IPv6Address), is_abstract=True
        ),
        ClassSource(
            "java.net.Inet4Address : InetAddress", {}, lambda value: isinstance(value, IPv4Address), is_abstract=True
        ),
        ClassSource(
            "java.net.Inet6Address : InetAddress", {}, lambda value: isinstance(value, IPv6Address), is_abstract=True
        ),
    ]


def sources() -> list[ClassSource]:
    return [
        _dates(),
        _uuids(),
        _buffers(),
        *_addresses(),
        ClassSource(
            "java.util.Optional<T>",
            {
                "static <T> Optional<T> of(T)": _present,
                "static <T> Optional<T> ofNullable(T)": Optional,
                "static <T> Optional<T> empty()": lambda: Optional(None),
                "T get()": _value_of,
                "T orElse(T)": lambda optional, other: other if optional.value is None else optional.value,
                "boolean isPresent()": lambda optional: optional.value is not None,
                "boolean isEmpty()": lambda optional: optional.value is None,
            },
            lambda value: isinstance(value, Optional),
            is_abstract=True,
        ),
    ]
