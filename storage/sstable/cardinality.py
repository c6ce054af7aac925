"""How many different partition keys: HyperLogLog++ with p = 13 and sp = 25, in the bytes of stream-lib 2.5 (its
cardinality/HyperLogLogPlus.java), which Cassandra keeps in Statistics.db to see how much SSTables overlap.

Small sets are kept as a sorted list of encoded hashes (25 bits of index, the length of a run of zeros where the index
does not show it); larger ones as 8,192 registers of five bits, six to an int.
"""

from typing import Final

from protocol.errors import CorruptionError

_P: Final = 13
_SP: Final = 25
_REGISTERS: Final = 1 << _P
_SPARSE_MAX: Final = _REGISTERS * 3 // 4
_SORT_AT: Final = _SPARSE_MAX // 4
_WORDS: Final = _REGISTERS // 6 + 1
_VERSION: Final = -2
_SPARSE: Final = 1
_NORMAL: Final = 0

_MASK: Final = (1 << 64) - 1
_M64: Final = 0xC6A4A7935BD1E995


class Cardinality:
    """A set of keys, estimated. `add` takes a key once."""

    __slots__ = ("_fresh", "_registers", "_sparse")

    def __init__(self) -> None:
        self._sparse: dict[int, int] = {}  # by index, the smallest encoded hash: the longest run
        self._fresh: list[int] = []
        self._registers: list[int] | None = None

    def add(self, key: bytes) -> None:
        self._add_hash(murmur2(key))

    def _add_hash(self, hashed: int) -> None:
        registers = self._registers
        if registers is not None:
            index = hashed >> (64 - _P)
            run = _leading_zeros64(hashed << _P & _MASK | 1 << (_P - 1)) + 1
            registers[index] = max(registers[index], run)
            return
        self._fresh.append(_encoded(hashed))
        if len(self._fresh) > _SORT_AT:
            self._merge_fresh()
            if len(self._sparse) > _SPARSE_MAX:
                self._become_normal()

    def merge(self, other: "Cardinality") -> None:
        """Adds what another holds."""
        if self._registers is None and other._registers is None:
            other._merge_fresh()
            self._fresh += other._sparse.values()
            self._merge_fresh()
            if len(self._sparse) > _SPARSE_MAX:
                self._become_normal()
            return
        for each in (self, other):
            if each._registers is None:
                each._merge_fresh()
                each._become_normal()
        assert self._registers is not None
        assert other._registers is not None
        self._registers = [max(pair) for pair in zip(self._registers, other._registers, strict=True)]

    def _merge_fresh(self) -> None:
        sparse = self._sparse
        for encoded in self._fresh:
            index = _sparse_index(encoded)
            known = sparse.get(index)
            if known is None or encoded < known:
                sparse[index] = encoded
        self._fresh.clear()

    def _become_normal(self) -> None:
        registers = [0] * _REGISTERS
        for encoded in self._sparse.values():
            index = _sparse_index(encoded) >> (_SP - _P)
            if encoded & 1:
                run = (encoded >> 1 & 63) ^ 63
            else:
                run = 33 - (encoded << (_P + 31 - _SP) & 0xFFFFFFFF).bit_length()
            registers[index] = max(registers[index], run)
        self._registers = registers
        self._sparse, self._fresh = {}, []

    def encode(self) -> bytes:
        head = _VERSION.to_bytes(4, "big", signed=True) + _varint(_P) + _varint(_SP)
        registers = self._registers
        if registers is None:
            self._merge_fresh()
            out = [head, _varint(_SPARSE), _varint(len(self._sparse))]
            before = 0
            for index in sorted(self._sparse):
                encoded = self._sparse[index]
                out.append(_varint(encoded - before & 0xFFFFFFFF))
                before = encoded
            return b"".join(out)
        words = [0] * _WORDS
        for index, run in enumerate(registers):
            words[index // 6] |= (run & 31) << (5 * (index % 6))
        body = b"".join(word.to_bytes(4, "big") for word in words)
        return head + _varint(_NORMAL) + _varint(len(body)) + body

    @staticmethod
    def decode(data: bytes) -> "Cardinality":
        """Raises CorruptionError, IndexError."""
        if int.from_bytes(data[:4], "big", signed=True) != _VERSION or data[4:6] != bytes((_P, _SP)):
            raise CorruptionError("cardinality of an unknown kind")
        made = Cardinality()
        kind, at = _read_varint(data, 6)
        count, at = _read_varint(data, at)
        if kind == _SPARSE:
            encoded = 0
            for _ in range(count):
                delta, at = _read_varint(data, at)
                encoded = encoded + delta & 0xFFFFFFFF
                made._sparse[_sparse_index(encoded)] = encoded
            return made
        if count != 4 * _WORDS or len(data) != at + count:
            raise CorruptionError(f"cardinality of {count} bytes")
        words = [int.from_bytes(data[i : i + 4], "big") for i in range(at, at + count, 4)]
        made._registers = [words[index // 6] >> (5 * (index % 6)) & 31 for index in range(_REGISTERS)]
        return made


def murmur2(key: bytes) -> int:
    """MurmurHash 2, 64 bits, seed 0, with Cassandra's signed tail (utils/MurmurHash.hash2_64)."""
    length = len(key)
    hashed = _M64 * length & _MASK
    body = length & ~7
    for at in range(0, body, 8):
        word = int.from_bytes(key[at : at + 8], "little") * _M64 & _MASK
        word = (word ^ word >> 47) * _M64 & _MASK
        hashed = (hashed ^ word) * _M64 & _MASK
    if length & 7:
        for i, byte in enumerate(key[body:]):
            hashed ^= (byte if byte < 0x80 else byte - 256) << (8 * i)
        hashed = (hashed & _MASK) * _M64 & _MASK
    hashed = (hashed ^ hashed >> 47) * _M64 & _MASK
    return hashed ^ hashed >> 47


def _encoded(hashed: int) -> int:
    index = hashed >> (64 - _SP)
    if index & (1 << (_SP - _P)) - 1:
        return index << 1
    run = _leading_zeros64(hashed << _P & _MASK | 1 << (_P - 1)) + 1
    return (index << 6 | run ^ 63) << 1 | 1


def _sparse_index(encoded: int) -> int:
    return encoded >> 7 if encoded & 1 else encoded >> 1


def _leading_zeros64(number: int) -> int:
    return 64 - number.bit_length()


def _varint(number: int) -> bytes:
    """Little-endian groups of seven bits, as Protocol Buffers have them."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
