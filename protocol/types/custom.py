"""Types that are known by their Java class only. Their values are opaque bytes, shown and ordered as blobs."""

from dataclasses import dataclass
from typing import Any

from protocol.types.base import CqlType, MarshalError, byte_order_key
from protocol.types.text import BlobType
from protocol.types.uuids import UuidType

_BLOB = BlobType()


@dataclass(frozen=True, slots=True)
class CustomType(CqlType):
    java_class: str

    fixed_length = None
    empty_is_null = False
    allows_empty = True

    def cql(self) -> str:
        return f"'{self.java_class}'"

    def java(self, ignore_freezing: bool = False) -> str:
        return self.java_class

    def encode(self, value: Any) -> bytes:
        return _BLOB.encode(value)

    def decode(self, data: bytes) -> bytes:
        return data

    def validate(self, data: bytes) -> None:
        """What such a class accepts is unknown here."""

    def order_key(self, data: bytes) -> bytes:
        return byte_order_key(data)

    def from_text(self, text: str) -> bytes:
        return _BLOB.from_text(text)

    def to_text(self, data: bytes) -> str:
        return data.hex()

    def to_literal(self, data: bytes | None) -> str:
        return _BLOB.to_literal(data)

    def to_json(self, data: bytes) -> str:
        return _BLOB.to_json(data)

    def from_json(self, value: Any) -> bytes:
        return _BLOB.from_json(value)

    def masked_value(self) -> bytes:
        return b""

    def __str__(self) -> str:
        return self.cql()


class LexicalUUIDType(CustomType):
    """UUIDs in the order of their bytes."""

    __slots__ = ()

    def validate(self, data: bytes) -> None:
        if len(data) not in (0, 16):
            raise MarshalError(f"LexicalUUID should be 16 or 0 bytes ({len(data)})")

    def from_text(self, text: str) -> bytes:
        return UuidType().from_text(text)
