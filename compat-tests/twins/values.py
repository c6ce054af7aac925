"""Random types, values of a type, and how they are written."""

import ipaddress
import uuid
from decimal import Decimal
from random import Random
from typing import Any

from protocol.types import (
    NATIVE_TYPES,
    CqlType,
    Duration,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)

KEY_NATIVES = sorted(set(NATIVE_TYPES) - {"counter", "duration", "empty", "varchar"})
NATIVES = [*KEY_NATIVES, "duration"]

_WORDS = ["", "a", "b", "ab", "it's", "é", "日本", "A b", "0", "\U0001f600", "x" * 20, "null", "{}", '"q"']
_UUIDS = [uuid.UUID(int=0), uuid.UUID("a0000000-0000-4000-8000-000000000001"), uuid.UUID("f" * 32)]
_TIMEUUIDS = [
    uuid.UUID("50554d6e-29bb-11e5-b345-feff819cdc9f"),
    uuid.UUID("d2177dd0-eaa2-11de-a572-001b779c76e3"),
    uuid.UUID("e2177dd0-eaa2-11de-8572-001b779c76e3"),
]


def random_type(rng: Random, user_types: list[UserType], depth: int = 2, key: bool = False) -> CqlType:
    """A type as a column may have it; frozen where `key`."""
    kind = rng.random()
    if depth == 0 or kind < 0.62:
        return NATIVE_TYPES[rng.choice(KEY_NATIVES if key else NATIVES)]
    frozen = key or depth < 2 or rng.random() < 0.35

    def inner() -> CqlType:
        return random_type(rng, user_types, depth - 1, key=True).frozen_form()

    if kind < 0.70:
        return ListType(inner(), frozen)
    if kind < 0.78:
        return SetType(inner(), frozen)
    if kind < 0.86:
        return MapType(inner(), inner(), frozen)
    if kind < 0.91:
        return TupleType(tuple(inner() for _ in range(rng.randint(1, 3))))
    if kind < 0.95 and user_types:
        found = rng.choice(user_types)
        return found.frozen_form() if frozen else found
    return VectorType(inner() if rng.random() < 0.3 else NATIVE_TYPES["float"], rng.randint(1, 3))


def random_value(rng: Random, cql_type: CqlType) -> bytes:
    """A valid serialised value."""
    if isinstance(cql_type, ListType):
        return _counted([random_value(rng, cql_type.elements) for _ in range(rng.randint(1, 3))])
    if isinstance(cql_type, SetType | MapType):
        return _sorted(rng, cql_type)
    if isinstance(cql_type, TupleType | UserType):
        parts = [None if rng.random() < 0.15 else random_value(rng, part) for part in cql_type.referenced_types]
        return b"".join(map(_sized, parts))
    if isinstance(cql_type, VectorType):
        return cql_type.pack([random_value(rng, cql_type.elements) for _ in range(cql_type.dimension)])
    return cql_type.encode(_native(rng, cql_type.cql()))


def _sized(part: bytes | None) -> bytes:
    return b"\xff\xff\xff\xff" if part is None else len(part).to_bytes(4, "big") + part


def _counted(parts: list[bytes]) -> bytes:
    return len(parts).to_bytes(4, "big") + b"".join(map(_sized, parts))


def _sorted(rng: Random, cql_type: SetType | MapType) -> bytes:
    """A set or map as a server keeps it: in order, without duplicates."""
    keys = cql_type.elements if isinstance(cql_type, SetType) else cql_type.keys
    drawn = {keys.order_key(raw): raw for raw in (random_value(rng, keys) for _ in range(rng.randint(1, 3)))}
    parts = []
    for order in sorted(drawn):
        parts.append(drawn[order])
        if isinstance(cql_type, MapType):
            parts.append(random_value(rng, cql_type.values))
    return len(drawn).to_bytes(4, "big") + _counted(parts)[4:]


_BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64, "counter": 64}


def _native(rng: Random, name: str) -> Any:
    if name in _BITS:
        most = 1 << (_BITS[name] - 1)
        return rng.choice([0, 1, 2, 3, 5, -1, 10, 100, most - 1, -most, rng.randrange(-most, most)])
    if name == "varint":
        return rng.choice([0, 1, 2, -1, 128, -129, 10**20, -(10**30), rng.randrange(1000)])
    if name == "decimal":
        texts = ["0", "1", "1.0", "1.00", "-1.5", "1E+3", "1E-10", "123456789.123456789", "0.1", "-0.001", "1E+20"]
        return Decimal(rng.choice(texts))
    if name in ("float", "double"):
        values = [0.0, -0.0, 1.0, 1.5, -2.25, 0.1, 1e10, 1e-10, float("inf"), float("-inf"), float("nan"), 3.0]
        return rng.choice(values)
    if name == "boolean":
        return rng.random() < 0.5
    if name == "text":
        return rng.choice(_WORDS)
    if name == "ascii":
        return rng.choice([word for word in _WORDS if word.isascii()])
    if name == "blob":
        return rng.choice([b"", b"\0", b"\1\2", b"\xff" * 4, b"abc", bytes(8)])
    if name == "inet":
        return ipaddress.ip_address(rng.choice(["127.0.0.1", "0.0.0.0", "::1", "2001:db8::1", "255.255.255.255", "::"]))
    if name == "uuid":
        return rng.choice(_UUIDS + _TIMEUUIDS)
    if name == "timeuuid":
        return rng.choice(_TIMEUUIDS)
    if name == "timestamp":
        return rng.choice([0, 1, -1, 1_600_000_000_000, 1_600_000_000_123, -62_135_596_800_000, 86_400_000, 999])
    if name == "date":
        return rng.choice([0, 1, -1, 18_000, 19_999, -719_162])
    if name == "time":
        return rng.choice([0, 1, 86_399_999_999_999, 3_600_000_000_000, 1_000_000, 45_296_123_456_789])
    if name == "duration":
        choices = [(0, 0, 0), (1, 2, 3), (-1, -2, -3_000_000_000), (14, 0, 0), (0, 40, 0), (0, 0, 3_600_000_000_000)]
        return Duration(*rng.choice(choices))
    raise ValueError(name)
