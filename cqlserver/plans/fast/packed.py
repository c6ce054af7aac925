"""Writes whose values make a packed row: the short way of everything that is not on the hot path of EXECUTE.

A statement fits when it names one row and sets only columns of one cell; an execution fits when all its values are there
and none expires. Then a write is key, order key and wire values (storage/memtable/packed.py), with no cells made on the way.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as StructError

from cqlserver.plans.fast.values import value_check
from cqlserver.plans.modification import Modification
from cqlserver.plans.operations import Set
from cqlserver.restrictions.order_keys import may_be_unreadable
from cqlserver.terms.bound_terms import Constant, LiteralTerm, MarkerTerm, Term
from cqlserver.terms.terms import Values
from protocol.primitives import Value
from protocol.types import CqlType
from storage.keys import KEY_LENGTH_MAX, clustering_order_key, key_composer
from storage.memtable.packed import Layout, join_wire_values
from storage.packed_writes import PackedRowWrite
from storage.reads import TableStore

Bind = Callable[[Values], Value]
_pack_long = Struct(">q").pack
INTEGERS = {
    name: Struct(code).pack for name, code in (("tinyint", ">b"), ("smallint", ">h"), ("int", ">i"), ("bigint", ">q"))
}


class PackedWrite:
    """How a statement's values become a packed row of `layout`. `terms` and `columns`: of the partition key, of the
    clustering, of what is set."""

    __slots__ = (
        "_binds", "_clustering", "_compose_key", "_key", "_order_key", "_row", "columns", "layout", "store", "terms"
    )  # fmt: skip

    def __init__(self, modification: Modification, store: TableStore, layout: Layout, terms: Sequence[Term]) -> None:
        table = modification.table
        self.columns = (*table.partition_key, *table.clustering, *(o.column for o in modification.regular))
        self.store, self.layout, self.terms = store, layout, tuple(terms)
        self._binds = [_binder(term, column.type) for term, column in zip(terms, self.columns, strict=True)]
        keys = len(table.partition_key)
        self._key, self._clustering = slice(keys), slice(keys, keys + len(table.clustering))
        self._row = slice(keys, None)
        self._compose_key, self._order_key = key_composer(table), clustering_order_key(table)

    def maybe_write(self, values: Values, timestamp_us: int) -> PackedRowWrite | None:
        """The row of one execution; None where it is not plain: nulls, unset values, and what is wrong."""
        bound: list[bytes] = []
        for bind in self._binds:
            value = bind(values)
            if type(value) is not bytes:
                return None
            bound.append(value)
        key = self._compose_key(bound[self._key])
        clustering = bound[self._clustering]
        ck = self._order_key(clustering)
        if not 0 < len(key) <= KEY_LENGTH_MAX >= max(len(ck), sum(map(len, clustering))):
            return None
        body = _pack_long(timestamp_us) + join_wire_values(bound[self._row])
        return PackedRowWrite(self.store, self.layout, key, ck, body)


def maybe_packed_write(modification: Modification, store: TableStore) -> PackedWrite | None:
    """None where the statement does not fit. Conditions are for the caller to see to."""
    table = modification.table
    if (
        modification.verb == "DELETE"
        or modification.static
        or modification.ttl is not None
        or modification.json is not None
        or table.is_counter
        or table.is_virtual
        or table.needs_clustering_value
        or table.params.default_time_to_live
        or (modification.verb == "UPDATE" and not modification.regular)
        or not all(isinstance(operation, Set) for operation in modification.regular)
        or len({operation.name for operation in modification.regular}) < len(modification.regular)
    ):
        return None
    terms = modification.restrictions.equality_terms
    if terms is None or len(terms[1]) != len(table.clustering):
        return None
    columns = tuple(operation.name for operation in modification.regular)
    if table.is_compact and not columns:
        return None
    key_terms = zip((*terms[0], *terms[1]), (*table.partition_key, *table.clustering), strict=True)
    if any(not isinstance(term, MarkerTerm) and may_be_unreadable(column.type) for term, column in key_terms):
        return None  # what is bound has been checked
    layout = store.layouts.maybe_layout(columns, modification.verb == "INSERT" and not table.is_compact)
    if layout is None:
        return None
    all_terms = (*terms[0], *terms[1], *(operation.term for operation in modification.regular))
    return PackedWrite(modification, store, layout, all_terms)


def _binder(term: Term, type_: CqlType) -> Bind:
    """A term's value, without a codec where a check will do; a value that fails it is None here."""
    if isinstance(term, Constant):
        constant = term.value
        return lambda values: constant
    if isinstance(term, LiteralTerm) and type_.cql() in INTEGERS:
        return _integer_binder(term.position, INTEGERS[type_.cql()])
    if not isinstance(term, MarkerTerm):
        return term.bind
    index, (length, check) = term.index, value_check(type_)

    def bind(values: Values) -> Value:
        value: Value = values[index]
        if type(value) is not bytes or (length >= 0 and len(value) != length):
            return None
        return value if check is None or check(value) else None

    return bind


def _integer_binder(position: int, pack: Callable[[int], bytes]) -> Bind:
    """Of a literal that the shape scan has found to be digits with or without a minus."""

    def bind(values: Values) -> Value:
        try:
            return pack(int(values[position]))
        except (ValueError, StructError):
            return None

    return bind
