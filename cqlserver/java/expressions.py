"""What an expression compiles to, and its conversions from one type to another (JLS 11, chapter 5)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from cqlserver.java.classes import find_class, supertypes
from cqlserver.java.operators import Closure, Operand, cast_function
from cqlserver.java.run import Frame, null_pointer
from cqlserver.java.types import (
    BYTE,
    CHAR,
    ERROR,
    FLOAT,
    INT,
    LONG,
    NULL,
    RANGES,
    SHORT,
    STRING,
    ArrayType,
    ClassType,
    Primitive,
    Type,
    as_super,
    boxed,
    is_assignable,
    is_numeric,
    is_primitive,
    is_subtype,
    unboxed,
)
from cqlserver.java.values import Byte, Character, Float, Long, Short, cast_failure, class_name

NO_CONSTANT: Final = object()
BOX_MAKERS: Final[dict[Type, type]] = {LONG: Long, SHORT: Short, BYTE: Byte, CHAR: Character, FLOAT: Float}
PLAIN_MAKERS: Final[dict[Type, Callable[[Any], Any]]] = {LONG: int, SHORT: int, BYTE: int, CHAR: int, FLOAT: float}


@dataclass(frozen=True, slots=True)
class Compiled:
    """`constant`: its value, if the language calls it a constant expression; `slot`: the local variable that it is;
    `origin`: what a NullPointerException calls it."""

    type: Type
    run: Closure
    constant: Any = NO_CONSTANT
    slot: int | None = None
    origin: str | None = None

    @property
    def is_constant(self) -> bool:
        return self.constant is not NO_CONSTANT

    @property
    def operand(self) -> Operand:
        return self.run, self.slot, [self.constant] if self.is_constant else None


def constant(type_: Type, value: Any) -> Compiled:
    return Compiled(type_, lambda f: value, value, origin='"null"' if value is None else None)


def wrong() -> Compiled:
    """In place of what has been complained about."""
    return Compiled(ERROR, lambda f: None)


def applied(expression: Compiled, type_: Type, function: Callable[[Any], Any] | None) -> Compiled:
    """The expression's value put through a pure function; constants stay constants."""
    if function is None:
        return replace(expression, type=type_)
    if expression.is_constant:
        return constant(type_, function(expression.constant))
    run, slot = expression.run, expression.slot
    if slot is not None:
        return Compiled(type_, lambda f: function(f[slot]))
    return Compiled(type_, lambda f: function(run(f)))


def as_box(expression: Compiled) -> Compiled:
    """A primitive's object; other expressions as they are."""
    if not is_primitive(expression.type) or (expression.type not in RANGES and expression.type not in BOX_MAKERS):
        return replace(expression, type=boxed(expression.type))
    made = applied(expression, boxed(expression.type), BOX_MAKERS.get(expression.type))
    return replace(made, constant=NO_CONSTANT)


def as_primitive(expression: Compiled) -> Compiled:
    """A box's value; other expressions as they are."""
    primitive = unboxed(expression.type)
    if primitive == expression.type:
        return expression
    run, plain = expression.run, PLAIN_MAKERS.get(primitive)
    action = f'Cannot invoke "{expression.type.erased}.{primitive}Value()"'
    origin = expression.origin

    def checked(f: Frame) -> Any:
        value = run(f)
        if value is None:
            raise null_pointer(action, origin)
        return value

    def converted(f: Frame) -> Any:
        value = run(f)
        if value is None:
            raise null_pointer(action, origin)
        return plain(value)  # type: ignore[misc]

    return Compiled(primitive, checked if plain is None else converted)


def widened(expression: Compiled, target: Type) -> Compiled:
    """A value of a primitive type as one of a wider or equal one."""
    found = as_primitive(expression)
    if found.type == target or not is_numeric(target):
        return found
    return applied(found, target, cast_function(found.type, target))


def maybe_assigned(expression: Compiled, target: Type) -> Compiled | None:
    """The expression as a value of `target`, by the conversions of an assignment; None: it does not go."""
    source = expression.type
    if source is ERROR or target is ERROR:
        return replace(expression, type=target)
    wanted = unboxed(target)
    if expression.is_constant and source in (INT, SHORT, BYTE, CHAR) and wanted in (BYTE, SHORT, CHAR):
        low, high = RANGES[wanted]
        if low <= expression.constant <= high:
            narrow = constant(wanted, expression.constant)
            return narrow if wanted == target else replace(as_box(narrow), type=target)
    if not is_assignable(source, target, supertypes):
        return None
    if is_primitive(target):
        return widened(expression, target)
    if is_primitive(source):
        return replace(as_box(expression), type=target)
    return replace(expression, type=target)


def maybe_cast(expression: Compiled, target: Type) -> Compiled | None:
    """`(target) expression`; None: it can't be."""
    source = expression.type
    if source is ERROR or target is ERROR:
        return replace(expression, type=target)
    if is_primitive(target):
        if is_primitive(source) or unboxed(source) != source:
            return _primitive_cast(expression, target)
        box = boxed(target)
        if isinstance(source, ClassType) and is_subtype(box, source, supertypes):
            inner = maybe_cast(expression, box)
            return None if inner is None else as_primitive(inner)
        return None
    if is_primitive(source):
        if is_subtype(boxed(source), target, supertypes):
            return replace(as_box(expression), type=target)
        narrow = maybe_assigned(expression, target)
        return narrow
    if is_subtype(source, target, supertypes):
        if source is NULL or expression.is_constant:
            return replace(expression, type=target)
        return replace(expression, type=target, constant=NO_CONSTANT)
    if not may_be(source, target):
        return None
    run = expression.run

    def checked(f: Frame) -> Any:
        value = run(f)
        if value is not None and not is_instance(value, target):
            raise cast_failure(value, target.erased)
        return value

    return Compiled(target, checked, origin=expression.origin)


def _primitive_cast(expression: Compiled, target: Type) -> Compiled | None:
    found = as_primitive(expression)
    if found.type == target:
        return found
    if not is_numeric(found.type) or not is_numeric(target):
        return None
    if found.type != expression.type and cast_function(found.type, target) is not None:
        from cqlserver.java.types import widens

        if not widens(found.type, target):
            return None  # (byte) of an Integer: no conversion does both
    return applied(found, target, cast_function(found.type, target))


def may_be(source: Type, target: Type) -> bool:
    """May an object of one static type be of the other?"""
    if is_subtype(target, source, supertypes) or is_subtype(source, target, supertypes):
        return True
    if isinstance(source, ArrayType) or isinstance(target, ArrayType):
        return False
    if isinstance(source, ClassType) and isinstance(target, ClassType):
        if as_super(source, target.name, supertypes) or as_super(target, source.name, supertypes):
            return _arguments_may_meet(source, target)
        one, other = find_class(source.name), find_class(target.name)
        assert one is not None
        assert other is not None
        final = (*_FINAL, STRING.name)
        if one.is_abstract and other.name not in final:
            return True
        return other.is_abstract and one.name not in final
    return True


_FINAL: Final = tuple(
    f"java.lang.{name}" for name in ("Integer", "Long", "Short", "Byte", "Character", "Float", "Double", "Boolean")
)


def _arguments_may_meet(source: ClassType, target: ClassType) -> bool:
    up = as_super(source, target.name, supertypes) or source
    down = target if up is not source else as_super(target, source.name, supertypes) or target
    if not up.arguments or not down.arguments or len(up.arguments) != len(down.arguments):
        return True
    from cqlserver.java.types import contains

    return all(
        contains(b, a, supertypes) or contains(a, b, supertypes) for a, b in zip(up.arguments, down.arguments, strict=True)
    )


def is_instance(value: Any, type_: Type) -> bool:
    """value instanceof type; `value` is not null."""
    if isinstance(type_, ArrayType):
        return type(value) is list
    if isinstance(type_, Primitive) or not isinstance(type_, ClassType):
        return True
    found = find_class(type_.name)
    if found is not None and found.is_instance is not None:
        return found.is_instance(value)
    return as_super(ClassType(class_name(value)), type_.name, supertypes) is not None
