"""vector<type, dimension>: a fixed number of elements, none of them null.

Elements of a fixed length stand one behind the other; others with an unsigned vint of their length in front
(db/marshal/VectorType.java). Which types have a fixed length is Cassandra's own idea: see `CqlType.fixed_length`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from protocol.types import vints
from protocol.types.base import JAVA_PACKAGE, CqlType, MarshalError, NativeType
from protocol.types.collections import decode_json, elements_from_json
from protocol.types.java_text import java_class, java_string
from protocol.types.text import hex_bytes
from protocol.types.uuids import TimeUuidType


@dataclass(frozen=True, slots=True)
class VectorType(CqlType):
    """Never multicell; its elements are as they were written, and as good as frozen."""

    elements: CqlType
    dimension: int

    empty_is_null = False
    allows_empty = False

    def __post_init__(self) -> None:
        if self.dimension <= 0:
            raise ValueError(f"vectors may only have positive dimensions; given {self.dimension}")

    @property
    def fixed_length(self) -> int | None:  # type: ignore[override]
        length = self.elements.fixed_length
        return None if length is None else length * self.dimension

    @property
    def referenced_types(self) -> tuple[CqlType, ...]:
        return (self.elements,)

    def cql(self) -> str:
        return f"vector<{self.elements.cql()}, {self.dimension}>"

    def java(self, ignore_freezing: bool = False) -> str:
        return f"{JAVA_PACKAGE}VectorType({self.elements.java(ignore_freezing)} , {self.dimension})"

    def split(self, data: bytes, checked: bool = False) -> list[bytes]:
        """The serialised elements, validated if `checked`. MarshalError."""
        if not data:
            raise MarshalError("Invalid empty vector value")
        length = self.elements.fixed_length
        if length is None:
            values, offset = self._split_variable(data, checked)
        else:
            offset = length * self.dimension
            if len(data) < offset:
                raise MarshalError(f"Not enough bytes to read a {self.cql()}")
            values = [data[i * length : (i + 1) * length] for i in range(self.dimension)]
            if checked:
                for element in values:
                    self.elements.validate(element)
        if offset < len(data):
            raise MarshalError(f"Unexpected {len(data) - offset} extraneous bytes after {self.cql()} value")
        return values

    def _split_variable(self, data: bytes, checked: bool) -> tuple[list[bytes], int]:
        values, offset = [], 0
        for _ in range(self.dimension):
            element, offset = self._element(data, offset)
            if checked:
                self.elements.validate(element)
            values.append(element)
        return values, offset

    def pack(self, elements: Iterable[bytes]) -> bytes:
        """From serialised elements. MarshalError if there are too few or too many."""
        listed = list(elements)
        if len(listed) != self.dimension:
            raise MarshalError(f"Required {self.dimension} elements, but saw {len(listed)}")
        if self.elements.fixed_length is not None:
            return b"".join(listed)
        return b"".join(vints.encode_unsigned(len(e)) + e for e in listed)

    @property
    def recodes(self) -> bool:
        return self.elements.recodes

    def recoded(self, data: bytes) -> bytes:
        return self.pack(map(self.elements.recoded, self.split(data)))

    def encode(self, value: Any) -> bytes:
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise TypeError(f"no vector: {value!r}")
        return self.pack(map(self.elements.encode, value))

    def decode(self, data: bytes) -> list[Any]:
        return list(map(self.elements.decode, self.split(data)))

    def validate(self, data: bytes) -> None:
        # Long vectors of numbers are common: where all bytes of the length are a value, the length is all there is to check.
        plain = isinstance(self.elements, NativeType) and not isinstance(self.elements, TimeUuidType)
        self.split(data, checked=not plain or self.elements.fixed_length is None)

    def order_key(self, data: bytes) -> bytes:
        if not data:
            return b"\x01"
        return b"\x02" + b"".join(map(self.elements.order_key, self.split(data)))

    def compare(self, a: bytes, b: bytes) -> int:
        try:
            return CqlType.compare(self, a, b)
        except MarshalError:
            return self._compare_elements(a, b)

    def _compare_elements(self, a: bytes, b: bytes) -> int:
        """Of values that are none: no more is read than is needed (VectorType.compareCustom). MarshalError."""
        at_a = at_b = 0
        for _ in range(self.dimension):
            element_a, at_a = self._element(a, at_a)
            element_b, at_b = self._element(b, at_b)
            order = self.elements.compare(element_a, element_b)
            if order:
                return order
        return 0

    def _element(self, data: bytes, at: int) -> tuple[bytes, int]:
        """The one that begins there, and where it ends."""
        length = self.elements.fixed_length
        if length is None:
            try:
                length, at = vints.decode_unsigned(data, at)
            except IndexError:
                raise MarshalError(f"Not enough bytes to read a {self.cql()}") from None
        end = at + length
        if end > len(data):
            raise MarshalError(f"Not enough bytes to read a {self.cql()}")
        return data[at:end], end

    def to_text(self, data: bytes) -> str:
        return data.hex()

    def from_text(self, text: str) -> bytes:
        return hex_bytes(text)

    def to_literal(self, data: bytes | None) -> str:
        return "null" if data is None else f"[{', '.join(map(self.elements.to_literal, self.split(data)))}]"

    def to_json(self, data: bytes) -> str:
        return f"[{', '.join(map(self.elements.to_json, self.split(data)))}]"

    def from_json(self, value: Any) -> bytes:
        if isinstance(value, str):
            value = decode_json(value)
        if not isinstance(value, list):
            raise MarshalError(f"Expected a list, but got a {java_class(value)}: {java_string(value)}")
        if len(value) != self.dimension:
            raise MarshalError(
                f"List had incorrect size: expected {self.dimension} but given {len(value)}; {java_string(value)}"
            )
        return self.pack(elements_from_json(self.elements, value, "list"))

    def masked_value(self) -> bytes:
        return self.pack([self.elements.masked_value()] * self.dimension)

    def __str__(self) -> str:
        return self.cql()
