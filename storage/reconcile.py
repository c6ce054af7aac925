"""Cassandra's rules for who wins when two writes meet: pure functions over mutation.py's values.

Mirrors db/rows/Cells.java (reconcile), db/rows/Row.java (Merger), db/DeletionTime.java and db/LivenessInfo.java of
Cassandra 5.0. In short: the higher timestamp; at equal timestamps what carries a local deletion time (tombstone or
expiring) over what does not, a tombstone over an expiring cell, the later local deletion time, the shorter TTL, the
larger value. A deletion at t covers what was written at or before t.

Invariants: all merges are commutative, associative and idempotent (tests/storage/test_reconcile.py), so that neither
the order of arrival nor the way in which sources are grouped can be seen. What a row's own deletion covers is not in
the row that a merge returns.

One thing the order of arrival decides: of clustering values, set elements and map keys that are equal in different bytes
(decimals 1.0 and 1.00) a row keeps the clustering that came first, a collection the path of the cell that wins.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from protocol.types import CqlType, MapType, SetType
from storage.counters.contexts import merge_contexts
from storage.environment.strands import in_turns
from storage.mutation import (
    LIVE,
    NEVER,
    NO_LIVENESS,
    NO_TIMESTAMP,
    NO_TTL,
    Cell,
    ComplexColumn,
    Deletion,
    Liveness,
    Row,
)
from storage.schema.metadata import TableMetadata

EXPIRED_TTL_S: Final = (1 << 31) - 1
"""The TTL of a marker that was never live: it says that a view's row is gone (LivenessInfo.EXPIRED_LIVENESS_TTL)."""
Identity = Callable[[bytes], bytes]
Turns = Callable[[Iterable[tuple[bytes, Cell]]], Iterable[tuple[bytes, Cell]]]


def reconcile(left: Cell, right: Cell) -> Cell:
    """The cell that survives, of two for the same column (and path). Not for counters."""
    if left.timestamp_us != right.timestamp_us:
        return left if left.timestamp_us > right.timestamp_us else right
    left_deletion_s, right_deletion_s = left.local_deletion_s, right.local_deletion_s
    if left_deletion_s != NEVER or right_deletion_s != NEVER:
        if (left_deletion_s == NEVER) != (right_deletion_s == NEVER):
            return right if left_deletion_s == NEVER else left
        left_tombstone, right_tombstone = not left.ttl_s, not right.ttl_s
        if left_tombstone != right_tombstone:
            return left if left_tombstone else right
        if left_deletion_s != right_deletion_s:
            return left if left_deletion_s > right_deletion_s else right
        if left.ttl_s != right.ttl_s:
            return left if left.ttl_s < right.ttl_s else right
    return left if (left.value or b"") >= (right.value or b"") else right


def reconcile_counter(left: Cell, right: Cell) -> Cell:
    """Of two cells of a counter: a tombstone wins whatever its timestamp is; contexts are merged shard by shard."""
    if left.value is None or right.value is None:
        if left.value is None and right.value is None:
            return reconcile(left, right)
        return left if left.value is None else right
    return Cell(max(left.timestamp_us, right.timestamp_us), merge_contexts(left.value, right.value))


@dataclass(frozen=True, slots=True)
class Resolve:
    """How the rows of one table meet.

    `cells`: which of two cells survives; `identities`: by column, what is the same for equal paths, of columns whose
    paths may be equal in different bytes; `keeps_clustering`: whether clusterings may be.
    """

    cells: Callable[[Cell, Cell], Cell] = reconcile
    identities: Mapping[str, Identity] = field(default_factory=dict)
    keeps_clustering: bool = False
    turns: Turns = iter
    """How long loops over cells are gone through: in turns where nobody sees what is merged (drafts.py)."""


PLAIN: Final = Resolve()


def resolver(table: TableMetadata) -> Resolve:
    """In a counter table all columns outside the primary key are counters."""
    identities = {}
    for column in (*table.statics, *table.regulars):
        element = path_type(column.type)
        if element is not None and not element.has_one_form:
            identities[column.name] = element.order_key
    keeps_clustering = not all(column.type.has_one_form for column in table.clustering)
    if not identities and not keeps_clustering and not table.is_counter:
        return PLAIN
    return Resolve(reconcile_counter if table.is_counter else reconcile, identities, keeps_clustering)


def path_type(type_: CqlType) -> CqlType | None:
    """Of the elements of a non-frozen set or the keys of a non-frozen map; the paths of all others are ours."""
    if isinstance(type_, SetType) and type_.is_multicell:
        return type_.elements
    if isinstance(type_, MapType) and type_.is_multicell:
        return type_.keys
    return None


def reconcile_liveness(left: Liveness, right: Liveness) -> Liveness:
    if left.timestamp_us != right.timestamp_us:
        return left if left.timestamp_us > right.timestamp_us else right
    if (left.ttl_s == EXPIRED_TTL_S) != (right.ttl_s == EXPIRED_TTL_S):
        return left if left.ttl_s == EXPIRED_TTL_S else right
    if (left.ttl_s == NO_TTL) != (right.ttl_s == NO_TTL):
        return right if left.ttl_s == NO_TTL else left
    if left.local_deletion_s != right.local_deletion_s:
        return left if left.local_deletion_s > right.local_deletion_s else right
    return left if left.ttl_s <= right.ttl_s else right


def reconcile_deletion(left: Deletion, right: Deletion) -> Deletion:
    """The later timestamp, then the later local time: which is how the tuples compare."""
    return left if left >= right else right


def merge_rows(left: Row, right: Row, active: Deletion = LIVE, resolve: Resolve = PLAIN) -> Row | None:
    """Two versions of one row, `left` the one that was there before, below a deletion of what surrounds it; None when
    nothing is left."""
    resolve_cells = resolve.cells
    liveness = reconcile_liveness(left.liveness, right.liveness)
    deletion = left.deletion if left.deletion >= right.deletion else right.deletion
    if deletion > active:
        active = deletion
    else:
        deletion = LIVE
    covered_us = active.timestamp_us
    if liveness.timestamp_us <= covered_us:
        liveness = NO_LIVENESS
    columns = _uncovered(left.columns, active, resolve.turns, was_there=True)
    for name, data in _uncovered(right.columns, active, resolve.turns).items():
        existing = columns.get(name)
        if existing is None:
            columns[name] = data
        elif type(existing) is Cell and type(data) is Cell:
            columns[name] = resolve_cells(existing, data)
        else:
            assert type(existing) is ComplexColumn, (name, existing)
            assert type(data) is ComplexColumn, (name, data)
            merged = merge_complex(existing, data, active, resolve_cells, resolve.identities.get(name), resolve.turns)
            if merged is None:
                del columns[name]
            else:
                columns[name] = merged
    if liveness is NO_LIVENESS and deletion is LIVE and not columns:
        return None
    return Row(left.clustering, liveness, deletion, columns)


def uncovered_row(row: Row, active: Deletion = LIVE, turns: Turns = iter) -> Row | None:
    """The row without what `active` or its own deletion covers; None when nothing is left. `active` itself is not
    part of the result: whoever holds it keeps it."""
    deletion = row.deletion
    if deletion > active:
        active = deletion
    else:
        deletion = LIVE
    liveness = row.liveness if row.liveness.timestamp_us > active.timestamp_us else NO_LIVENESS
    columns = _uncovered(row.columns, active, turns)
    if liveness is NO_LIVENESS and deletion is LIVE and not columns:
        return None
    return Row(row.clustering, liveness, deletion, columns)


def _uncovered(
    columns: Mapping[str, Cell | ComplexColumn], active: Deletion, turns: Turns, *, was_there: bool = False
) -> dict[str, Cell | ComplexColumn]:
    """With `was_there`, of stored columns: what their own deletion covers is not there."""
    covered_us = active.timestamp_us
    if covered_us == NO_TIMESTAMP and ComplexColumn not in map(type, columns.values()):
        return dict(columns)
    kept: dict[str, Cell | ComplexColumn] = {}
    for name, data in columns.items():
        if type(data) is Cell:
            if data.timestamp_us > covered_us:
                kept[name] = data
        else:
            assert type(data) is ComplexColumn, (name, data)
            is_uncovered = was_there and data.deletion > active
            complex_column = data if is_uncovered else uncovered_complex(data, active, turns)
            if complex_column is not None:
                kept[name] = complex_column
    return kept


def uncovered_complex(column: ComplexColumn, active: Deletion, turns: Turns = iter) -> ComplexColumn | None:
    """A complex column without what `active` or its own deletion covers."""
    deletion = column.deletion
    if deletion > active:
        active = deletion
    else:
        deletion = LIVE
    covered_us = active.timestamp_us
    if covered_us == NO_TIMESTAMP:
        return column if column.cells else None
    cells = {path: cell for path, cell in turns(column.cells.items()) if cell.timestamp_us > covered_us}
    if not cells and deletion is LIVE:
        return None
    return ComplexColumn(deletion, cells)


def merge_complex(
    left: ComplexColumn,
    right: ComplexColumn,
    active: Deletion = LIVE,
    resolve: Callable[[Cell, Cell], Cell] = reconcile,
    identity: Identity | None = None,
    turns: Turns = iter,
) -> ComplexColumn | None:
    """Two versions of one complex column: the later deletion, and by path the cells that it does not cover."""
    deletion = left.deletion if left.deletion >= right.deletion else right.deletion
    if deletion > active:
        active = deletion
    else:
        deletion = LIVE
    covered_us = active.timestamp_us
    cells = {path: cell for path, cell in turns(left.cells.items()) if cell.timestamp_us > covered_us}
    if identity is not None:
        uncovered = [(path, cell) for path, cell in turns(right.cells.items()) if cell.timestamp_us > covered_us]
        cells = distinct_cells(turns([*cells.items(), *uncovered]), identity, resolve)
    else:
        for path, cell in turns(right.cells.items()):
            if cell.timestamp_us > covered_us:
                existing = cells.get(path)
                cells[path] = cell if existing is None else resolve(existing, cell)
    if not cells and deletion is LIVE:
        return None
    return ComplexColumn(deletion, cells)


def distinct_cells(
    cells: Iterable[tuple[bytes, Cell]], identity: Identity, resolve: Callable[[Cell, Cell], Cell] = reconcile
) -> dict[bytes, Cell]:
    """One cell for each of the paths that are equal, the earlier ones being those that were there before; the path is
    that of the cell that survives."""
    by_identity: dict[bytes, tuple[bytes, Cell]] = {}
    for path, cell in cells:
        same = identity(path)
        existing = by_identity.get(same)
        if existing is None or resolve(existing[1], cell) is cell:
            by_identity[same] = path, cell
    return dict(by_identity.values())


def live_row(
    row: Row, now_s: int, dropped_us: Mapping[str, int] | None = None, needs_liveness: bool = False
) -> Row | None:
    """What a reader sees of a merged row at `now_s`: no tombstones, nothing expired, no deletion; None when the row is
    dead (no live marker and no live cell; with `needs_liveness` no live marker). `dropped_us`: column name -> cells up to
    that timestamp are gone."""
    liveness = row.liveness
    if liveness.ttl_s and (liveness.local_deletion_s <= now_s or liveness.ttl_s == EXPIRED_TTL_S):
        liveness = NO_LIVENESS
    if needs_liveness and liveness.timestamp_us == NO_TIMESTAMP:
        return None
    columns: dict[str, Cell | ComplexColumn] = {}
    for name, data in row.columns.items():
        gone_us = dropped_us.get(name, NO_TIMESTAMP) if dropped_us else NO_TIMESTAMP
        if type(data) is Cell:
            timestamp_us, value, ttl_s, local_deletion_s = data
            if value is not None and not (ttl_s and local_deletion_s <= now_s) and timestamp_us > gone_us:
                columns[name] = data
        else:
            assert type(data) is ComplexColumn, (name, data)
            cells = {
                path: cell
                for path, cell in in_turns(data.cells.items())
                if cell.value is not None
                and not (cell.ttl_s and cell.local_deletion_s <= now_s)
                and cell.timestamp_us > gone_us
            }
            if cells:
                columns[name] = ComplexColumn(LIVE, cells)
    if not columns and liveness.timestamp_us == NO_TIMESTAMP:
        return None
    return Row(row.clustering, liveness, LIVE, columns)
