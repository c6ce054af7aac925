"""`udfContext`: makes UDTs and tuples of a function's argument types, return type and keyspace (UDFContextImpl)."""

from collections.abc import Callable, Mapping, Sequence

from cqlserver.java.cql_values import TupleValue, UDTValue
from cqlserver.java.errors import thrown
from cqlserver.java.values import JavaObject
from protocol.types import CqlType, TupleType, UserType


class Context(JavaObject):
    """`types`: the keyspace's user types, as they are at the moment; `parse` reads a type's CQL name."""

    __slots__ = ("_arguments", "_keyspace", "_names", "_parse", "_returns", "_types")
    java_class = "org.apache.cassandra.cql3.functions.UDFContextImpl"

    def __init__(
        self,
        keyspace: str,
        names: Sequence[str],
        arguments: Sequence[CqlType],
        returns: CqlType,
        types: Mapping[str, UserType],
        parse: Callable[[str], CqlType],
    ) -> None:
        self._keyspace, self._names, self._arguments, self._returns = keyspace, names, arguments, returns
        self._types, self._parse = types, parse

    def _argument(self, of: str | int) -> CqlType:
        if isinstance(of, str):
            if of not in self._names:
                raise thrown("IllegalArgumentException", f"Function does not declare an argument with name '{of}'")
            return self._arguments[self._names.index(of)]
        if not 0 <= of < len(self._arguments):
            raise thrown("IllegalArgumentException", f"Function does not declare an argument with index {of}")
        return self._arguments[of]

    def new_argument_udt(self, of: str | int) -> UDTValue:
        return _udt(self._argument(of))

    def new_return_udt(self) -> UDTValue:
        return _udt(self._returns)

    def new_udt(self, name: str) -> UDTValue:
        found = self._types.get(name)
        if found is None:
            raise thrown("IllegalArgumentException", f"No UDT named {name} in keyspace {self._keyspace}")
        return _udt(found)

    def new_argument_tuple(self, of: str | int) -> TupleValue:
        return _tuple(self._argument(of))

    def new_return_tuple(self) -> TupleValue:
        return _tuple(self._returns)

    def new_tuple(self, text: str) -> TupleValue:
        return _tuple(self._parse(text))


def _udt(type_: CqlType) -> UDTValue:
    if not isinstance(type_, UserType):
        raise thrown("IllegalStateException", f"Function argument is not a UDT but a {_kind(type_)}")
    return UDTValue(type_, [None] * len(type_.field_types))


def _tuple(type_: CqlType) -> TupleValue:
    if not isinstance(type_, TupleType):
        raise thrown("IllegalStateException", f"Function argument is not a tuple type but a {_kind(type_)}")
    return TupleValue(type_, [None] * len(type_.elements))


def _kind(type_: CqlType) -> str:
    if isinstance(type_, UserType):
        return "udt"
    return type_.cql().removeprefix("frozen<").partition("<")[0]
