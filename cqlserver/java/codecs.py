"""CQL types and Java: which class a value of a type is for a function, and the way there and back (TypeCodec).

`java_type(type)` is a box or class; `decoder(type)` makes a Java value of serialised bytes, `encoder(type)` the reverse. An
empty value counts as null where the type has no use for it.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from ipaddress import ip_address
from struct import Struct
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from cqlserver.java.containers import ArrayList, LinkedHashMap, LinkedHashSet, VectorList
from cqlserver.java.cql_values import TYPES_PACKAGE, ByteBuffer, Date, Duration, LocalDate, TupleValue, UDTValue
from cqlserver.java.errors import thrown
from cqlserver.java.types import BOOLEAN, BOXES, BYTE, DOUBLE, FLOAT, INT, LONG, SHORT, STRING, ClassType
from cqlserver.java.values import BigInteger, Byte, Float, Long, Short, text_of, units_of
from protocol.types import INT as INT_TYPE
from protocol.types import CqlType, ListType, MapType, SetType, TupleType, UserType, VectorType
from protocol.types.duration import Duration as CqlDuration

Decoder = Callable[[bytes], Any]
Encoder = Callable[[Any], bytes]

_CLASSES: Final[Mapping[str, ClassType]] = MappingProxyType(
    {
        "ascii": STRING,
        "bigint": BOXES[LONG],
        "blob": ClassType("java.nio.ByteBuffer"),
        "boolean": BOXES[BOOLEAN],
        "counter": BOXES[LONG],
        "date": ClassType(f"{TYPES_PACKAGE}.LocalDate"),
        "decimal": ClassType("java.math.BigDecimal"),
        "double": BOXES[DOUBLE],
        "duration": ClassType(f"{TYPES_PACKAGE}.Duration"),
        "float": BOXES[FLOAT],
        "inet": ClassType("java.net.InetAddress"),
        "int": BOXES[INT],
        "smallint": BOXES[SHORT],
        "text": STRING,
        "time": BOXES[LONG],
        "timestamp": ClassType("java.util.Date"),
        "timeuuid": ClassType("java.nio.ByteBuffer"),  # to functions it is a custom type (TimeUUIDType.udfType)
        "tinyint": BOXES[BYTE],
        "uuid": ClassType("java.util.UUID"),
        "varint": ClassType("java.math.BigInteger"),
    }
)


def java_type(type_: CqlType) -> ClassType:
    match type_:
        case ListType(elements=elements):
            return ClassType("java.util.List", (java_type(elements),))
        case VectorType(elements=elements):
            return ClassType("java.util.List", (java_type(elements),))
        case SetType(elements=elements):
            return ClassType("java.util.Set", (java_type(elements),))
        case MapType(keys=keys, values=values):
            return ClassType("java.util.Map", (java_type(keys), java_type(values)))
        case UserType():
            return ClassType(f"{TYPES_PACKAGE}.UDTValue")
        case TupleType():
            return ClassType(f"{TYPES_PACKAGE}.TupleValue")
    return _CLASSES.get(type_.cql(), ClassType("java.nio.ByteBuffer"))


def _duration(value: CqlDuration) -> Duration:
    return Duration(value.months, value.days, value.nanoseconds)


_INT: Final = Struct(">i")


def _integer(kind: Callable[[int], int]) -> Decoder:
    from_bytes = int.from_bytes
    return lambda data: kind(from_bytes(data, "big", signed=True))


def _text(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return text if text.isascii() else units_of(text)


def _plain_int(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


_DECODERS: Final[dict[str, Decoder]] = {
    "ascii": _text,
    "text": _text,
    "bigint": _integer(Long),
    "counter": _integer(Long),
    "time": _integer(Long),
    "int": _plain_int,
    "smallint": _integer(Short),
    "tinyint": _integer(Byte),
    "varint": _integer(BigInteger),
    "timestamp": lambda data: Date(int.from_bytes(data, "big", signed=True)),
    "date": lambda data: LocalDate(int.from_bytes(data, "big") - (1 << 31)),
    "uuid": lambda data: UUID(bytes=data),
    "inet": ip_address,
    "boolean": lambda data: data != b"\0",
}
_ENCODERS: Final[dict[str, Encoder]] = {
    "ascii": lambda value: text_of(value).encode("ascii", "replace"),
    "text": lambda value: text_of(value).encode("utf-8"),
    "bigint": lambda value: value.to_bytes(8, "big", signed=True),
    "counter": lambda value: value.to_bytes(8, "big", signed=True),
    "time": lambda value: value.to_bytes(8, "big", signed=True),
    "int": Struct(">i").pack,
    "smallint": lambda value: value.to_bytes(2, "big", signed=True),
    "tinyint": lambda value: value.to_bytes(1, "big", signed=True),
    "timestamp": lambda value: value.ms.to_bytes(8, "big", signed=True),
    "date": lambda value: (value.days + (1 << 31)).to_bytes(4, "big"),
    "uuid": lambda value: value.bytes,
    "inet": lambda value: value.packed,
    "boolean": lambda value: b"\1" if value else b"\0",
    "blob": lambda value: value.rest,
}


def decoder(type_: CqlType) -> Decoder:
    """Of a value that is neither null nor an empty one that counts as null."""
    name = type_.cql()
    if name in _DECODERS:
        return _DECODERS[name]
    match name:
        case "double":
            return type_.decode
        case "float":
            return lambda data: Float(type_.decode(data))
        case "decimal":
            return type_.decode
        case "duration":
            return lambda data: _duration(type_.decode(data))
    match type_:
        case ListType(elements=elements):
            inner = nullable_decoder(elements)
            return lambda data: ArrayList(map(inner, type_.split(data)))
        case VectorType(elements=elements):
            inner = nullable_decoder(elements)
            return lambda data: VectorList(map(inner, type_.split(data)))
        case SetType(elements=elements):
            return _set_decoder(type_, nullable_decoder(elements))
        case MapType(keys=keys, values=values):
            return _map_decoder(type_, nullable_decoder(keys), nullable_decoder(values))
        case UserType(field_types=types):
            return _parts_decoder(type_, types, UDTValue)
        case TupleType(elements=types):
            return _parts_decoder(type_, types, TupleValue)
    return lambda data: ByteBuffer(bytearray(data))


def nullable_decoder(type_: CqlType) -> Callable[[bytes | None], Any]:
    decode = decoder(type_)
    if type_ is INT_TYPE:
        unpack = _INT.unpack
        return lambda data: unpack(data)[0] if data else None
    if type_.empty_is_null:
        return lambda data: decode(data) if data else None
    return lambda data: None if data is None else decode(data)


def _set_decoder(type_: SetType, inner: Callable[[bytes | None], Any]) -> Decoder:
    def run(data: bytes) -> LinkedHashSet:
        made = LinkedHashSet()
        made.update(dict.fromkeys(map(inner, type_.split(data))))
        return made

    return run


def _map_decoder(type_: MapType, key: Callable[[bytes | None], Any], value: Callable[[bytes | None], Any]) -> Decoder:
    def run(data: bytes) -> LinkedHashMap:
        made = LinkedHashMap()
        made.update((key(k), value(v)) for k, v in type_.split(data))
        return made

    return run


def _parts_decoder(type_: Any, types: tuple[CqlType, ...], kind: Callable[[CqlType, list[Any]], Any]) -> Decoder:
    decoders = [nullable_decoder(t) for t in types]

    def run(data: bytes) -> Any:
        parts = list(type_.split(data))
        parts += [None] * (len(decoders) - len(parts))
        return kind(type_, [decode(part) for decode, part in zip(decoders, parts, strict=False)])

    return run


# --- back --------------------------------------------------------------------------------------------------------------


def encoder(type_: CqlType) -> Encoder:
    """Of a value that is not null."""
    name = type_.cql()
    if name in _ENCODERS:
        return _ENCODERS[name]
    match type_:
        case ListType(elements=elements):
            inner = _element_encoder(elements)
            return lambda value: type_.pack([inner(item) for item in value])
        case VectorType(elements=elements):
            inner = _element_encoder(elements)
            return lambda value: type_.pack(_sized(type_, [inner(item) for item in value]))
        case SetType(elements=elements):
            inner = _element_encoder(elements)
            return lambda value: type_.pack([inner(item) for item in value.ordered()])
        case MapType(keys=keys, values=values):
            key, entry = _element_encoder(keys, "Map keys"), _element_encoder(values, "Map values")
            return lambda value: _packed_map(type_, [(key(k), entry(value[k])) for k in value.ordered()])
        case UserType() | TupleType():
            return _parts_encoder(type_)
    match name:
        case "double" | "float":
            return lambda value: type_.encode(float(value))
        case "decimal":
            return lambda value: type_.encode(Decimal(value))
        case "varint":
            return lambda value: type_.encode(int(value))
        case "duration":
            return lambda value: type_.encode(CqlDuration(*value.parts))
    return lambda value: bytes(value.rest)


def _sized(type_: VectorType, items: list[bytes]) -> list[bytes]:
    if len(items) < type_.dimension:
        raise thrown("java.util.NoSuchElementException")
    return items[: type_.dimension]


def _packed_map(type_: MapType, pairs: list[tuple[bytes, bytes]]) -> bytes:
    from protocol.types.collections import pack_values

    return pack_values(len(pairs), [part for pair in pairs for part in pair])


def _element_encoder(type_: CqlType, what: str = "Collection elements") -> Encoder:
    encode = encoder(type_)

    def run(value: Any) -> bytes:
        if value is None:
            raise thrown("NullPointerException", f"{what} cannot be null")
        return encode(value)

    return run


def _parts_encoder(type_: UserType | TupleType) -> Encoder:
    types = type_.field_types if isinstance(type_, UserType) else type_.elements
    encoders = [encoder(t) for t in types]

    def run(value: Any) -> bytes:
        if value.type.frozen_form() != type_.frozen_form():
            raise thrown(
                f"{TYPES_PACKAGE}.exceptions.InvalidTypeException",
                f"Invalid user type, expected {type_.cql()} but got {value.type.cql()}",
            )
        parts = [None if v is None else encode(v) for encode, v in zip(encoders, value.values, strict=True)]
        return bytes(type_.pack(parts))

    return run


def literal(type_: CqlType, value: Any) -> str:
    """TypeCodec.format: a CQL literal."""
    if value is None:
        return "NULL"
    return type_.to_literal(encoder(type_)(value))
