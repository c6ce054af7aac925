"""Cassandra's variable-length integers: the number of leading ones in the first byte says how many bytes follow.

Used by duration values and by vectors of variable-length elements (utils/vint/VIntCoding.java). Signed numbers are
zigzag-encoded. A worked example: 300 is 81 2C; -1 signed is 01.
"""


def encode_unsigned(value: int) -> bytes:
    """A number in 0..2**64-1, in 1 to 9 bytes."""
    if value < 0x80:
        return bytes((value,))
    extra = min((value.bit_length() - 1) // 7, 8)
    if extra == 8:
        return b"\xff" + value.to_bytes(8, "big")
    prefix = (0xFF00 >> extra) & 0xFF
    encoded = value.to_bytes(extra + 1, "big")
    return bytes((encoded[0] | prefix,)) + encoded[1:]


def decode_unsigned(data: bytes, offset: int) -> tuple[int, int]:
    """The number at `offset` and the offset behind it; IndexError if the bytes end too early."""
    first = data[offset]
    if first < 0x80:
        return first, offset + 1
    extra = 8 - (first ^ 0xFF).bit_length()
    end = offset + 1 + extra
    if end > len(data):
        raise IndexError(offset)
    value = int.from_bytes(data[offset + 1 : end], "big")
    return value | ((first & (0xFF >> extra)) << (8 * extra) if extra < 8 else 0), end


def encode_signed(value: int) -> bytes:
    return encode_unsigned(((value << 1) ^ (value >> 63)) & 0xFFFFFFFFFFFFFFFF)


def decode_signed(data: bytes, offset: int) -> tuple[int, int]:
    value, end = decode_unsigned(data, offset)
    return (value >> 1) ^ -(value & 1), end
