"""Variable-length integers as SSTables have them, fast: see protocol/types/vints.py for the encoding.

64-bit arithmetic wraps here as Java's does: a timestamp below a header's base is a delta of nine bytes.
"""

from typing import Final

_MASK: Final = (1 << 64) - 1
SMALL: Final = tuple(bytes((value,)) for value in range(128)) + tuple(
    (value | 0x8000).to_bytes(2, "big") for value in range(128, 16384)
)
SMALL_COUNT: Final = len(SMALL)
"""The numbers below have their bytes in a table."""
EXTRA_BYTES: Final = bytes(8 - (first ^ 0xFF).bit_length() for first in range(256))
"""How many bytes follow, by the first one."""
VALUE_MASKS: Final = bytes(0xFF >> extra if extra < 8 else 0 for extra in EXTRA_BYTES)
"""What of the first byte belongs to the number."""


def unsigned(value: int) -> bytes:
    """A number's 64 bits, in 1 to 9 bytes."""
    if 0 <= value < SMALL_COUNT:
        return SMALL[value]
    value &= _MASK
    extra = (value.bit_length() - 1) // 7
    if extra >= 8:
        return b"\xff" + value.to_bytes(8, "big")
    return (value | (0xFF00 >> extra & 0xFF) << (8 * extra)).to_bytes(extra + 1, "big")


def signed(value: int) -> bytes:
    """Zigzag."""
    return unsigned((value << 1) ^ (value >> 63))


def unsigned32(value: int) -> bytes:
    """What writeUnsignedVInt32 makes of a Java int: a negative one is extended to 64 bits."""
    value &= 0xFFFFFFFF
    return unsigned(value if value < 0x80000000 else value - 0x100000000)


def read_unsigned(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at` (0..2**64-1) and where it ends. IndexError where the data end before it begins."""
    first = data[at]
    if first < 0x80:
        return first, at + 1
    extra = EXTRA_BYTES[first]
    end = at + 1 + extra
    if end > len(data):
        raise IndexError(at)
    return int.from_bytes(data[at + 1 : end], "big") | (first & VALUE_MASKS[first]) << (8 * extra), end


def read_signed(data: bytes, at: int) -> tuple[int, int]:
    value, at = read_unsigned(data, at)
    return (value >> 1) ^ -(value & 1), at


def wrapped64(value: int) -> int:
    """As a Java long."""
    return (value + (1 << 63) & _MASK) - (1 << 63)
