"""The notations of section 3 of the native protocol's specification: [int], [string], [bytes], [value] and the rest.

`Reader` walks one message body. It is fed by strangers: each read is checked against the end of the body before
anything is sliced, and what does not fit raises ProtocolError, with Cassandra's text where Cassandra has one.
The writers return bytes; they are fed by ourselves and raise only what `struct` raises.

A bound value is `bytes`, None (null) or UNSET (v4 and later: leave the column as it is).
"""

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from struct import Struct
from typing import Final, TypeAlias
from uuid import UUID

from protocol.errors import ProtocolError


class Unset(enum.Enum):
    """The type of UNSET alone: an enum, so that type checkers can narrow by `is`."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
Value: TypeAlias = bytes | Unset | None
Inet: TypeAlias = tuple[bytes, int]  # packed address of 4 or 16 bytes, port

STRING_BYTES_MAX = 0xFFFF  # [string] has a length of 16 bits

_BYTE = Struct(">b")
_SHORT = Struct(">H")
_INT = Struct(">i")
_LONG = Struct(">q")
_NULL = b"\xff\xff\xff\xff"
_UNSET = b"\xff\xff\xff\xfe"
_ADDRESS_LENGTHS = (4, 16)


class Reader:
    """A position in one message body. Every method raises ProtocolError where the body ends too early. `pause`: what a
    long loop is to call every now and then."""

    __slots__ = ("data", "end", "pause", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.pause: Callable[[], None] | None = None
        self.data = data
        self.position = position
        self.end = len(data)

    @property
    def remaining(self) -> int:
        return self.end - self.position

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        start = self.position
        stop = start + length
        if length < 0 or stop > self.end:
            raise self._too_short(length)
        self.position = stop
        return self.data[start:stop]

    def _too_short(self, length: int) -> ProtocolError:
        return ProtocolError(
            f"Not enough bytes in the message body: {length} wanted at position {self.position}, {self.remaining} left"
        )

    def byte(self) -> int:
        """[byte], signed as Java has it."""
        (number,) = _BYTE.unpack(self.take(1))
        return int(number)

    def unsigned_byte(self) -> int:
        return self.take(1)[0]

    def short(self) -> int:
        """[short]: 16 bits, unsigned."""
        return int.from_bytes(self.take(2), "big")

    def integer(self) -> int:
        """[int]: 32 bits, signed."""
        return int.from_bytes(self.take(4), "big", signed=True)

    def unsigned_integer(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def long(self) -> int:
        """[long]: 64 bits, signed."""
        return int.from_bytes(self.take(8), "big", signed=True)

    def string(self) -> str:
        """[string]: UTF-8 behind a [short] length."""
        return self._text(2)

    def long_string(self) -> str:
        """[long string]: UTF-8 behind an [int] length."""
        return self._text(4)

    def _text(self, length_bytes: int) -> str:
        start = self.position + length_bytes
        length = int.from_bytes(self.data[self.position : start], "big", signed=length_bytes == 4)
        stop = start + length
        if start > self.end or stop > self.end or length < 0:
            raise ProtocolError(
                f"Not enough bytes to read an UTF8 serialized string preceded by its {length_bytes} bytes length"
            )
        self.position = stop
        text = self.data[start:stop]
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise ProtocolError(_malformed_text(text, error)) from None

    def short_bytes(self) -> bytes:
        """[short bytes], never null."""
        start = self.position + 2
        stop = start + int.from_bytes(self.data[self.position : start], "big")
        if start > self.end or stop > self.end:
            raise ProtocolError("Not enough bytes to read a byte array preceded by its 2 bytes length")
        self.position = stop
        return self.data[start:stop]

    def nullable_bytes(self) -> bytes | None:
        """[bytes]: any negative length is null."""
        length = self.integer()
        return None if length < 0 else self.take(length)

    def value(self, version: int) -> Value:
        """[value]: before v4 any negative length is null; since then -1 is null, -2 UNSET and the rest an error."""
        length = self.integer()
        if length >= 0:
            return self.take(length)
        if version < 4 or length == -1:
            return None
        if length == -2:
            return UNSET
        raise ProtocolError(f"Invalid ByteBuf length {length}")

    def uuid(self) -> UUID:
        return UUID(bytes=self.take(16))

    def address(self) -> bytes:
        """[inetaddr]: the packed address, 4 or 16 bytes."""
        address = self.take(self.unsigned_byte())
        if len(address) not in _ADDRESS_LENGTHS:
            raise ProtocolError("Invalid IP address while deserializing inet address")
        return address

    def inet(self) -> Inet:
        """[inet]: an address and an [int] port."""
        return self.address(), self.integer()

    def string_list(self) -> tuple[str, ...]:
        return tuple([self.string() for _ in range(self.short())])

    def string_map(self) -> dict[str, str]:
        return {self.string(): self.string() for _ in range(self.short())}

    def string_multimap(self) -> dict[str, tuple[str, ...]]:
        return {self.string(): self.string_list() for _ in range(self.short())}

    def bytes_map(self) -> dict[str, bytes | None]:
        return {self.string(): self.nullable_bytes() for _ in range(self.short())}


def _malformed_text(text: bytes, error: UnicodeDecodeError) -> str:
    """Cassandra's words. Its decoder has eaten the good beginning by then, so the hex starts at the bad bytes."""
    return (
        f"Cannot decode string as UTF8: '{text[error.start :].hex()}'; "
        f"java.nio.charset.MalformedInputException: Input length = {error.end - error.start}"
    )


def short(number: int) -> bytes:
    return _SHORT.pack(number)


def integer(number: int) -> bytes:
    return _INT.pack(number)


def long(number: int) -> bytes:
    return _LONG.pack(number)


def string(text: str) -> bytes:
    """[string]; what is longer than 65,535 bytes is cut at a character, since the notation can't carry it."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > STRING_BYTES_MAX:
        data = data[:STRING_BYTES_MAX].decode("utf-8", "ignore").encode()
    return _SHORT.pack(len(data)) + data


def long_string(text: str) -> bytes:
    data = text.encode()
    return _INT.pack(len(data)) + data


def short_bytes(data: bytes) -> bytes:
    return _SHORT.pack(len(data)) + data


def value(data: Value) -> bytes:
    """[value]; also [bytes], which knows no UNSET."""
    if data is None:
        return _NULL
    if data is UNSET:
        return _UNSET
    return _INT.pack(len(data)) + data


def address(packed: bytes) -> bytes:
    return bytes((len(packed),)) + packed


def inet(endpoint: Inet) -> bytes:
    packed, port = endpoint
    return address(packed) + _INT.pack(port)


def string_list(texts: Sequence[str]) -> bytes:
    return _SHORT.pack(len(texts)) + b"".join(map(string, texts))


def string_map(texts: Mapping[str, str]) -> bytes:
    return _SHORT.pack(len(texts)) + b"".join(_pairs(texts.items()))


def string_multimap(texts: Mapping[str, Sequence[str]]) -> bytes:
    parts = [string(key) + string_list(values) for key, values in texts.items()]
    return _SHORT.pack(len(texts)) + b"".join(parts)


def bytes_map(entries: Mapping[str, bytes | None]) -> bytes:
    parts = [string(key) + value(data) for key, data in entries.items()]
    return _SHORT.pack(len(entries)) + b"".join(parts)


def _pairs(items: Iterable[tuple[str, str]]) -> Iterable[bytes]:
    for key, text in items:
        yield string(key)
        yield string(text)
