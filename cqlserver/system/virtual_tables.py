"""The rows of virtual tables: system_virtual_schema, and of system_views what this server can tell.

A virtual table has no store of its own: each read gets a `TableStore` made of the rows as they are at that moment, so
that everything SELECT can do works on it. Tables of system_views without a source here are empty; docs/compatibility.md
says which and why. Their partitions come in the order of their keys, as Cassandra's do (dht/LocalPartitioner.java).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from ipaddress import ip_address
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from cqlserver.metrics.meters import Metering
from cqlserver.metrics.rates import FIFTEEN_MINUTES
from cqlserver.program.config import Config
from cqlserver.state import ClientState
from cqlserver.statements import Statements
from protocol.errors import InvalidRequest
from storage.engine import Engine
from storage.environment.strands import long_work, paused
from storage.keys import clustering_order_key, key_composer, split_key
from storage.memtable.memtable import Position, position_of
from storage.mutation import LIVE, Cell, Liveness, PartitionUpdate, Row
from storage.reads import EVERYTHING, FIRST_POSITION, PartitionView, Singles, Slice, TableStore
from storage.schema.metadata import Schema, TableMetadata
from storage.schema.tables import clustering_order_of
from storage.sstable.caches import Generations

if TYPE_CHECKING:
    from cqlserver.auth.access import Access
    from cqlserver.auth.caches import AuthCache

VirtualRow = Mapping[str, Any]
"""Column name -> Python value, as the column's type encodes it; a column that is left out is null."""

CACHE_KEYS: Final = "_cache_keys"
LOGS: Final = "system_logs"
ROWS_PER_GO_MAX: Final = 500
"""More rows of the log are put together in turns with other requests."""
STORAGE_VIEWS: Final = (
    "disk_usage",
    "max_partition_size",
    "max_sstable_duration",
    "max_sstable_size",
    "sai_column_indexes",
    "sstable_tasks",
)
METRIC_VIEWS: Final = (
    "batch_metrics",
    "cidr_filtering_metrics_counts",
    "cidr_filtering_metrics_latencies",
    "coordinator_read_latency",
    "coordinator_scan_latency",
    "coordinator_write_latency",
    "cql_metrics",
    "local_read_latency",
    "local_scan_latency",
    "local_write_latency",
    "rows_per_read",
    "thread_pools",
    "tombstones_per_read",
)
CACHES: Final = ("credentials", "network_permissions", "permissions", "roles")
_TIMESTAMP_US: Final = 0
_TOKEN_BYTES: Final = 8


class _KeyOrderStore(TableStore):
    """A store whose scans go by key.

    A range of tokens leaves out the keys outside of it; its lower bound is not in the position where a later page goes
    on, so that only the first page of such a statement heeds it."""

    __slots__ = ()

    def scan_batches(
        self,
        now_s: int,
        start: Position = FIRST_POSITION,
        end: Position | None = None,
        slices: Sequence[Slice] = EVERYTHING,
        reverse: bool = False,
    ) -> Iterator[Singles | PartitionView]:
        keys = sorted(self.memtable.keys(), key=self._key_order, reverse=self.table.name == LOGS)
        if len(start) > _TOKEN_BYTES:
            keys = keys[_resumed(keys, start) :]
        for key in keys:
            position = position_of(key)
            if (len(start) <= _TOKEN_BYTES and position < start) or (end is not None and position >= end):
                continue
            view = self.read(key, slices, now_s, reverse)
            if view is not None:
                yield view

    def _key_order(self, key: bytes) -> tuple[bytes, ...]:
        columns = self.table.partition_key
        values = split_key(key, len(columns))
        return tuple(column.type.order_key(value) for column, value in zip(columns, values, strict=True))


def _resumed(keys: Sequence[bytes], start: Position) -> int:
    """Where a page goes on: at the key whose position `start` is, or behind it (reads.TableStore.scan)."""
    for index, key in enumerate(keys):
        position = position_of(key)
        if start == position:
            return index
        if start == position + b"\0":
            return index + 1
    return len(keys)


class ServerFacts(Protocol):
    """What the rows tell of the server. `sessions`: its connections, each with a `state`."""

    config: Config
    engine: Engine
    statements: Statements
    metering: Metering

    @property
    def schema(self) -> Schema: ...

    @property
    def sessions(self) -> Iterable[object]: ...

    @property
    def access(self) -> "Access": ...

    def gossip_rows(self) -> Iterable[VirtualRow]: ...


class VirtualTables:
    """All virtual tables of one server."""

    def __init__(self, server: ServerFacts) -> None:
        self._sources: Mapping[tuple[str, str], Callable[[], Iterable[VirtualRow]]] = MappingProxyType(
            {
                ("system_virtual_schema", "keyspaces"): lambda: _keyspaces(server.schema),
                ("system_virtual_schema", "tables"): lambda: _tables(server.schema),
                ("system_virtual_schema", "columns"): lambda: _columns(server.schema),
                ("system_views", "clients"): lambda: _clients(server.sessions),
                ("system_views", "settings"): lambda: _settings(server.config),
                ("system_views", LOGS): _logs,
                ("system_views", "caches"): lambda: _caches(server.engine, server.metering),
                ("system_views", "gossip_info"): self._of_gossip,
                **{("system_views", name): partial(self._of_requests, name) for name in METRIC_VIEWS},
                **{("system_views", name): partial(self._of_storage, name) for name in STORAGE_VIEWS},
                **{("system_views", f"{name}_cache_keys"): partial(self._cached, name) for name in CACHES},
            }
        )
        self._server = server

    def _of_gossip(self) -> Iterable[VirtualRow]:
        return self._server.gossip_rows()

    def _of_storage(self, name: str) -> Iterable[VirtualRow]:
        from cqlserver.system import storage_views as views

        schema, engine = self._server.schema, self._server.engine
        if name == "sstable_tasks":
            return views.sstable_tasks(engine)
        of_tables: Callable[[Schema, Engine], Iterable[VirtualRow]] = getattr(views, name)
        return of_tables(schema, engine)

    def _of_requests(self, name: str) -> Iterable[VirtualRow]:
        from cqlserver.system.metric_views import VIEWS

        return VIEWS[name](self._server)

    # --- the caches of roles and permissions, which clients may empty -----------------------------------------------------

    def maybe_cache(self, name: str) -> "AuthCache[Any, Any] | None":
        """One of CACHES; None where nobody logs in, or nothing of it is asked for."""
        if not self._server.config.auth.requires_login:
            return None
        access = self._server.access
        caches: dict[str, AuthCache[Any, Any] | None] = {
            "credentials": access.maybe_credentials_cache,
            "network_permissions": access.datacenters.cache if access.datacenters is not None else None,
            "permissions": access.grants.cache if access.grants is not None else None,
            "roles": access.roles.cache,
        }
        return caches[name]

    def _cached(self, name: str) -> Iterator[VirtualRow]:
        cache = self.maybe_cache(name)
        for key in cache.keys() if cache is not None else ():
            yield {"role": key[0], "resource": key[1]} if isinstance(key, tuple) else {"role": key}

    def truncate(self, table: TableMetadata) -> None:
        """Raises InvalidRequest."""
        name = table.name.removesuffix(CACHE_KEYS)
        if table.name == LOGS:
            from cqlserver.program.log_table import maybe_log_table

            log_table = maybe_log_table()
            if log_table is not None:
                log_table.clear()
            return
        if name not in CACHES or name == table.name:
            raise InvalidRequest(f"Truncation is not supported by table {table.keyspace}.{table.name}")
        cache = self.maybe_cache(name)
        if cache is not None:
            cache.clear()

    def modify(self, table: TableMetadata, updates: Iterable[PartitionUpdate]) -> None:
        """Raises InvalidRequest."""
        shown = f"{table.keyspace}.{table.name}"
        name = table.name.removesuffix(CACHE_KEYS)
        if table.name == LOGS:
            raise InvalidRequest(f"{_refused_kind(updates)} is not supported by table {shown}")
        if name not in CACHES or name == table.name:
            raise InvalidRequest(f"Modification is not supported by table {shown}")
        cache = self.maybe_cache(name)
        for update in updates:
            if update.deletion == LIVE:
                raise InvalidRequest(f"Column modification is not supported by table {shown}")
            key = tuple(part.decode() for part in split_key(update.key, len(table.partition_key)))
            if cache is not None:
                cache.forget(key if len(key) > 1 else key[0])

    def rows(self, table: TableMetadata) -> Iterable[VirtualRow]:
        """The table's rows now; none where nothing fills it."""
        source = self._sources.get((table.keyspace, table.name))
        return source() if source is not None else ()

    def store(self, table: TableMetadata) -> TableStore:
        """The table's rows now, to be read like any table's."""
        store = _KeyOrderStore(table)
        compose_key, order_key = key_composer(table), clustering_order_key(table)
        for values in paused(self.rows(table)):
            key = compose_key([column.type.encode(values[column.name]) for column in table.partition_key])
            clustering = tuple(column.type.encode(values[column.name]) for column in table.clustering)
            cells = {
                column.name: Cell(_TIMESTAMP_US, column.type.encode(value))
                for column in table.regulars
                if (value := values.get(column.name)) is not None
            }
            row = Row(clustering, Liveness(_TIMESTAMP_US), columns=cells)
            store.apply(PartitionUpdate(table.id, key, rows={order_key(clustering): row}))
        return store


def _virtual_tables(schema: Schema) -> Iterator[TableMetadata]:
    for keyspace in schema.keyspaces.values():
        if keyspace.is_virtual:
            yield from keyspace.tables.values()


def _keyspaces(schema: Schema) -> Iterator[VirtualRow]:
    for keyspace in schema.keyspaces.values():
        if keyspace.is_virtual:
            yield {"keyspace_name": keyspace.name}


def _tables(schema: Schema) -> Iterator[VirtualRow]:
    for table in _virtual_tables(schema):
        yield {"keyspace_name": table.keyspace, "table_name": table.name, "comment": table.params.comment}


def _columns(schema: Schema) -> Iterator[VirtualRow]:
    for table in _virtual_tables(schema):
        for column in table.columns:
            yield {
                "keyspace_name": table.keyspace,
                "table_name": table.name,
                "column_name": column.name,
                "clustering_order": clustering_order_of(column),
                "column_name_bytes": column.name.encode(),
                "kind": column.kind.value,
                "position": column.position,
                "type": column.type.cql(),
            }


def _clients(sessions: Iterable[object]) -> Iterator[VirtualRow]:
    for session in sessions:
        state = getattr(session, "state", None)
        if not isinstance(state, ClientState):
            continue
        address, peer = ip_address(state.address), state.peer()
        yield {
            "address": address,
            "port": state.port,
            "hostname": "localhost" if address.is_loopback else state.address,
            "username": state.user.name if state.user is not None else None,
            "connection_stage": "ready" if state.user is not None else "authenticating",
            "protocol_version": state.version,
            "request_count": getattr(session, "request_count", 0),
            "client_options": dict(state.options),
            "driver_name": state.options.get("DRIVER_NAME"),
            "driver_version": state.options.get("DRIVER_VERSION"),
            "ssl_enabled": peer is not None,
            "ssl_protocol": peer.protocol if peer is not None else None,
            "ssl_cipher_suite": peer.cipher if peer is not None else None,
            "keyspace_name": state.keyspace,
        }


def _caches(engine: Engine, metering: Metering) -> Iterator[VirtualRow]:
    """Those that Cassandra lists; there is none of counters."""
    caches = engine.maybe_files.caches if engine.maybe_files is not None else None
    capacities = {"counters": 0, "keys": engine.options.key_cache_bytes, "rows": engine.options.row_cache_bytes}
    for name in ("counters", "keys", "rows"):
        cache: Generations[Any, Any] | None = getattr(caches, name, None)
        hits = cache.hits if cache is not None else 0
        requests = hits + cache.misses if cache is not None else 0
        rates = metering.cache_rates.get(name)
        yield {
            "name": name,
            "capacity_bytes": cache.capacity if cache is not None else capacities[name],
            "entry_count": len(cache) if cache is not None else 0,
            "hit_count": hits,
            "hit_ratio": hits / requests if requests else float("nan"),
            "recent_hit_rate_per_second": int(rates[0].per_s[FIFTEEN_MINUTES]) if rates is not None else 0,
            "recent_request_rate_per_second": int(rates[1].per_s[FIFTEEN_MINUTES]) if rates is not None else 0,
            "request_count": requests,
            "size_bytes": cache.size if cache is not None else 0,
        }


def _logs() -> Iterable[VirtualRow]:
    from cqlserver.program.log_table import maybe_log_table, rows_of

    log_table = maybe_log_table()
    if log_table is None:
        return ()
    lines = log_table.lines()
    if len(lines) > ROWS_PER_GO_MAX:
        long_work()
    return rows_of(lines)


def _refused_kind(updates: Iterable[PartitionUpdate]) -> str:
    """What of a table that takes no changes was asked for (db/virtual/AbstractMutableVirtualTable.java)."""
    for update in updates:
        if update.range_tombstones:
            return "Range deletion"
        if update.deletion != LIVE:
            return "Partition deletion"
        for row in update.rows.values():
            if isinstance(row, Row) and row.deletion != LIVE:
                return "Row deletion"
            if isinstance(row, Row) and any(isinstance(cell, Cell) and cell.value is None for cell in row.columns.values()):
                return "Column deletion"
    return "Column modification"


def _settings(config: Config) -> Iterable[VirtualRow]:
    from cqlserver.system.settings import setting_rows

    return setting_rows(config)
