"""What a statement needs, found in its tree: which permission on which resource (the `authorize` of cql3/statements/*.java).

Data, not branches: a table says for each kind of statement what it needs, and a need checks itself against an Access.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

from cqlserver.auth.access import Access
from cqlserver.auth.ownership import functions_of
from cqlserver.auth.resources import (
    ALL_KEYSPACES,
    Resource,
    all_tables,
    function,
    keyspace,
    keyspace_functions,
    table,
)
from cqlserver.functions.model import Function
from cqlserver.state import ClientState
from cqlserver.terms.type_names import resolve_type
from grammar import tree
from protocol.errors import Unauthorized
from protocol.types import CqlType
from storage.schema.metadata import KeyspaceMetadata, Schema


class Need(Protocol):
    def check(self, access: Access, state: ClientState) -> None:
        """Raises RequestError, Unauthorized most of the time."""


@dataclass(frozen=True, slots=True)
class OnData:
    permission: str
    resource: Resource

    def check(self, access: Access, state: ClientState) -> None:
        access.ensure_data(state, self.permission, self.resource)


@dataclass(frozen=True, slots=True)
class OnFunction:
    permission: str
    resource: Resource

    def check(self, access: Access, state: ClientState) -> None:
        access.ensure(state, self.permission, self.resource)


@dataclass(frozen=True, slots=True)
class Login:
    def check(self, access: Access, state: ClientState) -> None:
        access.validate_login(state)


@dataclass(frozen=True, slots=True)
class Superuser:
    message: str

    def check(self, access: Access, state: ClientState) -> None:
        if state.user is None or not access.is_super(state.user):
            raise Unauthorized(self.message)


@dataclass(frozen=True, slots=True)
class SeesMasked:
    """To restrict masked columns one has to be allowed to see them, or to guess at them."""

    resource: Resource
    columns: tuple[str, ...]

    def check(self, access: Access, state: ClientState) -> None:
        if not access.has(state, "UNMASK", self.resource) and not access.has(state, "SELECT_MASKED", self.resource):
            assert state.user is not None
            raise Unauthorized(
                f"User {state.user.name} has no UNMASK nor SELECT_MASKED permission on table "
                f"{self.resource.keyspace}.{self.resource.of}, cannot query masked columns [{', '.join(self.columns)}]"
            )


@dataclass(frozen=True, slots=True)
class Late:
    """What the schema says when the statement is executed."""

    find: Callable[[Schema], Iterable[Need]]

    def check(self, access: Access, state: ClientState) -> None:
        for need in self.find(access.schema):
            need.check(access, state)


Needs = tuple[Need, ...]
Called = Sequence[Sequence[Function]]
"""The user functions that a statement calls; of a batch, those of each of its statements."""


def needs_of(statement: tree.Statement, schema: Schema, used: str | None, called: Called) -> Needs:
    """`used`: the keyspace of names without one."""
    if isinstance(statement, tree.Batch):
        parts = zip(statement.statements, called, strict=True)
        return tuple(need for part, calls in parts for need in _modification(part, schema, used, calls))
    of_rows = _ROWS.get(type(statement))
    if of_rows is not None:
        return tuple(of_rows(statement, schema, used, called[0]))
    find = _NEEDS.get(type(statement))
    return tuple(find(statement, schema, used)) if find is not None else ()


# --- rows ----------------------------------------------------------------------------------------------------------------


def _select(statement: tree.Select, schema: Schema, used: str | None, called: Sequence[Function]) -> Iterator[Need]:
    of = statement.table.keyspace or used or ""
    name = statement.table.name
    view = _keyspace(schema, of).views.get(name)
    yield OnData("SELECT", table(of, name if view is None else view.base_table_name))
    yield from _calls(called, schema)
    found = schema.maybe_table(of, name)
    if found is not None:
        masked = [column.name for column in found.columns if column.mask is not None]
        restricted = _restricted(statement.where)
        if queried := tuple(column for column in masked if column in restricted):
            yield SeesMasked(table(of, name), queried)


def _restricted(where: tree.WhereClause) -> set[str]:
    names: set[str] = set()
    for relation in where.relations:
        column = getattr(relation, "column", None)
        names.update(getattr(relation, "columns", ()) if column is None else (column,))
    return names


def _modification(statement: Any, schema: Schema, used: str | None, called: Sequence[Function]) -> Iterator[Need]:
    of = statement.table.keyspace or used or ""
    resource = table(of, statement.table.name)
    views = [view for view in _keyspace(schema, of).views.values() if view.base_table_name == statement.table.name]
    yield OnData("MODIFY", resource)
    conditions = ("if_not_exists", "if_exists", "conditions")
    if views or any(getattr(statement, name, None) for name in conditions):
        yield OnData("SELECT", resource)
    for view in views:
        yield OnData("MODIFY", table(of, view.table.name))
    yield from _calls(called, schema)


def _calls(called: Sequence[Function], schema: Schema) -> Iterator[Need]:
    """EXECUTE on each user-defined function that is called, and on the functions that an aggregate is made of."""
    for one in called:
        yield OnFunction("EXECUTE", function(one.keyspace, one.name, one.argument_types))
        if one.is_aggregate:
            signature = one.name, tuple(of.cql() for of in one.argument_types)
            aggregate = _keyspace(schema, one.keyspace).aggregates[signature]
            state = aggregate.state_type
            yield OnFunction("EXECUTE", function(one.keyspace, aggregate.state_function, (state, *one.argument_types)))
            if aggregate.final_function is not None:
                yield OnFunction("EXECUTE", function(one.keyspace, aggregate.final_function, (state,)))


def _functions_named(of: KeyspaceMetadata, name: str) -> Iterator[Resource]:
    return (resource for resource in functions_of(of) if resource.of == name)


_NOTHING: Final = KeyspaceMetadata("", None, MappingProxyType({}))  # type: ignore[arg-type]


def _keyspace(schema: Schema, name: str) -> KeyspaceMetadata:
    return schema.keyspaces.get(name, _NOTHING)


# --- schema --------------------------------------------------------------------------------------------------------------


def _place(name: tree.QualifiedName, used: str | None) -> str:
    return name.keyspace or used or ""


def _in_keyspace(permission: str) -> "_Find":
    """Of a keyspace itself."""
    return lambda statement, schema, used: (OnData(permission, keyspace(statement.name)),)


def _among_tables(permission: str) -> "_Find":
    """Of something in a keyspace that is not granted by itself."""
    return lambda statement, schema, used: (OnData(permission, all_tables(_place(statement.name, used))),)


def _on_table(permission: str, attribute: str = "name") -> "_Find":
    def find(statement: Any, schema: Schema, used: str | None) -> Iterable[Need]:
        name = getattr(statement, attribute)
        return (OnData(permission, table(_place(name, used), name.name)),)

    return find


def _on_base_table(statement: Any, schema: Schema, used: str | None) -> Iterable[Need]:
    of, name = _place(statement.name, used), statement.name.name

    def find(now: Schema) -> Iterator[Need]:
        view = _keyspace(now, of).views.get(name)
        if view is not None:
            yield OnData("ALTER", table(of, view.base_table_name))

    return (Late(find),)


def _drop_index(statement: tree.DropIndex, schema: Schema, used: str | None) -> Iterable[Need]:
    of, name = _place(statement.name, used), statement.name.name

    def find(now: Schema) -> Iterator[Need]:
        for indexed in _keyspace(now, of).tables.values():
            if name in indexed.indexes:
                yield OnData("ALTER", table(of, indexed.name))

    return (Late(find),)


def _create_function(statement: Any, schema: Schema, used: str | None) -> Iterable[Need]:
    of, name = _place(statement.name, used), statement.name.name
    is_aggregate = isinstance(statement, tree.CreateAggregate)
    written = statement.argument_types if is_aggregate else [argument for _, argument in statement.arguments]

    def types(now: Schema, *names: tree.TypeName) -> tuple[CqlType, ...]:
        return tuple(resolve_type(one, of, now) for one in names)

    def find(now: Schema) -> Iterator[Need]:
        resource = function(of, name, types(now, *written))
        if statement.or_replace and resource in _functions_named(_keyspace(now, of), name):
            yield OnFunction("ALTER", resource)
        else:
            yield OnFunction("CREATE", keyspace_functions(of))
        if is_aggregate:
            state = statement.state_type
            yield OnFunction("EXECUTE", function(of, statement.state_function, types(now, state, *written)))
            if statement.final_function is not None:
                yield OnFunction("EXECUTE", function(of, statement.final_function, types(now, state)))

    return (Late(find),)


def _drop_function(statement: Any, schema: Schema, used: str | None) -> Iterable[Need]:
    of, name = _place(statement.name, used), statement.name.name

    def find(now: Schema) -> Iterator[Need]:
        where = _keyspace(now, of)
        written = statement.argument_types
        wanted = None if written is None else tuple(resolve_type(one, of, now) for one in written)
        same = where.aggregates if isinstance(statement, tree.DropAggregate) else where.functions
        for found in same.values():
            if found.name == name and wanted in (None, found.argument_types):
                yield OnFunction("DROP", function(of, name, found.argument_types))

    return (Late(find),)


_Find = Callable[[Any, Schema, str | None], Iterable[Need]]

_ROWS: Final[Mapping[type[tree.Statement], Callable[[Any, Schema, str | None, Sequence[Function]], Iterable[Need]]]] = (
    MappingProxyType(
        {
            tree.Select: _select,
            **dict.fromkeys((tree.Insert, tree.InsertJson, tree.Update, tree.Delete), _modification),
        }
    )
)
_NEEDS: Final[Mapping[type[tree.Statement], _Find]] = MappingProxyType(
    {
        tree.Truncate: _on_table("MODIFY", "table"),
        tree.Use: lambda statement, schema, used: (Login(),),
        tree.CreateKeyspace: lambda statement, schema, used: (OnData("CREATE", ALL_KEYSPACES),),
        tree.AlterKeyspace: _in_keyspace("ALTER"),
        tree.DropKeyspace: _in_keyspace("DROP"),
        tree.CreateTable: _among_tables("CREATE"),
        **dict.fromkeys(tree.AlterTable.__subclasses__(), _on_table("ALTER")),
        tree.DropTable: _on_table("DROP"),
        tree.CreateType: _among_tables("CREATE"),
        **dict.fromkeys(tree.AlterType.__subclasses__(), _among_tables("ALTER")),
        tree.DropType: _among_tables("DROP"),
        tree.CreateIndex: _on_table("ALTER", "table"),
        tree.DropIndex: _drop_index,
        tree.CreateMaterializedView: _on_table("ALTER", "table"),
        tree.AlterMaterializedView: _on_base_table,
        tree.DropMaterializedView: _on_base_table,
        tree.CreateTrigger: lambda statement, schema, used: (
            Superuser("Only superusers are allowed to perform CREATE TRIGGER queries"),
        ),
        tree.DropTrigger: lambda statement, schema, used: (
            Superuser("Only superusers are allowed to perfrom DROP TRIGGER queries"),
        ),
        tree.CreateFunction: _create_function,
        tree.DropFunction: _drop_function,
        tree.CreateAggregate: _create_function,
        tree.DropAggregate: _drop_function,
    }
)
