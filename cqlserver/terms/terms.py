"""Terms: expressions of the statement tree compiled against what receives their value.

    compile_term(expression, receiver, context)             -> Term        a value for one receiver
    compile_in_marker(marker, receiver, context)            -> Term        `c IN ?`: elements() gives the values
    compile_multi_term(expression, receivers, context)      -> Term        `(a, b) = (1, 2)`: elements(), one a column
    compile_multi_in_marker(marker, receivers, context)     -> Term        `(a, b) IN ?`: elements(): packed tuples
    raw_term(expression, context)                           -> RawTerm     not compiled yet: can be tested and named

Checks and messages are those of Cassandra (cql3/Constants.java, Lists, Sets, Maps, Tuples, UserTypes, Vectors,
TypeCast, functions/FunctionCall.java). Compiling tells the context what each bind marker is for.
"""

from collections.abc import Sequence

from cqlserver.terms.binding import BindContext, Values, column_spec
from cqlserver.terms.bound_terms import Constant, MarkerTerm, Term
from cqlserver.terms.raw_collections import RawArray, RawMap, RawSet, RawTuple, RawUserType
from cqlserver.terms.raw_terms import (
    RawCall,
    RawLiteral,
    RawLiteralMarker,
    RawMarker,
    RawNull,
    RawTerm,
    RawTypeHint,
)
from grammar.tree import (
    BinaryOperation,
    Cast,
    Expression,
    FunctionCall,
    ListLiteral,
    Literal,
    LiteralMarker,
    MapLiteral,
    Marker,
    Null,
    QualifiedName,
    SetLiteral,
    TupleLiteral,
    TypeHint,
    UnaryMinus,
    UserTypeLiteral,
)
from protocol.errors import InvalidRequest
from protocol.primitives import UNSET, Value
from protocol.responses import ColumnSpec
from protocol.types import ListType, TupleType
from storage.environment.strands import let_go_later, pause

__all__ = [
    "UNSET",
    "BindContext",
    "Constant",
    "RawTerm",
    "Term",
    "Value",
    "Values",
    "column_spec",
    "compile_in_marker",
    "compile_multi_in_marker",
    "compile_multi_term",
    "compile_term",
    "raw_term",
]

OPERATION_NAMES = {"+": "_add", "-": "_substract", "*": "_multiply", "/": "_divide", "%": "_modulo"}
NEGATION_NAME = "_negate"


def compile_term(expression: Expression, receiver: ColumnSpec, context: BindContext) -> Term:
    """Raises InvalidRequest where the expression can't be a value of the receiver's type."""
    return raw_term(expression, context).prepare(receiver)


def compile_in_marker(marker: Marker, receiver: ColumnSpec, context: BindContext) -> Term:
    """`c IN ?`: one marker for the list of values, called in(c)."""
    spec = ColumnSpec(receiver.keyspace, receiver.table, f"in({receiver.name})", ListType(receiver.type, False))
    context.add(marker.index, spec)
    return MarkerTerm(marker.index, spec.type)


def _joint_spec(prefix: str, receivers: Sequence[ColumnSpec]) -> ColumnSpec:
    first = receivers[0]
    name = f"{prefix}({','.join(receiver.name for receiver in receivers)})"
    return ColumnSpec(first.keyspace, first.table, name, TupleType(tuple(receiver.type for receiver in receivers)))


def compile_multi_term(expression: TupleLiteral | Marker, receivers: Sequence[ColumnSpec], context: BindContext) -> Term:
    """The right side of `(a, b) = ...`: a tuple literal, or a marker for one tuple, called (a,b)."""
    if isinstance(expression, Marker):
        spec = _joint_spec("", receivers)
        context.add(expression.index, spec)
        return MarkerTerm(expression.index, spec.type, f"Invalid unset value for tuple {spec.name}")
    raw = raw_term(expression, context)
    assert isinstance(raw, RawTuple)
    return raw.prepare_for_columns(receivers)


def compile_multi_in_marker(marker: Marker, receivers: Sequence[ColumnSpec], context: BindContext) -> Term:
    """`(a, b) IN ?`: one marker for a list of tuples, called in(a,b)."""
    for receiver in receivers:
        if receiver.type.is_multicell:
            raise InvalidRequest("Non-frozen collection columns do not support IN relations")
    joint = _joint_spec("in", receivers)
    spec = ColumnSpec(joint.keyspace, joint.table, joint.name, ListType(joint.type, False))
    context.add(marker.index, spec)
    return MarkerTerm(marker.index, spec.type, f"Invalid unset value for {spec.name}")


def raw_term(expression: Expression, context: BindContext) -> RawTerm:
    """The expression with what it needs of the context, ready to be tested against receivers."""
    pause()  # every term of a statement comes by here
    match expression:
        case Literal(kind=kind, text=text):
            return RawLiteral(kind, text, context.calls)
        case LiteralMarker(index=index, kind=kind):
            return RawLiteralMarker(context.literal_position(index), kind, context)
        case Null():
            return RawNull()
        case Marker(index=index):
            return RawMarker(index, context)
        case ListLiteral(items=items):
            let_go_later(items)
            return RawArray([raw_term(item, context) for item in items])
        case SetLiteral(items=items):
            let_go_later(items)
            return RawSet([raw_term(item, context) for item in items])
        case MapLiteral(entries=entries):
            let_go_later(entries)
            return RawMap([(raw_term(k, context), raw_term(v, context)) for k, v in entries])
        case UserTypeLiteral(fields=fields):
            return RawUserType([(name, raw_term(value, context)) for name, value in fields])
        case TupleLiteral(items=items):
            let_go_later(items)
            return RawTuple([raw_term(item, context) for item in items])
        case TypeHint(type=type_name, expression=inner):
            return RawTypeHint(type_name, raw_term(inner, context), context)
        case FunctionCall(name=name, arguments=arguments):
            return RawCall(name, [raw_term(argument, context) for argument in arguments], context)
        case BinaryOperation(operator=operator, left=left, right=right):
            name = QualifiedName("system", OPERATION_NAMES[operator])
            return RawCall(name, [raw_term(left, context), raw_term(right, context)], context)
        case UnaryMinus(expression=inner):
            return RawCall(QualifiedName("system", NEGATION_NAME), [raw_term(inner, context)], context)
        case Cast(expression=inner, type=type_name):
            name = QualifiedName("system", "cast_as_" + type_name.name)
            return RawCall(name, [raw_term(inner, context)], context)
    raise TypeError(f"no term: {expression!r}")
