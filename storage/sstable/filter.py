"""Filter.db: the bloom filter over a file's partition keys (utils/BloomFilter.java, utils/FilterFactory.java).

    i32 hash count, i32 words, 8 bytes a word; bit i is byte i >> 3, mask 1 << (i & 7)

The i-th hash of a key is |second + i * first| of its Murmur3 halves, modulo the number of bits. A bloom chance of 1.0 has
no file.
"""

from collections.abc import Iterable
from typing import Final

from protocol.errors import CorruptionError

# utils/BloomCalculations.java: chance of a false positive by buckets (bits) per key, and number of hashes, from 1 on
_CHANCES: Final = {
    2: (0.393, 0.400),
    3: (0.283, 0.237, 0.253),
    4: (0.221, 0.155, 0.147, 0.160),
    5: (0.181, 0.109, 0.092, 0.092, 0.101),
    6: (0.154, 0.0804, 0.0609, 0.0561, 0.0578, 0.0638),
    7: (0.133, 0.0618, 0.0423, 0.0359, 0.0347, 0.0364),
    8: (0.118, 0.0489, 0.0306, 0.024, 0.0217, 0.0216, 0.0229),
    9: (0.105, 0.0397, 0.0228, 0.0166, 0.0141, 0.0133, 0.0135, 0.0145),
    10: (0.0952, 0.0329, 0.0174, 0.0118, 0.00943, 0.00844, 0.00819, 0.00846),
    11: (0.0869, 0.0276, 0.0136, 0.00864, 0.0065, 0.00552, 0.00513, 0.00509),
    12: (0.08, 0.0236, 0.0108, 0.00646, 0.00459, 0.00371, 0.00329, 0.00314),
    13: (0.074, 0.0203, 0.00875, 0.00492, 0.00332, 0.00255, 0.00217, 0.00199, 0.00194),
    14: (0.0689, 0.0177, 0.00718, 0.00381, 0.00244, 0.00179, 0.00146, 0.00129, 0.00121, 0.0012),
    15: (0.0645, 0.0156, 0.00596, 0.003, 0.00183, 0.00128, 0.001, 0.000852, 0.000775, 0.000744),
    16: (0.0606, 0.0138, 0.005, 0.00239, 0.00139, 0.000935, 0.000702, 0.000574, 0.000505, 0.00047, 0.000459),
    17: (0.0571, 0.0123, 0.00423, 0.00193, 0.00107, 0.000692, 0.000499, 0.000394, 0.000335, 0.000302, 0.000287,
         0.000284),
    18: (0.054, 0.0111, 0.00362, 0.00158, 0.000839, 0.000519, 0.00036, 0.000275, 0.000226, 0.000198, 0.000183,
         0.000176),
    19: (0.0513, 0.00998, 0.00312, 0.0013, 0.000663, 0.000394, 0.000264, 0.000194, 0.000155, 0.000132, 0.000118,
         0.000111, 0.000109),
    20: (0.0488, 0.00906, 0.0027, 0.00108, 0.00053, 0.000303, 0.000196, 0.00014, 0.000108, 8.89e-05, 7.77e-05,
         7.12e-05, 6.79e-05, 6.71e-05),
}  # fmt: skip
_EXCESS_BITS: Final = 20
_HASHES_MAX: Final = 64
_MASK: Final = (1 << 64) - 1
_SIGN: Final = 1 << 63
_WHOLE: Final = 1 << 64


class BloomFilter:
    """`bits` is a bytearray while it is filled, bytes afterwards."""

    __slots__ = ("_hash_range", "bits", "capacity", "hash_count")

    def __init__(self, hash_count: int, bits: bytearray | bytes) -> None:
        self.hash_count = hash_count
        self.bits = bits
        self.capacity = 8 * len(bits)
        self._hash_range = range(hash_count)

    def add(self, hashes: tuple[int, int]) -> None:
        """The halves of a key's hash (token.key_hashes)."""
        step, base = hashes
        bits, capacity = self.bits, self.capacity
        assert isinstance(bits, bytearray)
        for _ in self._hash_range:
            bit = abs(base) % capacity
            bits[bit >> 3] |= 1 << (bit & 7)
            base = (base + step + _SIGN & _MASK) - _SIGN

    def add_all(self, hashes: Iterable[tuple[int, int]]) -> None:
        """The same of many keys."""
        bits, capacity, rounds = self.bits, self.capacity, self._hash_range
        assert isinstance(bits, bytearray)
        for step, first in hashes:
            base = first
            for _ in rounds:
                bit = (base if base >= 0 else -base) % capacity
                bits[bit >> 3] |= 1 << (bit & 7)
                base += step
                if base >= _SIGN:
                    base -= _WHOLE
                elif base < -_SIGN:
                    base += _WHOLE

    def may_contain(self, probes: Iterable[int]) -> bool:
        """`probes`: of a key, as many as `hash_count` (sought.probes)."""
        bits, capacity = self.bits, self.capacity
        for probe in probes:
            bit = probe % capacity
            if not bits[bit >> 3] >> (bit & 7) & 1:
                return False
        return True

    def encode(self) -> bytes:
        return self.hash_count.to_bytes(4, "big") + (len(self.bits) // 8).to_bytes(4, "big") + bytes(self.bits)

    @staticmethod
    def decode(data: bytes) -> "BloomFilter":
        """Raises CorruptionError. The file has no checksum: only its length can be checked."""
        hash_count = int.from_bytes(data[:4], "big")
        words = int.from_bytes(data[4:8], "big")
        if not 0 < hash_count <= _HASHES_MAX or not words or len(data) != 8 + 8 * words:
            raise CorruptionError(f"a filter of {hash_count} hashes and {words} words in {len(data)} bytes")
        return BloomFilter(hash_count, data[8:])


def maybe_filter(key_count: int, chance: float) -> BloomFilter | None:
    """An empty filter for so many keys; None where the chance is that every key may be there."""
    if chance >= 1.0:
        return None
    buckets, hash_count = specification(chance)
    words = (max(key_count, 1) * buckets + _EXCESS_BITS + 63) // 64
    return BloomFilter(hash_count, bytearray(8 * words))


def specification(chance: float) -> tuple[int, int]:
    """Bits per key and hashes: the fewest bits that reach the chance, then the fewest hashes
    (BloomCalculations.computeBloomSpec)."""
    if chance >= _CHANCES[2][0]:
        return 1, 2  # Cassandra hands its two arguments over in the wrong order here: two hashes, one bit
    for buckets, row in _CHANCES.items():
        hash_count = row.index(min(row)) + 1
        if row[hash_count - 1] <= chance:
            while hash_count > 1 and row[hash_count - 2] <= chance:
                hash_count -= 1
            return buckets, hash_count
    return 20, len(_CHANCES[20])
