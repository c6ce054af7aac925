"""The hot path of writes to captured tables without indexes and views: one packed row, whose mutation is put together from
the client's own bytes, as its record is. What does not fit (an empty clustering value, keys of a kilobyte) goes the general
way, which makes the same bytes."""

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from storage.cdc.mutations import HAS_ROW_ESTIMATE
from storage.commitlog.log import RecordTooLarge
from storage.commitlog.records import tracked_record
from storage.memtable.memtable import CK_LENGTH_MAX
from storage.memtable.packed import Layout
from storage.mutation import split_wire_values
from storage.reads import TableStore
from storage.sstable.constants import (
    CELL_EMPTY,
    CELL_ROW_TIMESTAMP,
    HAS_ALL_COLUMNS,
    HAS_TIMESTAMP,
    TIMESTAMP_EPOCH_US,
)
from storage.sstable.vints import unsigned

if TYPE_CHECKING:
    from storage.cdc.capture import Capture

PackedWriter = Callable[[bytes, bytes, bytes, bytes], None]
_KEY_LENGTH_MAX: Final = 1023
_CLUSTERINGS_MAX: Final = 32
_i64 = struct.Struct(">q").unpack
_u16 = struct.Struct(">H").pack
_FLAGS: Final = bytes((HAS_ROW_ESTIMATE,))
_OF_ROW: Final = bytes((CELL_ROW_TIMESTAMP,))
_EMPTY_OF_ROW: Final = bytes((CELL_ROW_TIMESTAMP | CELL_EMPTY,))
# and the timestamp, which is the smallest of the update
_OWN: Final = bytes((0, 0))
_EMPTY_OWN: Final = bytes((CELL_EMPTY, 0))


class CapturedWriter:
    """Writes packed rows of one layout. `general` takes what does not fit."""

    __slots__ = (
        "_capture",
        "_cells",
        "_clustering",
        "_general",
        "_head",
        "_keyspace",
        "_layout",
        "_names",
        "_row",
        "_store",
    )

    def __init__(self, capture: "Capture", store: TableStore, layout: Layout, general: PackedWriter) -> None:
        table = store.table
        self._capture, self._store, self._layout, self._general = capture, store, layout, general
        self._keyspace = table.keyspace
        self._head = b"\x01" + table.id.bytes
        self._clustering = [column.type.fixed_length for column in table.clustering]
        order = sorted(layout.columns, key=str.encode)
        names = [name.encode() for name in order]
        self._names = b"\0\0" + unsigned(len(names)) + b"".join(unsigned(len(name)) + name for name in names) + b"\x01"
        types = {column.name: column.type for column in table.regulars}
        places = [len(table.clustering) + layout.columns.index(name) for name in order]
        self._cells = [(place, types[name].fixed_length) for place, name in zip(places, order, strict=True)]
        flags = HAS_ALL_COLUMNS | (HAS_TIMESTAMP if layout.has_marker else 0)
        self._row = bytes((flags, 0) if self._clustering else (flags,))

    def write(self, key: bytes, ck: bytes, timestamp: bytes, values: bytes) -> None:
        """A PackedWriter."""
        store, layout = self._store, self._layout
        mutation = self._maybe_mutation(key, timestamp, split_wire_values(values))
        if mutation is None or len(ck) > CK_LENGTH_MAX:
            self._general(key, ck, timestamp, values)
            return
        head = _u16(len(ck)) + ck + layout.row_prefix + timestamp
        record = b"".join((layout.record_prefix, _u16(len(key)), key, head, values))
        try:
            self._capture.append(tracked_record([mutation], record), self._keyspace)
        except RecordTooLarge:
            self._general(key, ck, timestamp, values)
            return
        store.memtable.apply_packed(key, head, head + values)

    def _maybe_mutation(self, key: bytes, timestamp: bytes, parts: list[bytes]) -> bytes | None:
        """None where the general way has to tell."""
        clustering, has_marker = self._clustering, self._layout.has_marker
        if len(key) > _KEY_LENGTH_MAX or len(clustering) > _CLUSTERINGS_MAX:
            return None
        (timestamp_us,) = _i64(timestamp)
        out = [self._head, unsigned(len(key)), key, _FLAGS, unsigned(timestamp_us - TIMESTAMP_EPOCH_US), self._names]
        out.append(self._row)
        for value, fixed_length in zip(parts, clustering, strict=False):
            if not value:
                return None
            out.append(value if fixed_length is not None else unsigned(len(value)) + value)
        if has_marker:
            out.append(b"\0")
        flags, empty = (_OF_ROW, _EMPTY_OF_ROW) if has_marker else (_OWN, _EMPTY_OWN)
        for place, fixed_length in self._cells:
            value = parts[place]
            if not value:
                out.append(empty)
            elif fixed_length is None:
                out += (flags, unsigned(len(value)), value)
            elif len(value) == fixed_length:
                out += (flags, value)
            else:
                return None
        out.append(b"\x01")
        return b"".join(out)
