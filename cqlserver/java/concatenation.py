"""Text put together by `+`."""

from collections.abc import Callable, Sequence
from typing import Any

from cqlserver.java.expressions import Compiled, constant
from cqlserver.java.operators import Closure
from cqlserver.java.run import Frame
from cqlserver.java.types import BOOLEAN, CHAR, DOUBLE, FLOAT, STRING, Type, is_primitive
from cqlserver.java.values import to_string
from protocol.types.java_floats import double_text, float_text

_LONG_TEXT = 2_000


def text_function(type_: Type) -> Callable[[Any], str]:
    """String.valueOf of a value of the type."""
    if type_ == CHAR:
        return chr
    if type_ == BOOLEAN:
        return lambda value: "true" if value else "false"
    if type_ == DOUBLE:
        return double_text
    if type_ == FLOAT:
        return float_text
    if is_primitive(type_):
        return int.__repr__
    return to_string


def _text(part: Compiled) -> Closure:
    run = part.run
    if part.type == STRING:
        if part.slot is not None:
            slot = part.slot

            def local(f: Frame) -> str:
                value: str | None = f[slot]
                return "null" if value is None else value

            return local

        def text(f: Frame) -> str:
            value: str | None = run(f)
            return "null" if value is None else value

        return text
    function = text_function(part.type)
    return lambda f: function(run(f))


def concatenated(parts: Sequence[Compiled]) -> Compiled:
    if all(part.is_constant for part in parts):
        return constant(STRING, "".join(text_function(part.type)(part.constant) for part in parts))
    texts = [_text(part) for part in _merged(parts)]

    def run(f: Frame) -> str:
        found = "".join([text(f) for text in texts])
        if len(found) > _LONG_TEXT:
            f[0].take(len(found))
        return found

    return Compiled(STRING, run)


def _merged(parts: Sequence[Compiled]) -> list[Compiled]:
    """Constants beside each other as one."""
    merged: list[Compiled] = []
    for part in parts:
        if part.is_constant:
            text = text_function(part.type)(part.constant)
            if merged and merged[-1].is_constant:
                text = merged.pop().constant + text
            merged.append(constant(STRING, text))
        else:
            merged.append(part)
    return merged
