"""The one instance of each native type, by its name in CQL and by its name in Java."""

from collections.abc import Mapping
from types import MappingProxyType

from protocol.types.base import NativeType
from protocol.types.big_numbers import DecimalType, VarIntType
from protocol.types.duration import DurationType
from protocol.types.numbers import (
    BigIntType,
    BooleanType,
    CounterType,
    DoubleType,
    FloatType,
    IntType,
    SmallIntType,
    TinyIntType,
)
from protocol.types.temporal import DateType, TimestampType, TimeType
from protocol.types.text import AsciiType, BlobType, EmptyType, InetType, TextType
from protocol.types.uuids import LegacyTimeUuidType, TimeUuidType, UuidType

ASCII = AsciiType()
BIGINT = BigIntType()
BLOB = BlobType()
BOOLEAN = BooleanType()
COUNTER = CounterType()
DATE = DateType()
DECIMAL = DecimalType()
DOUBLE = DoubleType()
DURATION = DurationType()
EMPTY = EmptyType()
FLOAT = FloatType()
INET = InetType()
INT = IntType()
SMALLINT = SmallIntType()
TEXT = TextType()
TIME = TimeType()
TIMESTAMP = TimestampType()
TIMEUUID = TimeUuidType()
LEGACY_TIMEUUID = LegacyTimeUuidType()
TINYINT = TinyIntType()
UUID = UuidType()
VARINT = VarIntType()

_ALL: tuple[NativeType, ...] = (
    ASCII,
    BIGINT,
    BLOB,
    BOOLEAN,
    COUNTER,
    DATE,
    DECIMAL,
    DOUBLE,
    DURATION,
    EMPTY,
    FLOAT,
    INET,
    INT,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMEUUID,
    TINYINT,
    UUID,
    VARINT,
)

NATIVE_TYPES: Mapping[str, NativeType] = MappingProxyType({t.name: t for t in _ALL} | {"varchar": TEXT})
"""By CQL name, lower case; varchar is text."""

JAVA_NATIVE_TYPES: Mapping[str, NativeType] = MappingProxyType({t.java_name: t for t in (*_ALL, LEGACY_TIMEUUID)})
"""By the class's name without its package."""
