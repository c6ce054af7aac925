"""The order in which Java's HashMap gives its keys: with several faults, the message is that of the first found."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

from storage.environment.strands import paused, sorted_in_turns

_LOAD_FACTOR = 0.75
_CAPACITY = 16
_MASK = 0xFFFFFFFF

T = TypeVar("T")


def hash_ordered(names: Iterable[str]) -> list[str]:
    """The names, each once, as a HashMap with ColumnIdentifier keys walks them. Within one bucket, as they came."""
    return _ordered(list(dict.fromkeys(names)), _identifier_hash)


def texts_hash_ordered(texts: Iterable[str], capacity: int = _CAPACITY) -> list[str]:
    """The same for a HashSet of strings, which was made with room for `capacity`."""
    return _ordered(list(dict.fromkeys(texts)), _string_hash, _power_of_two(capacity))


def copied_hash_ordered(texts: Collection[str]) -> list[str]:
    """The same for a HashMap that was made as a copy of another map, with just enough room."""
    return texts_hash_ordered(texts, int(len(texts) / _LOAD_FACTOR + 1))


def elements_hash_ordered(items: Sequence[T], key: Callable[[T], tuple[str, bytes | None]]) -> list[T]:
    """Items as the values of a HashMultimap come, whose keys are pairs of a column and the key of an element in it."""
    keys = list(dict.fromkeys(map(key, items)))
    places = {found: index for index, found in enumerate(_ordered(keys, _pair_hash))}
    return sorted(items, key=lambda item: places[key(item)])


def _ordered(distinct: list[T], hashed: Callable[[T], int], capacity: int = _CAPACITY) -> list[T]:
    while len(distinct) > capacity * _LOAD_FACTOR:
        capacity *= 2
    keyed = [(_spread(hashed(found)) & (capacity - 1), at) for at, found in paused(enumerate(distinct))]
    return [distinct[at] for _, at in sorted_in_turns(keyed)]


def _power_of_two(capacity: int) -> int:
    """HashMap.tableSizeFor()."""
    return 1 << max(capacity - 1, 0).bit_length()


def _string_hash(text: str) -> int:
    """String.hashCode()."""
    result = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for index in range(0, len(units), 2):
        result = (31 * result + int.from_bytes(units[index : index + 2], "big")) & _MASK
    return result


def _identifier_hash(name: str) -> int:
    """ColumnIdentifier.hashCode()."""
    return _buffer_hash(name.encode())


def _pair_hash(pair: tuple[str, bytes | None]) -> int:
    """Pair.hashCode()."""
    name, element = pair
    return (31 * (31 + _identifier_hash(name)) + (0 if element is None else _buffer_hash(element))) & _MASK


def _buffer_hash(data: bytes) -> int:
    """ByteBuffer.hashCode()."""
    result = 1
    for byte in reversed(data):
        result = (31 * result + (byte if byte < 128 else byte - 256)) & _MASK
    return result


def _spread(value: int) -> int:
    """HashMap.hash()."""
    return value ^ (value >> 16)
