"""The hot path of INSERT and UPDATE: a prepared statement whose bound values become a packed row as they are.

Fits: every value is a bind marker of its own, bound in its place, all columns are single cells, there is no TTL, no
condition, no static column, and the local node alone decides. Then key, order key and row are slices of the request; a
codec runs only where a type's values must be checked. Whatever is not plain (null, unset, a failed check, odd flags)
makes the fast path return None before anything is done, and the general path answers it.
"""

from collections.abc import Callable
from struct import Struct
from struct import error as StructError

from cluster.coordinator import RequestKind
from cqlserver.bound_terms import MarkerTerm
from cqlserver.node import Node
from cqlserver.plans.fast_values import Check, value_check
from cqlserver.plans.modification import Modification
from cqlserver.plans.operations import Set
from cqlserver.plans.plan import OPTIONS_AT, FastPath
from protocol.requests import DEFAULT_TIMESTAMP, PAGE_SIZE, SERIAL_CONSISTENCY, SKIP_METADATA, VALUES
from protocol.responses import ColumnSpec
from storage.keys import clustering_order_key, key_composer
from storage.schema import ColumnKind, TableMetadata

VOID_TAIL = b"\x08\x00\x00\x00\x04\x00\x00\x00\x01"
"""RESULT, length 4, kind VOID."""
_KEY_BYTES_MAX = 65535
_INT = Struct(">i").unpack_from
_pack_long = Struct(">q").pack


def maybe_fast_write(
    node: Node, modification: Modification, specs: tuple[ColumnSpec, ...], version: int
) -> FastPath | None:
    """The fast path of a statement for one protocol version, None where it does not fit."""
    bound = _maybe_bound_columns(modification)
    if bound is None or len(bound) != len(specs):
        return None
    table = modification.table
    clustering = [column.name for column in table.clustering]
    regular = [name for name in bound if table.by_name[name].kind is ColumnKind.REGULAR]
    store = node.engine.stores[table.id]
    layout = store.layouts.maybe_layout(tuple(regular), modification.verb == "INSERT")
    if layout is None or (modification.verb == "UPDATE" and not regular):
        return None
    places = {name: place for place, name in enumerate(bound)}
    key_places = [places[column.name] for column in table.partition_key]
    ck_places = [places[name] for name in clustering]
    row_places = ck_places + [places[name] for name in regular]
    heads = _heads(node, table, len(bound), version)
    values_at = OPTIONS_AT[version] + 2 + (4 if version >= 5 else 1) + 2
    return _writer(
        heads,
        OPTIONS_AT[version],
        values_at,
        [value_check(table.by_name[name].type) for name in bound],
        key_places,
        key_composer(table),
        ck_places,
        clustering_order_key(table),
        row_places,
        node.engine.packed_writer(store, layout),
        node.environment.clock.wall_us,
    )


def _maybe_bound_columns(modification: Modification) -> list[str] | None:
    """The columns in the order of the markers, when each column has just one marker and all fits."""
    table = modification.table
    if (
        modification.verb == "DELETE"
        or modification.has_conditions
        or modification.static
        or modification.timestamp is not None
        or modification.ttl is not None
        or modification.json is not None
        or table.is_counter
        or table.is_virtual
        or table.params.default_time_to_live
    ):
        return None
    terms = modification.restrictions.equality_terms
    if terms is None or len(terms[1]) != len(table.clustering):
        return None
    by_marker: dict[int, str] = {}
    for column, term in zip((*table.partition_key, *table.clustering), (*terms[0], *terms[1]), strict=True):
        if not isinstance(term, MarkerTerm):
            return None
        by_marker[term.index] = column.name
    for operation in modification.regular:
        if not isinstance(operation, Set) or not isinstance(operation.term, MarkerTerm):
            return None
        by_marker[operation.term.index] = operation.name
    count = len(table.partition_key) + len(table.clustering) + len(modification.regular)
    if sorted(by_marker) != list(range(count)):
        return None
    return [by_marker[index] for index in range(count)]


def _heads(node: Node, table: TableMetadata, count: int, version: int) -> dict[bytes, tuple[int, int]]:
    """The beginnings of query options that are plain -> (bytes behind the values, where among them the timestamp
    stands, or -1): `[consistency][flags][number of values]`."""
    heads = {}
    for level in node.local_levels(table, RequestKind.WRITE):
        for extra in range(16):
            flags = VALUES | (SKIP_METADATA if extra & 1 else 0)
            behind, timestamp_at = 0, -1
            if extra & 2:
                flags |= PAGE_SIZE
                behind += 4
            if extra & 4:
                flags |= SERIAL_CONSISTENCY
                behind += 2
            if extra & 8:
                flags |= DEFAULT_TIMESTAMP
                timestamp_at = behind
                behind += 8
            flag_bytes = flags.to_bytes(4 if version >= 5 else 1, "big")
            heads[level.to_bytes(2, "big") + flag_bytes + count.to_bytes(2, "big")] = (behind, timestamp_at)
    return heads


def _writer(
    heads: dict[bytes, tuple[int, int]],
    options_at: int,
    values_at: int,
    checks: list[Check],
    key_places: list[int],
    compose_key: Callable[[list[bytes]], bytes],
    ck_places: list[int],
    order_key: Callable[[list[bytes]], bytes],
    row_places: list[int],
    write: Callable[[bytes, bytes, bytes], None],
    wall_us: Callable[[], int],
) -> FastPath:
    """`checks`: per marker the length that its value must have (-1: any) and what else to check."""
    single_key = key_places[0] if len(key_places) == 1 else -1
    in_a_row = row_places == list(range(row_places[0], row_places[-1] + 1)) if row_places else False
    first, last = (row_places[0], row_places[-1]) if row_places else (0, 0)
    count = len(checks)

    def fast(body: bytes) -> bytes | None:
        head = heads.get(body[options_at:values_at])
        if head is None:
            return None
        at = values_at
        values: list[bytes] = []
        ends: list[int] = []
        try:
            for length_wanted, check in checks:
                length: int = _INT(body, at)[0]
                at += 4
                if length != length_wanted and (length_wanted >= 0 or length < 0):
                    return None
                end = at + length
                value = body[at:end]
                if check is not None and not check(value):
                    return None
                values.append(value)
                ends.append(end)
                at = end
        except StructError:
            return None
        behind, timestamp_at = head
        if at + behind != len(body):
            return None
        if timestamp_at >= 0:
            timestamp = body[at + timestamp_at : at + timestamp_at + 8]
            if timestamp == b"\x80\0\0\0\0\0\0\0":
                return None
        else:
            timestamp = _pack_long(wall_us())
        key = values[single_key] if single_key >= 0 else compose_key([values[place] for place in key_places])
        if not 0 < len(key) <= _KEY_BYTES_MAX:
            return None
        ck = order_key([values[place] for place in ck_places]) if ck_places else b""
        if in_a_row:
            row = body[ends[first] - len(values[first]) - 4 : ends[last]]
        else:
            row = b"".join([body[ends[place] - len(values[place]) - 4 : ends[place]] for place in row_places])
        write(key, ck, timestamp + row)
        return VOID_TAIL

    assert count
    return fast
