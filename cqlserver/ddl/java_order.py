"""The order in which Java's HashMap gives names: with several faults, the message is that of the first found."""

from collections.abc import Callable, Iterable

_LOAD_FACTOR = 0.75
_CAPACITY = 16
_MASK = 0xFFFFFFFF


def hash_ordered(names: Iterable[str]) -> list[str]:
    """The names, each once, as a HashMap with ColumnIdentifier keys walks them. Within one bucket, as they came."""
    return _ordered(names, lambda name: _buffer_hash(name.encode()))


def texts_hash_ordered(texts: Iterable[str]) -> list[str]:
    """The same for a HashSet of strings."""
    return _ordered(texts, _string_hash)


def _ordered(names: Iterable[str], hashed: Callable[[str], int]) -> list[str]:
    distinct = list(dict.fromkeys(names))
    capacity = _CAPACITY
    while len(distinct) > capacity * _LOAD_FACTOR:
        capacity *= 2
    return sorted(distinct, key=lambda name: _spread(hashed(name)) & (capacity - 1))


def _string_hash(text: str) -> int:
    """String.hashCode()."""
    result = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for index in range(0, len(units), 2):
        result = (31 * result + int.from_bytes(units[index : index + 2], "big")) & _MASK
    return result


def _buffer_hash(data: bytes) -> int:
    """ByteBuffer.hashCode()."""
    result = 1
    for byte in reversed(data):
        result = (31 * result + (byte if byte < 128 else byte - 256)) & _MASK
    return result


def _spread(value: int) -> int:
    """HashMap.hash()."""
    return value ^ (value >> 16)
