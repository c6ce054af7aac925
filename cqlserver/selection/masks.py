"""Masked columns, as those see them who may not see them (cql3/functions/masking/ColumnMask.java).

Where a table has masked columns and somebody checks permissions, a SELECT is compiled twice: as it is, and with masks in
the place of those columns wherever they are selected. Which of the two is executed is a question of the user's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from cqlserver.functions.model import ScalarFunction
from cqlserver.functions.resolution import resolve
from cqlserver.terms.assignment import Match, match_type
from cqlserver.terms.binding import BindContext, column_spec
from protocol.responses import ColumnSpec
from protocol.types import CqlType
from storage.schema.metadata import ColumnMetadata
from storage.schema.type_text import parse_type

if TYPE_CHECKING:
    from cqlserver.plans.select import SelectPlan
    from cqlserver.state import ClientState

Mask: TypeAlias = Callable[[bytes | None], bytes | None]


@dataclass(frozen=True, slots=True)
class Masking:
    """`plan`: the same statement with masks; `is_for`: whether a client gets it."""

    plan: "SelectPlan"
    is_for: "Callable[[ClientState], bool]"


class Typed:
    """An argument of which only the type is known."""

    def __init__(self, type_: CqlType) -> None:
        self.type = type_

    def __str__(self) -> str:
        return self.type.java()

    def match(self, receiver: ColumnSpec) -> Match:
        return match_type(self.type, receiver.type)

    def maybe_compatible_type(self) -> CqlType:
        return self.type


def column_mask(column: ColumnMetadata, context: BindContext) -> Mask:
    """What is shown of a value of the column."""
    mask = column.mask
    assert mask is not None
    types = [parse_type(text) for text in mask.argument_types]
    name = (mask.function_keyspace, mask.function_name)
    arguments = [Typed(column.type), *map(Typed, types)]
    function = resolve(name, arguments, column_spec(context.table, column), context.table)
    assert isinstance(function, ScalarFunction), name
    values = [None if text is None else of.from_text(text) for of, text in zip(types, mask.argument_values, strict=True)]
    call, calls = function.call, context.calls
    return lambda value: call((value, *values), calls)
