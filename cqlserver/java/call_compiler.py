"""Method calls and `new` -> closures."""

from collections.abc import Sequence
from typing import Any

from cqlserver.java import nodes
from cqlserver.java.classes import find_class
from cqlserver.java.expressions import Compiled, maybe_assigned, wrong
from cqlserver.java.methods import Chosen, choose, hidden_member, methods_named
from cqlserver.java.operators import Closure
from cqlserver.java.run import Frame, null_pointer
from cqlserver.java.scope import Scope
from cqlserver.java.type_resolver import TypeResolver
from cqlserver.java.types import (
    ERROR,
    NULL,
    OBJECT,
    UNKNOWN,
    ArrayType,
    ClassType,
    Type,
    as_super,
    is_primitive,
)


class CallCompiler(TypeResolver):
    """What is above it compiles the arguments (`value`) and knows variables."""

    def __init__(self, context: Compiled, class_name: str) -> None:
        super().__init__()
        self.scope = Scope()
        self.context = context
        """What `udfContext` is."""
        self.class_name = class_name
        self.has_loops = False
        """Whether the body may run for longer than its length tells."""
        self.constants: dict[int, Compiled] = {}
        """Final variables whose value is a constant expression, by slot."""
        self.thrown_types: list[tuple[nodes.Node, ClassType]] = []
        """Checked exceptions that the code compiled so far may throw, and nothing catches yet."""

    def value(self, node: nodes.Expression) -> Compiled:
        raise NotImplementedError

    def null_pointer(self, action: str, origin: str | None) -> Exception:
        return null_pointer(action, origin)

    # --- names of classes --------------------------------------------------------------------------------------------------

    def path_of(self, node: nodes.Expression) -> list[str] | None:
        """The words of `a.b.c` that does not begin with a variable."""
        words: list[str] = []
        while isinstance(node, nodes.FieldAccess):
            words.append(node.name)
            node = node.target
        if not isinstance(node, nodes.Name) or node.name in self.scope.locals or node.name == "udfContext":
            return None
        words.append(node.name)
        return words[::-1]

    def maybe_class(self, node: nodes.Expression) -> ClassType | None:
        path = self.path_of(node)
        found = find_class(".".join(path)) if path else None
        return None if found is None else ClassType(found.name)

    def is_package(self, node: nodes.Expression) -> bool:
        """Whether it is a name of dots that is neither a variable nor a class, nor a class's field."""
        path = self.path_of(node)
        if path is None:
            return False
        return all(find_class(".".join(path[:length])) is None for length in range(1, len(path) + 1))

    # --- calls -------------------------------------------------------------------------------------------------------------

    def call(self, node: nodes.Call) -> Compiled:
        if node.target is None:
            arguments = [self.value(argument) for argument in node.arguments]
            shown = ", ".join(str(a.type) for a in arguments)
            if not any(a.type is ERROR for a in arguments):
                self.complain(node, f"The method {node.name}({shown}) is undefined for the type {self.class_name}")
            return wrong()
        owner = self.maybe_class(node.target)
        if owner is not None:
            return self._static_call(node, owner)
        if self.is_package(node.target):
            path = self.path_of(node.target)
            assert path is not None
            self.complain(node.target, f"{path[0] if len(path) == 1 else '.'.join(path)} cannot be resolved")
            for argument in node.arguments:
                self.value(argument)
            return wrong()
        return self._instance_call(node)

    def _arguments(self, node: nodes.Call | nodes.New) -> list[Compiled] | None:
        arguments = [self.value(argument) for argument in node.arguments]
        return None if any(argument.type is ERROR for argument in arguments) else arguments

    def _chosen(self, node: nodes.Call, owner: ClassType, arguments: Sequence[Compiled]) -> Chosen | None:
        types = [argument.type for argument in arguments]
        candidates = list(methods_named(owner, node.name))
        found = choose(candidates, types)
        if found is not None:
            return found
        shown = ", ".join(map(str, types))
        hidden = hidden_member(owner, node.name)
        if hidden is not None:
            _, missing, _ = hidden
            self.complain(
                node,
                f"The type {missing} cannot be resolved. It is indirectly referenced from required type {owner.name}",
            )
        elif candidates:
            method, declarer = candidates[0]
            self.complain(
                node,
                f"The method {_shown(method.shown(), declarer)} in the type {declarer} is not applicable for the arguments "
                f"({shown})",
            )
        else:
            self.complain(node, f"The method {node.name}({shown}) is undefined for the type {owner}")
        return None

    def _static_call(self, node: nodes.Call, owner: ClassType) -> Compiled:
        arguments = self._arguments(node)
        if arguments is None:
            return wrong()
        found = self._chosen(node, owner, arguments)
        if found is None:
            return wrong()
        if not found.method.is_static:
            self.complain(
                node,
                f"Cannot make a static reference to the non-static method {found.method.shown()} from the type {owner}",
            )
            return wrong()
        self._may_throw(node, found)
        return self._made(found, None, self._passed(found, arguments))

    def _instance_call(self, node: nodes.Call) -> Compiled:
        assert node.target is not None
        target = self.value(node.target)
        arguments = self._arguments(node)
        if target.type is ERROR or arguments is None:
            return wrong()
        if is_primitive(target.type) or target.type is NULL:
            shown = ", ".join(str(a.type) for a in arguments)
            what = f"primitive type {target.type}" if is_primitive(target.type) else "null type"
            self.complain(node, f"Cannot invoke {node.name}({shown}) on the {what}")
            return wrong()
        owner = OBJECT if target.type is UNKNOWN else target.type
        if isinstance(owner, ArrayType):
            if node.name == "clone" and not arguments:
                run = target.run
                return Compiled(owner, lambda f: list(run(f)))
            owner = OBJECT
        assert isinstance(owner, ClassType), owner
        found = self._chosen(node, owner, arguments)
        if found is None:
            return wrong()
        self._may_throw(node, found)
        if found.method.is_static:
            return self._made(found, None, self._passed(found, arguments))
        if found.method.name == "getClass":
            found = Chosen(found.method, (), ClassType("java.lang.Class"))
        return self._made(found, target, self._passed(found, arguments))

    def _may_throw(self, node: nodes.Node, found: Chosen) -> None:
        if found.method.throws is not None:
            known = find_class(found.method.throws)
            assert known is not None
            self.thrown_types.append((node, ClassType(known.name)))

    def _passed(self, found: Chosen, arguments: Sequence[Compiled]) -> list[Closure]:
        """The arguments as the method's parameters have them."""
        if found.spread is None:
            pairs = zip(arguments, found.parameters, strict=True)
            return [_converted(argument, parameter) for argument, parameter in pairs]
        fixed = [_converted(a, p) for a, p in zip(arguments, found.parameters[: found.spread], strict=False)]
        last = found.parameters[-1]
        assert isinstance(last, ArrayType)
        element = last.element
        rest = [_converted(argument, element) for argument in arguments[found.spread :]]
        return [*fixed, lambda f: [item(f) for item in rest]]

    def _made(self, found: Chosen, target: Compiled | None, arguments: list[Closure]) -> Compiled:
        method = found.method
        self.has_loops = self.has_loops or method.needs_run  # what it makes may be large
        run: Closure
        if target is None:
            if method.needs_run:
                arguments = [lambda f: f[0], *arguments]
            run = _static_closure(method.body, arguments)
        else:
            action = f'Cannot invoke "{method.described(_erased(target.type))}"'
            run = _instance_closure(method.body, target, arguments, action, method.needs_run)
        described = method.described(None if target is None else _erased(target.type))
        origin = None if is_primitive(found.returns) else f'the return value of "{described}"'
        return Compiled(found.returns, run, origin=origin)

    def new(self, node: nodes.New) -> Compiled:
        type_ = self.resolved(node.type)
        arguments = self._arguments(node)
        if type_ is ERROR or arguments is None:
            return wrong()
        assert isinstance(type_, ClassType), type_
        known = find_class(type_.name)
        assert known is not None
        if known.is_abstract:
            self.complain(node, f"Cannot instantiate the type {known.simple_name}")
            return wrong()
        types = [argument.type for argument in arguments]
        found = choose([(constructor, type_) for constructor in known.constructors], types)
        if found is None:
            shown = ", ".join(map(str, types))
            self.complain(node, f"The constructor {known.simple_name}({shown}) is undefined")
            return wrong()
        made = self._made(found, None, self._passed(found, arguments))
        return Compiled(type_, made.run)

    # --- exceptions --------------------------------------------------------------------------------------------------------

    def is_checked(self, type_: Type) -> bool:
        """Must it be caught?"""
        if not isinstance(type_, ClassType) or self._is(type_, "RuntimeException") or self._is(type_, "Error"):
            return False
        return self._is(type_, "Throwable")

    def _is(self, type_: ClassType, name: str) -> bool:
        from cqlserver.java.classes import supertypes

        return as_super(type_, f"java.lang.{name}", supertypes) is not None


def _erased(type_: Type) -> str | None:
    return type_.name if isinstance(type_, ClassType) else None


def _shown(method: str, owner: ClassType) -> str:
    """A signature with the owner's type arguments put in: 'add(Integer)'."""
    known = find_class(owner.name)
    if known is None or not owner.arguments:
        return method
    import re

    for parameter, argument in zip(known.parameters, owner.arguments, strict=False):
        method = re.sub(rf"\b{parameter}\b", str(argument), method)
    return method


def _converted(argument: Compiled, parameter: Type) -> Closure:
    found = maybe_assigned(argument, parameter)
    assert found is not None, (argument, parameter)
    return found.run


def _static_closure(body: Any, arguments: list[Closure]) -> Closure:
    match arguments:
        case []:
            return lambda f: body()
        case [one]:
            return lambda f: body(one(f))
        case [one, two]:
            return lambda f: body(one(f), two(f))
    return lambda f: body(*[argument(f) for argument in arguments])


def _instance_closure(body: Any, target: Compiled, arguments: list[Closure], action: str, needs_run: bool) -> Closure:
    run_target, origin = target.run, target.origin
    if needs_run:

        def with_run(f: Frame) -> Any:
            found = run_target(f)
            values = [argument(f) for argument in arguments]
            if found is None:
                raise null_pointer(action, origin)
            return body(f[0], found, *values)

        return with_run
    if not arguments:

        def alone(f: Frame) -> Any:
            found = run_target(f)
            if found is None:
                raise null_pointer(action, origin)
            return body(found)

        return alone
    if len(arguments) == 1:
        only = arguments[0]

        def with_one(f: Frame) -> Any:
            found = run_target(f)
            value = only(f)
            if found is None:
                raise null_pointer(action, origin)
            return body(found, value)

        return with_one

    def with_several(f: Frame) -> Any:
        found = run_target(f)
        values = [argument(f) for argument in arguments]
        if found is None:
            raise null_pointer(action, origin)
        return body(found, *values)

    return with_several
