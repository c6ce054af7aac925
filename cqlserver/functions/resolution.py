"""From a name and arguments to the one function that is meant (functions/FunctionResolver.java).

Candidates are all functions of the name. A single one must take the arguments; among several an exact match wins, and
otherwise just one may fit. A name without a keyspace means the user's functions of the statement's keyspace and the
native ones alike.
"""

from collections.abc import Callable, Sequence

from cqlserver.functions.factories import type_error
from cqlserver.functions.model import SYSTEM, Function
from cqlserver.functions.natives import native_factories, native_functions
from cqlserver.functions.operations import NEGATION, OPERATORS
from cqlserver.functions.token import token_function
from cqlserver.terms.assignment import Assignable, Match, match_type
from protocol.errors import InvalidRequest
from protocol.responses import ColumnSpec
from protocol.types import CqlType
from storage.schema.metadata import TableMetadata

UserCandidates = Callable[[str | None, str], Sequence[Function]]


def argument_spec(function: Function, index: int, keyspace: str, table: str) -> ColumnSpec:
    """The receiver of an argument, as bind markers in it are described: 'arg0(system.token)'."""
    name = f"arg{index}({function.full_name.lower()})"
    return ColumnSpec(keyspace, table, name, function.argument_types[index])


def resolve(
    name: tuple[str | None, str],
    arguments: Sequence[Assignable],
    receiver: ColumnSpec | None = None,
    table: TableMetadata | None = None,
    users: UserCandidates | None = None,
) -> Function | None:
    """The function of a call; None if no function has that name (each caller has a message of its own for that).

    `name`: keyspace, if one was given, and name, lower case unless quoted. `receiver`: what the result goes to; None in
    selections. `table`: that of the statement, which token() needs. `users` gives the user's functions of a keyspace
    (None: the statement's) and a name. Raises InvalidRequest if none or several fit.
    """
    keyspace, plain = name
    is_native = keyspace in (None, SYSTEM)
    wanted = receiver.type if receiver is not None else None
    candidates: list[Function] = list(users(keyspace, plain)) if users is not None and keyspace != SYSTEM else []
    if is_native and plain == "token":
        candidates.append(token_function(table))
    elif is_native:
        candidates += native_functions(plain)
        made = [factory.function(arguments, wanted) for factory in native_factories(plain)]
        candidates += [function for function in made if function is not None]
    if not candidates:
        return None
    spec = plain_spec(receiver, table)
    if receiver is not None and table is not None:
        column = table.by_name.get(receiver.name)
        is_reversed = column is not None and column.reversed and column.type == receiver.type
    else:
        is_reversed = False
    if len(candidates) == 1:
        return _only(candidates[0], spec, arguments)
    return _best(f"{keyspace}.{plain}" if keyspace else plain, plain, candidates, arguments, wanted, spec, is_reversed)


def plain_spec(receiver: ColumnSpec | None, table: TableMetadata | None) -> tuple[str, str]:
    if receiver is not None:
        return receiver.keyspace, receiver.table
    return (table.keyspace, table.name) if table is not None else ("", "")


def _only(function: Function, place: tuple[str, str], arguments: Sequence[Assignable]) -> Function:
    expected = len(function.argument_types)
    if len(arguments) != expected:
        raise InvalidRequest(
            f"Invalid number of arguments in call to function {function.full_name}: "
            f"{expected} required but {len(arguments)} provided"
        )
    for i, argument in enumerate(arguments):
        spec = argument_spec(function, i, *place)
        if argument.match(spec) is Match.NONE:
            raise type_error(argument, i, function.full_name, spec.type)
    return function


def _match(function: Function, arguments: Sequence[Assignable], place: tuple[str, str]) -> Match:
    if len(arguments) != len(function.argument_types):
        return Match.NONE
    found = Match.EXACT
    for i, argument in enumerate(arguments):
        one = argument.match(argument_spec(function, i, *place))
        if one is Match.NONE:
            return one
        if one is Match.WEAK:
            found = one
    return found


def _best(
    shown: str,
    plain: str,
    candidates: Sequence[Function],
    arguments: Sequence[Assignable],
    receiver: CqlType | None,
    place: tuple[str, str],
    is_reversed: bool,
) -> Function:
    """`is_reversed`: the receiver is a DESC column; in Cassandra no function's argument has its type, then."""
    fitting = []
    for candidate in candidates:
        if receiver is not None and match_type(candidate.return_type, receiver) is Match.NONE:
            continue
        found = _match(candidate, arguments, place)
        if found is Match.EXACT:
            return candidate
        if found is Match.WEAK:
            fitting.append(candidate)
    if len(fitting) == 1:
        return fitting[0]
    operator = OPERATORS.get(plain)
    if not fitting:
        if operator is not None:
            raise InvalidRequest(f"the '{operator}' operation is not supported between {arguments[0]} and {arguments[1]}")
        raise InvalidRequest(
            f"Invalid call to function {shown}, none of its type signatures match "
            f"(known type signatures: {', '.join(map(str, candidates))})"
        )
    if operator is not None:
        if receiver is not None and not is_reversed and not any(getattr(a, "is_marker", False) for a in arguments):
            for candidate in fitting:
                if candidate.argument_types == (receiver, receiver):
                    return candidate
        raise InvalidRequest(
            f"Ambiguous '{operator}' operation with args {arguments[0]} and {arguments[1]}: "
            "use type hint to disambiguate, example '(int) ?'"
        )
    if plain == NEGATION:
        raise InvalidRequest("Ambiguous negation: use type casts to disambiguate")
    raise InvalidRequest(
        f"Ambiguous call to function {shown} (can be matched by following signatures: {', '.join(map(str, fitting))}): "
        "use type casts to disambiguate"
    )
