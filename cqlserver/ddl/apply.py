"""Statement -> the function that applies it; and the plain refusal of what is not executed yet."""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from cqlserver.ddl.aggregates import create_aggregate, drop_aggregate
from cqlserver.ddl.alter_table import alter_table
from cqlserver.ddl.context import DdlContext, DdlResult
from cqlserver.ddl.functions import create_function, drop_function
from cqlserver.ddl.indexes import create_index, drop_index
from cqlserver.ddl.keyspaces import alter_keyspace, create_keyspace, drop_keyspace
from cqlserver.ddl.tables import create_table, drop_table
from cqlserver.ddl.triggers import create_trigger, drop_trigger
from cqlserver.ddl.types import alter_type, create_type, drop_type
from cqlserver.terms.type_names import check_custom_types
from grammar.tree import (
    AlterKeyspace,
    AlterMaterializedView,
    AlterTable,
    AlterTableAdd,
    AlterTableColumnType,
    AlterType,
    AlterTypeAdd,
    AlterTypeFieldType,
    CreateAggregate,
    CreateFunction,
    CreateIndex,
    CreateKeyspace,
    CreateMaterializedView,
    CreateTable,
    CreateTrigger,
    CreateType,
    DropAggregate,
    DropFunction,
    DropIndex,
    DropKeyspace,
    DropMaterializedView,
    DropTable,
    DropTrigger,
    DropType,
    Statement,
    TypeName,
)
from protocol.errors import InvalidRequest, RequestError
from storage.environment.strands import paused
from storage.schema.metadata import Schema

_Apply = Callable[[Schema, Any, DdlContext], DdlResult]

def _view_statement(schema: Schema, statement: Statement, context: DdlContext) -> DdlResult:
    from cqlserver.ddl.views import VIEW_STATEMENTS

    return VIEW_STATEMENTS[type(statement)](schema, statement, context)


_FUNCTIONS: Final[Mapping[type[Statement], _Apply]] = MappingProxyType(
    {
        CreateKeyspace: create_keyspace,
        AlterKeyspace: alter_keyspace,
        DropKeyspace: drop_keyspace,
        CreateTable: create_table,
        DropTable: drop_table,
        CreateType: create_type,
        DropType: drop_type,
        CreateIndex: create_index,
        DropIndex: drop_index,
        **dict.fromkeys((CreateMaterializedView, AlterMaterializedView, DropMaterializedView), _view_statement),
        CreateFunction: create_function,
        DropFunction: drop_function,
        CreateAggregate: create_aggregate,
        DropAggregate: drop_aggregate,
        CreateTrigger: create_trigger,
        DropTrigger: drop_trigger,
        **dict.fromkeys(AlterTable.__subclasses__(), alter_table),
        **dict.fromkeys(AlterType.__subclasses__(), alter_type),
    }
)


def is_ddl(statement: Statement) -> bool:
    """Does `apply_ddl` execute it?"""
    return type(statement) in _FUNCTIONS


def apply_ddl(schema: Schema, statement: Statement, context: DdlContext) -> DdlResult:
    """The schema after the statement, and what changed. Raises the errors that Cassandra answers; InvalidRequest for
    statements that this server does not execute yet."""
    function = _FUNCTIONS.get(type(statement))
    if function is None:
        raise not_supported(statement)
    for name in paused(_written_types(statement)):
        check_custom_types(name)
    return function(schema, statement, context)


def _written_types(statement: Statement) -> Iterable[TypeName]:
    match statement:
        case CreateTable(columns=columns) | AlterTableAdd(columns=columns):
            return [column.type for column in columns]
        case CreateType(fields=fields):
            return [type_name for _, type_name in fields]
        case AlterTypeAdd(type=type_name) | AlterTypeFieldType(type=type_name) | AlterTableColumnType(type=type_name):
            return [type_name]
        case CreateFunction(arguments=arguments, return_type=type_name):
            return [*(argument for _, argument in arguments), type_name]
        case CreateAggregate(argument_types=types, state_type=type_name):
            return [*types, type_name]
        case DropFunction(argument_types=types) | DropAggregate(argument_types=types) if types is not None:
            return types
    return ()


def not_supported(statement: Statement) -> RequestError:
    """The plain refusal."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(statement).__name__).upper()
    return InvalidRequest(f"{words} is not supported yet")
