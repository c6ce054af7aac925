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
from protocol.types import CqlType, UserType
from storage.commitlog.table_records import WantedSnapshot
from storage.environment.errands import Awaited
from storage.files.ordered_snapshots import OrderedSnapshots
from storage.reads import TableStore
from storage.schema.metadata import TableMetadata, is_local_system_keyspace

T = TypeVar("T")

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


def wanted_before(node: Node, tables: Iterable[TableMetadata], why: str) -> list[WantedSnapshot]:
    """Those of tables that are about to be removed (`why`: TRUNCATED, DROPPED). What holds nothing needs none."""
    found = [table for table in tables if _is_wanted(node, table)]
    if not found:
        return []
    ordered, now_us = node.engine.files.ordered, node.environment.clock.wall_us()
    now_ms = ordered.last_ms = max(now_us // 1000, ordered.last_ms + 1)  # no two of a table have one name
    ttl_s = node.config.auto_snapshot_ttl_s
    expires_ms = now_ms + 1000 * ttl_s if ttl_s is not None else None
    return [
        WantedSnapshot(table, f"{why}-{now_ms}-{table.name}", now_ms, expires_ms, schema_text(node, table))
        for table in found
    ]


def _is_wanted(node: Node, table: TableMetadata) -> bool:
    engine = node.engine
    store = engine.stores.get(table.id)
    if not table.params.allow_auto_snapshot or store is None or store.is_empty:
        return False
    return table.id not in engine.indexed.hidden and not is_local_system_keyspace(table.keyspace)


def when_not_behind(node: Node, then: Callable[[], T | Pending[T]]) -> T | Pending[T]:
    """`then()`, which removes tables, once those that were removed before have nearly all of their snapshots."""
    files = node.engine.maybe_files
    return then() if files is None or not files.ordered.is_behind else Pending.begun(_wait(files.ordered, node, then))


def _wait(
    ordered: OrderedSnapshots, node: Node, then: Callable[[], T | Pending[T]]
) -> Generator[Awaited | None, None, T]:
    while ordered.is_behind and (task := ordered.task) is not None:
        yield node.engine.background.ended((task,))
    outcome = then()
    return (yield from outcome.steps()) if isinstance(outcome, Pending) else outcome
