"""ascii, text, blob, empty and inet: types that compare as unsigned bytes."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from protocol.types.base import JAVA_PACKAGE, MarshalError, NativeType, byte_order_key, compare_bytes, custom_option
from protocol.types.java_text import java_class, java_string, json_quoted


class ByteOrderType(NativeType):
    __slots__ = ()

    def compare(self, a: bytes, b: bytes) -> int:
        return compare_bytes(a, b)

    def sort_key(self, data: bytes) -> bytes:
        return data

    def order_key(self, data: bytes) -> bytes:
        return byte_order_key(data)


class TextType(ByteOrderType):
    __slots__ = ()
    name = "text"
    java_name = "UTF8Type"
    option_id = 0x000D
    empty_is_null = False
    quotes_literal = True

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise TypeError(f"no str: {value!r}")
        return value.encode()

    def decode(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise MarshalError(f"Invalid UTF-8 bytes {data.hex()}") from None

    def validate(self, data: bytes) -> None:
        try:
            data.decode()
        except UnicodeDecodeError:
            if not _passes_for_utf8(data):
                raise MarshalError("String didn't validate.") from None

    def from_text(self, text: str) -> bytes:
        return text.encode("utf-8", "replace")

    def to_text(self, data: bytes) -> str:
        return self.decode(data)

    def literal_text(self, data: bytes) -> str:
        return self.to_text(data).replace("'", "''")

    def to_json(self, data: bytes) -> str:
        return json_quoted(self.to_text(data))

    def from_json(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise MarshalError(f"Expected a UTF-8 string, but got a {java_class(value)}: {java_string(value)}")
        return self.from_text(value)

    def masked_value(self) -> bytes:
        return b"****"


# How many bytes 80..BF follow, by the state after the first byte, and which second bytes Cassandra's automaton takes.
# It is looser than UTF-8: surrogates pass, and so do odd second bytes behind E0 and F0 (UTF8Serializer.UTF8Validator).
def _passes_for_utf8(data: bytes) -> bool:
    position, end = 0, len(data)
    while position < end:
        first = data[position]
        position += 1
        if first < 0x80:
            continue
        if first == 0xC0:
            rest = data[position : position + 1]
            if rest != b"\x80":
                return False
            position += 1
            continue
        if 0xC2 <= first <= 0xDF:
            length = 1
        elif 0xE0 <= first <= 0xEF:
            length = 2
        elif 0xF0 <= first <= 0xF7:
            length = 3
        else:
            return False
        tail = data[position : position + length]
        if len(tail) < length:
            return False
        position += length
        if first == 0xE0:
            if tail[0] & 0xE0 == 0x80:
                return False
            tail = tail[1:]
        elif first == 0xF0:
            if tail[0] & 0x30 == 0:
                return False
            tail = tail[1:]
        if any(b & 0xC0 != 0x80 for b in tail):
            return False
    return True


class AsciiType(TextType):
    __slots__ = ()
    name = "ascii"
    java_name = "AsciiType"
    option_id = 0x0001

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise TypeError(f"no str: {value!r}")
        return value.encode("ascii")

    def decode(self, data: bytes) -> str:
        try:
            return data.decode("ascii")
        except UnicodeDecodeError:
            raise MarshalError(f"Invalid US-ASCII bytes {data.hex()}") from None

    def validate(self, data: bytes) -> None:
        if not data.isascii():
            first = next(b for b in data if b > 0x7F)
            raise MarshalError(f"Invalid byte for ascii: {first - 256}")

    def from_text(self, text: str) -> bytes:
        try:
            return text.encode("ascii")
        except UnicodeEncodeError as error:
            # Java names the class of its exception; the length is that of the offending character in UTF-16.
            kind = "java.nio.charset.UnmappableCharacterException: Input length = "
            length = 2 if ord(text[error.start]) > 0xFFFF else 1
            raise MarshalError(f"Invalid ASCII character in string literal: {kind}{length}") from None

    def from_json(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise MarshalError(f"Expected an ascii string, but got a {java_class(value)}: {java_string(value)}")
        return self.from_text(value)


class BlobType(ByteOrderType):
    __slots__ = ()
    name = "blob"
    java_name = "BytesType"
    option_id = 0x0003
    empty_is_null = False

    def encode(self, value: Any) -> bytes:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise TypeError(f"no bytes: {value!r}")
        return bytes(value)

    def decode(self, data: bytes) -> bytes:
        return data

    def validate(self, data: bytes) -> None:
        """All bytes are a blob."""

    def from_text(self, text: str) -> bytes:
        return hex_bytes(text)

    def to_text(self, data: bytes) -> str:
        return data.hex()

    def literal_text(self, data: bytes) -> str:
        return "0x" + data.hex()

    def to_json(self, data: bytes) -> str:
        return f'"0x{data.hex()}"'

    def from_json(self, value: Any) -> bytes:
        text = java_string(value)
        try:
            if not isinstance(value, str):
                raise MarshalError(_class_cast(value))
            if not value.startswith("0x"):
                raise MarshalError(f"String representation of blob is missing 0x prefix: {value}")
            return hex_bytes(value[2:])
        except MarshalError as error:
            raise MarshalError(f"Value '{text}' is not a valid blob representation: {error}") from None

    def masked_value(self) -> bytes:
        return b""


def _class_cast(value: Any) -> str:
    """The JVM's own message of a failed cast to String."""
    name = java_class(value)
    package = "java.util" if name in ("ArrayList", "LinkedHashMap") else "java.math" if name == "BigInteger" else "java.lang"
    loader = "are in module java.base of loader 'bootstrap'"
    target = "class java.lang.String"
    return f"class {package}.{name} cannot be cast to {target} ({package}.{name} and java.lang.String {loader})"


def hex_bytes(text: str) -> bytes:
    """Hexadecimal digits without prefix; MarshalError if there is another character or an odd number of them."""
    try:
        data = bytes.fromhex(text)
        if 2 * len(data) != len(text):  # fromhex passes over blanks
            raise ValueError(text)
        return data
    except ValueError:
        raise MarshalError(f"cannot parse '{text}' as hex bytes") from None


class EmptyType(ByteOrderType):
    """The type of nothing: only the empty value. Compact tables and sets' cells have it."""

    __slots__ = ()
    name = "empty"
    java_name = "EmptyType"
    option_id = 0x0000
    fixed_length = 0
    empty_is_null = False

    def option(self, version: int) -> bytes:
        return custom_option(JAVA_PACKAGE + self.java_name)

    def encode(self, value: Any) -> bytes:
        if value is not None:
            raise TypeError(f"not None: {value!r}")
        return b""

    def decode(self, data: bytes) -> None:
        self.validate(data)

    def validate(self, data: bytes) -> None:
        if data:
            raise MarshalError("EmptyType only accept empty values")

    def from_text(self, text: str) -> bytes:
        if text:
            raise MarshalError(f"'{text}' is not empty")
        return b""

    def to_text(self, data: bytes) -> str:
        return ""

    def to_literal(self, data: bytes | None) -> str:
        return "null"

    def to_json(self, data: bytes) -> str:
        return '""'

    def from_json(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise MarshalError(f"Expected an empty string, but got: {java_string(value)}")
        return self.from_text(value)

    def masked_value(self) -> bytes:
        return b""


_MAPPED = bytes(10) + b"\xff\xff"


class InetType(ByteOrderType):
    """4 or 16 bytes. IPv4 addresses mapped into IPv6 are printed, and read, as IPv4, as Java does."""

    __slots__ = ()
    name = "inet"
    java_name = "InetAddressType"
    option_id = 0x0010
    recodes = True
    quotes_literal = True

    def encode(self, value: Any) -> bytes:
        if isinstance(value, str):
            value = ip_address(value)
        if not isinstance(value, IPv4Address | IPv6Address):
            raise TypeError(f"no address: {value!r}")
        return value.packed

    def recoded(self, data: bytes) -> bytes:
        return data[12:] if len(data) == 16 and data.startswith(_MAPPED) else data

    def decode(self, data: bytes) -> IPv4Address | IPv6Address | None:
        return ip_address(data) if data else None

    def validate(self, data: bytes) -> None:
        if len(data) not in (0, 4, 16):
            raise MarshalError(f"Expected 4 or 16 byte inetaddress; got {data.hex()}")

    def from_text(self, text: str) -> bytes:
        if not text:
            return b""
        try:
            return _parse_address(text)
        except ValueError:
            raise MarshalError(f"Unable to make inet address from '{text}'") from None

    def to_text(self, data: bytes) -> str:
        if len(data) == 16:
            if data[:12] != _MAPPED:
                return ":".join(format(int.from_bytes(data[i : i + 2], "big"), "x") for i in range(0, 16, 2))
            data = data[12:]
        return ".".join(map(str, data))

    def to_json(self, data: bytes) -> str:
        return f'"{self.to_text(data)}"'

    def from_json(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise MarshalError(
                f"Expected a string representation of an inet value, but got a {java_class(value)}: {java_string(value)}"
            )
        return self.from_text(value)

    def masked_value(self) -> bytes:
        return bytes(4)


def _parse_address(text: str) -> bytes:
    """InetAddress.getByName without name lookups ('localhost' aside)."""
    if text.lower() == "localhost":
        return b"\x7f\x00\x00\x01"
    if text.startswith("[") and text.endswith("]") and ":" in text:
        text = text[1:-1]
    if ":" in text:
        if text.endswith("%"):
            raise ValueError(text)
        packed = IPv6Address(text.split("%")[0]).packed
        return packed[12:] if packed[:12] == _MAPPED else packed
    # One to four decimal parts; the last one fills all bytes that are left.
    parts = text.split(".")
    if len(parts) > 4 or not all(p.isascii() and p.isdigit() and len(p) < 12 for p in parts):
        raise ValueError(text)
    *heads, last = map(int, parts)
    if any(h > 255 for h in heads):
        raise ValueError(text)
    try:
        return bytes(heads) + last.to_bytes(4 - len(heads), "big")
    except OverflowError:
        raise ValueError(text) from None
