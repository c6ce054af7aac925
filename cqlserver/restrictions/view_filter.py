"""The WHERE clause of a materialized view: which rows of its base table it takes. Only restrictions of the base table's
primary key are more than IS NOT NULL (db/view/View.java, matchesViewFilter)."""

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from cqlserver.functions.model import CallContext
from cqlserver.restrictions.relations import existing_column, relation_text
from cqlserver.restrictions.restrictions import Restrictions, compile_restrictions
from cqlserver.terms.binding import BindContext
from grammar.node import Node
from grammar.parser import parse
from grammar.tree import IsNotNullRelation, Literal, LiteralKind, Relation, Select, WhereClause
from protocol.errors import InvalidRequest
from storage.keys import split_key
from storage.row_filter import test_of
from storage.schema.metadata import ColumnKind, Schema, TableMetadata, ViewMetadata

if TYPE_CHECKING:
    from storage.views.view import RowFilter


T = TypeVar("T")


def parse_where(text: str) -> WhereClause:
    """A WHERE clause as ViewMetadata has it."""
    statement = parse(f"SELECT * FROM base WHERE {text} ALLOW FILTERING")
    assert isinstance(statement, Select), statement
    return statement.where


def relation_columns(relation: Relation) -> Sequence[str]:
    """The columns that a relation is about."""
    column: str | None = getattr(relation, "column", None)
    columns: Sequence[str] = getattr(relation, "columns", ())
    return columns if column is None else (column,)


def where_text(where: WhereClause, base: TableMetadata) -> str:
    """A WHERE clause as ViewMetadata has it. Cassandra writes quotes inside of texts as they are, and can't read them."""
    context = BindContext(base, Schema({}), (), None)  # type: ignore[arg-type]  # nothing is called
    return " AND ".join(relation_text(_requoted(relation), context) for relation in where.relations)


def _requoted(value: T) -> T:
    """A tree whose texts are as they are written between quotes."""
    if isinstance(value, Literal) and value.kind is LiteralKind.STRING:
        return replace(value, text=value.text.replace("'", "''"))
    if isinstance(value, Node):
        return replace(value, **{name: _requoted(getattr(value, name)) for name in value._fields})  # type: ignore[type-var]
    return tuple(map(_requoted, value)) if isinstance(value, tuple) else value  # type: ignore[return-value]


def view_restrictions(where: WhereClause, base: TableMetadata, schema: Schema, calls: CallContext) -> Restrictions | None:
    """None: IS NOT NULL is all that there is. Raises InvalidRequest."""
    without_indexes = replace(base, indexes=MappingProxyType({}))
    relations = []
    for relation in where.relations:
        if isinstance(relation, IsNotNullRelation):
            existing_column(base, relation.column)
        else:
            relations.append(relation)
    if not relations:
        return None
    context = BindContext(without_indexes, schema, (), calls)
    restrictions = compile_restrictions(WhereClause(tuple(relations)), context, "SELECT", allow_filtering=True)
    is_filtered = any(column.kind is ColumnKind.CLUSTERING for column in restrictions.filtered_columns)
    if is_filtered and restrictions.key_is_in_relation:
        raise InvalidRequest("Select on indexed columns and with IN clause for the PRIMARY KEY are not supported")
    return restrictions


def view_filter(view: ViewMetadata, base: TableMetadata, schema: Schema, calls: CallContext) -> "RowFilter | None":
    """None: every row. Functions are called now, once."""
    restrictions = view_restrictions(parse_where(view.where_clause), base, schema, calls)
    if restrictions is None:
        return None
    keys = None if restrictions.is_key_range else frozenset(restrictions.unchecked_keys(()))
    intervals = restrictions.intervals(())
    of_key, of_clustering = [], []
    for expression in restrictions.row_filter(()):
        column = expression.column
        if column.kind is ColumnKind.PARTITION_KEY:
            of_key.append((column.position, test_of(expression, base)))
        elif column.kind is ColumnKind.CLUSTERING:
            of_clustering.append((column.position, test_of(expression, base)))
    count = len(base.partition_key)

    def takes(key: bytes, ck: bytes, clustering: Sequence[bytes]) -> bool:
        if keys is not None and key not in keys:
            return False
        if of_key:
            parts = split_key(key, count)
            if not all(test(parts[position]) for position, test in of_key):
                return False
        return any(interval.start <= ck < interval.end for interval in intervals) and all(
            test(clustering[position]) for position, test in of_clustering
        )

    return takes
