"""Clusterings as bytes that compare as they order, in Cassandra's own form: paths of the tries in Rows.db
(utils/bytecomparable/ByteSource.java, `asComparableBytes` of each class in db/marshal, version OSS50).

A clustering or bound: for each value `40` and its form, or `3f` (`41` where the order is reversed) of one that has none,
such as an empty number, `3e` of a null; then `38` of a clustering, `20` of a bound before, `60` of one behind. Reversed:
every bit of the form inverted.

    int, smallint, tinyint, timestamp    the sign bit flipped          float, double   that, or all bits if negative
    bigint                               1 to 9 bytes: sign, as many bits as there are further bytes, the number
    varint                               the same up to 6 bytes, else 00 or FF, number of bytes - 7, the bytes
    decimal                              sign and bytes of exponent, exponent, pairs of digits + 80, 00
    date, time                           as they are                   boolean         00, 01
    uuid, timeuuid                       version or time first         byte-ordered    zeros escaped, 00 (trie.escaped)
    list, set, map, tuple, vector        40 and each element, 3e null; 38

These are not the order keys of the memtable: those are ours to choose, these stand in files.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from protocol.types import (
    ASCII,
    BIGINT,
    BLOB,
    BOOLEAN,
    DATE,
    DECIMAL,
    DOUBLE,
    DURATION,
    FLOAT,
    INET,
    INT,
    LEGACY_TIMEUUID,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMEUUID,
    TINYINT,
    UUID,
    VARINT,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)
from storage.sstable.constants import KINDS_BEFORE, BoundKind
from storage.sstable.prefixes import Prefix
from storage.sstable.trie import escaped

Comparable = Callable[[bytes], bytes | None]
"""The form of a value; None: it has none, as the empty value of a number."""

_TERMINATOR: Final = b"\x38"
_BEFORE: Final = b"\x20"
_BEHIND: Final = b"\x60"
_NEXT: Final = b"\x40"
_NULL: Final = b"\x3e"
_EMPTY: Final = b"\x3f"
_EMPTY_REVERSED: Final = b"\x41"
_INVERTED: Final = bytes(255 - byte for byte in range(256))
_SIGNS_FLIPPED: Final = bytes(byte ^ 0x80 for byte in range(256))
_FULL_FORM_BYTES: Final = 7


class _NoForm(Exception):
    pass


def maybe_form(types: Sequence[CqlType], reversed_: Sequence[bool]) -> "ClusteringForm | None":
    """For the clustering types of one file; None where it is not known here how Cassandra compares one of them."""
    try:
        return ClusteringForm(types, reversed_)
    except _NoForm:
        return None


class ClusteringForm:
    """See the module."""

    def __init__(self, types: Sequence[CqlType], reversed_: Sequence[bool]) -> None:
        self._forms = [(form_of(type_), is_reversed) for type_, is_reversed in zip(types, reversed_, strict=True)]

    def path(self, prefix: Prefix) -> bytes:
        """Raises MarshalError where a value is none of its type."""
        parts = []
        for value, (form, is_reversed) in zip(prefix.values, self._forms, strict=False):
            found = form(value)
            if found is None:
                parts.append(_EMPTY_REVERSED if is_reversed else _EMPTY)
            else:
                parts += (_NEXT, found.translate(_INVERTED) if is_reversed else found)
        if prefix.kind is BoundKind.CLUSTERING:
            parts += [_NULL] * (len(self._forms) - len(prefix.values))
            parts.append(_TERMINATOR)
        else:
            parts.append(_BEFORE if prefix.kind in KINDS_BEFORE else _BEHIND)
        return b"".join(parts)


def form_of(type_: CqlType) -> Comparable:
    native = _NATIVE.get(type_)
    if native is not None:
        return native
    if isinstance(type_, ListType | SetType):
        element, items = form_of(type_.elements), type_.items
        return lambda data: _sequence(map(_maybe(element), items(data))) if data else None
    if isinstance(type_, MapType):
        key, value, pairs = form_of(type_.keys), _maybe(form_of(type_.values)), type_.items
        return lambda data: _sequence(part for k, v in pairs(data) for part in (key(k), value(v))) if data else None
    if isinstance(type_, TupleType | UserType):
        return _tuple_form(type_)
    if isinstance(type_, VectorType):
        element, split = form_of(type_.elements), type_.split
        return lambda data: _sequence(map(element, split(data)))
    raise _NoForm(type_)


def _maybe(form: Comparable) -> Callable[[bytes | None], bytes | None]:
    return lambda data: None if data is None else form(data)


def _tuple_form(type_: TupleType | UserType) -> Comparable:
    forms = [_maybe(form_of(component)) for component in type_.component_types]

    def form(data: bytes) -> bytes | None:
        if not data:
            return None
        components = type_.split(data)
        while components and components[-1] is None:
            components.pop()
        return _sequence(each(component) for each, component in zip(forms, components, strict=False))

    return form


def _sequence(forms: Iterable[bytes | None]) -> bytes:
    return b"".join(_NULL if form is None else _NEXT + form for form in forms) + _TERMINATOR


def _signed(data: bytes) -> bytes | None:
    return bytes((data[0] ^ 0x80,)) + data[1:] if data else None


def _float(data: bytes) -> bytes | None:
    if not data:
        return None
    return data.translate(_INVERTED) if data[0] & 0x80 else bytes((data[0] | 0x80,)) + data[1:]


def _boolean(data: bytes) -> bytes | None:
    return bytes((data != b"\0",)) if data else None


def _plain(data: bytes) -> bytes | None:
    return data or None


def _bigint(data: bytes) -> bytes | None:
    return variable_length_integer(int.from_bytes(data, "big", signed=True)) if data else None


def variable_length_integer(number: int) -> bytes:
    """Of 64 bits (ByteSource.VariableLengthInteger)."""
    magnitude = number if number >= 0 else ~number
    size = magnitude.bit_length() // 7 + 1
    if size >= 9:
        found = b"\xff" + (magnitude | 1 << 63).to_bytes(8, "big")
    else:
        found = (magnitude | (-0x100 >> size & 0xFF) << 8 * (size - 1)).to_bytes(size, "big")
    return found if number >= 0 else found.translate(_INVERTED)


def _varint(data: bytes) -> bytes | None:
    if not data:
        return None
    sign = data[0] >> 7
    significant = data.lstrip(data[:1]) if data[0] in (0, 0xFF) else data
    significant = significant or data[-1:]
    if len(significant) < _FULL_FORM_BYTES:
        return variable_length_integer(int.from_bytes(data, "big", signed=True))
    length = _unsigned_length(len(significant) - _FULL_FORM_BYTES)
    return (b"\0" + length.translate(_INVERTED) if sign else b"\xff" + length) + significant


def _unsigned_length(number: int) -> bytes:
    """ByteSource.VariableLengthUnsignedInteger."""
    more = ((number | 1).bit_length() - 1) // 7
    return (number | (-0x100 >> more & 0xFF) << 8 * more).to_bytes(more + 1, "big")


def _decimal(data: bytes) -> bytes | None:
    if not data:
        return None
    scale = int.from_bytes(data[:4], "big", signed=True)
    unscaled = DECIMAL.decode(bytes(4) + data[4:])  # of scale 0: its digits
    assert unscaled is not None, data
    if not unscaled:
        return b"\x80"
    is_negative, digits, _ = unscaled.as_tuple()
    shift = scale - len(digits)  # the value is 0.digits, shifted to the left by -shift
    pairs = _pairs(digits, bool(shift & 1))
    exponent = -(shift & ~1) >> 1
    if is_negative:
        pairs, exponent = _complemented(pairs), -exponent
    size = (abs(exponent).bit_length() + 7) // 8
    head = (0 if is_negative else 0x80) + 0x40 + (-size if exponent < 0 else size)
    exponent_bytes = (exponent & (1 << 8 * size) - 1).to_bytes(size, "big")
    return bytes((head,)) + exponent_bytes + bytes(pair + 0x80 for pair in pairs) + b"\0"


def _pairs(digits: Sequence[int], is_odd: bool) -> list[int]:
    """Digits behind the point as numbers of two, without zeros at the end. `is_odd`: behind one zero."""
    padded = [0] * is_odd + list(digits)
    padded += [0] * (len(padded) % 2)
    pairs = [10 * high + low for high, low in zip(padded[::2], padded[1::2], strict=True)]
    while not pairs[-1]:
        pairs.pop()
    return pairs


def _complemented(pairs: list[int]) -> list[int]:
    """Of the negative number: the first one negative and rounded down, what remains positive."""
    if len(pairs) == 1:
        return [-pairs[0]]
    return [-pairs[0] - 1, *(99 - pair for pair in pairs[1:-1]), 100 - pairs[-1]]


def _timeuuid(data: bytes) -> bytes | None:
    if not data:
        return None
    return data[6:8] + data[4:6] + data[:4] + data[8:].translate(_SIGNS_FLIPPED)


def _uuid(data: bytes) -> bytes | None:
    if not data:
        return None
    version = data[6] >> 4
    if version == 1:
        return data[6:8] + data[4:6] + data[:4] + data[8:]
    high = int.from_bytes(data[:8], "big")
    return (version << 60 | high >> 4 & 0x0FFFFFFFFFFFF000 | high & 0xFFF).to_bytes(8, "big") + data[8:]


_NATIVE: Final[dict[CqlType, Comparable]] = {
    ASCII: escaped,
    BIGINT: _bigint,
    BLOB: escaped,
    BOOLEAN: _boolean,
    DATE: _plain,
    DECIMAL: _decimal,
    DOUBLE: _float,
    DURATION: escaped,
    FLOAT: _float,
    INET: escaped,
    INT: _signed,
    LEGACY_TIMEUUID: _timeuuid,
    SMALLINT: _signed,
    TEXT: escaped,
    TIME: _plain,
    TIMESTAMP: _signed,
    TIMEUUID: _timeuuid,
    TINYINT: _signed,
    UUID: _uuid,
    VARINT: _varint,
}
