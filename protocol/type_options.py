"""Type [option]s of result metadata, read back into CQL types (native_protocol_v5.spec, section 4.2.5.2).

The other way round is `CqlType.option(version)`. Only clients read options; a server imports nothing of this. An option
does not say whether a type is frozen: collections and user types come out as not frozen.
"""

from typing import TYPE_CHECKING, Final

from protocol.errors import ProtocolError
from protocol.primitives import Reader

if TYPE_CHECKING:
    from protocol.types import CqlType

CUSTOM: Final = 0x00
NATIVE_NAMES: Final = {
    0x01: "ascii",
    0x02: "bigint",
    0x03: "blob",
    0x04: "boolean",
    0x05: "counter",
    0x06: "decimal",
    0x07: "double",
    0x08: "float",
    0x09: "int",
    0x0B: "timestamp",
    0x0C: "uuid",
    0x0D: "text",
    0x0E: "varint",
    0x0F: "timeuuid",
    0x10: "inet",
    0x11: "date",
    0x12: "time",
    0x13: "smallint",
    0x14: "tinyint",
    0x15: "duration",
}
LIST: Final = 0x20
MAP: Final = 0x21
SET: Final = 0x22
USER_TYPE: Final = 0x30
TUPLE: Final = 0x31

# Cassandra has no limit; a type this deep can't be written in CQL of a bearable length, and each level takes stack.
NESTING_MAX: Final = 100


def read_type(reader: Reader, depth: int = 0) -> "CqlType":
    """The type that the [option] at the reader's position stands for; raise ProtocolError where there is none."""
    from protocol import types

    if depth > NESTING_MAX:
        raise ProtocolError(f"Types nested more than {NESTING_MAX} deep")
    code = reader.short()
    name = NATIVE_NAMES.get(code)
    if name is not None:
        return types.NATIVE_TYPES[name]
    below = depth + 1
    if code == LIST:
        return types.ListType(read_type(reader, below), False)
    if code == SET:
        return types.SetType(read_type(reader, below), False)
    if code == MAP:
        keys = read_type(reader, below)
        return types.MapType(keys, read_type(reader, below), False)
    if code == TUPLE:
        return types.TupleType(tuple([read_type(reader, below) for _ in range(reader.short())]))
    if code == USER_TYPE:
        keyspace, type_name = reader.string(), reader.string()
        fields = [(reader.string(), read_type(reader, below)) for _ in range(reader.short())]
        return types.UserType(keyspace, type_name, tuple([f for f, _ in fields]), tuple([t for _, t in fields]), False)
    if code == CUSTOM:
        java = reader.string()
        try:
            return types.parse_java(java)
        except ValueError as error:
            raise ProtocolError(f"Unknown custom type {java}") from error
    raise ProtocolError(f"Unknown type option {code:#06x}")
