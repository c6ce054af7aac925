"""Native functions of CQL: how a call finds its function, and what the functions do.

    model.py        Function, ScalarFunction, AggregateFunction, CallContext
    resolution.py   resolve(name, arguments, receiver, table), argument_spec
    natives.py      native_functions(name), native_factories(name)
    factories.py    functions whose types depend on their arguments; their parameters
    operations.py   + - * / % and unary minus         arithmetic.py   numbers as Java computes with them
    conversions.py  casts, blobs, JSON                times.py        now, conversions of times, floor
    aggregates.py   count sum avg min max             token.py        token()
    mathematics.py  abs exp log log10 round           similarity.py   of vectors
    masking.py      mask_*                            collection_functions.py   map_keys, collection_*
    user.py         the user's functions and aggregates: their bodies run in cqlserver/java

The contract:

    resolve((keyspace | None, name), arguments, receiver: ColumnSpec | None, table, users) -> Function | None
        `arguments` are `assignment.Assignable`s: `match(receiver)`, `maybe_compatible_type()`, `str()`; a bind marker has
        `is_marker = True`, a bare array literal in a selection may have `array_size`. None: no function of that name;
        the caller says "Unknown function ... called". InvalidRequest: wrong, ambiguous or missing arguments.
        Operators are OPERATORS' names ("_add", ...), NEGATION, and CAST(x AS t) is `cast_function_name(t)`.
    Function            .full_name 'system.now', .argument_types, .return_type, .is_aggregate, .column_name(texts),
                        .made_by_factory (a call of such is never an exact match), str() is its signature
    ScalarFunction      .call(arguments: Sequence[bytes | None], context) -> bytes | None, .is_deterministic;
                        .bind(context) -> BoundFunction with .name and .execute(arguments)
    AggregateFunction   .new_state(), .add(state, arguments) -> state, .result(state) -> bytes | None
    CallContext         .version, .now_ms(), .now_ns_of_day(), .next_timeuuid(), .random_uuid()

A cast to the type that a value has already has no function: the caller leaves such a cast out. ttl() and writetime() are
selections, not functions.
"""

from cqlserver.functions.conversions import cast_function_name
from cqlserver.functions.model import (
    SYSTEM,
    AggregateFunction,
    BoundFunction,
    CallContext,
    Function,
    ScalarFunction,
)
from cqlserver.functions.operations import FUNCTION_OF_OPERATOR, NEGATION, OPERATORS
from cqlserver.functions.resolution import argument_spec, resolve

__all__ = [
    "FUNCTION_OF_OPERATOR",
    "NEGATION",
    "OPERATORS",
    "SYSTEM",
    "AggregateFunction",
    "BoundFunction",
    "CallContext",
    "Function",
    "ScalarFunction",
    "argument_spec",
    "cast_function_name",
    "resolve",
]
