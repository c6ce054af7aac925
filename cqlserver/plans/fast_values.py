"""Checks of bound values on the hot path: cheap where a type's values are anything of one length."""

from collections.abc import Callable
from typing import TypeAlias

from protocol.types import CqlType, MarshalError

Check: TypeAlias = tuple[int, Callable[[bytes], bool] | None]
"""(the length that a value must have, -1 for any; what else must hold, None for nothing)."""

_ANY_OF_LENGTH = {"bigint": 8, "int": 4, "smallint": 2, "tinyint": 1, "double": 8, "float": 4, "timestamp": 8, "uuid": 16}


def value_check(type_: CqlType) -> Check:
    """What a value must be to be taken without a codec; a value that is not is left to the general path."""
    name = type_.cql()
    if name in _ANY_OF_LENGTH:
        return _ANY_OF_LENGTH[name], None
    if name == "blob":
        return -1, None
    if name == "ascii":
        return -1, bytes.isascii
    if name == "text":
        return -1, _is_utf8
    validate = type_.validate

    def is_valid(value: bytes) -> bool:
        try:
            validate(value)
        except MarshalError:
            return False
        return True

    return -1, is_valid


def _is_utf8(value: bytes) -> bool:
    if value.isascii():
        return True
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
