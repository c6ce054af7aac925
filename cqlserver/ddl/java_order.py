"""The order in which Java's HashMap gives column names: with several faults, the message is that of the first found."""

from collections.abc import Iterable

_LOAD_FACTOR = 0.75
_CAPACITY = 16
_MASK = 0xFFFFFFFF


def hash_ordered(names: Iterable[str]) -> list[str]:
    """The names, each once, as a HashMap with ColumnIdentifier keys walks them. Within one bucket, as they came."""
    distinct = list(dict.fromkeys(names))
    capacity = _CAPACITY
    while len(distinct) > capacity * _LOAD_FACTOR:
        capacity *= 2
    return sorted(distinct, key=lambda name: _spread(_buffer_hash(name.encode())) & (capacity - 1))


def _buffer_hash(data: bytes) -> int:
    """ByteBuffer.hashCode()."""
    result = 1
    for byte in reversed(data):
        result = (31 * result + (byte if byte < 128 else byte - 256)) & _MASK
    return result


def _spread(value: int) -> int:
    """HashMap.hash()."""
    return value ^ (value >> 16)
