"""The hot path of SELECT: a prepared statement that reads one row, or the rows of one partition, as they are stored.

Fits: every column of the partition key, and all or the first few of the clustering, is compared for equality with a bind
marker of its own; columns are selected as they are, those of the partition key first, no static ones; the local node
alone decides. Then the answer is a copy of what the request and the memtable hold. Odd options, pages that end before
the rows do, and static rows are left to the general path.
"""

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Protocol

from cluster.consistency import SERIAL_LEVELS
from cluster.coordinator import RequestKind
from cqlserver.metrics.meters import Kind, RequestMeter
from cqlserver.plans.fast.taker import VALUES_MAX, Taker, compile_taker
from cqlserver.plans.fast.values import PlainOptions, plain_heads, value_check, values_offset
from cqlserver.plans.plan import OPTIONS_AT, FastPath, ReadNode
from cqlserver.restrictions.restrictions import Restrictions
from cqlserver.selection.selection import Selection
from cqlserver.terms.bound_terms import Constant, MarkerTerm, Term
from protocol.metadata import ColumnSpec, ResultMetadata
from storage.environment.strands import paused
from storage.keys import AFTER, component_order_keys, key_composer
from storage.projection import Projector
from storage.reads import Slice, TableStore
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata, is_local_system_keyspace

NO_LIMIT = 0x7FFFFFFF
ROWS_AT_ONCE_MAX = 5_000
"""More rows than this are read by the general path, which pauses for others."""
_ROWS_KIND = b"\x00\x00\x00\x02"
_RESULT = b"\x08"
_INT = Struct(">i")
_pack_int = _INT.pack
_unpack_int = _INT.unpack_from
_pack_length = Struct(">I").pack


class PlainSelect(Protocol):
    """What is looked at of a compiled SELECT (plans/select.py)."""

    @property
    def node(self) -> ReadNode: ...
    @property
    def table(self) -> TableMetadata: ...
    @property
    def selection(self) -> Selection: ...
    @property
    def restrictions(self) -> Restrictions: ...
    @property
    def grouping(self) -> object | None: ...
    @property
    def order(self) -> object | None: ...
    @property
    def is_distinct(self) -> bool: ...
    @property
    def limit(self) -> Term | None: ...
    @property
    def per_partition_limit(self) -> Term | None: ...
    @property
    def bind_specs(self) -> tuple[ColumnSpec, ...]: ...


def maybe_fast_read(plan: PlainSelect, version: int) -> FastPath | None:
    """The fast path of a statement for one protocol version, None where it does not fit."""
    table, terms = plan.table, plan.restrictions.equality_terms
    if (
        terms is None
        or is_local_system_keyspace(table.keyspace)  # Node.read_store has to be asked each time
        or not plan.selection.is_plain
        or plan.grouping is not None
        or plan.order is not None
        or plan.is_distinct
        or plan.per_partition_limit is not None
        or len(terms[0]) != len(table.partition_key)
        or len(plan.bind_specs) > VALUES_MAX
    ):
        return None
    limit = NO_LIMIT
    if plan.limit is not None:
        if not isinstance(plan.limit, Constant) or not isinstance(plan.limit.value, bytes):
            return None
        limit = int.from_bytes(plan.limit.value, "big", signed=True)
    columns = plan.selection.plain_columns
    key_columns = [column for column in paused(columns) if column.kind is ColumnKind.PARTITION_KEY]
    if list(columns[: len(key_columns)]) != key_columns or any(c.kind is ColumnKind.STATIC for c in paused(columns)):
        return None
    restricted = (*table.partition_key, *table.clustering[: len(terms[1])])
    bound: dict[int, ColumnMetadata] = {}
    for column, term in zip(restricted, (*terms[0], *terms[1]), strict=True):
        if not isinstance(term, MarkerTerm):
            return None
        bound[term.index] = column
    if sorted(bound) != list(range(len(plan.bind_specs))) or limit <= 0:
        return None
    places = {column.name: place for place, column in bound.items()}
    store = plan.node.read_store(table)
    projector = store.projector(columns[len(key_columns) :])
    is_row = len(terms[1]) == len(table.clustering)
    meter = plan.node.metering.meter(table, Kind.READ)
    find = (_row_finder if is_row else _slice_finder)(store, projector, limit, plan.node, meter)
    levels: Sequence[int] = plan.node.local_levels(table, RequestKind.READ)
    wrap: Callable[[FastPath], FastPath] = _unchanged
    member = plan.node.maybe_member(table)
    if member is not None:
        if table.is_counter:
            return None
        from cqlserver.plans.fast.replicated_read import LEVELS, SERIAL, ReplicatedRead

        replicated = ReplicatedRead(member, store, projector, limit, version, find)
        levels, find, wrap = LEVELS + SERIAL if is_row else LEVELS, replicated.find, replicated.path
    path = _reader(
        _heads(plan, levels, len(bound), version),
        version,
        compile_taker(
            [value_check(bound[place].type) for place in range(len(bound))],
            [places[column.name] for column in table.partition_key],
            key_composer(table),
            [places[column.name] for column in table.clustering[: len(terms[1])]],
            component_order_keys(table)[: len(terms[1])],
            [places[column.name] for column in key_columns],
        ),
        plan.selection.metadata,
        find,
    )
    return wrap(path)


def _unchanged(path: FastPath) -> FastPath:
    return path


class ReadOptions(PlainOptions):
    """With the meter that counts such reads."""

    __slots__ = ("meter",)

    def __init__(self, plain: PlainOptions, meter: RequestMeter) -> None:
        self.skips_metadata, self.behind, self.meter = plain.skips_metadata, plain.behind, meter
        self.page_size_at, self.serial_at, self.timestamp_at = plain.page_size_at, plain.serial_at, plain.timestamp_at


def _heads(plan: PlainSelect, levels: Iterable[int], value_count: int, version: int) -> dict[bytes, ReadOptions]:
    """Reads at serial levels are counted apart."""
    heads: dict[bytes, ReadOptions] = {}
    for kind, is_serial in ((Kind.READ, False), (Kind.CAS_READ, True)):
        of_kind = [level for level in levels if (level in SERIAL_LEVELS) == is_serial]
        if of_kind:
            meter = plan.node.metering.meter(plan.table, kind)
            plain = plain_heads(of_kind, value_count, version)
            heads |= {head: ReadOptions(options, meter) for head, options in plain.items()}
    return heads


Find = Callable[[bytes, bytes, bytes, int], tuple[int, bytes] | None]
"""(key, order key, wire values that begin each row, page size) -> (number of rows, their wire values). Where the number is
negative they are found later, by another call."""


def _reader(
    heads: dict[bytes, ReadOptions],
    version: int,
    take: Taker,
    metadata: ResultMetadata,
    find: Find,
) -> FastPath:
    options_at = OPTIONS_AT[version]
    values_at = values_offset(options_at, version)
    full, skipped = _ROWS_KIND + metadata.encoded(version, False), _ROWS_KIND + metadata.encoded(version, True)
    known_id = metadata.id if version >= 5 else b""

    def fast(body: bytes) -> bytes | None:
        options = heads.get(body[options_at:values_at])
        if options is None or (known_id and body[20:36] != known_id):
            return None
        taken = take(body, values_at)
        if taken is None:
            return None
        end, key, ck, head = taken
        if end + options.behind != len(body):
            return None
        page_size = NO_LIMIT
        if options.page_size_at >= 0:
            page_size = _unpack_int(body, end + options.page_size_at)[0]
            if page_size <= 0:
                return None
        found = find(key, ck, head, page_size)
        if found is None:
            return None
        count, rows = found
        if count < 0:
            return b""
        options.meter.count += 1
        meta = skipped if options.skips_metadata else full
        return b"".join((_RESULT, _pack_length(len(meta) + 4 + len(rows)), meta, _pack_int(count), rows))

    return fast


def _row_finder(store: TableStore, projector: Projector, limit: int, node: ReadNode, meter: RequestMeter) -> Find:
    row_at, clear_row_at = store.row_at, store.clear_row_at
    wire, now_s, metering = projector.wire, node.now_s, node.metering

    def find(key: bytes, ck: bytes, head: bytes, page_size: int) -> tuple[int, bytes] | None:
        if store.flushed:
            store.assure_turns_for_read()
        if metering.counts_each_read:
            row = clear_row_at(key, ck, now_s())
            if not row and row is not None:
                return None
        else:
            row = row_at(key, ck, now_s())
        if row is None:
            return 0, b""
        if page_size == 1 < limit:  # a full page has a following one
            return None
        return 1, head + wire(row)

    return find


def _slice_finder(store: TableStore, projector: Projector, limit: int, node: ReadNode, meter: RequestMeter) -> Find:
    read, wire_rows, now_s = store.read, projector.wire_rows, node.now_s
    tombstones_max = min(node.tombstone_thresholds)  # more have to be told

    def find(key: bytes, ck: bytes, head: bytes, page_size: int) -> tuple[int, bytes] | None:
        if store.flushed:
            store.assure_turns_for_read()
        view = read(key, (Slice(ck, ck + AFTER),), now_s())
        if view is None:
            return 0, b""
        if view.static is not None:
            return None
        left = limit
        parts = []
        for _, rows in view.chunks():
            taken = rows if len(rows) <= left else rows[:left]
            parts.append(wire_rows(taken, head))
            left -= len(taken)
            if left <= 0:
                break
            if view.tombstones > tombstones_max:
                return None
            if limit - left >= page_size or limit - left > ROWS_AT_ONCE_MAX:
                return None
        count = limit - left
        if (count >= page_size and limit > page_size) or view.tombstones > tombstones_max:
            return None
        if view.tombstones:
            if node.metering.counts_each_read:
                return None
            meter.tombstones.note(view.tombstones)
        return count, b"".join(parts)

    return find
