"""What the fast paths of reads and writes share: plain query options, and bound values that need no codec.

A fast path answers an EXECUTE whose options are plain and whose values are of the right form; for anything else it gives
up before it has done anything, and the general path answers, with Cassandra's message if it is an error.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from cqlserver.terms.packing import normalise
from protocol.requests import DEFAULT_TIMESTAMP, PAGE_SIZE, SERIAL_CONSISTENCY, SKIP_METADATA, VALUES
from protocol.types import CqlType, MarshalError

Check: TypeAlias = tuple[int, Callable[[bytes], bool] | None]
"""(the length that a value must have, -1 for any; what else must hold of one of any length, None for nothing)."""

VOID_TAIL = b"\x08\x00\x00\x00\x04\x00\x00\x00\x01"
"""RESULT, length 4, kind VOID."""
TIMESTAMP_MIN = b"\x80\0\0\0\0\0\0\0"
NO_PAGE = bytes(4)
"""A page size, which stands first of what is behind the values, that is refused of every statement."""

HEADS_MAX = 64
"""Tables of plain options that are kept: 12 kB each."""
_heads: dict[tuple[tuple[int, ...], int, int], "dict[bytes, PlainOptions]"] = {}
_ANY_OF_LENGTH = {"bigint": 8, "int": 4, "smallint": 2, "tinyint": 1, "double": 8, "float": 4, "timestamp": 8, "uuid": 16}


class PlainOptions:
    """How plain options end. `behind`: bytes behind the values; `timestamp_at`, `page_size_at`, `serial_at`: where among
    them these stand, -1: not there; `skips_metadata`: the client has the metadata."""

    __slots__ = ("behind", "page_size_at", "serial_at", "skips_metadata", "timestamp_at")

    def __init__(self, flags: int) -> None:
        self.skips_metadata = bool(flags & SKIP_METADATA)
        self.behind, self.page_size_at, self.serial_at, self.timestamp_at = 0, -1, -1, -1
        if flags & PAGE_SIZE:
            self.page_size_at = self.behind
            self.behind += 4
        if flags & SERIAL_CONSISTENCY:
            self.serial_at = self.behind
            self.behind += 2
        if flags & DEFAULT_TIMESTAMP:
            self.timestamp_at = self.behind
            self.behind += 8


def plain_heads(levels: Sequence[int], value_count: int, version: int) -> dict[bytes, PlainOptions]:
    """`[consistency][flags][number of values]` of all plain options -> how they end. Many statements have the same table."""
    place = (tuple(levels), value_count, version)
    heads = _heads.get(place)
    if heads is None:
        if len(_heads) >= HEADS_MAX:
            _heads.clear()
        heads = _heads[place] = _made_heads(levels, value_count, version)
    return heads


def shared_heads() -> Iterable[dict[bytes, PlainOptions]]:
    """The tables that belong to no statement."""
    return _heads.values()


def _made_heads(levels: Sequence[int], value_count: int, version: int) -> dict[bytes, PlainOptions]:
    heads = {}
    options = (SKIP_METADATA, PAGE_SIZE, SERIAL_CONSISTENCY, DEFAULT_TIMESTAMP)
    for chosen in range(1 << len(options)):
        flags = VALUES | sum(option for place, option in enumerate(options) if chosen >> place & 1)
        plain = PlainOptions(flags)
        flag_bytes = flags.to_bytes(4 if version >= 5 else 1, "big")
        for level in levels:
            heads[level.to_bytes(2, "big") + flag_bytes + value_count.to_bytes(2, "big")] = plain
    return heads


def values_offset(options_at: int, version: int) -> int:
    """Where the values begin: behind consistency, flags and their number."""
    return options_at + 2 + (4 if version >= 5 else 1) + 2


def value_check(type_: CqlType) -> Check:
    """What a value must be to be taken without a codec."""
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
        """And as it would be stored: sets and maps in their order."""
        try:
            validate(value)
        except MarshalError:
            return False
        return normalise(value, type_) == value

    return -1, is_valid


def _is_utf8(value: bytes) -> bool:
    if value.isascii():
        return True
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


ASCII_PASSES = frozenset((_is_utf8, bytes.isascii))
"""Checks that all values pass that have no byte above 127."""
