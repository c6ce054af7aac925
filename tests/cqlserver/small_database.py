"""The least around the plans that executes CQL on tables in memory: no node, no log, no network; a clock that stands."""

from itertools import count
from types import MappingProxyType
from typing import NoReturn
from uuid import UUID

from cluster.coordinator import RequestKind
from cluster.ring import Node
from cqlserver.ddl import DdlContext, apply_ddl
from cqlserver.metrics.meters import Metering
from cqlserver.pending import Pending
from cqlserver.plans.gathered import Gathered
from cqlserver.plans.modification import STATIC_ROW, Updates, compile_modification
from cqlserver.plans.operations import WriteContext
from cqlserver.plans.select import SelectPlan, compile_select
from cqlserver.state import ClientState
from cqlserver.terms.binding import BindContext
from grammar import tree
from grammar.parser import parse
from protocol.errors import InvalidRequest
from protocol.primitives import Value
from protocol.requests import QueryOptions
from protocol.responses import RowsResult
from storage.mutation import Row
from storage.reads import EVERYTHING, TableStore
from storage.schema.metadata import Schema, TableMetadata

NOW_S = 1_700_000_000


class Calls:
    """A CallContext of a world that stands still."""

    version = 4

    def now_ms(self) -> int:
        return NOW_S * 1000

    def now_ns_of_day(self) -> int:
        return 0

    def next_timeuuid(self) -> bytes:
        return UUID("00000000-0000-1000-8080-808080808080").bytes

    def random_uuid(self) -> bytes:
        return UUID(int=4 << 76 | 1 << 63).bytes


class SmallDatabase:
    def __init__(self, keyspace: str = "k") -> None:
        self.schema = Schema(MappingProxyType({}))
        self.keyspace = keyspace
        self.stores: dict[UUID, TableStore] = {}
        self.state = ClientState("127.0.0.1", 1)
        self.gathered = Gathered()
        self.metering = Metering(lambda: 0.0)
        self._ids, self._ticks, self._paths = count(1), count(1), count(1)
        self.run(f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")

    # what plans ask of a node

    ring_node = Node(UUID(int=1), "127.0.0.1")
    tombstone_thresholds = 1_000, 100_000
    tracks_reads = False
    profile = None

    def source(self, table: TableMetadata, level: int, rows: int, is_scan: bool) -> TableStore:
        return self.read_store(table)

    def check_read_consistency(self, table: TableMetadata, level: int, is_scan: bool) -> None:
        pass

    def read_store(self, table: TableMetadata) -> TableStore:
        return self.stores[table.id]

    def now_s(self) -> int:
        return NOW_S

    def local_levels(self, table: TableMetadata, kind: RequestKind) -> tuple[int, ...]:
        return [1]

    def maybe_member(self, table: TableMetadata) -> None:
        return None

    # statements

    def run(self, text: str, options: QueryOptions | None = None) -> RowsResult | None:
        """Parses, compiles and executes. Raises RequestError."""
        statement = parse(text)
        options = options or QueryOptions()
        if isinstance(statement, tree.Select):
            return self.execute(self.compile(text), options)
        if isinstance(statement, tree.Insert | tree.Update | tree.Delete):
            self._modify(statement, options)
            return None
        context = DdlContext(
            self.keyspace,
            lambda: next(self._ticks),
            lambda: UUID(int=next(self._ids)),
            MappingProxyType({"datacenter1": 1}),
            self.state.warn,
        )
        self.schema, _ = apply_ddl(self.schema, statement, context)
        for table in self.schema.keyspaces[self.keyspace].tables.values():
            self.stores.setdefault(table.id, TableStore(table))
        return None

    def context(self, statement: tree.Statement, name: tree.QualifiedName) -> BindContext:
        table = self.schema.maybe_table(name.keyspace or self.keyspace, name.name)
        if table is None:
            raise InvalidRequest(f"table {name.name} does not exist")
        return BindContext(table, self.schema, statement.markers, Calls())

    def compile(self, text: str) -> SelectPlan:
        statement = parse(text)
        assert isinstance(statement, tree.Select)
        return compile_select(self, statement, self.context(statement, statement.table))

    def execute(self, plan: SelectPlan, options: QueryOptions) -> RowsResult:
        self.state.warnings.clear()
        result = plan.execute(self.state, options)
        result = result.finish() if isinstance(result, Pending) else result
        assert isinstance(result, RowsResult)
        return result

    def pages(self, text: str, page_size: int, values: tuple[Value, ...] = ()) -> list[RowsResult]:
        plan = self.compile(text)
        pages = [self.execute(plan, QueryOptions(values=values, page_size=page_size))]
        while (state := pages[-1].paging_state) is not None:
            pages.append(self.execute(plan, QueryOptions(values=values, page_size=page_size, paging_state=state)))
            assert len(pages) < 1000
        return pages

    def _modify(self, statement: tree.Insert | tree.Update | tree.Delete, options: QueryOptions) -> None:
        modification = compile_modification(statement, self.context(statement, statement.table))
        values = options.values
        store = self.stores[modification.table.id]

        def read(key: bytes, ck: bytes) -> Row | None:
            if ck == STATIC_ROW:
                view = store.read(key, EVERYTHING, NOW_S)
                return view.static if view is not None else None
            found = store.row_at(key, ck, NOW_S)
            return store.layouts.explode(found) if found is not None else None

        context = WriteContext(
            modification.timestamp_us(values, next(self._ticks)),
            modification.ttl_s(values, NOW_S),
            NOW_S,
            values,
            self._path,
            lambda number: [self._path() for _ in range(number)],
        )
        updates = Updates()
        modification.add_to(updates, modification.keys(values), modification.places(values), context, read)
        for update in updates.build(_no_counters):
            store.apply(update)

    def _path(self) -> bytes:
        return UUID(int=(next(self._paths) << 96) | (1 << 76) | (1 << 63)).bytes


def _no_counters(*_: object) -> NoReturn:
    raise AssertionError("this database has no counters")
