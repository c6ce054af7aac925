"""Counters among replicas: an increment travels as what is to be added, and one replica, its leader, makes of it the whole
of its own shard, which all then take like any other write (db/CounterMutation.java). So a message that comes twice counts
once at every replica but the leader, and nobody repeats what he has sent to a leader.
"""

import struct
from typing import Final

from storage.counters.writes import incremented_row
from storage.engine import Engine
from storage.mutation import Cell, PartitionUpdate, Row

_DELTA = struct.Struct(">q")
DELTA_BYTES: Final = _DELTA.size


def delta_cell(timestamp_us: int, delta: int) -> Cell:
    """What stands in an increment's mutation until its leader has it. No counter's value is as short."""
    return Cell(timestamp_us, _DELTA.pack(delta))


def led(engine: Engine, counter_id: bytes, update: PartitionUpdate) -> PartitionUpdate:
    """What the leader writes; to be applied before it takes the next one. `counter_id`: 16 bytes. Raises KeyError where the
    table is not known."""
    engine.stores[update.table_id]
    static = None if update.static is None else _led_row(engine, counter_id, update, None, update.static)
    rows = {ck: _led_row(engine, counter_id, update, ck, row) for ck, row in update.rows.items()}
    return PartitionUpdate(update.table_id, update.key, update.deletion, static, rows, update.range_tombstones)


def _led_row(engine: Engine, counter_id: bytes, update: PartitionUpdate, ck: bytes | None, row: Row) -> Row:
    columns = dict(row.columns)
    deltas: dict[str, int] = {}
    timestamp_us = 0
    for name, cell in row.columns.items():
        if isinstance(cell, Cell) and cell.value is not None and len(cell.value) == DELTA_BYTES:
            deltas[name] = _DELTA.unpack(cell.value)[0]
            timestamp_us = cell.timestamp_us
    if not deltas:
        return row
    clock = engine.environment.clock
    counted = incremented_row(
        engine.stores[update.table_id],
        counter_id,
        update.key,
        ck,
        row.clustering,
        deltas,
        timestamp_us,
        clock.wall_us(),
        clock.now_s(),
    )
    return row._replace(columns={**columns, **counted.columns})
