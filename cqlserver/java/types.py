"""Java's types, how they convert, and what they are called (Java Language Specification 11, chapters 4 and 5)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Type:
    """`str()` is what the compiler's messages call it."""

    @property
    def erased(self) -> str:
        """The fully qualified name without type arguments, as the virtual machine knows it."""
        return str(self)


@dataclass(frozen=True, slots=True)
class Primitive(Type):
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ClassType(Type):
    """`name` is fully qualified; no arguments: raw, or not generic."""

    name: str
    arguments: tuple[Type, ...] = ()

    def __str__(self) -> str:
        simple = self.name.rpartition(".")[2].replace("$", ".")
        return simple + (f"<{','.join(map(str, self.arguments))}>" if self.arguments else "")

    @property
    def erased(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ArrayType(Type):
    element: Type

    def __str__(self) -> str:
        return f"{self.element}[]"

    @property
    def erased(self) -> str:
        return f"{self.element.erased}[]"


@dataclass(frozen=True, slots=True)
class Variable(Type):
    """A type parameter of a class or a method."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Wildcard(Type):
    """`?`, `? extends bound`, `? super bound`."""

    bound: Type | None = None
    is_lower: bool = False

    def __str__(self) -> str:
        if self.bound is None:
            return "?"
        return f"? {'super' if self.is_lower else 'extends'} {self.bound}"


@dataclass(frozen=True, slots=True)
class _Special(Type):
    name: str

    def __str__(self) -> str:
        return self.name


BOOLEAN, BYTE, SHORT, CHAR = Primitive("boolean"), Primitive("byte"), Primitive("short"), Primitive("char")
INT, LONG, FLOAT, DOUBLE = Primitive("int"), Primitive("long"), Primitive("float"), Primitive("double")
VOID: Final = Primitive("void")
NULL: Final = _Special("null")
UNKNOWN: Final = _Special("Object")
"""A type argument that nothing decides: it goes with everything."""
ERROR: Final = _Special("?")
"""Of what has been complained about already: it goes with everything."""
OBJECT: Final = ClassType("java.lang.Object")
STRING: Final = ClassType("java.lang.String")

PRIMITIVES: Final = {t.name: t for t in (BOOLEAN, BYTE, SHORT, CHAR, INT, LONG, FLOAT, DOUBLE)}
BOXES: Final[dict[Type, ClassType]] = {
    BOOLEAN: ClassType("java.lang.Boolean"),
    BYTE: ClassType("java.lang.Byte"),
    SHORT: ClassType("java.lang.Short"),
    CHAR: ClassType("java.lang.Character"),
    INT: ClassType("java.lang.Integer"),
    LONG: ClassType("java.lang.Long"),
    FLOAT: ClassType("java.lang.Float"),
    DOUBLE: ClassType("java.lang.Double"),
}
UNBOXED: Final[dict[str, Primitive]] = {
    box.name: primitive for primitive, box in BOXES.items() if isinstance(primitive, Primitive)
}
NUMERIC: Final = (BYTE, SHORT, CHAR, INT, LONG, FLOAT, DOUBLE)
INTEGRAL: Final = (BYTE, SHORT, CHAR, INT, LONG)
_WIDER: Final[dict[Type, tuple[Type, ...]]] = {
    BYTE: (SHORT, INT, LONG, FLOAT, DOUBLE),
    SHORT: (INT, LONG, FLOAT, DOUBLE),
    CHAR: (INT, LONG, FLOAT, DOUBLE),
    INT: (LONG, FLOAT, DOUBLE),
    LONG: (FLOAT, DOUBLE),
    FLOAT: (DOUBLE,),
}
RANGES: Final[dict[Type, tuple[int, int]]] = {
    BYTE: (-128, 127),
    SHORT: (-32768, 32767),
    CHAR: (0, 65535),
    INT: (-(1 << 31), (1 << 31) - 1),
    LONG: (-(1 << 63), (1 << 63) - 1),
}

Supertypes = Callable[[ClassType], tuple[ClassType, ...]]
"""The direct supertypes of a class, its type arguments put in."""


def unboxed(type_: Type) -> Type:
    """The primitive of a box; other types as they are."""
    return UNBOXED.get(type_.name, type_) if isinstance(type_, ClassType) else type_


def boxed(type_: Type) -> Type:
    return BOXES.get(type_, type_)


def is_primitive(type_: Type) -> bool:
    return isinstance(type_, Primitive)


def is_numeric(type_: Type) -> bool:
    return unboxed(type_) in NUMERIC


def is_any(type_: Type) -> bool:
    return type_ is UNKNOWN or type_ is ERROR


def widens(source: Type, target: Type) -> bool:
    """Between primitives, the same included."""
    return source == target or target in _WIDER.get(source, ())


def promoted(left: Type, right: Type) -> Type:
    """Binary numeric promotion."""
    for type_ in (DOUBLE, FLOAT, LONG):
        if type_ in (left, right):
            return type_
    return INT


def substituted(type_: Type, bound: Mapping[str, Type]) -> Type:
    """The type with its variables replaced; a variable that is not bound becomes UNKNOWN."""
    match type_:
        case Variable(name=name):
            return bound.get(name, UNKNOWN)
        case ClassType(name=name, arguments=arguments) if arguments:
            return ClassType(name, tuple(substituted(argument, bound) for argument in arguments))
        case ArrayType(element=element):
            return ArrayType(substituted(element, bound))
        case Wildcard(bound=inner, is_lower=is_lower) if inner is not None:
            return Wildcard(substituted(inner, bound), is_lower)
    return type_


def value_type(type_: Type) -> Type:
    """What a value is that a wildcard stands for."""
    if isinstance(type_, Wildcard):
        return OBJECT if type_.bound is None or type_.is_lower else type_.bound
    return type_


def as_super(type_: ClassType, name: str, supertypes: Supertypes) -> ClassType | None:
    """The type seen as an instance of its superclass or interface `name`."""
    if type_.name == name:
        return type_
    for parent in supertypes(type_):
        found = as_super(parent, name, supertypes)
        if found is not None:
            return found
    return None


def is_subtype(source: Type, target: Type, supertypes: Supertypes) -> bool:
    """Between reference types, null included."""
    if is_any(source) or is_any(target) or source == target:
        return True
    if is_primitive(source) or is_primitive(target):
        return False
    if source is NULL or target == OBJECT:
        return True
    if isinstance(source, Wildcard):
        return is_subtype(value_type(source), target, supertypes)
    if isinstance(source, ArrayType):
        return isinstance(target, ArrayType) and is_subtype(source.element, target.element, supertypes)
    if not isinstance(source, ClassType) or not isinstance(target, ClassType):
        return isinstance(target, Variable | Wildcard)
    found = as_super(source, target.name, supertypes)
    if found is None:
        return False
    if not found.arguments or not target.arguments:
        return True  # raw: unchecked, as Java warns
    return all(contains(b, a, supertypes) for a, b in zip(found.arguments, target.arguments, strict=False))


def contains(outer: Type, inner: Type, supertypes: Supertypes) -> bool:
    """May a type argument `inner` stand where `outer` is written?"""
    if is_any(outer) or is_any(inner) or outer == inner:
        return True
    if isinstance(outer, Wildcard):
        if outer.bound is None:
            return True
        if outer.is_lower:
            return is_subtype(outer.bound, value_type(inner), supertypes)
        return is_subtype(value_type(inner), outer.bound, supertypes)
    if isinstance(outer, ClassType) and isinstance(inner, ClassType) and outer.name == inner.name:
        if not outer.arguments or not inner.arguments:
            return True
        return all(contains(a, b, supertypes) for a, b in zip(outer.arguments, inner.arguments, strict=False))
    return isinstance(outer, Variable)


def is_assignable(source: Type, target: Type, supertypes: Supertypes) -> bool:
    """By an assignment's conversions, but for constants (JLS 5.2)."""
    if is_any(source) or is_any(target):
        return True
    if is_primitive(target):
        return widens(unboxed(source), target)
    if is_primitive(source):
        return source != VOID and is_subtype(boxed(source), target, supertypes)
    return is_subtype(source, target, supertypes)
