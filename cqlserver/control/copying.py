"""The server's schema and data as files: a copy that another server starts from, and a dump for people and for Cassandra."""

import shutil
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import trio

from cqlserver.control import saved_state
from cqlserver.control.context import Control, Refused
from cqlserver.control.raw_json import wire_values
from cqlserver.control.verbs import check_in_memory, run_statement
from cqlserver.seeding.tables import quoted
from cqlserver.state import SYSTEM, ClientState
from cqlserver.system.definitions import stored_system_keyspaces
from cqlserver.system.virtual_definitions import virtual_keyspaces
from protocol.requests import QueryOptions
from protocol.responses import RowsResult
from storage.engine import Engine, EngineOptions
from storage.memtable.memtable import Memtable
from storage.mutation import PartitionUpdate
from storage.reads import TableStore
from storage.schema.tables import schema_mutations

ROWS_PER_RECORD: Final = 500
PARTITIONS_PER_TURN: Final = 100
PAGE_ROWS: Final = 500


class Exists(Refused):
    code = "Exists"


async def export(control: Control, *, path: str) -> object:
    """Writes a commit log that holds the user's schema and rows, to be replayed by a start with --copy-of."""
    check_in_memory(control, "export")
    node = control.node
    saved = await control.exclusively(partial(saved_state.save, node))
    folder = _new_folder(path)
    engine = Engine(node.environment, EngineOptions(str(folder)), (*stored_system_keyspaces(), *virtual_keyspaces()))
    engine.start()
    try:
        log = engine.commit_log
        assert log is not None
        schema = engine.schema
        for keyspace in saved.keyspaces.values():
            schema = schema.with_keyspace(keyspace)
        engine.change_schema(schema, schema_mutations(engine.schema, schema, node.environment.clock.wall_us()))
        for store, data in saved.tables.values():
            for index, update in enumerate(_updates(store, data.memtable)):
                log.append(update.encode())
                if index % PARTITIONS_PER_TURN == 0:
                    log.write()
                    await trio.lowlevel.checkpoint()
    except BaseException:
        engine.close()
        shutil.rmtree(folder)
        raise
    engine.close()
    return {}


def _updates(store: TableStore, memtable: Memtable) -> Iterator[PartitionUpdate]:
    """Writes that lead to what a memtable holds, tombstones and all."""
    explode, table_id = store.layouts.explode, store.table.id
    for key in list(memtable.keys()):
        partition = memtable.maybe_partition(key)
        if partition is None:
            continue
        tombstones = tuple(partition.tombstones or ())
        rows = [
            (ck, explode(row))
            for cks, block in zip(partition.cks, partition.rows, strict=True)
            for ck, row in zip(cks, block, strict=True)
        ]
        first, rest = dict(rows[:ROWS_PER_RECORD]), rows[ROWS_PER_RECORD:]
        yield PartitionUpdate(table_id, key, partition.deletion, partition.static, first, tombstones)
        for at in range(0, len(rest), ROWS_PER_RECORD):
            yield PartitionUpdate(table_id, key, rows=dict(rest[at : at + ROWS_PER_RECORD]))


async def dump(control: Control, *, keyspace: str, path: str) -> object:
    """Writes a keyspace as files that `load` and --init take: its schema as CQL, its rows as JSON, one file a table."""
    found = control.node.schema.keyspaces.get(keyspace)
    if found is None:
        raise Refused(f"there is no keyspace {keyspace!r}")
    folder = _new_folder(path)
    state = ClientState("127.0.0.1", 0, version=5, user=SYSTEM)
    described = [row[3] async for row in _rows(control, state, f"DESCRIBE KEYSPACE {quoted(keyspace)}")]
    (folder / "1-schema.cql").write_text("\n\n".join(described) + "\n")
    count = 0
    for name in found.tables:
        table = f"{quoted(keyspace)}.{quoted(name)}"
        with (folder / f"2-{keyspace}.{name}.json").open("w") as file:
            async for (text,) in _rows(control, state, f"SELECT JSON * FROM {table}"):
                file.write(text + "\n")
                count += 1
    return {"rows": count}


async def _rows(control: Control, state: ClientState, text: str) -> AsyncIterator[list[str]]:
    """Of columns of texts."""
    options = QueryOptions(page_size=PAGE_ROWS)
    while True:
        result = await run_statement(control, state, text, options)
        assert isinstance(result, RowsResult), result
        values, width = list(wire_values(result.content)), len(result.metadata.columns)
        for at in range(0, len(values), width):
            yield [(value or b"").decode() for value in values[at : at + width]]
        if result.paging_state is None:
            return
        options = options._replace(paging_state=result.paging_state)
        await trio.lowlevel.checkpoint()


def _new_folder(path: str) -> Path:
    """Raises Exists where something is in it already."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Exists(f"{path} is not empty: give a new folder")
    return folder

