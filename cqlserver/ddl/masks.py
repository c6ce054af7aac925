"""MASKED WITH: finding the masking function and fixing its arguments (cql3/functions/masking/ColumnMask.java)."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from cqlserver.ddl.context import DdlContext, written_name
from cqlserver.functions.model import SYSTEM, Function
from cqlserver.functions.resolution import argument_spec, resolve
from cqlserver.terms.assignment import Match, match_type
from cqlserver.terms.terms import BindContext, raw_term
from grammar import tree
from protocol.errors import InvalidRequest
from protocol.responses import ColumnSpec
from protocol.types import CqlType
from storage.schema.metadata import ColumnMask, KeyspaceMetadata, Schema, TableMetadata

MASKING_FUNCTIONS: Final = frozenset({"mask_default", "mask_hash", "mask_inner", "mask_null", "mask_outer", "mask_replace"})
_NO_TABLE_ID: Final = UUID(int=0)
_DAY_NS: Final = 86_400_000_000_000


def check_masking_enabled(context: DdlContext) -> None:
    if not context.dynamic_data_masking_enabled:
        raise InvalidRequest(
            "Cannot mask columns because dynamic data masking is not enabled. "
            "You can enable it with the dynamic_data_masking_enabled property on cassandra.yaml"
        )


class _MaskedColumn:
    """The first argument of every masking function: the column, of which only the type is known."""

    def __init__(self, column_type: CqlType) -> None:
        self.type = column_type

    def __str__(self) -> str:
        return self.type.java()

    def match(self, receiver: ColumnSpec) -> Match:
        return match_type(self.type, receiver.type)

    def maybe_compatible_type(self) -> CqlType:
        return self.type


class FixedCalls:
    """What functions in a definition take from the outside; they run once, when it is made."""

    version = 5

    def __init__(self, context: DdlContext) -> None:
        self._context = context

    def now_ms(self) -> int:
        return self._context.now_us() // 1000

    def now_ns_of_day(self) -> int:
        return self._context.now_us() * 1000 % _DAY_NS

    def next_timeuuid(self) -> bytes:
        return self._context.new_timeuuid().bytes

    def random_uuid(self) -> bytes:
        raise InvalidRequest("uuid() can't be an argument of a mask")

    def user_functions(self, keyspace: KeyspaceMetadata, name: str) -> Sequence[Function]:
        return self._context.user_functions(keyspace, name)


def prepare_mask(
    mask: tree.ColumnMask, column: str, column_type: CqlType, schema: Schema, keyspace: str, context: DdlContext
) -> ColumnMask:
    """The mask of a column. Raises InvalidRequest when there is no such function or it can't take the arguments."""
    table = TableMetadata(keyspace, "", _NO_TABLE_ID, ())
    binding = BindContext(table, schema, (), FixedCalls(context))
    arguments = [raw_term(argument, binding) for argument in mask.arguments]
    written = f"{written_name(mask.function)}({', '.join(map(str, arguments))})"
    receiver = ColumnSpec(keyspace, "", column, column_type)
    name = (mask.function.keyspace, mask.function.name)
    function = resolve(name, [_MaskedColumn(column_type), *arguments], receiver, table, binding.user_functions)
    if function is None:
        raise InvalidRequest(
            f"Unable to find masking function for {column}, no declared function matches the signature {written}"
        )
    if function.is_aggregate:
        raise InvalidRequest(f"Aggregate function {written} cannot be used for masking table columns")
    if function.keyspace == SYSTEM and function.name not in MASKING_FUNCTIONS:
        raise InvalidRequest(f"Not-masking function {written} cannot be used for masking table columns")
    if function.return_type != column_type:
        raise InvalidRequest(
            f"Masking function {written} return type is {function.return_type.cql()}. This is different to the type of "
            f"the masked column {column} of type {column_type.cql()}. Masking functions can only be attached to table "
            "columns if they return the same data type as the masked column."
        )
    types, values = function.argument_types[1:], []
    for index, (argument, wanted) in enumerate(zip(arguments, types, strict=True), start=1):
        value = argument.prepare(argument_spec(function, index, keyspace, "")).bind(())
        values.append(wanted.to_text(value) if isinstance(value, bytes) else None)
    return ColumnMask(function.keyspace, function.name, tuple(t.cql() for t in types), tuple(values))
