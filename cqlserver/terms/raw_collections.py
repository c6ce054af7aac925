"""Literals of collections, tuples, user types and vectors, before they meet a receiver.

(cql3/ArrayLiteral.java, Lists, Sets, Maps, Tuples, UserTypes, Vectors.) Bind markers are allowed inside tuples, user
types and vectors, and refused inside lists, sets and maps. A literal of constants is a constant.
"""

from collections.abc import Sequence

from cqlserver.terms.assignment import (
    Match,
    check_tuple,
    check_user_type,
    common_type,
    component_spec,
    field_spec,
    is_tuple,
    key_spec,
    list_text,
    map_text,
    match_all,
    match_list,
    match_map,
    match_set,
    match_tuple,
    match_user_type,
    set_text,
    tuple_text,
    value_spec,
)
from cqlserver.terms.bound_terms import (
    Constant,
    ListTerm,
    LiteralTerm,
    MapTerm,
    SetTerm,
    Term,
    TupleTerm,
    UserTypeTerm,
    VectorTerm,
)
from cqlserver.terms.raw_terms import RawNull, RawTerm
from protocol.errors import InvalidRequest
from protocol.responses import ColumnSpec
from protocol.types import CqlType, ListType, MapType, SetType, TupleType, UserType, VectorType
from storage.environment.strands import let_go_later, paused


def _maybe_constant(term: Term, parts: Sequence[Term], type_: CqlType) -> Term:
    let_go_later(parts)
    if all(part.is_constant for part in paused(parts)):
        return Constant(term.bind(()), type_)
    if (
        not isinstance(term, TupleTerm | UserTypeTerm)
        and any(isinstance(part, LiteralTerm) for part in parts)
        and any(isinstance(part, Constant) and part.value is None for part in parts)
    ):
        # with its literals in place this would be a constant, and refused here and now
        raise InvalidRequest("null is not supported inside collections")
    return term


def _refuse_markers(term: Term, kind: str, receiver: ColumnSpec) -> None:
    if term.markers:
        raise InvalidRequest(
            f"Invalid {kind} literal for {receiver.name}: bind variables are not supported inside collection literals"
        )


class RawArray(RawTerm):
    """`[a, b]`: a list or a vector."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[RawTerm]) -> None:
        self.items = tuple(items)
        let_go_later(self.items)

    def __str__(self) -> str:
        return list_text(self.items)

    def match(self, receiver: ColumnSpec) -> Match:
        if isinstance(receiver.type, VectorType):
            if len(self.items) != receiver.type.dimension:
                return Match.NONE
            return match_all(value_spec(receiver), self.items)
        self._check_receiver(receiver)
        return match_list(receiver, self.items)

    def prepare(self, receiver: ColumnSpec) -> Term:
        if isinstance(receiver.type, VectorType):
            return self._prepare_vector(receiver, receiver.type)
        self._check_receiver(receiver)
        spec = value_spec(receiver)
        for item in paused(self.items):
            if item.match(spec) is Match.NONE:
                raise InvalidRequest(
                    f"Invalid list literal for {receiver.name}: value {item} is not of type {spec.type.cql()}"
                )
        terms = []
        for item in paused(self.items):
            term = item.prepare(spec)
            _refuse_markers(term, "list", receiver)
            terms.append(term)
        return _maybe_constant(ListTerm(terms, receiver.type), terms, receiver.type)

    @staticmethod
    def _check_receiver(receiver: ColumnSpec) -> None:
        if not isinstance(receiver.type, ListType):
            raise InvalidRequest(f"Unexpected receiver type '{receiver.type.cql()}'; only list and vector are expected")

    def _prepare_vector(self, receiver: ColumnSpec, holder: VectorType) -> Term:
        if len(self.items) != holder.dimension:
            raise InvalidRequest(
                f"Invalid vector literal for {receiver.name} of type {holder.cql()}; "
                f"expected {holder.dimension} elements, but given {len(self.items)}"
            )
        spec = value_spec(receiver)
        terms = []
        for item in paused(self.items):
            if item.match(spec) is Match.NONE:
                raise InvalidRequest(
                    f"Invalid vector literal for {receiver.name}: value {item} is not of type {spec.type.cql()}"
                )
            terms.append(item.prepare(spec))
        return _maybe_constant(VectorTerm(terms, holder), terms, holder)


class RawSet(RawTerm):
    """`{a, b}`; `{}` is an empty map as well."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[RawTerm]) -> None:
        self.items = tuple(items)
        let_go_later(self.items)

    def __str__(self) -> str:
        return set_text(self.items)

    def match(self, receiver: ColumnSpec) -> Match:
        return match_set(receiver, self.items)

    def prepare(self, receiver: ColumnSpec) -> Term:
        if isinstance(receiver.type, MapType) and not self.items:
            return Constant(MapTerm((), receiver.type).bind(()), receiver.type)
        if not isinstance(receiver.type, SetType):
            raise InvalidRequest(f"Invalid set literal for {receiver.name} of type {receiver.type.cql()}")
        spec = value_spec(receiver)
        for item in paused(self.items):
            if item.match(spec) is Match.NONE:
                raise InvalidRequest(
                    f"Invalid set literal for {receiver.name}: value {item} is not of type {spec.type.cql()}"
                )
        terms = []
        for item in paused(self.items):
            term = item.prepare(spec)
            _refuse_markers(term, "set", receiver)
            terms.append(term)
        return _maybe_constant(SetTerm(terms, receiver.type), terms, receiver.type)

    def maybe_exact_type(self) -> CqlType | None:
        element = next((t for item in self.items if (t := item.maybe_exact_type()) is not None), None)
        return None if element is None else SetType(element, True)

    def maybe_compatible_type(self) -> CqlType | None:
        element = common_type(item.maybe_compatible_type() for item in self.items)
        return None if element is None else SetType(element, True)


class RawMap(RawTerm):
    """`{k: v}`."""

    __slots__ = ("entries",)

    def __init__(self, entries: Sequence[tuple[RawTerm, RawTerm]]) -> None:
        self.entries = tuple(entries)
        let_go_later(self.entries)

    def __str__(self) -> str:
        return map_text(self.entries)

    def match(self, receiver: ColumnSpec) -> Match:
        return match_map(receiver, self.entries)

    def prepare(self, receiver: ColumnSpec) -> Term:
        if not isinstance(receiver.type, MapType):
            raise InvalidRequest(f"Invalid map literal for {receiver.name} of type {receiver.type.cql()}")
        key, value = key_spec(receiver), value_spec(receiver)
        for k, v in paused(self.entries):
            if k.match(key) is Match.NONE:
                raise InvalidRequest(f"Invalid map literal for {receiver.name}: key {k} is not of type {key.type.cql()}")
            if v.match(value) is Match.NONE:
                raise InvalidRequest(f"Invalid map literal for {receiver.name}: value {v} is not of type {value.type.cql()}")
        entries = []
        for k, v in paused(self.entries):
            pair = (k.prepare(key), v.prepare(value))
            for term in pair:
                _refuse_markers(term, "map", receiver)
            entries.append(pair)
        parts = [term for pair in paused(entries) for term in pair]
        return _maybe_constant(MapTerm(entries, receiver.type), parts, receiver.type)

    def maybe_exact_type(self) -> CqlType | None:
        keys = [k.maybe_exact_type() for k, _ in self.entries]
        values = [v.maybe_exact_type() for _, v in self.entries]
        key = next((t for t in keys if t is not None), None)
        value = next((t for t in values if t is not None), None)
        return None if key is None or value is None else MapType(key, value, True)

    def maybe_compatible_type(self) -> CqlType | None:
        key = common_type(k.maybe_compatible_type() for k, _ in self.entries)
        value = common_type(v.maybe_compatible_type() for _, v in self.entries)
        return None if key is None or value is None else MapType(key, value, True)


class RawUserType(RawTerm):
    """`{field: value}`."""

    __slots__ = ("fields",)

    def __init__(self, fields: Sequence[tuple[str, RawTerm]]) -> None:
        self.fields = tuple(fields)

    def __str__(self) -> str:
        return map_text(self.fields)

    def match(self, receiver: ColumnSpec) -> Match:
        return match_user_type(receiver, self.fields)

    def prepare(self, receiver: ColumnSpec) -> Term:
        check_user_type(receiver, self.fields)
        holder = receiver.type
        assert isinstance(holder, UserType)
        given = dict(self.fields)
        terms = [given.get(name, RawNull()).prepare(field_spec(receiver, i)) for i, name in enumerate(holder.field_names)]
        for name, _ in self.fields:
            if name not in holder.field_names:
                raise InvalidRequest(f"Unknown field '{name}' in value of user defined type {holder.name}")
        return _maybe_constant(UserTypeTerm(terms, holder), terms, holder)


class RawTuple(RawTerm):
    """`(a, b)`; `(a)` is as well just `a`."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[RawTerm]) -> None:
        self.items = tuple(items)
        let_go_later(self.items)

    def __str__(self) -> str:
        return tuple_text(self.items)

    def match(self, receiver: ColumnSpec) -> Match:
        if len(self.items) == 1 and not is_tuple(receiver.type):
            return self.items[0].match(receiver)
        return match_tuple(receiver, self.items)

    def prepare(self, receiver: ColumnSpec) -> Term:
        if len(self.items) == 1 and not is_tuple(receiver.type):
            return self.items[0].prepare(receiver)
        check_tuple(receiver, self.items)
        terms = [item.prepare(component_spec(receiver, i)) for i, item in enumerate(paused(self.items))]
        return _maybe_constant(TupleTerm(terms, receiver.type), terms, receiver.type)

    def prepare_for_columns(self, receivers: Sequence[ColumnSpec]) -> Term:
        """One item for each of several columns."""
        if len(self.items) != len(receivers):
            raise InvalidRequest(f"Expected {len(receivers)} elements in value tuple, but got {len(self.items)}: {self}")
        terms = [item.prepare(receiver) for item, receiver in zip(self.items, receivers, strict=True)]
        return TupleTerm(terms, TupleType(tuple(receiver.type for receiver in receivers)))

    def maybe_exact_type(self) -> CqlType | None:
        types = [item.maybe_exact_type() for item in self.items]
        known = tuple(t for t in types if t is not None)
        return TupleType(known) if len(known) == len(types) else None
