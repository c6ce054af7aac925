"""Which method a call means (JLS 11, 15.12): by name, by what the arguments convert to, the most specific of several."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cqlserver.java.classes import JavaClass, Method, find_class, supertypes
from cqlserver.java.types import (
    NULL,
    OBJECT,
    ArrayType,
    ClassType,
    Type,
    Variable,
    Wildcard,
    as_super,
    boxed,
    is_any,
    is_assignable,
    is_primitive,
    is_subtype,
    substituted,
    value_type,
    widens,
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """`parameters` and `returns` with type arguments put in; `spread`: how many arguments come before those that are
    gathered in an array, None: none are."""

    method: Method
    parameters: tuple[Type, ...]
    returns: Type
    spread: int | None = None


def methods_named(owner: ClassType, name: str) -> Iterator[tuple[Method, ClassType]]:
    """Of the class and its supertypes, with the type that declares each; overridden ones come last."""
    seen: set[str] = set()
    waiting = [owner]
    while waiting:
        type_ = waiting.pop(0)
        if type_.name in seen:
            continue
        seen.add(type_.name)
        found = find_class(type_.name)
        if found is None:
            continue
        for method in found.methods.get(name, ()):
            yield method, type_
        waiting += supertypes(type_)
    if OBJECT.name not in seen:
        yield from methods_named(OBJECT, name)


def hidden_member(owner: ClassType, name: str) -> tuple[JavaClass, str, ClassType] | None:
    """A member that Java has, but that names a type which functions may not use: the class that has it, and the type."""
    found = find_class(owner.name)
    if found is None:
        return None
    if name in found.hides:
        return found, found.hides[name], owner
    for parent in supertypes(owner):
        inner = hidden_member(parent, name)
        if inner is not None:
            return inner
    return None


def choose(candidates: Sequence[tuple[Method, ClassType]], arguments: Sequence[Type]) -> Chosen | None:
    """The method that takes the arguments; None: none does."""
    for phase in range(3):
        fitting = [c for method, owner in candidates if (c := _maybe_fitting(method, owner, arguments, phase)) is not None]
        if fitting:
            return _most_specific(fitting)
    return None


def _maybe_fitting(method: Method, owner: ClassType, arguments: Sequence[Type], phase: int) -> Chosen | None:
    """`phase` 0: by subtyping alone, 1: with boxing, 2: with a variable number of arguments."""
    if phase == 2:
        if not method.is_varargs:
            return None
        fixed = len(method.parameters) - 1
        if len(arguments) < fixed:
            return None
        last = method.parameters[-1]
        assert isinstance(last, ArrayType)
        wanted = (*method.parameters[:fixed], *(last.element for _ in arguments[fixed:]))
    elif len(arguments) != len(method.parameters):
        return None
    else:
        fixed, wanted = 0, method.parameters
    known = find_class(owner.name)
    assert known is not None
    bound: dict[str, Type] = {}
    if method.name != "new" or owner.arguments:
        bound.update(zip(known.parameters, map(_read_type, owner.arguments), strict=False))
    for parameter, argument in zip(wanted, arguments, strict=True):
        infer(parameter, argument, method.variables, bound)
    types = [substituted(parameter, bound) for parameter in wanted]
    if not all(_fits(argument, type_, phase) for argument, type_ in zip(arguments, types, strict=True)):
        return None
    returns = value_type(substituted(method.returns, bound))
    if method.name == "new":
        returns = owner
    whole = tuple(types) if phase < 2 else (*types[:fixed], substituted(method.parameters[-1], bound))
    return Chosen(method, whole, returns, fixed if phase == 2 else None)


def _read_type(argument: Type) -> Type:
    """A wildcard's parameter: what may go in is checked by its bound, too, which is more than Java allows."""
    return value_type(argument) if isinstance(argument, Wildcard) else argument


def _fits(argument: Type, parameter: Type, phase: int) -> bool:
    if is_any(argument) or is_any(parameter):
        return True
    if phase:
        return is_assignable(argument, parameter, supertypes)
    if is_primitive(argument) or is_primitive(parameter):
        return is_primitive(argument) and is_primitive(parameter) and widens(argument, parameter)
    return is_subtype(argument, parameter, supertypes)


def infer(parameter: Type, argument: Type, variables: Sequence[str], bound: dict[str, Type]) -> None:
    """Binds the method's own type variables by what an argument is."""
    match parameter:
        case Variable(name=name) if name in variables:
            if argument is NULL:
                return
            found = boxed(argument)
            before = bound.get(name)
            if before is None or is_any(before) or is_subtype(before, found, supertypes):
                bound[name] = found
            elif not is_subtype(found, before, supertypes):
                bound[name] = _common(before, found)
        case ArrayType(element=element) if isinstance(argument, ArrayType):
            infer(element, argument.element, variables, bound)
        case Wildcard(bound=inner) if inner is not None:
            infer(inner, value_type(argument), variables, bound)
        case ClassType(name=name, arguments=inner_types) if inner_types and isinstance(argument, ClassType):
            seen = as_super(argument, name, supertypes)
            if seen is not None:
                for one, other in zip(inner_types, seen.arguments, strict=False):
                    infer(one, other, variables, bound)


def _common(one: Type, other: Type) -> Type:
    number = ClassType("java.lang.Number")
    if is_subtype(one, number, supertypes) and is_subtype(other, number, supertypes):
        return number
    return OBJECT


def _most_specific(fitting: Sequence[Chosen]) -> Chosen:
    for one in fitting:
        if all(one is other or _is_more_specific(one, other) for other in fitting):
            return one
    return fitting[0]


def _is_more_specific(one: Chosen, other: Chosen) -> bool:
    if len(one.parameters) != len(other.parameters):
        return len(one.parameters) > len(other.parameters)
    return all(
        widens(a, b)
        if is_primitive(a) and is_primitive(b)
        else is_assignable(a, b, supertypes) and is_primitive(a) >= is_primitive(b)
        for a, b in zip(one.parameters, other.parameters, strict=True)
    )
