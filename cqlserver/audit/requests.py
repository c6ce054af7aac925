"""What a line needs of a request that was answered well: its texts and ids, without its values.

A request was decoded once to be answered; to do it all again would cost more than all else of a line.
"""

from struct import Struct
from typing import Final

from protocol.requests import KEYSPACE

_I32: Final = Struct(">i")
_U16: Final = Struct(">H")
_U32: Final = Struct(">I")
_CONSISTENCY: Final = 2
"""Bytes of it, before the flags."""


def maybe_query_text(version: int, body: bytes) -> str | None:
    """Of a QUERY's body; None where it names a keyspace of its own."""
    end = _I32.size + _I32.unpack_from(body)[0]
    return None if _names_keyspace(version, body, end) else body[_I32.size : end].decode()


def maybe_batch_statements(version: int, body: bytes) -> list[str | bytes] | None:
    """Texts and ids of a BATCH's body; None where it names a keyspace of its own."""
    i32, u16 = _I32.unpack_from, _U16.unpack_from
    found: list[str | bytes] = []
    at = 3
    for _ in range(u16(body, 1)[0]):
        if body[at]:
            end = at + 3 + u16(body, at + 1)[0]
            found.append(body[at + 3 : end])
        else:
            end = at + 5 + i32(body, at + 1)[0]
            found.append(body[at + 5 : end].decode())
        at = end + 2
        for _ in range(u16(body, end)[0]):
            length = i32(body, at)[0]
            at += 4 + length if length > 0 else 4
    return None if _names_keyspace(version, body, at) else found


def _names_keyspace(version: int, body: bytes, at: int) -> bool:
    """Whether the options that begin there do."""
    at += _CONSISTENCY
    flags: int = _U32.unpack_from(body, at)[0] if version >= 5 else body[at]
    return bool(flags & KEYSPACE)
