"""Bodies compiled and run without a server: for tests of the interpreter."""

from collections.abc import Callable
from typing import Any

from cqlserver.java.codecs import decoder, encoder
from cqlserver.java.errors import CompileError, JavaThrow
from cqlserver.java.program import Declaration, compile_body
from cqlserver.java.run import Run
from storage.schema.type_text import parse_type

Arguments = dict[str, tuple[str, Any]]
"""name -> CQL type and value."""


def outcome(
    body: str,
    returns: str = "text",
    arguments: Arguments | None = None,
    primitives: bool = False,
    look: Callable[[], None] = lambda: None,
) -> Any:
    """What the body returns, as `decode` gives it; or a text: 'throws ...', 'line 1: ...'."""
    given = arguments or {}
    types = [parse_type(type_) for type_, _ in given.values()]
    result = parse_type(returns)
    declaration = Declaration("ks", "f", tuple(given), tuple(types), result, primitives, {}, parse_type)
    try:
        program = compile_body(declaration, body)
    except CompileError as error:
        return "\n".join(f"line {problem.line}: {problem.message}" for problem in error.problems)
    values = [
        None if value is None else decoder(type_)(type_.encode(value))
        for type_, (_, value) in zip(types, given.values(), strict=True)
    ]
    try:
        found = program.run(Run(lambda run: look(), lambda: 0), values)
    except JavaThrow as thrown:
        return f"throws {thrown.throwable.text()}"
    return None if found is None else result.decode(encoder(result)(found))
