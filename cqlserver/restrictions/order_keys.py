"""Order keys of what statements say: literals of hexadecimal digits put anything into tuples, and what can't be read has
no place in an order. Cassandra's replicas fail over it, where they compare it with anything."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from protocol.errors import InvalidRequest
from protocol.types import CqlType, MarshalError, NativeType, TupleType
from storage.keys import OrderKey, clustering_order_key, component_order_key
from storage.schema.metadata import ColumnMetadata, TableMetadata

_Given = TypeVar("_Given")


def may_be_unreadable(type_: CqlType) -> bool:
    """Whether a literal of it may be bytes that are no value."""
    return isinstance(type_, TupleType) or any(map(may_be_unreadable, type_.referenced_types))


def stated_order_key(column: ColumnMetadata) -> OrderKey:
    """`component_order_key`, which raises InvalidRequest."""
    order_key = component_order_key(column)
    return order_key if isinstance(column.type, NativeType) else _refusing(order_key)


def stated_clustering_order_key(table: TableMetadata) -> Callable[[Sequence[bytes]], bytes]:
    """`clustering_order_key`, which raises InvalidRequest."""
    order_key = clustering_order_key(table)
    return order_key if all(isinstance(column.type, NativeType) for column in table.clustering) else _refusing(order_key)


def _refusing(order_key: Callable[[_Given], bytes]) -> Callable[[_Given], bytes]:
    def stated(given: _Given) -> bytes:
        try:
            return order_key(given)
        except MarshalError as error:
            raise InvalidRequest(str(error)) from None

    return stated
