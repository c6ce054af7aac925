"""A function's body, compiled: CQL types on the outside, closures inside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cqlserver.java.codecs import java_type
from cqlserver.java.context import Context
from cqlserver.java.errors import CompileError, ExecutionLimit, Problem, thrown
from cqlserver.java.expressions import BOX_MAKERS, PLAIN_MAKERS, Compiled
from cqlserver.java.operators import Closure
from cqlserver.java.parser import parse_body
from cqlserver.java.run import Run
from cqlserver.java.scope import FIRST_SLOT
from cqlserver.java.statement_compiler import StatementCompiler
from cqlserver.java.types import ClassType, unboxed
from protocol.types import CqlType, UserType

SOURCE_LENGTH_MAX = 65_536
"""Characters of a body: a method of Java is no longer than that in bytecode."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What surrounds a body. `uses_primitives`: RETURNS NULL ON NULL INPUT, so that an int argument is an `int`."""

    keyspace: str
    name: str
    argument_names: tuple[str, ...]
    argument_types: tuple[CqlType, ...]
    return_type: CqlType
    uses_primitives: bool
    types: Mapping[str, UserType]
    parse_type: Callable[[str], CqlType]


@dataclass(frozen=True, slots=True)
class Program:
    """`has_loops`: it may run for long."""

    _closure: Closure
    _is_expression: bool
    _frame: tuple[Any, ...]
    _unboxing: tuple[tuple[int, Callable[[Any], Any]], ...]
    """By the places in the frame of primitive arguments whose boxes are no plain numbers."""
    _box: Callable[[Any], Any] | None
    """Of a primitive result."""
    has_loops: bool

    def run(self, run: Run, arguments: Sequence[Any]) -> Any:
        """The Java value that the body returns. Raises JavaThrow and ExecutionLimit."""
        frame = [run, None, *arguments, *self._frame]
        for place, plain in self._unboxing:
            frame[place] = plain(frame[place])
        box = self._box
        try:
            if self._is_expression:
                found = self._closure(frame)
                return found if box is None else box(found)
            self._closure(frame)
        except RecursionError:
            raise thrown("StackOverflowError") from None
        except MemoryError:
            raise ExecutionLimit("java.lang.OutOfMemoryError: Java heap space") from None
        return frame[1] if box is None else box(frame[1])


def compile_body(declaration: Declaration, source: str) -> Program:
    """Raises CompileError."""
    if len(source) > SOURCE_LENGTH_MAX:
        raise CompileError([Problem(1, 0, "The code of method is exceeding the 65535 bytes limit")])
    try:
        return _compiled(declaration, source)
    except RecursionError:
        raise CompileError([Problem(1, 0, "The body is too deep")]) from None


def _compiled(declaration: Declaration, source: str) -> Program:
    from cqlserver.java import nodes

    body = parse_body(source)
    returns = java_type(declaration.return_type)
    context = Context(
        declaration.keyspace,
        declaration.argument_names,
        declaration.argument_types,
        declaration.return_type,
        declaration.types,
        declaration.parse_type,
    )
    compiled_context = Compiled(ClassType("org.apache.cassandra.cql3.functions.UDFContext"), lambda f: context)
    result = unboxed(returns) if declaration.uses_primitives else returns
    compiler = StatementCompiler(compiled_context, f"C{declaration.keyspace}2e{declaration.name}", result)
    names = zip(declaration.argument_names, declaration.argument_types, strict=True)
    for number, (name, type_) in enumerate(names, start=1):
        argument = java_type(type_)
        local = compiler.scope.declare(name, unboxed(argument) if declaration.uses_primitives else argument, number)
        compiler.scope.assign(local.slot)
    whole = compiler.statements(body.statements)
    for node, unhandled in compiler.thrown_types:
        compiler.complain_of_flow(node, f"Unhandled exception type {unhandled}")
    if whole.completes:
        compiler.complain_of_flow(None, f"This method must return a result of type {result}")
    if compiler.problems or compiler.flow_problems:
        raise CompileError(compiler.problems or compiler.flow_problems)
    assert whole.run is not None
    only, closure, is_expression = body.statements[0], whole.run, False
    if len(body.statements) == 1 and isinstance(only, nodes.Return) and only.value is not None:
        closure, is_expression = compiler.assigned(only.value, result).run, True  # without the detour of a signal
    spare = (None,) * (compiler.scope.size_max - FIRST_SLOT - len(declaration.argument_names))
    boxes = BOX_MAKERS if declaration.uses_primitives else {}
    types = [unboxed(java_type(type_)) for type_ in declaration.argument_types]
    unboxing = tuple((FIRST_SLOT + i, PLAIN_MAKERS[t]) for i, t in enumerate(types) if t in boxes)
    return Program(closure, is_expression, spare, unboxing, boxes.get(result), compiler.has_loops)
