"""Tables of very many SSTables: a read never holds the loop up (it begins again as a strand, and pauses between the sources
that it asks), and what the files have in common is there once."""

from dataclasses import replace

import pytest
from test_engine import Harness, table
from test_flush import fill, flush

from protocol.types import INT
from protocol.types.turns import ITEMS_PER_GO_MAX, TooLong, in_go, turn
from storage.memtable.memtable import Memtable, split_single
from storage.mutation import NO_TTL, Cell, PartitionUpdate, Row
from storage.reads import EVERYTHING, TableStore
from storage.schema.metadata import ColumnKind, ColumnMetadata
from storage.sought import Sought

CK = INT.order_key(INT.encode(7))
SOURCES = ITEMS_PER_GO_MAX + 1


class Empty:
    """An SSTable that has nothing."""

    max_timestamp_us = 1 << 60
    first_position, last_position = b"\0" * 8, b"\xff" * 9

    def __init__(self) -> None:
        self.asked = 0

    def stored(self, sought: Sought) -> None:
        self.asked += 1


class Turn:
    def __init__(self) -> None:
        self.pauses = 0

    def pause(self) -> None:
        self.pauses += 1

    def long_work(self) -> None: ...
    def commit(self) -> None: ...


def many() -> tuple[TableStore, bytes]:
    store = TableStore(table("t"))
    key = INT.encode(1)
    row = Row((INT.encode(7),), columns={"v": Cell(1, b"one", NO_TTL)})
    store.apply(PartitionUpdate(store.table.id, key, rows={CK: row}))
    memtable = store.switch_memtable()
    assert isinstance(memtable, Memtable)
    store.flushed = (*(Empty() for _ in range(SOURCES)), memtable)  # type: ignore[assignment]
    return store, key


def test_in_a_go_it_is_too_long_before_anything_is_asked() -> None:
    store, _ = many()
    with pytest.raises(TooLong):
        in_go(TableStore.assure_turns_for_read, store)
    store.flushed = store.flushed[1 - ITEMS_PER_GO_MAX :]
    in_go(TableStore.assure_turns_for_read, store)


def test_a_strand_pauses_between_them() -> None:
    store, key = many()
    strand = Turn()
    token = turn.set(strand)
    try:
        store.assure_turns_for_read()
        view = store.read(key, EVERYTHING, 0)
        of_read = strand.pauses
        row = store.row_at(key, CK, 0)
    finally:
        turn.reset(token)
    assert view is not None
    assert len(list(view.rows())) == 1
    assert row is not None
    assert of_read >= SOURCES // 64
    assert strand.pauses - of_read >= SOURCES // 64
    assert {source.asked for source in store.flushed[:-1]} == {2}  # type: ignore[attr-defined]


def test_the_sstables_of_a_table_share_what_is_compiled_for_them_and_what_is_always_the_same() -> None:
    node = Harness()
    made = table("t")
    node.create(made)
    for first in (0, 100, 200):
        fill(node, made, first, 10)
        flush(node)
    node.kill()
    store, readers = node.engine.stores[made.id], node.engine.files.readers_of(made.id)
    assert len(readers) == 3
    assert len({id(reader.decoder) for reader in readers}) == 1
    assert len({id(reader.statistics.stats.partition_sizes.offsets) for reader in readers}) == 1
    before = readers[0].decoder
    v = ColumnMetadata("w", ColumnKind.REGULAR, INT)
    node.create(replace(made, columns=(*made.columns, v)))
    assert len({id(reader.decoder) for reader in readers}) == 1
    assert readers[0].decoder is not before
    assert readers[0].decoder.table is store.table
    for k in (5, 105, 205):
        (found,) = [stored for reader in readers if (stored := reader.stored(Sought(INT.encode(k)))) is not None]
        assert type(found) is bytes, "one packed row, as a memtable has it"
        assert store.row_at(INT.encode(k), INT.order_key(INT.encode(1)), 0) == split_single(found)[1]
