"""Terms before they meet a receiver: constants, markers, type hints, function calls (see raw_collections.py for more).

A raw term can say whether a receiver could take it (`match`), which type it would have by itself, and what its text
is in messages (`str()`); `prepare` compiles it.
"""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from uuid import UUID as Uuid

from cqlserver.functions.model import CallContext, Function, ScalarFunction
from cqlserver.functions.operations import OPERATORS
from cqlserver.functions.resolution import argument_spec, resolve
from cqlserver.terms.assignment import Match, is_value_compatible, match_type
from cqlserver.terms.binding import BindContext
from cqlserver.terms.bound_terms import Constant, FunctionTerm, LiteralTerm, MarkerTerm, Term
from cqlserver.terms.now_texts import timestamp_text
from cqlserver.terms.type_names import type_text
from grammar.tree import LiteralKind, QualifiedName, TypeName
from protocol.errors import InvalidRequest
from protocol.responses import ColumnSpec
from protocol.types import (
    ASCII,
    BIGINT,
    BLOB,
    BOOLEAN,
    COUNTER,
    DECIMAL,
    DOUBLE,
    DURATION,
    INT,
    TEXT,
    TIMESTAMP,
    TIMEUUID,
    TINYINT,
    UUID,
    VARINT,
    CqlType,
    MarshalError,
    NativeType,
    TupleType,
    UserType,
    quoted_identifier,
)
from protocol.types.big_integers import text_int

INT32_LIMIT, INT64_LIMIT = 1 << 31, 1 << 63

_WEAK_RECEIVERS = {
    LiteralKind.STRING: frozenset(("ascii", "text", "inet", "date", "time", "timestamp")),
    LiteralKind.INTEGER: frozenset(
        (
            "bigint",
            "counter",
            "date",
            "decimal",
            "double",
            "duration",
            "float",
            "int",
            "smallint",
            "time",
            "timestamp",
            "tinyint",
            "varint",
        )
    ),
    LiteralKind.UUID: frozenset(("uuid", "timeuuid")),
    LiteralKind.FLOAT: frozenset(("decimal", "double", "float")),
    LiteralKind.BOOLEAN: frozenset(("boolean",)),
    LiteralKind.HEX: frozenset(("blob",)),
    LiteralKind.DURATION: frozenset(("duration",)),
}


class RawTerm:
    """Any term that is not compiled yet."""

    __slots__ = ()

    def match(self, receiver: ColumnSpec) -> Match:
        raise NotImplementedError

    def prepare(self, receiver: ColumnSpec) -> Term:
        """Raises InvalidRequest when the receiver can't take it."""
        raise NotImplementedError

    def maybe_exact_type(self) -> CqlType | None:
        """The type that it has whoever receives it."""
        return None

    def maybe_compatible_type(self) -> CqlType | None:
        """The type that it takes if nobody asks for another."""
        return self.maybe_exact_type()

    @property
    def is_marker(self) -> bool:
        return False


def preferred_type(kind: LiteralKind, text: str) -> CqlType:
    """Constants.Type.getPreferedTypeFor."""
    match kind:
        case LiteralKind.STRING:
            return ASCII if text.isascii() else TEXT
        case LiteralKind.INTEGER:
            if len(text) > 40 and len(text.lstrip("-0")) > 19:
                return VARINT
            number = text_int(text)
            if -INT32_LIMIT <= number < INT32_LIMIT:
                return INT
            return BIGINT if -INT64_LIMIT <= number < INT64_LIMIT else VARINT
        case LiteralKind.UUID:
            return TIMEUUID if (Uuid(text).int >> 76) & 0xF == 1 else UUID
        case LiteralKind.FLOAT:
            return _preferred_float(text)
        case LiteralKind.BOOLEAN:
            return BOOLEAN
        case LiteralKind.HEX:
            return TINYINT  # Cassandra says ByteType where BytesType was meant
        case LiteralKind.DURATION:
            return DURATION


def _preferred_float(text: str) -> CqlType:
    try:
        exact = Decimal(text)
        if not exact.is_finite() or exact == Decimal(repr(float(text))):
            return DOUBLE
    except (InvalidOperation, OverflowError):
        pass
    return DECIMAL


def _match_literal(kind: LiteralKind, preferred: CqlType | None, receiver: ColumnSpec) -> Match:
    holder = receiver.type
    if isinstance(holder, NativeType):
        if holder == preferred:
            return Match.EXACT
        return Match.WEAK if holder.cql() in _WEAK_RECEIVERS[kind] else Match.NONE
    if isinstance(holder, TupleType) or _is_custom(holder):
        return Match.WEAK
    return Match.NONE


def _is_custom(type_: CqlType) -> bool:
    return type_.cql().startswith("'")


def parse_literal(kind: LiteralKind, text: str, type_: CqlType) -> bytes:
    """The literal's value for a receiver that takes it. Raises MarshalError."""
    if kind is LiteralKind.HEX:
        return BLOB.from_text(text[2:])
    return (BIGINT if type_ == COUNTER else type_).from_text(text)


class RawLiteral(RawTerm):
    __slots__ = ("_calls", "kind", "preferred", "text")

    def __init__(self, kind: LiteralKind, text: str, calls: CallContext) -> None:
        self.kind, self.text, self._calls = kind, text, calls
        self.preferred = preferred_type(kind, text)

    def __str__(self) -> str:
        return f"'{self.text}'" if self.kind is LiteralKind.STRING else self.text

    def match(self, receiver: ColumnSpec) -> Match:
        return _match_literal(self.kind, self.preferred, receiver)

    def prepare(self, receiver: ColumnSpec) -> Term:
        if self.match(receiver) is Match.NONE:
            raise InvalidRequest(
                f'Invalid {self.kind.value} constant ({self.text}) for "{receiver.name}" of type {receiver.type.cql()}'
            )
        text = timestamp_text(self.text, self._calls) if receiver.type is TIMESTAMP else self.text
        try:
            return Constant(parse_literal(self.kind, text, receiver.type), receiver.type)
        except MarshalError as error:
            raise InvalidRequest(str(error)) from None

    def maybe_compatible_type(self) -> CqlType | None:
        return self.preferred


class RawLiteralMarker(RawTerm):
    """A literal whose text comes at run time. What its text decides (the preferred type, a message) is not known: a
    compilation that fails is repeated by the caller on the whole text."""

    __slots__ = ("_context", "kind", "position")

    def __init__(self, position: int, kind: LiteralKind, context: BindContext) -> None:
        self.position, self.kind, self._context = position, kind, context

    def __str__(self) -> str:
        return "?"

    def match(self, receiver: ColumnSpec) -> Match:
        return _match_literal(self.kind, None, receiver)

    def prepare(self, receiver: ColumnSpec) -> Term:
        if self.match(receiver) is Match.NONE:
            raise InvalidRequest(
                f'Invalid {self.kind.value} constant (?) for "{receiver.name}" of type {receiver.type.cql()}'
            )
        term = literal_term(self.position, self.kind, receiver.type, self._context.calls)
        self._context.literal_terms.append(term)
        return term


def literal_term(position: int, kind: LiteralKind, type_: CqlType, calls: CallContext | None = None) -> LiteralTerm:
    """Of a literal whose kind suits the type. Without `calls` 'now' is no timestamp."""
    if type_ is TIMESTAMP and calls is not None:
        return LiteralTerm(position, lambda text: type_.from_text(timestamp_text(text, calls)))
    if kind is LiteralKind.HEX:
        return LiteralTerm(position, lambda text: BLOB.from_text(text[2:]))
    return LiteralTerm(position, (BIGINT if type_ == COUNTER else type_).from_text)


class RawNull(RawTerm):
    __slots__ = ()

    def __str__(self) -> str:
        return "NULL"

    def match(self, receiver: ColumnSpec) -> Match:
        return Match.NONE if receiver.type == COUNTER else Match.WEAK

    def prepare(self, receiver: ColumnSpec) -> Term:
        if self.match(receiver) is Match.NONE:
            raise InvalidRequest("Invalid null value for counter increment/decrement")
        return Constant(None, receiver.type)


class RawMarker(RawTerm):
    __slots__ = ("context", "index")

    def __init__(self, index: int, context: BindContext) -> None:
        self.index, self.context = index, context

    def __str__(self) -> str:
        return "?"

    def match(self, receiver: ColumnSpec) -> Match:
        return Match.WEAK

    def prepare(self, receiver: ColumnSpec) -> Term:
        self.context.add(self.index, receiver)
        is_descending = isinstance(receiver.type, UserType) and self._is_descending(receiver)
        return MarkerTerm(self.index, receiver.type, None, is_descending)

    def _is_descending(self, receiver: ColumnSpec) -> bool:
        table = self.context.table
        return table is not None and any(c.reversed and c.name == receiver.name for c in table.clustering)

    @property
    def is_marker(self) -> bool:
        return True


class RawTypeHint(RawTerm):
    """`(type) term`."""

    __slots__ = ("context", "term", "type_name")

    def __init__(self, type_name: TypeName, term: RawTerm, context: BindContext) -> None:
        self.type_name, self.term, self.context = type_name, term, context

    @property
    def _type_text(self) -> str:
        return type_text(self.type_name, keyspace=self.context.keyspace)

    def __str__(self) -> str:
        return f"({self._type_text}){self.term}"

    def match(self, receiver: ColumnSpec) -> Match:
        cast = self.context.resolve_type(self.type_name)
        if receiver.type == cast:
            return Match.EXACT
        return Match.WEAK if is_value_compatible(receiver.type, cast) else Match.NONE

    def prepare(self, receiver: ColumnSpec) -> Term:
        cast = self.context.resolve_type(self.type_name)
        if self.term.match(ColumnSpec(receiver.keyspace, receiver.table, str(self), cast)) is Match.NONE:
            raise InvalidRequest(f"Cannot cast value {self.term} to type {self._type_text}")
        if self.match(receiver) is Match.NONE:
            raise InvalidRequest(f"Cannot assign value {self} to {receiver.name} of type {receiver.type.cql()}")
        return self.term.prepare(receiver)

    def maybe_exact_type(self) -> CqlType | None:
        return self.context.resolve_type(self.type_name)


class RawCall(RawTerm):
    """A function call, an operation, a negation or a cast: the last three are functions of the system keyspace."""

    __slots__ = ("arguments", "context", "name")

    def __init__(self, name: QualifiedName, arguments: Sequence[RawTerm], context: BindContext) -> None:
        self.name, self.arguments, self.context = name, tuple(arguments), context

    def __str__(self) -> str:
        is_token = self.name.name == "token" and self.name.keyspace in (None, "system")
        name = "token" if is_token else quoted_identifier(self.name.name)
        if self.name.keyspace is not None and not is_token:
            name = f"{quoted_identifier(self.name.keyspace)}.{name}"
        return f"{name}({', '.join(map(str, self.arguments))})"

    def _resolve(self, receiver: ColumnSpec | None) -> Function | None:
        context = self.context
        return resolve((self.name.keyspace, self.name.name), self.arguments, receiver, context.table, context.user_functions)

    def match(self, receiver: ColumnSpec) -> Match:
        try:
            function = self._resolve(receiver)
        except InvalidRequest:
            return Match.WEAK
        if function is None or function.made_by_factory:
            return Match.WEAK
        wanted = receiver.type.frozen_form()
        if wanted == function.return_type.frozen_form():
            return Match.EXACT
        return Match.WEAK if is_value_compatible(wanted, function.return_type.frozen_form()) else Match.NONE

    def prepare(self, receiver: ColumnSpec) -> Term:
        function = self._resolve(receiver)
        if function is None:
            raise InvalidRequest(f"Unknown function {_function_name(self.name)} called")
        if not isinstance(function, ScalarFunction):
            raise InvalidRequest("Aggregation function are not supported in the where clause")
        if match_type(function.return_type, receiver.type) is Match.NONE:
            operator = OPERATORS.get(function.name)
            called = f"operation {operator}" if operator is not None else f"function {function.full_name}"
            raise InvalidRequest(
                f"Type error: cannot assign result of {called} (type {function.return_type.cql()}) "
                f"to {receiver.name} (type {receiver.type.cql()})"
            )
        terms = [
            argument.prepare(argument_spec(function, i, receiver.keyspace, receiver.table))
            for i, argument in enumerate(self.arguments)
        ]
        self.context.call(function)
        return FunctionTerm(function.bind(self.context.calls), terms, function.return_type)

    def maybe_exact_type(self) -> CqlType | None:
        try:
            function = self._resolve(None)
        except InvalidRequest:
            return None
        return None if function is None else function.return_type


def _function_name(name: QualifiedName) -> str:
    return name.name if name.keyspace is None else f"{name.keyspace}.{name.name}"
