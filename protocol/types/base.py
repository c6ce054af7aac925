"""What every CQL type can do, and the error that says that bytes or text are no value of it.

`CqlType` is the contract; the other modules of this package fill it in. Values are bytes: exactly what stands behind
the length of a wire value. The empty value (length 0) is a value of its own for most types and sorts before all others;
null is Python's None and never reaches a type. Behaviour and messages: Cassandra's db/marshal and serializers.
"""

from typing import Any, ClassVar, Self

JAVA_PACKAGE = "org.apache.cassandra.db.marshal."
FROZEN = JAVA_PACKAGE + "FrozenType"

# The two first bytes of order keys: every order key is prefix-free and begins with a byte in 01..FE.
ORDER_EMPTY = b"\x01"
ORDER_VALUE = b"\x02"


class MarshalError(ValueError):
    """Bytes, text or JSON that are no value of a type; the text is Cassandra's."""


class CqlType:
    """A CQL type. Immutable and hashable; equal types are interchangeable."""

    __slots__ = ()

    fixed_length: int | None
    """Length of every not empty value in bytes, as AbstractType.valueLengthIfFixed has it (date, time, smallint and
    tinyint count as variable there); None: variable."""

    empty_is_null: bool
    """Whether functions and operators take the empty value for null (AbstractType.isEmptyValueMeaningless)."""

    allows_empty: bool
    """Whether the empty value is valid."""

    @property
    def is_multicell(self) -> bool:
        """Whether a column of the type is kept as a cell for each element: non-frozen collections and user types."""
        return False

    @property
    def is_collection(self) -> bool:
        return False

    @property
    def is_counter(self) -> bool:
        return False

    @property
    def referenced_types(self) -> "tuple[CqlType, ...]":
        """The types that this one is directly made of."""
        return ()

    @property
    def has_one_form(self) -> bool:
        """Whether equal values are equal bytes. Where not (decimals 1.0 and 1.00), order keys tell values apart."""
        return all(type_.has_one_form for type_ in self.referenced_types)

    @property
    def recodes(self) -> bool:
        """Whether `recoded` may give other bytes."""
        return False

    def recoded(self, data: bytes) -> bytes:
        """Valid bytes decoded and encoded again, as Cassandra does with what is in bound collections."""
        return data

    def frozen_form(self) -> "CqlType":
        """The same type, frozen, as frozen<...> makes it."""
        return self

    def cql(self) -> str:
        """The type as CQL, as system_schema.columns prints it: 'frozen<list<int>>'."""
        raise NotImplementedError

    def java(self, ignore_freezing: bool = False) -> str:
        """Cassandra's name of the type: 'org.apache.cassandra.db.marshal.Int32Type'."""
        raise NotImplementedError

    def option(self, version: int) -> bytes:
        """The [option] of the type; types that the protocol version doesn't know are custom, with their Java name."""
        return custom_option(self.java())

    def encode(self, value: Any) -> bytes:
        """The bytes of a Python value; TypeError or ValueError if it is none of the type."""
        raise NotImplementedError

    def decode(self, data: bytes) -> Any:
        """The Python value of valid bytes; None for an empty value that means nothing."""
        raise NotImplementedError

    def validate(self, data: bytes) -> None:
        """Raises MarshalError, with Cassandra's message, unless the bytes are a value of the type."""
        raise NotImplementedError

    def compare(self, a: bytes, b: bytes) -> int:
        """Negative, zero, positive, as the type orders two serialised values."""
        ka, kb = self.order_key(a), self.order_key(b)
        return (ka > kb) - (ka < kb)

    def sort_key(self, data: bytes) -> Any:
        """What compares as `compare` does, for values of this type alone: the cheapest such thing."""
        return self.order_key(data)

    def order_key(self, data: bytes) -> bytes:
        """Bytes that compare as the type orders (equal values: equal bytes), prefix-free, first byte in 01..FE."""
        raise NotImplementedError

    def from_text(self, text: str) -> bytes:
        """What the text of a literal means for the type (AbstractType.fromString). Raises MarshalError."""
        raise NotImplementedError

    def to_text(self, data: bytes) -> str:
        """AbstractType.getString of valid bytes."""
        raise NotImplementedError

    def to_literal(self, data: bytes | None) -> str:
        """A CQL literal of the value, or null (CQL3Type.toCQLLiteral)."""
        raise NotImplementedError

    def to_json(self, data: bytes) -> str:
        """JSON text, as SELECT JSON and toJson print it."""
        raise NotImplementedError

    def from_json(self, value: Any) -> bytes:
        """The bytes of a parsed JSON value (not null), of json.loads(parse_float=Decimal). Raises MarshalError."""
        raise NotImplementedError

    def masked_value(self) -> bytes:
        """What mask_default shows instead of a value."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.cql()


class NativeType(CqlType):
    """A type without parameters. There is one instance of each; the subclasses are in numbers.py, text.py and so on."""

    __slots__ = ()

    name: ClassVar[str]
    java_name: ClassVar[str]
    option_id: ClassVar[int]
    option_version: ClassVar[int] = 3
    fixed_length: int | None = None
    has_one_form = True
    recodes = False
    empty_is_null = True
    allows_empty = True
    quotes_literal: ClassVar[bool] = False

    def cql(self) -> str:
        return self.name

    def java(self, ignore_freezing: bool = False) -> str:
        return JAVA_PACKAGE + self.java_name

    def option(self, version: int) -> bytes:
        if version < self.option_version:
            return custom_option(self.java())
        return self.option_id.to_bytes(2, "big")

    def to_literal(self, data: bytes | None) -> str:
        if data is None or (not data and self.empty_is_null):
            return "null"
        text = self.literal_text(data)
        return f"'{text}'" if self.quotes_literal else text

    def literal_text(self, data: bytes) -> str:
        """The literal without its quotes (TypeSerializer.toCQLLiteralNoQuote): what CAST(... AS text) gives."""
        return self.to_text(data)

    def __repr__(self) -> str:
        return self.name.upper()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _instance_of, (type(self).__name__, type(self).__module__)


def _instance_of(class_name: str, module: str) -> CqlType:
    from importlib import import_module

    from protocol.types import NATIVE_TYPES

    cls = getattr(import_module(module), class_name)
    found: CqlType = next((t for t in NATIVE_TYPES.values() if type(t) is cls), cls())
    return found


def custom_option(java: str) -> bytes:
    """The [option] of a custom type."""
    text = java.encode()
    return b"\x00\x00" + len(text).to_bytes(2, "big") + text


def byte_order_key(data: bytes) -> bytes:
    """The order key of types that compare as unsigned bytes: zero bytes escaped, 00 01 at the end."""
    return b"\x02" + data.replace(b"\x00", b"\x00\xff") + b"\x00\x01"


def compare_bytes(a: bytes, b: bytes) -> int:
    return (a > b) - (a < b)


def read_value(data: bytes, at: int) -> tuple[bytes | None, int]:
    """The value that begins at `at` with its length (negative: null), and where it ends. MarshalError."""
    start = at + 4
    if start <= len(data):
        length = int.from_bytes(data[at:start], "big", signed=True)
        if length < 0:
            return None, start
        if start + length <= len(data):
            return data[start : start + length], start + length
    raise MarshalError("Not enough bytes to read a value")


def compare_next(type_: CqlType, a: bytes, at_a: int, b: bytes, at_b: int) -> tuple[int, int, int]:
    """How the values of `type_` that begin there compare, nulls first, and where they end. MarshalError."""
    value_a, at_a = read_value(a, at_a)
    value_b, at_b = read_value(b, at_b)
    if value_a is None or value_b is None:
        return (value_a is not None) - (value_b is not None), at_a, at_b
    return type_.compare(value_a, value_b), at_a, at_b
