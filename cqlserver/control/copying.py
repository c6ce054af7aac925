"""The server's schema and data as files: a copy that another server starts from, and a dump for people and for Cassandra."""

import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import trio

from cluster.consistency import Consistency
from cqlserver.control import saved_state
from cqlserver.control.context import Control, Refused
from cqlserver.control.raw_json import wire_values
from cqlserver.control.storing import flush_stores
from cqlserver.control.verbs import run_statement
from cqlserver.node import Node
from cqlserver.seeding.tables import quoted
from cqlserver.state import SYSTEM, ClientState
from cqlserver.system.definitions import stored_system_keyspaces
from cqlserver.system.virtual_definitions import virtual_keyspaces
from protocol.requests import QueryOptions
from protocol.responses import RowsResult
from storage.engine import Engine, EngineOptions
from storage.reads import SavedData, TableStore
from storage.saved_records import records_of
from storage.schema.tables import schema_mutations

PARTITIONS_PER_TURN: Final = 100
PAGE_ROWS: Final = 500


class Exists(Refused):
    code = "Exists"


async def export(control: Control, *, path: str) -> object:
    """Writes a commit log that holds the user's schema and rows, to be replayed by a start with --copy-of. Of a cluster in
    this process it has what any node has: a replay merges them."""
    node = control.node
    states = await _saved(control)
    folder = _new_folder(path)
    engine = Engine(node.environment, EngineOptions(str(folder)), (*stored_system_keyspaces(), *virtual_keyspaces()))
    engine.start()
    try:
        log = engine.commit_log
        assert log is not None
        schema = engine.schema
        for keyspace in states[0].keyspaces.values():
            schema = schema.with_keyspace(keyspace)
        engine.change_schema(schema, schema_mutations(engine.schema, schema, node.environment.clock.wall_us()))
        for store, data in (table for saved in states for table in saved.tables.values()):
            for index, record in enumerate(_records(store, data)):
                log.append(record)
                if index % PARTITIONS_PER_TURN == 0:
                    log.write()
                    await trio.lowlevel.checkpoint()
    except BaseException:
        engine.close()
        shutil.rmtree(folder)
        raise
    engine.close()
    return {}


async def _saved(control: Control) -> Sequence[saved_state.SavedState]:
    """Of each node. With no memtable that is being flushed: it is emptied then."""
    from cqlserver.control import kept_state

    for _ in range(kept_state.TRIES):
        for node in _nodes(control):
            stores = [store for store in saved_state.user_stores(node) if store.is_being_flushed]
            if stores:
                await flush_stores(node.engine, stores)
        states = await _saved_at_once(control)
        if not any(store.is_being_flushed for saved in states for store, _ in saved.tables.values()):
            return states
        await trio.sleep(kept_state.AGAIN_S)
    raise Refused("not everything can be flushed: the reason stands in the log")


def _nodes(control: Control) -> Sequence[Node]:
    """Those of this process that run."""
    if control.cluster is None:
        return (control.node,)
    return [part.node for part in control.cluster.parts if part.node is not None]


async def _saved_at_once(control: Control) -> Sequence[saved_state.SavedState]:
    """Raises Refused."""
    if control.cluster is None:
        return (await control.exclusively(partial(saved_state.save, control.node)),)
    from cqlserver.clustering import saved

    try:
        found = await saved.save(control.cluster, None)
    except saved.NotAll:
        raise Refused("all nodes have to run") from None
    return list(found.states.values())


def _records(store: TableStore, data: SavedData) -> Iterator[bytes]:
    """Of all that a table had, tombstones and all."""
    for position, stored in store.stored_in(data):
        yield from records_of(store, position[8:], stored)


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
    options = QueryOptions(Consistency.QUORUM, page_size=PAGE_ROWS)
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

