"""Snapshots of tables: those that somebody asks for, and those that are taken before a TRUNCATE or DROP (auto_snapshot).

storage/files/snapshots.py is what they are on disk; here is what has to be known of the schema and of time.
"""

import re
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import Final, TypeVar

from cqlserver.describe.statement import types_in_order
from cqlserver.describe.text import index_text, table_text, type_text, view_text
from cqlserver.node import Node
from cqlserver.pending import Pending
from protocol.errors import StorageError
from protocol.types import CqlType, UserType
from storage.background import TaskState
from storage.environment.errands import Awaited
from storage.reads import TableStore
from storage.schema.metadata import TableMetadata, is_local_system_keyspace

T = TypeVar("T")

TRUNCATED: Final = "truncated"
DROPPED: Final = "dropped"
_CREATE: Final = re.compile(r"^CREATE (TYPE|TABLE|INDEX|CUSTOM INDEX|MATERIALIZED VIEW) ")


def schema_text(node: Node, table: TableMetadata) -> str:
    """Statements that make a table anew, with its id, and what it needs (db/SchemaCQLHelper.java)."""
    keyspace = node.schema.keyspaces[table.keyspace]
    if table.is_view:
        texts = [view_text(keyspace.views[table.name], True)]
    else:
        needed: set[str] = set()
        for column in table.columns:
            _add_types(column.type, needed)
        texts = [type_text(user_type) for user_type in types_in_order(keyspace) if user_type.name in needed]
        texts += [table_text(table, True), *(index_text(table, index) for index in table.indexes.values())]
    return "".join(_CREATE.sub(r"CREATE \1 IF NOT EXISTS ", text, count=1) + "\n" for text in texts)


def _add_types(cql_type: CqlType, names: set[str]) -> None:
    if isinstance(cql_type, UserType):
        names.add(cql_type.name)
    for inner in cql_type.referenced_types:
        _add_types(inner, names)


def taking(
    node: Node, stores: Iterable[TableStore], name_of: Callable[[TableStore], str], ttl_s: int | None = None
) -> Callable[[], None]:
    """What takes snapshots of tables' SSTables as they are now; to be called beside the loop."""
    files = node.engine.files
    created_ms = node.environment.clock.wall_us() // 1000
    expires_ms = created_ms + ttl_s * 1000 if ttl_s is not None else None
    jobs = [
        partial(files.take_snapshot, store, name_of(store), schema_text(node, store.table), created_ms, expires_ms)
        for store in stores
    ]

    def take() -> None:
        for job in jobs:
            job()

    return take


def before_removal(
    node: Node, tables: Iterable[TableMetadata], why: str, then: Callable[[], T | Pending[T]]
) -> T | Pending[T]:
    """`then()`, once the tables that it removes have their snapshots. Those that hold nothing need none."""
    stores = [store for table in tables if (store := _maybe_wanted(node, table)) is not None]
    return then() if not stores else Pending.begun(_snapshots_first(node, stores, why, then))


def _maybe_wanted(node: Node, table: TableMetadata) -> TableStore | None:
    store = node.engine.stores.get(table.id)
    if not node.durable or not node.config.auto_snapshot or not table.params.allow_auto_snapshot or store is None:
        return None
    is_empty = not len(store.memtable) and not store.flushed
    is_index = table.id in node.engine.indexed.hidden
    return None if is_empty or is_index or is_local_system_keyspace(table.keyspace) else store


def _snapshots_first(
    node: Node, stores: list[TableStore], why: str, then: Callable[[], T | Pending[T]]
) -> Generator[Awaited | None, None, T]:
    engine = node.engine
    tasks = [*engine.files.flushes_of(stores), *engine.flush([store.table.id for store in stores])]
    yield engine.background.ended(tasks)
    failed = next((task for task in tasks if task.state is not TaskState.DONE), None)
    if failed is not None:
        raise StorageError(f"no snapshot could be taken, so nothing is {why}: {failed.kind} of {failed.subject} failed")
    there = [store for store in stores if engine.stores.get(store.table.id) is store]
    now_ms = node.environment.clock.wall_us() // 1000
    take = taking(node, there, lambda store: f"{why}-{now_ms}-{store.table.name}")
    errand = node.environment.workers.errand(take)
    yield errand
    try:
        errand.result  # noqa: B018 - raises what went wrong
    except OSError as error:
        raise StorageError(f"no snapshot could be taken, so nothing is {why}: {error}") from error
    outcome = then()
    return (yield from outcome.steps()) if isinstance(outcome, Pending) else outcome

