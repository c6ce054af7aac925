"""All native functions and factories, by name (functions/NativeFunctions.java)."""

from collections.abc import Mapping
from types import MappingProxyType

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


def _by_name() -> dict[str, tuple[Function, ...]]:
    found: dict[str, list[Function]] = {}
    for made in (
        cast_functions(),
        time_functions(),
        operation_functions(),
        aggregate_functions(),
        blob_functions(),
        math_functions(),
    ):
        for function in made:
            found.setdefault(function.name, []).append(function)
    return {name: tuple(functions) for name, functions in found.items()}


def _factories_by_name() -> dict[str, tuple[FunctionFactory, ...]]:
    found: dict[str, list[FunctionFactory]] = {}
    for made in (
        json_factories(),
        aggregate_factories(),
        collection_factories(),
        masking_factories(),
        similarity_factories(),
    ):
        for factory in made:
            found.setdefault(factory.name, []).append(factory)
    return {name: tuple(factories) for name, factories in found.items()}


FUNCTIONS: Mapping[str, tuple[Function, ...]] = MappingProxyType(_by_name())
FACTORIES: Mapping[str, tuple[FunctionFactory, ...]] = MappingProxyType(_factories_by_name())
"""token() is in neither: it depends on the table (token.py)."""
