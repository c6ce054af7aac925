"""map_keys, map_values and collection_count, _min, _max, _sum and _avg (functions/CollectionFcts.java)."""

from collections.abc import Callable

from cqlserver.functions.aggregates import average_of, extreme_of, sum_of
from cqlserver.functions.factories import (
    COLLECTION,
    MAP,
    NUMERIC_SET_OR_LIST,
    SET_OR_LIST,
    FunctionFactory,
    Parameter,
)
from cqlserver.functions.model import Aggregate, Arguments, CallContext, Function, ScalarFunction
from cqlserver.terms.packing import pack_collection
from protocol.errors import InvalidRequest
from protocol.types import INT, CqlType, ListType, MapType, SetType
from storage.collection_items import split_collection
from storage.environment.strands import paused


def collection_factories() -> list[FunctionFactory]:
    return [
        FunctionFactory("map_keys", (MAP,), _map_keys),
        FunctionFactory("map_values", (MAP,), _map_values),
        FunctionFactory("collection_count", (COLLECTION,), _count),
        _aggregating("collection_min", SET_OR_LIST, lambda t: extreme_of(t, -1)),
        _aggregating("collection_max", SET_OR_LIST, lambda t: extreme_of(t, 1)),
        _aggregating("collection_sum", NUMERIC_SET_OR_LIST, sum_of),
        _aggregating("collection_avg", NUMERIC_SET_OR_LIST, average_of),
    ]


def _map_type(name: str, type_: CqlType) -> MapType:
    if not isinstance(type_, MapType):
        # Cassandra lets user types pass its check and then fails with a ClassCastException.
        raise InvalidRequest(f"Function system.{name} requires a map argument, but found a value of type {type_.cql()}")
    return type_


def _map_keys(types: list[CqlType], receiver: CqlType | None) -> Function:
    source = _map_type("map_keys", types[0])
    target = SetType(source.keys, True)

    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        data = arguments[0]
        if data is None:
            return None
        keys = split_collection(data)[::2]
        return pack_collection(keys, len(keys))

    return ScalarFunction("map_keys", (source,), target, made_by_factory=True, body=body)


def _map_values(types: list[CqlType], receiver: CqlType | None) -> Function:
    source = _map_type("map_values", types[0])
    target = ListType(source.values, True)

    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        data = arguments[0]
        if data is None:
            return None
        found = split_collection(data)[1::2]
        return pack_collection(found, len(found))

    return ScalarFunction("map_values", (source,), target, made_by_factory=True, body=body)


def _count(types: list[CqlType], receiver: CqlType | None) -> Function:
    def body(arguments: Arguments, context: CallContext) -> bytes | None:
        data = arguments[0]
        return None if data is None else data[:4]

    return ScalarFunction("collection_count", (types[0],), INT, made_by_factory=True, body=body)


def _aggregating(name: str, parameter: Parameter, aggregate_of: Callable[[CqlType], Aggregate]) -> FunctionFactory:
    def make(types: list[CqlType], receiver: CqlType | None) -> Function:
        source = types[0]
        assert isinstance(source, SetType | ListType), source
        aggregate = aggregate_of(source.elements)

        def body(arguments: Arguments, context: CallContext) -> bytes | None:
            data = arguments[0]
            if data is None:
                return None
            state = aggregate.start()
            for element in paused(split_collection(data)):
                state = aggregate.add(state, (element,))
            return aggregate.result(state)

        return ScalarFunction(name, (source,), source.elements, made_by_factory=True, body=body)

    return FunctionFactory(name, (parameter,), make)
