"""All native functions and factories, by name (functions/NativeFunctions.java).

They are made when a name of their group is first asked for, so that a start doesn't pay for some 700 functions.
"""

from collections.abc import Callable, Sequence
from functools import cache

from cqlserver.functions.aggregates import aggregate_factories, aggregate_functions
from cqlserver.functions.collection_functions import collection_factories
from cqlserver.functions.conversions import blob_functions, cast_functions, json_factories
from cqlserver.functions.factories import FunctionFactory
from cqlserver.functions.masking import masking_factories
from cqlserver.functions.mathematics import math_functions
from cqlserver.functions.model import Function
from cqlserver.functions.operations import operation_functions
from cqlserver.functions.similarity import similarity_factories
from cqlserver.functions.times import time_functions

# Each group with a test of whether a name may be one of its.
_GROUPS: tuple[tuple[Callable[[str], bool], Callable[[], Sequence[Function]]], ...] = (
    (lambda name: name.startswith("_"), operation_functions),
    (lambda name: name.startswith("cast"), cast_functions),
    (lambda name: "blob" in name, blob_functions),
    (lambda name: True, time_functions),
    (lambda name: True, aggregate_functions),
    (lambda name: True, math_functions),
)


@cache
def _group(index: int) -> dict[str, tuple[Function, ...]]:
    found: dict[str, list[Function]] = {}
    for function in _GROUPS[index][1]():
        found.setdefault(function.name, []).append(function)
    return {name: tuple(functions) for name, functions in found.items()}


def native_functions(name: str) -> tuple[Function, ...]:
    """The functions of that name, but for token(): that depends on the table (token.py)."""
    for index, (may_have, _) in enumerate(_GROUPS):
        if may_have(name):
            functions = _group(index).get(name)
            if functions is not None:
                return functions
    return ()


@cache
def _factories() -> dict[str, tuple[FunctionFactory, ...]]:
    made = (
        *json_factories(),
        *aggregate_factories(),
        *collection_factories(),
        *masking_factories(),
        *similarity_factories(),
    )
    return {factory.name: (factory,) for factory in made}


def native_factories(name: str) -> tuple[FunctionFactory, ...]:
    return _factories().get(name, ())
