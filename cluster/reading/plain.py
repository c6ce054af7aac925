"""Reads of one partition where nothing hides anything: the rows are there as they were written, and packed. What replicas
say to each other of them is a digest of those bytes; nothing is decoded.

A partition is plain where its rows within the slice are packed, and neither a deletion, a static row nor a TTL is to be
looked at. All else is for `execution` and `merging`, which know of everything.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from struct import Struct
from typing import Final
from uuid import UUID

from cluster.coordinator import Holder
from protocol.errors import PeerError
from storage.engine import Engine
from storage.keys import AFTER
from storage.memtable.memtable import SingleRow, position_of
from storage.memtable.packed import TIMESTAMP, VALUES, Layout, Layouts
from storage.mutation import LIVE, packed_prefix
from storage.reads import TableStore
from storage.schema.metadata import Schema

ROWS_MAX: Final = 1_000
"""More rows are read by the page, by the general way."""
DIGEST_BYTES: Final = 16
NOT_PLAIN: Final = bytes(DIGEST_BYTES)
"""In the place of a digest; nothing has this one."""
ALL_ROWS: Final = 0xFFFFFFFF
_BEGIN: Final = b"\x01"
"""What is digested begins so: of no bytes at all Murmur3 makes zeros."""
_COMMAND = Struct(">IH")
_unpack_length = Struct(">I").unpack_from


def encode_plain(key: bytes, ck: bytes, limit: int) -> bytes:
    """Up to `limit` rows whose order keys begin with `ck`: `[u32 limit][u16 length, key][ck]`."""
    return _COMMAND.pack(limit, len(key)) + key + ck


def decode_plain(command: bytes) -> tuple[bytes, bytes, int]:
    """(key, ck, limit). Raises PeerError."""
    if len(command) < _COMMAND.size:
        raise PeerError(f"a plain read of {len(command)} bytes")
    limit, key_length = _COMMAND.unpack_from(command)
    key_end = _COMMAND.size + key_length
    if not key_length or key_end > len(command):
        raise PeerError(f"a plain read whose key of {key_length} bytes does not fit")
    return command[_COMMAND.size : key_end], command[key_end:], limit


def maybe_plain_rows(store: TableStore, key: bytes, ck: bytes, limit: int) -> Sequence[bytes] | None:
    """The first rows, as they are stored, whose order keys begin with `ck`; None where they are not plain."""
    if store.has_dropped_columns:
        return None
    if not store.flushed:
        found = store.memtable.get(key)
        if type(found) is bytes:
            return (found[2 + (found[0] << 8 | found[1]) :],) if found.startswith(ck, 2) else ()
        if found is None:
            return ()
        if isinstance(found, SingleRow):
            return None
    partition = store.maybe_stored(key)
    if partition is None:
        return ()
    end = ck + AFTER
    if partition.deletion != LIVE or partition.static is not None or any(True for _ in partition.range_tombstones(ck, end)):
        return None
    rows: list[bytes] = []
    for _, stored, _ in partition.chunks(ck, end, False):
        for row in islice(stored, limit - len(rows)):
            if type(row) is not bytes:
                return None
            rows.append(row)
        if len(rows) >= limit:
            break
        if len(rows) > ROWS_MAX:
            return None
    return rows


class Digests:
    """Of one table's rows. Each node numbers its layouts for itself, and orders columns as it came to know them, so a
    digest is of names and of values by name."""

    def __init__(self, layouts: Layouts) -> None:
        self._layouts = layouts
        self._by_name: dict[bytes, Callable[[bytes], bytes]] = {}

    def of(self, rows: Sequence[bytes]) -> bytes:
        by_name = self._by_name
        parts = [_BEGIN]
        for row in rows:
            put = by_name.get(row[:TIMESTAMP])
            if put is None:
                put = by_name[row[:TIMESTAMP]] = _by_name(self._layouts, self._layouts.of(row))
            parts.append(put(row))
        return _digest(b"".join(parts))


def _by_name(layouts: Layouts, layout: Layout) -> Callable[[bytes], bytes]:
    """Rows of a layout as they would be if its columns came by name, with these names before them."""
    columns = layout.columns
    order = sorted(range(len(columns)), key=columns.__getitem__)
    names = tuple(columns[place] for place in order)
    prefix = packed_prefix(layouts.table_id, layouts.clustering_count, names, layout.has_marker)
    if order == list(range(len(columns))):
        return lambda row: prefix + row[TIMESTAMP:]
    clustering_count, value_count = layouts.clustering_count, layouts.clustering_count + len(columns)
    places = [clustering_count + place for place in order]

    def put(row: bytes) -> bytes:
        ends = [VALUES]
        at = VALUES
        for _ in range(value_count):
            at += 4 + _unpack_length(row, at)[0]
            ends.append(at)
        values = [row[ends[place] : ends[place + 1]] for place in places]
        return b"".join((prefix, row[TIMESTAMP : ends[clustering_count]], *values))

    return put


class PlainReads:
    """One node's, for others."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._schema: Schema | None = None
        self._digests: dict[TableStore, Digests] = {}
        self._stores: dict[bytes, TableStore] = {}

    def digests(self, store: TableStore, commands: Sequence[bytes], holder: Holder | None = None) -> bytes:
        """Of what each finds, one behind the other; what is not held here is left to the general way. Raises PeerError."""
        digests = self._digests_of(store)
        found = []
        for command in commands:
            key, ck, limit = decode_plain(command)
            if holder is not None and not holder.holds(position := position_of(key), position + b"\0"):
                found.append(NOT_PLAIN)
                continue
            rows = maybe_plain_rows(store, key, ck, limit)
            found.append(NOT_PLAIN if rows is None else digests.of(rows))
        return b"".join(found)

    def row_digest(self, store: TableStore, key: bytes, ck: bytes) -> bytes | None:
        """Of the row of one full clustering; None where it is not plain."""
        rows = maybe_plain_rows(store, key, ck, 1)
        return None if rows is None else self._digests_of(store).of(rows)

    def store(self, table_id: bytes) -> TableStore:
        """Raises KeyError."""
        self._follow_schema()
        store = self._stores.get(table_id)
        if store is None:
            store = self._stores[table_id] = self._engine.stores[UUID(bytes=table_id)]
        return store

    def _follow_schema(self) -> None:
        if self._schema is not self._engine.schema:
            self._schema = self._engine.schema
            self._digests.clear()
            self._stores.clear()

    def _digests_of(self, store: TableStore) -> Digests:
        self._follow_schema()
        digests = self._digests.get(store)
        if digests is None:
            digests = self._digests[store] = Digests(store.layouts)
        return digests


def _first_digest(data: bytes) -> bytes:
    """Imports mmh3 when the first is asked for: a start doesn't need it."""
    global _digest
    from mmh3 import hash_bytes

    _digest = hash_bytes
    return hash_bytes(data)


_digest: Callable[[bytes], bytes] = _first_digest
