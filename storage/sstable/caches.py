"""What is kept in memory of SSTables, bounded in bytes: chunks of Data.db (file_cache_size), where partitions are
(key_cache_size), and what they are (row_cache_size, row_cache.py)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from weakref import WeakValueDictionary

from storage.environment.strands import paused

if TYPE_CHECKING:
    from storage.sstable.big_index import Found
    from storage.sstable.decoder import RowDecoder
    from storage.sstable.row_cache import CachedRows

CHUNKS_BYTES_MAX: Final = 64 << 20
KEYS_BYTES_MAX: Final = 16 << 20
INDEX_BYTES_MAX: Final = 64 << 10
"""A wide partition with a larger index is not remembered."""
_CHUNK_BYTES: Final = 120
_KEY_BYTES: Final = 380
"""An entry takes so much beside its key: two tuples, numbers, its place in the dict."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class Generations(Generic[Key, Value]):
    """What was used last. Two generations: what is used while it is in the older one goes to the younger one; when that is
    full it becomes the older one, and what was in it is forgotten."""

    __slots__ = ("_bytes", "_half", "_old", "_old_bytes", "_young", "capacity", "hits", "misses")

    def __init__(self, bytes_max: int) -> None:
        self.capacity, self._half = bytes_max, bytes_max // 2
        self._young: dict[Key, tuple[Value, int]] = {}
        self._old: dict[Key, tuple[Value, int]] = {}
        self._bytes = self._old_bytes = 0
        self.hits = 0
        self.misses = 0

    def get(self, key: Key) -> Value | None:
        """A miss is for the caller to count."""
        entry = self._young.get(key)
        if entry is None:
            entry = self._old.pop(key, None)
            if entry is None:
                return None
            self._old_bytes -= entry[1]
            self.put(key, *entry)
        self.hits += 1
        return entry[0]

    def put(self, key: Key, value: Value, size: int) -> None:
        """`size`: bytes, all that it takes."""
        if self._bytes + size > self._half:
            self._old, self._young = self._young, {}
            self._old_bytes, self._bytes = self._bytes, 0
        if size <= self._half:
            self._young[key] = value, size
            self._bytes += size

    def has_room(self, size: int) -> bool:
        """Whether so much fits without anything being forgotten."""
        return self._bytes + size <= self._half

    def drop(self, is_gone: Callable[[Key], bool]) -> None:
        """Forgets what nobody will ask for any more; in a strand with pauses."""
        for kept in (self._young, self._old):
            for key in paused([key for key in paused(list(kept)) if is_gone(key)]):
                entry = kept.pop(key, None)
                if entry is None:
                    continue
                if kept is self._young:
                    self._bytes -= entry[1]
                elif kept is self._old:
                    self._old_bytes -= entry[1]

    def clear(self) -> None:
        self._young, self._old = {}, {}
        self._bytes = self._old_bytes = 0

    def resize(self, bytes_max: int) -> None:
        """What is more than that may be kept until it would be forgotten anyway."""
        self.capacity, self._half = bytes_max, bytes_max // 2
        if self._bytes > self._half:
            self.clear()

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    @property
    def size(self) -> int:
        """About how many bytes it holds."""
        return self._bytes + self._old_bytes


class Caches:
    """Of all SSTables of a node."""

    __slots__ = ("_next_file", "chunks", "decoders", "keys", "rows")

    def __init__(
        self, chunks_bytes: int = CHUNKS_BYTES_MAX, keys_bytes: int = KEYS_BYTES_MAX, rows_bytes: int = 0
    ) -> None:
        self.chunks: Generations[tuple[int, int], bytes] = Generations(chunks_bytes)
        self.keys: Generations[tuple[int, bytes], Found] = Generations(keys_bytes)
        self.rows: Generations[tuple[int, bytes], bytes | CachedRows] = Generations(rows_bytes)
        self.decoders: WeakValueDictionary[tuple[object, ...], RowDecoder] = WeakValueDictionary()
        """Files with the same header share what is compiled for it (reader.py, decoder_of)."""
        self._next_file = 0

    def counts(self) -> dict[str, tuple[int, int]]:
        """Hits and requests of those that keep keys and rows."""
        return {name: (cache.hits, cache.hits + cache.misses) for name, cache in (("keys", self.keys), ("rows", self.rows))}

    def file_number(self) -> int:
        """A number for a file that is opened."""
        self._next_file += 1
        return self._next_file


def chunk_bytes(chunk: bytes) -> int:
    return len(chunk) + _CHUNK_BYTES


def key_bytes(key: bytes, found: "Found") -> int:
    """More than any cache holds where it is not worth it."""
    if found.promoted is None:
        return len(key) + _KEY_BYTES
    index = len(found.promoted.data) or INDEX_BYTES_MAX + 1
    return len(key) + _KEY_BYTES + 4 * index if index <= INDEX_BYTES_MAX else 1 << 62
