"""Types as written -> types, and the problems on the way."""

from cqlserver.java import nodes
from cqlserver.java.classes import find_class, supertypes
from cqlserver.java.errors import Problem
from cqlserver.java.types import ERROR, PRIMITIVES, ArrayType, ClassType, Type, Wildcard, boxed, is_primitive


class TypeResolver:
    """Gathers `problems` (of names and types) and `flow_problems` (of what can be reached and has a value): the second are
    told only where there are none of the first, as Eclipse's compiler does."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.flow_problems: list[Problem] = []

    def complain(self, node: nodes.Node, message: str) -> None:
        problem = Problem(node.line, node.at, message)
        if problem not in self.problems:
            self.problems.append(problem)

    def complain_of_flow(self, node: nodes.Node | None, message: str) -> None:
        problem = Problem(0, 0, message) if node is None else Problem(node.line, node.at, message)
        if problem not in self.flow_problems:
            self.flow_problems.append(problem)

    def resolved(self, node: nodes.TypeNode) -> Type:
        found = self._plain(node)
        for _ in range(node.dimensions):
            found = ArrayType(found)
        return found

    def _plain(self, node: nodes.TypeNode) -> Type:
        if node.name in PRIMITIVES:
            return PRIMITIVES[node.name]
        if node.name == "?":
            bound = self.resolved(node.arguments[0]) if node.arguments else None
            return Wildcard(bound, node.is_lower)
        known = find_class(node.name)
        if known is None:
            self.complain(node, f"{node.name} cannot be resolved to a type")
            return ERROR
        if node.arguments is None:
            return ClassType(known.name)
        if not node.arguments:
            # Eclipse looks at every constructor then, and some name types that functions may not use
            self.problems.append(
                Problem(
                    0,
                    0,
                    "The type java.io.ObjectOutputStream cannot be resolved. It is indirectly referenced from required type "
                    + known.name,
                )
            )
            return ERROR
        arguments = tuple(self.resolved(argument) for argument in node.arguments)
        if not known.parameters:
            shown = ", ".join(map(str, arguments))
            self.complain(
                node,
                f"The type {known.simple_name} is not generic; it cannot be parameterized with arguments <{shown}>",
            )
            return ERROR
        if len(arguments) != len(known.parameters):
            shown = ", ".join(map(str, arguments))
            self.complain(
                node,
                f"Incorrect number of arguments for type {known.simple_name}<{','.join(known.parameters)}>; "
                f"it cannot be parameterized with arguments <{shown}>",
            )
            return ERROR
        return ERROR if any(argument is ERROR for argument in arguments) else ClassType(known.name, arguments)


def element_type(items: Type) -> Type | None:
    """What a for-each over it gives; None: it can't be iterated over."""
    from cqlserver.java.types import OBJECT, as_super, value_type

    if isinstance(items, ArrayType):
        return items.element
    if isinstance(items, ClassType):
        seen = as_super(items, "java.lang.Iterable", supertypes)
        if seen is not None:
            return value_type(seen.arguments[0]) if seen.arguments else OBJECT
    return ERROR if items is ERROR else None


def common_type(one: Type, other: Type) -> Type:
    """Of the two sides of `? :` that are references."""
    from cqlserver.java.types import NULL, OBJECT, is_subtype

    if one is NULL:
        return boxed(other)
    if other is NULL:
        return boxed(one)
    a, b = boxed(one), boxed(other)
    if is_subtype(a, b, supertypes):
        return b
    if is_subtype(b, a, supertypes):
        return a
    number = ClassType("java.lang.Number")
    if all(is_subtype(t, number, supertypes) for t in (a, b)):
        return number
    return OBJECT if not is_primitive(a) else a
