"""A whole WHERE clause: which partitions, which clusterings, what else is tested row by row.

Serves SELECT, INSERT, UPDATE and DELETE: compiled once, asked per execution.

    restrictions = compile_restrictions(where, context, "SELECT", allow_filtering=...)
    restrictions.is_key_range         partitions are scanned, `token_range(values)`; else `keys(values)`
    restrictions.keys(values)         -> [key], in the order of the key columns' types
    restrictions.intervals(values)    -> sorted, disjoint intervals of order keys (with the values of their ends)
    restrictions.clusterings(values)  -> [(order key, clustering)], when all clustering columns have = or IN
    restrictions.row_filter(values)   -> what neither keys nor intervals decide

Order of checks, and messages: restrictions/StatementRestrictions.java, RestrictionSet, ClusteringColumnRestrictions,
PartitionKeySingleRestrictionSet, TokenFilter. Which indexes answer what: indexed.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from struct import Struct

from cqlserver.restrictions.combinations import Clustering, guard_product, product, sorted_distinct
from cqlserver.restrictions.filters import requires_filtering
from cqlserver.restrictions.indexed import NO_INDEXES, index_registry
from cqlserver.restrictions.order_keys import may_be_unreadable, stated_clustering_order_key, stated_order_key
from cqlserver.restrictions.ranges import EVERYTHING, OPEN, Bound, Interval, prefix_interval, slice_intervals, union
from cqlserver.restrictions.relations import (
    AnnRestriction,
    ContainsRestriction,
    EqRestriction,
    InRestriction,
    LikeRestriction,
    Restriction,
    SliceRestriction,
    TokenRestriction,
    compile_relation,
    existing_column,
    merge,
    merge_tokens,
    relation_text,
)
from cqlserver.terms.binding import BindContext, Values
from cqlserver.terms.terms import Term
from grammar.tree import IsNotNullRelation, Operator, Ordering, Relation, WhereClause
from protocol.errors import InvalidRequest, ServerError
from protocol.primitives import UNSET, Value
from protocol.types import FLOAT, MarshalError, VectorType
from storage.environment.strands import let_go_later, paused
from storage.indexes.lookups import Indexed
from storage.keys import NULL, check_key_length, compose_key
from storage.row_filter import FilterExpression
from storage.schema.metadata import ColumnKind, ColumnMetadata
from storage.token import token

TOKEN_MIN = -(1 << 63)
_LONG = Struct(">q")


class StatementKind(Enum):
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    SELECT = "SELECT"

    @property
    def allows_clustering_slices(self) -> bool:
        return self in (StatementKind.DELETE, StatementKind.SELECT)


@dataclass(frozen=True, slots=True)
class TokenRange:
    """Of partitions by token, both ends inclusive."""

    start: int = TOKEN_MIN
    end: int = (1 << 63) - 1


WHOLE_RING = TokenRange()


class RestrictionSet:
    """Restrictions by column, in the order of the columns (restrictions/RestrictionSet.java)."""

    __slots__ = ("_by_column", "has_contains", "has_in", "has_only_equality", "has_slice")

    def __init__(self) -> None:
        self._by_column: dict[ColumnMetadata, Restriction] = {}
        self.has_in = self.has_contains = self.has_slice = False
        self.has_only_equality = True

    def add(self, restriction: Restriction) -> None:
        """Raises InvalidRequest where it can't stand beside one that is there."""
        self.has_in |= isinstance(restriction, InRestriction)
        self.has_contains |= isinstance(restriction, ContainsRestriction)
        self.has_slice |= isinstance(restriction, SliceRestriction)
        self.has_only_equality &= isinstance(restriction, EqRestriction | InRestriction)
        existing = [self._by_column[c] for c in restriction.columns if c in self._by_column]
        added = dict.fromkeys(restriction.columns, restriction)
        for one in dict.fromkeys(map(_Identity, existing)):
            added = dict.fromkeys(restriction.columns, merge(one.restriction, restriction))
        last = next(reversed(self._by_column), None)
        self._by_column.update(added)
        if last is not None and _column_order(restriction.first) <= _column_order(last):
            self._by_column = dict(sorted(self._by_column.items(), key=lambda item: _column_order(item[0])))

    def __len__(self) -> int:
        return len(self._by_column)

    def __contains__(self, column: ColumnMetadata) -> bool:
        return column in self._by_column

    @property
    def columns(self) -> list[ColumnMetadata]:
        return list(self._by_column)

    @property
    def restrictions(self) -> list[Restriction]:
        """Each once, by its first column."""
        found: list[Restriction] = []
        for restriction in self._by_column.values():
            if not found or found[-1] is not restriction:
                found.append(restriction)
        return found

    @property
    def maybe_last(self) -> Restriction | None:
        """That of the last column."""
        return next(reversed(self._by_column.values()), None)

    def maybe_get(self, column: ColumnMetadata) -> Restriction | None:
        return self._by_column.get(column)

    def column_after(self, column: ColumnMetadata) -> ColumnMetadata:
        return next(c for c in self._by_column if _column_order(c) > _column_order(column))


class _Identity:
    """A restriction as a key of a dict: by identity, in the order of appearance."""

    __slots__ = ("restriction",)

    def __init__(self, restriction: Restriction) -> None:
        self.restriction = restriction

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.restriction is self.restriction

    def __hash__(self) -> int:
        return hash(self.restriction.columns)


def _column_order(column: ColumnMetadata) -> tuple[int, bytes]:
    return column.position, column.name.encode()


class Restrictions:
    """`only_static`: a SELECT of static columns only, or a modification of such only. `orderings` matter for ANN
    alone. `equal_terms`: columns and what they equal, compiled already, beside `where`."""

    def __init__(
        self,
        kind: StatementKind,
        where: WhereClause,
        context: BindContext,
        *,
        only_static: bool = False,
        allow_filtering: bool = False,
        orderings: Sequence[Ordering] = (),
        ann_term: Term | None = None,
        equal_terms: Mapping[str, Term] | None = None,
    ) -> None:
        self.kind = kind
        self.table = context.table
        self.allow_filtering = allow_filtering
        self._keys = RestrictionSet()
        self._clustering = RestrictionSet()
        self._others = RestrictionSet()
        self.token: TokenRestriction | None = None
        self.is_key_range = False
        self.uses_index = False
        self._indexes = index_registry(context.table) if kind is StatementKind.SELECT else NO_INDEXES
        self._filtered: list[Restriction] = []
        self._filter_sets: list[Restriction] = []  # those whose set has some in the filter: `needs_filtering`
        self._order_keys = tuple(map(stated_order_key, self.table.clustering))
        self._order_key = stated_clustering_order_key(self.table)
        self._may_be_unreadable = any(may_be_unreadable(column.type) for column in self.table.partition_key)
        for relation in paused(where.relations):
            self._add(relation, context)
        for name, term in (equal_terms or {}).items():
            self._place(EqRestriction((existing_column(self.table, name),), False, term))
        self.nearest: AnnRestriction | None = self._maybe_ann(orderings, ann_term)
        if self.nearest is not None:
            self._others.add(self.nearest)
        if kind is StatementKind.SELECT and where.expressions:
            self._refuse_index_expressions(where)
        clustering_is_indexed = self._indexes.supports_any(self._clustering.restrictions)
        self._is_indexed = (
            clustering_is_indexed
            or self._indexes.supports_any(self._keys.restrictions)
            or self._indexes.supports_any(self._others.restrictions)
        )
        self._process_partition_key()
        if only_static and len(self._clustering):
            self._refuse_clustering()
        self._process_clustering(only_static)
        if self.is_key_range and clustering_is_indexed:
            self.uses_index = True
        self._filter_clustering()
        self._process_others()
        if self.uses_index and self.key_is_in_relation:
            raise InvalidRequest("Select on indexed columns and with IN clause for the PRIMARY KEY are not supported")

    # --- compiling -----------------------------------------------------------------------------------------------------

    def _add(self, relation: Relation, context: BindContext) -> None:
        operator = getattr(relation, "operator", None)
        if operator in (Operator.CONTAINS, Operator.CONTAINS_KEY) and self.kind in (
            StatementKind.UPDATE,
            StatementKind.DELETE,
        ):
            raise InvalidRequest(f"Cannot use {self.kind.value} with {operator.value}")
        if isinstance(relation, IsNotNullRelation):
            raise InvalidRequest(f"Unsupported restriction: {relation_text(relation, context)}")
        restriction = compile_relation(relation, context)
        if operator is Operator.LIKE and not self._indexes.supports(restriction):
            raise InvalidRequest(
                "LIKE restriction is only supported on properly indexed columns. "
                f"{relation_text(relation, context)} is not valid."
            )
        self._place(restriction)

    def _place(self, restriction: Restriction) -> None:
        if isinstance(restriction, TokenRestriction):
            self.token = restriction if self.token is None else merge_tokens(self.token, restriction)
        elif restriction.first.kind is ColumnKind.PARTITION_KEY:
            self._keys.add(restriction)
        elif restriction.first.kind is ColumnKind.CLUSTERING:
            self._add_clustering(restriction)
        else:
            self._others.add(restriction)

    def _add_clustering(self, added: Restriction) -> None:
        last = self._clustering.maybe_last
        self._clustering.add(added)
        if last is None or self.allow_filtering or self._indexes.supports(added):
            return
        if isinstance(last, SliceRestriction) and added.first.position > last.first.position:
            raise InvalidRequest(
                f'Clustering column "{added.first.name}" cannot be restricted '
                f'(preceding column "{last.first.name}" is restricted by a non-EQ relation)'
            )
        if added.first.position < last.first.position and isinstance(added, SliceRestriction):
            following = self._clustering.column_after(added.first)
            raise InvalidRequest(
                f'PRIMARY KEY column "{following.name}" cannot be restricted '
                f'(preceding column "{added.first.name}" is restricted by a non-EQ relation)'
            )

    def _maybe_ann(self, orderings: Sequence[Ordering], term: Term | None) -> AnnRestriction | None:
        ann = [ordering for ordering in orderings if ordering.ann_of is not None]
        if len(ann) > 1:
            raise InvalidRequest("Cannot specify more than one ANN ordering")
        if not ann:
            return None
        if len(orderings) > 1:
            raise InvalidRequest("ANN ordering does not support any other ordering")
        if ann[0].descending:
            raise InvalidRequest("Descending ANN ordering is not supported")
        return AnnRestriction((existing_column(self.table, ann[0].column),), False, term)

    def _check_ann(self, column: ColumnMetadata) -> None:
        if column.reversed or not isinstance(column.type, VectorType) or column.type.elements != FLOAT:
            raise InvalidRequest("ANN ordering is only supported on float vector indexes")
        if not self._indexes.depends_on(column):
            raise InvalidRequest("ANN ordering by vector requires the column to be indexed")
        clustering = self._clustering.columns
        others = [c for c in (*self._others.columns, *clustering) if c != column and not self._indexes.depends_on(c)]
        if self._needs_key_filtering or (
            others
            and (
                not all(c in clustering for c in others)
                or self._has_open_keys
                or bool(self._split_clustering()[1])
            )
        ):
            raise InvalidRequest("ANN ordering by vector requires all restricted column(s) to be indexed")

    def _refuse_index_expressions(self, where: WhereClause) -> None:
        if len(where.expressions) > 1:
            raise InvalidRequest("Multiple custom index expressions in a single query are not supported")
        index = where.expressions[0].index
        if index.keyspace is not None and index.keyspace != self.table.keyspace:
            raise InvalidRequest(f"Target index {index.name} cannot be used to query {self.table}")
        metadata = self.table.indexes.get(index.name)
        if metadata is None:
            raise InvalidRequest(f"Invalid index expression, index {index.name} not found for {self.table}")
        if metadata.kind != "CUSTOM":
            raise InvalidRequest(f"Only CUSTOM indexes may be used in custom index expressions, {index.name} is not valid")
        raise InvalidRequest(f"Index {index.name} does not support custom expressions")

    @property
    def _needs_key_filtering(self) -> bool:
        """PartitionKeySingleRestrictionSet.needFiltering."""
        if not len(self._keys):
            return False
        return len(self._keys) < len(self.table.partition_key) or self._keys.has_slice or self._keys.has_contains

    @property
    def _has_open_keys(self) -> bool:
        """PartitionKeyRestrictions.hasUnrestrictedPartitionKeyComponents: never where token(...) alone restricts them."""
        return len(self._keys) < len(self.table.partition_key) and (bool(len(self._keys)) or self.token is None)

    @property
    def is_on_token(self) -> bool:
        """Whether token(...) decides where to look, rather than keys that are all given."""
        if self.token is None:
            return False
        return not len(self._keys) or self._needs_key_filtering

    def _process_partition_key(self) -> None:
        if self.kind is not StatementKind.SELECT:
            if self.is_on_token:
                raise InvalidRequest(f"The token function cannot be used in WHERE clauses for {self.kind.value} statements")
            missing = [column.name for column in self.table.partition_key if column not in self._keys]
            if missing:
                raise InvalidRequest(f"Some partition key parts are missing: {', '.join(missing)}")
            if self._keys.has_slice:
                raise InvalidRequest(
                    "Only EQ and IN relation are supported on the partition key (unless you use the token() function)"
                    f" for {self.kind.value} statements"
                )
            return
        if self.is_on_token or (self.token is None and not len(self._keys)):
            self.is_key_range = True
            self.uses_index = self.token is None and self._is_indexed
        if self._needs_key_filtering:
            if not self.allow_filtering and not self._is_indexed and not self.table.is_virtual:
                raise requires_filtering()
            self.is_key_range = True
            self.uses_index = self._is_indexed
            self._filtered += self._keys.restrictions
            self._filter_sets += self._keys.restrictions

    def _refuse_clustering(self) -> None:
        if self.kind in (StatementKind.UPDATE, StatementKind.DELETE):
            raise InvalidRequest(
                f"Invalid restrictions on clustering columns since the {self.kind.value} statement modifies "
                "only static columns"
            )
        if self.kind is StatementKind.SELECT:
            raise InvalidRequest("Cannot restrict clustering columns when selecting only static columns")

    def _process_clustering(self, only_static: bool) -> None:
        if not self.kind.allows_clustering_slices:
            if self._clustering.has_slice:
                raise InvalidRequest(
                    f"Slice restrictions are not supported on the clustering columns in {self.kind.value} statements"
                )
            if not self.table.is_compact or not self.has_clustering:  # a compact table's rows may lack the last ones
                missing = [column.name for column in self.table.clustering if column not in self._clustering]
                if missing and not only_static:
                    raise InvalidRequest(f"Some clustering keys are missing: {', '.join(missing)}")
                return
        if self._clustering.has_contains and not self.allow_filtering and not self._is_indexed:
            raise InvalidRequest(
                "Clustering columns can only be restricted with CONTAINS with a secondary index or filtering"
            )
        _in_slices, filtered = self._split_clustering()
        if filtered and self._is_indexed:
            self.uses_index = True
        elif filtered and not self.allow_filtering:
            for column, restricted in zip(self.table.clustering, self._clustering.columns, strict=False):
                if column != restricted:
                    raise InvalidRequest(
                        f'PRIMARY KEY column "{restricted.name}" cannot be restricted as preceding column '
                        f'"{column.name}" is not restricted'
                    )

    def _filter_clustering(self) -> None:
        """What is tested row by row: what makes no slices, and, where an index is used, what an index answers."""
        if not self.kind.allows_clustering_slices:
            return
        in_slices, filtered = self._split_clustering()
        if filtered or self.uses_index:
            wanted = [r for r in in_slices if self._indexes.supports(r)] + filtered
            self._filtered += [r for r in self._clustering.restrictions if any(r is one for one in wanted)]
            self._filter_sets += self._clustering.restrictions

    def _split_clustering(self) -> tuple[list[Restriction], list[Restriction]]:
        """Those that make slices, and those that are left to the filter."""
        in_slices: list[Restriction] = []
        filtered: list[Restriction] = []
        position = 0
        for restriction in self._clustering.restrictions:
            if isinstance(restriction, ContainsRestriction | LikeRestriction) or restriction.first.position != position:
                filtered.append(restriction)
            else:
                in_slices.append(restriction)
                if not isinstance(restriction, SliceRestriction):
                    position = restriction.last.position + 1
        return in_slices, filtered

    def _process_others(self) -> None:
        if not len(self._others):
            return
        if self.nearest is not None and self.kind is StatementKind.SELECT:
            self._check_ann(self.nearest.first)
        for column in self._others.columns if self.nearest is None else ():
            if isinstance(column.type, VectorType) and self._indexes.depends_on(column):
                raise InvalidRequest("Vector indexes only support ANN queries")
        if self.kind is not StatementKind.SELECT:
            names = ", ".join(column.name for column in self._others.columns)
            raise InvalidRequest(f"Non PRIMARY KEY columns found in where clause: {names} ")
        if self._is_indexed:
            self.uses_index = True
        elif not self.allow_filtering and not self.table.is_virtual:
            raise requires_filtering()
        self._filtered += self._others.restrictions
        self._filter_sets += self._others.restrictions

    # --- what a plan asks once -------------------------------------------------------------------------------------------

    @property
    def key_is_in_relation(self) -> bool:
        return self._keys.has_in and not self.is_on_token

    @property
    def has_clustering_in(self) -> bool:
        return self._clustering.has_in

    @property
    def has_partition_key_restrictions(self) -> bool:
        return len(self._keys) > 0 or self.token is not None

    @property
    def has_clustering(self) -> bool:
        return len(self._clustering) > 0

    @property
    def has_regular_restrictions(self) -> bool:
        return any(column.kind is ColumnKind.REGULAR for column in self._others.columns)

    @property
    def returns_static_content(self) -> bool:
        """Whether a partition without rows gives one row of its static columns."""
        return not self.has_clustering and not self.has_regular_restrictions

    @property
    def filtered_columns(self) -> tuple[ColumnMetadata, ...]:
        return tuple(column for restriction in self._filtered for column in restriction.columns)

    @property
    def needs_filtering(self) -> bool:
        """StatementRestrictions.needFiltering: matters for scans."""
        if self._filter_sets:
            return self._indexes.needs_filtering(self._filter_sets)
        return len(self._clustering) > 0

    @property
    def is_range(self) -> bool:
        """False: `clusterings` gives all rows one by one."""
        return len(self._clustering) < len(self.table.clustering) or not self._clustering.has_only_equality

    def is_restricted_by_eq(self, column: ColumnMetadata) -> bool:
        if column.kind is ColumnKind.PARTITION_KEY:
            return isinstance(self._keys.maybe_get(column), EqRestriction)
        of_kind = self._clustering if column.kind is ColumnKind.CLUSTERING else self._others
        return isinstance(of_kind.maybe_get(column), EqRestriction)

    @property
    def has_whole_primary_key_equal(self) -> bool:
        """Whether = and IN name whole rows (hasAllPKColumnsRestrictedByEqualities)."""
        return (
            not self.is_on_token
            and len(self._keys) == len(self.table.partition_key)
            and self._keys.has_only_equality
            and not self.is_range
        )

    @property
    def equality_terms(self) -> tuple[tuple[Term, ...], tuple[Term, ...]] | None:
        """The terms of partition key and clustering when all of the former and a prefix of the latter are restricted by
        single = and nothing else is restricted: what a fast path can do by itself."""
        if self.token is not None or self._filtered or self.is_key_range or self.uses_index:
            return None
        terms: list[list[Term]] = [[], []]
        for which, restrictions in enumerate((self._keys.restrictions, self._clustering.restrictions)):
            for restriction in restrictions:
                if not isinstance(restriction, EqRestriction) or restriction.is_multi:
                    return None
                terms[which].append(restriction.term)
        return tuple(terms[0]), tuple(terms[1])

    # --- what a plan asks per execution ----------------------------------------------------------------------------------

    def keys(self, values: Values) -> list[bytes]:
        """Raises InvalidRequest for nulls, unset values, empty and oversize keys."""
        keys = self.unchecked_keys(values)
        check_not_empty(keys)
        if self._may_be_unreadable:
            self._check_readable(values)
        return keys

    def _check_readable(self, values: Values) -> None:
        """Raises InvalidRequest where literals are no values of the partition key's types."""
        for restriction, rows in zip(self._keys.restrictions, self._rows_of(self._keys.restrictions, values), strict=False):
            for row in paused(rows):
                for column, value in zip(restriction.columns, row, strict=True):
                    try:
                        column.type.validate(value)
                    except MarshalError as error:
                        raise InvalidRequest(str(error)) from None

    def unchecked_keys(self, values: Values) -> list[bytes]:
        """`keys`, of which some may be empty: a read refuses them only where there is something to read."""
        rows_of = self._rows_of(self._keys.restrictions, values)
        if all(len(rows) == 1 for rows in rows_of):
            keys = [compose_key([value for (row,) in rows_of for value in row])]
        else:
            sorted_rows = [
                sorted_distinct(rows[::-1], list(map(stated_order_key, restriction.columns)))  # the first stays
                for restriction, rows in zip(self._keys.restrictions, rows_of, strict=False)
            ]
            guard_product("partition key", sorted_rows)
            keys = [compose_key(combination) for _, combination in paused(product(sorted_rows))]
            let_go_later(keys)
        if self.token is not None:
            ranges = self._token_ranges(values)
            keys = [key for key in paused(keys) if any(r.start <= token(key) <= r.end for r in ranges)]
        return keys

    def clusterings(self, values: Values) -> list[Clustering]:
        """Order keys and values of the clusterings that = and IN name, in clustering order, each once."""
        found = self._prefixes(self._clustering.restrictions, values)
        if self.kind is not StatementKind.SELECT:  # a longer one is no row's
            for _, row in paused(found):
                check_key_length(sum(map(len, row)))
        missing = len(self.table.clustering) - len(self._clustering)
        if missing and not self.kind.allows_clustering_slices:
            return [(ck + NULL * missing, row) for ck, row in paused(found)]
        return found

    def _rows_of(self, restrictions: Sequence[Restriction], values: Values) -> list[list[list[bytes]]]:
        """For each = and IN restriction the combinations of values for its columns; what stands behind an empty IN () is
        not looked at."""
        found = []
        for restriction in restrictions:
            assert isinstance(restriction, EqRestriction | InRestriction), restriction
            rows = restriction.rows(values, takes_short=self.kind is StatementKind.SELECT)
            found.append(rows)
            if not rows:
                break
        return found

    def _prefixes(self, restrictions: Sequence[Restriction], values: Values) -> list[Clustering]:
        """The same of the first few clustering columns, which the restrictions name."""
        rows_of = self._rows_of(restrictions, values)
        if all(len(rows) == 1 for rows in rows_of):
            row = [value for (row,) in rows_of for value in row]
            return [(self._order_key(row), tuple(row))]
        parts = [
            sorted_distinct(rows, self._order_keys[restriction.first.position : restriction.last.position + 1])
            for restriction, rows in zip(restrictions, rows_of, strict=False)
        ]
        guard_product("clustering key", parts)
        return product(parts)

    def intervals(self, values: Values) -> list[Interval]:
        """Sorted and disjoint; none: no row can match."""
        if not len(self._clustering):
            return [EVERYTHING]
        if not self.is_range:
            intervals = [prefix_interval(ck, row) for ck, row in paused(self.clusterings(values))]
            let_go_later(intervals)
            return intervals
        in_slices, _ = self._split_clustering()
        slices = [r for r in in_slices if isinstance(r, SliceRestriction)]
        found: list[Interval] = []
        for prefix, row in paused(self._prefixes([r for r in in_slices if not isinstance(r, SliceRestriction)], values)):
            found += self._slice(slices[0], prefix, row, values) if slices else [prefix_interval(prefix, row)]
        return union(found)

    def _slice(self, restriction: SliceRestriction, base: bytes, prefix: Sequence[bytes], values: Values) -> list[Interval]:
        columns = restriction.columns
        first = columns[0].position
        order_keys = self._order_keys[first : first + len(columns)]
        lower, upper = (
            OPEN if side is None else Bound(side.components(values, columns), side.inclusive)
            for side in (restriction.start, restriction.end)
        )
        return slice_intervals(base, tuple(prefix), lower, upper, columns, order_keys)

    def row_filter(self, values: Values) -> list[FilterExpression]:
        attached = self._indexes.maybe_attached(self._filtered) if self.uses_index else None
        return [expression for r in self._filtered for expression in self._indexes.expressions(r, values, attached)]

    def indexed_values(self, values: Values) -> list[Indexed]:
        """What can be looked up in indexes instead of a scan: any of it will do. Empty: there is nothing."""
        return self._indexes.values(self._filtered, values) if self.uses_index else []

    def token_range(self, values: Values) -> TokenRange | None:
        """Where a scan looks; None: nowhere."""
        if self.token is None:
            return WHOLE_RING
        start, start_inclusive, end, end_inclusive = self.token_bounds(values)
        low = TOKEN_MIN if start is None or start == TOKEN_MIN else start + (not start_inclusive)
        high = WHOLE_RING.end if end is None or end == TOKEN_MIN else end - (not end_inclusive)
        return TokenRange(low, high) if low <= high else None

    def token_bounds(self, values: Values) -> tuple[int | None, bool, int | None, bool]:
        """What token(...) says: start, whether it is inclusive, end, whether it is inclusive; None: open."""
        if self.token is None:
            return None, True, None, True
        if self.token.equal is not None:
            exact = _token_value(self.token.equal.bind(values))
            return exact, True, exact, True
        start, end = self.token.start, self.token.end
        return (
            None if start is None else _token_value(start.term.bind(values)),
            start is None or start.inclusive,
            None if end is None else _token_value(end.term.bind(values)),
            end is None or end.inclusive,
        )

    def _token_ranges(self, values: Values) -> list[TokenRange]:
        """For keys that are given besides token(...): a start above the end means both sides (TokenFilter.java)."""
        start, start_inclusive, end, end_inclusive = self.token_bounds(values)
        low = TOKEN_MIN if start is None else start + (not start_inclusive)
        high = WHOLE_RING.end if end is None else end - (not end_inclusive)
        if start is not None and end is not None and start > end:
            return [TokenRange(TOKEN_MIN, high), TokenRange(low, WHOLE_RING.end)]
        return [TokenRange(low, high)]


def check_not_empty(keys: Sequence[bytes]) -> None:
    if b"" in keys:
        raise InvalidRequest("Key may not be empty")


def _token_value(value: Value) -> int:
    if value is None:
        raise InvalidRequest("Invalid null token value")
    if value is UNSET:
        raise InvalidRequest("Invalid unset value for column partition key token")
    if not value:  # it passes as a bigint
        raise ServerError("java.lang.IndexOutOfBoundsException")
    number: int = _LONG.unpack(value)[0]
    return number


def compile_restrictions(
    where: WhereClause,
    context: BindContext,
    verb: str,
    *,
    only_static: bool = False,
    allow_filtering: bool = False,
    orderings: Sequence[Ordering] = (),
    ann_term: Term | None = None,
    equal_terms: Mapping[str, Term] | None = None,
) -> Restrictions:
    """`verb`: SELECT, INSERT, UPDATE or DELETE. Raises InvalidRequest."""
    return Restrictions(
        StatementKind(verb),
        where,
        context,
        only_static=only_static,
        allow_filtering=allow_filtering,
        orderings=orderings,
        ann_term=ann_term,
        equal_terms=equal_terms,
    )
