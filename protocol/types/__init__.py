"""The CQL types: their names, codecs, texts, JSON and order. The ground floor; imports nothing of its siblings.

    base.py         CqlType (the contract), NativeType, MarshalError
    natives.py      the instances: INT, TEXT, ...; NATIVE_TYPES by name
    numbers.py      boolean tinyint smallint int bigint counter float double
    big_numbers.py  varint decimal                    big_integers.py  large ints <-> text and decimal
    text.py         ascii text blob empty inet        uuids.py         uuid timeuuid
    temporal.py     timestamp date time               timestamp_text.py, zone_names.py, calendar.py
    duration.py     Duration and its type             vints.py         variable-length integers
    collections.py  list set map                      tuples.py        tuples and user types
    vectors.py      vector                            custom.py        types known by Java class only
    java_names.py   parse_java                        java_text.py, java_floats.py   numbers and JSON as in Java
    identifiers.py  quoted_identifier                 json_text.py     JSON as Jackson reads it

What Python values `decode` gives: int, float, Decimal, bool, str, bytes, UUID, ip addresses, Duration, list, set, dict,
tuple; timestamp milliseconds, date days since 1970 and time nanoseconds as int; a user type as dict. `encode` takes the
same, and datetime's classes too.
"""

from protocol.types.base import CqlType, MarshalError, NativeType
from protocol.types.collections import CollectionType, ListType, MapType, SetType
from protocol.types.custom import CustomType
from protocol.types.duration import Duration, DurationError, parse_duration
from protocol.types.identifiers import quoted_identifier
from protocol.types.java_names import parse_java
from protocol.types.natives import (
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
    LEGACY_TIMEUUID,
    NATIVE_TYPES,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMEUUID,
    TINYINT,
    UUID,
    VARINT,
)
from protocol.types.tuples import TupleType, UserType
from protocol.types.vectors import VectorType

__all__ = [
    "ASCII",
    "BIGINT",
    "BLOB",
    "BOOLEAN",
    "COUNTER",
    "DATE",
    "DECIMAL",
    "DOUBLE",
    "DURATION",
    "EMPTY",
    "FLOAT",
    "INET",
    "INT",
    "LEGACY_TIMEUUID",
    "NATIVE_TYPES",
    "SMALLINT",
    "TEXT",
    "TIME",
    "TIMESTAMP",
    "TIMEUUID",
    "TINYINT",
    "UUID",
    "VARINT",
    "CollectionType",
    "CqlType",
    "CustomType",
    "Duration",
    "DurationError",
    "ListType",
    "MapType",
    "MarshalError",
    "NativeType",
    "SetType",
    "TupleType",
    "UserType",
    "VectorType",
    "parse_duration",
    "parse_java",
    "quoted_identifier",
]
