"""Clusterings and bounds as bytes of an SSTable (db/ClusteringPrefix.java, db/ClusteringBoundOrBoundary.java).

The values of a clustering come in groups of 32, each behind a vint with two bits a value: 01 empty, 10 null. A value of a
type of fixed length stands as it is, another behind its length. A bound is `u8 kind, u16 count` and its values; a
clustering in an index has its kind before it, one that begins a row has not.

Only the last values of a clustering are null (storage/keys.py): here it has fewer of them. In a bound, which may stand for
all that begin with its values, null reads as empty, where it makes a difference.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from protocol.errors import CorruptionError
from protocol.types import CqlType
from storage.sstable.constants import KINDS_BEFORE, BoundKind
from storage.sstable.vints import read_unsigned, unsigned

_GROUP: Final = 32
_CLUSTERING: Final = bytes((BoundKind.CLUSTERING,))
_EMPTY: Final = 1
_NULL: Final = 2


class Prefix(NamedTuple):
    """A clustering (kind CLUSTERING), or a bound."""

    kind: BoundKind
    values: tuple[bytes, ...]


class PrefixCodec:
    """For the clustering types of one file."""

    __slots__ = ("count", "lengths")

    def __init__(self, types: Sequence[CqlType]) -> None:
        self.lengths = [type_.fixed_length for type_ in types]
        self.count = len(self.lengths)

    # -- writing ------------------------------------------------------------------------------------------------------

    def encode_values(self, values: Sequence[bytes]) -> bytes:
        """Values of the first few columns; b"" of none."""
        lengths = self.lengths
        if 0 < len(values) <= _GROUP and all(values):
            out = [b"\0"]
            for value, length in zip(values, lengths, strict=False):
                out.append(value if length is not None else unsigned(len(value)) + value)
            return b"".join(out)
        out = []
        for begin in range(0, len(values), _GROUP):
            group = values[begin : begin + _GROUP]
            head = 0
            for i, value in enumerate(group):
                if not value:
                    head |= 1 << 2 * i
            out.append(unsigned(head))
            for value, length in zip(group, lengths[begin:], strict=False):
                if value:
                    out.append(value if length is not None else unsigned(len(value)) + value)
        return b"".join(out)

    def encode_bound(self, bound: Prefix) -> bytes:
        return bytes((bound.kind,)) + len(bound.values).to_bytes(2, "big") + self.encode_values(bound.values)

    def encode_prefix(self, prefix: Prefix) -> bytes:
        """As an index has it."""
        if prefix.kind is BoundKind.CLUSTERING:
            return _CLUSTERING + self.encode_clustering(prefix.values)
        return self.encode_bound(prefix)

    def encode_clustering(self, values: Sequence[bytes]) -> bytes:
        """Of a row: values of all columns; the last ones are null where there are fewer."""
        missing = self.count - len(values)
        if not missing:
            return self.encode_values(values)
        out = []
        for begin in range(0, self.count, _GROUP):
            group = values[begin : begin + _GROUP]
            head = 0
            for i in range(min(self.count - begin, _GROUP)):
                if i >= len(group):
                    head |= _NULL << 2 * i
                elif not group[i]:
                    head |= _EMPTY << 2 * i
            out.append(unsigned(head))
            for value, length in zip(group, self.lengths[begin:], strict=False):
                if value:
                    out.append(value if length is not None else unsigned(len(value)) + value)
        return b"".join(out)

    # -- reading: IndexError where the data end too early ----------------------------------------------------------------

    def decode_values(self, data: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
        """Without the last ones that are null."""
        values: list[bytes] = []
        nulls = 0  # bit n: the nth value is null
        if count > self.count:
            raise CorruptionError(f"a clustering of {count} values, the table has {self.count}")
        for begin in range(0, count, _GROUP):
            head, at = read_unsigned(data, at)
            for length in self.lengths[begin : min(begin + _GROUP, count)]:
                if head & 3:
                    values.append(b"")  # so reads a null before others, which Cassandra never writes
                    if head & _NULL:
                        nulls |= 1 << len(values)
                    head >>= 2
                    continue
                head >>= 2
                size = length
                if size is None:
                    size, at = read_unsigned(data, at)
                values.append(data[at : at + size])
                at += size
                if at > len(data):
                    raise IndexError(at)
        while nulls and nulls >> len(values) & 1:
            values.pop()
        return tuple(values), at

    def decode_bound(self, data: bytes, at: int) -> tuple[Prefix, int]:
        kind = _kind(data[at])
        count = int.from_bytes(data[at + 1 : at + 3], "big")
        values, end = self.decode_values(data, at + 3, count)
        if len(values) < count and kind not in KINDS_BEFORE:  # else null is where all begin that have these values
            values += (b"",) * (count - len(values))
        return Prefix(kind, values), end

    def decode_prefix(self, data: bytes, at: int) -> tuple[Prefix, int]:
        if data[at] == BoundKind.CLUSTERING:
            values, at = self.decode_values(data, at + 1, self.count)
            return Prefix(BoundKind.CLUSTERING, values), at
        return self.decode_bound(data, at)


def _kind(number: int) -> BoundKind:
    try:
        return BoundKind(number)
    except ValueError:
        raise CorruptionError(f"a bound of kind {number}") from None


def place_of(prefix: Prefix, order_key: Callable[[Sequence[bytes]], bytes]) -> bytes:
    """Where a clustering or bound stands among order keys. One with nulls is the first of those that begin with its values:
    it stands where they begin."""
    key = order_key(prefix.values)
    if prefix.kind is BoundKind.CLUSTERING or prefix.kind in KINDS_BEFORE:
        return key
    return key + b"\xff"
