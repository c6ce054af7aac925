"""Packed rows on their way into a table: values between plans, which make them, and the engine."""

from collections.abc import Sequence
from typing import NamedTuple

from storage.environment.strands import let_go_later, paused
from storage.memtable.drafts import Draft, maybe_draft
from storage.memtable.memtable import CK_LENGTH_MAX, single
from storage.memtable.packed import Layout
from storage.mutation import PartitionUpdate, packed_record
from storage.reads import TableStore

U16_HEADS = tuple(length.to_bytes(2, "big") for length in range(1024))
"""Of lengths."""


class PackedRowWrite(NamedTuple):
    """One packed row on its way into a table; `body` is `[i64 timestamp_us][wire values]`, key and ck are at most 65,535
    bytes long."""

    store: TableStore
    layout: Layout
    key: bytes
    ck: bytes
    body: bytes

    @property
    def row(self) -> bytes:
        return self.layout.row_prefix + self.body

    @property
    def record(self) -> bytes:
        """As an encoded mutation."""
        if len(self.ck) > CK_LENGTH_MAX:  # longer than a packed record can say
            row = self.store.layouts.explode(self.row)
            return PartitionUpdate(self.store.table.id, self.key, rows={self.ck: row}).encode()
        return packed_record(self.layout.record_prefix, self.key, single(self.ck, self.row))


class PackedRun(NamedTuple):
    """Rows of one layout on their way into a partition: their order keys, and the wire values of each."""

    layout: Layout
    cks: list[bytes]
    values: list[bytes]


def maybe_packed_draft(writes: Sequence[PackedRowWrite]) -> Draft | None:
    """Where they are all of one partition."""
    store, key = writes[0].store, writes[0].key
    if any(write.store is not store or write.key != key for write in paused(writes)):
        return None
    rows = [(write.ck, write.layout.row_prefix + write.body) for write in paused(writes)]
    let_go_later(rows)
    return maybe_draft(store, key, rows)
