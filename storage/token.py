"""Tokens: where a partition key stands on the ring, as Cassandra's Murmur3Partitioner places it.

The token is the first half of MurmurHash3 x64 128, but for one deviation that has to be kept: Cassandra reads the last
`length % 16` bytes as *signed*, so that each byte from 0x80 on flips all bits above it in its half. `mmh3` hashes as
the books say. It agrees where those bytes are below 0x80; a tail of up to 8 bytes it is given with the bits flipped, as
a tail of just 8 bytes. In keys without a whole block the length goes into the same two words as the seed, so a seed
makes up for the other length. What is left (longer keys with such tails) is hashed here.
"""

from typing import Protocol

MIN_TOKEN = -(2**63)
MAX_TOKEN = 2**63 - 1

_M = 0xFFFFFFFFFFFFFFFF
_ONES = 0x0101010101010101
_C1 = 0x87C37B91114253D5
_C2 = 0x4CF5AD432745937F


KeyHashes = tuple[int, int]


class _Hash64(Protocol):
    def __call__(self, key: bytes, seed: int = 0, /) -> tuple[int, int]: ...


def _first_hash64(key: bytes, seed: int = 0, /) -> tuple[int, int]:
    """Imports mmh3 when the first token is asked for: a start doesn't need it."""
    global _hash64
    import mmh3

    _hash64 = mmh3.hash64
    return mmh3.hash64(key, seed)


_hash64: _Hash64 = _first_hash64


def token(key: bytes) -> int:
    """The token of a partition key, -(2**63) + 1 .. 2**63 - 1; of no bytes, the ring's minimum."""
    if not key:
        return MIN_TOKEN
    found = key_hashes(key)[0]
    return found if found != MIN_TOKEN else MAX_TOKEN


def key_hashes(key: bytes) -> tuple[int, int]:
    """Both halves of a key's hash, signed: the first is the token, both together are what a bloom filter looks at."""
    if key.isascii():
        return _hash64(key)
    length = len(key)
    if length < 9:
        # Bytes from 0x80 on, one bit each at the bottom of their byte; times ones: how many there are up to each byte.
        number = int.from_bytes(key, "little")
        parity = (number >> 7 & _ONES) * _ONES & _ONES
        number ^= (parity << 8 & _M) * 0xFF & _M
        return _hash64(number.to_bytes(8, "little"), 8 ^ length)
    if key[length & ~15 :].isascii():
        return _hash64(key)
    if length & 15 == 8:
        return _hash64(key[:-8] + signed_tail(key[-8:]).to_bytes(8, "little"))
    return murmur3(key)


def signed_tail(tail: bytes) -> int:
    """Up to eight bytes as Cassandra joins them: little-endian, each sign-extended, joined with xor."""
    word = 0
    for i, byte in enumerate(tail):
        word ^= (byte if byte < 0x80 else byte - 256) << (8 * i)
    return word & _M


def murmur3(key: bytes) -> tuple[int, int]:
    """Both halves of the hash, signed, by Cassandra's rules (utils/MurmurHash.java), for any key."""
    length = len(key)
    h1 = h2 = 0
    body = length & ~15
    for i in range(0, body, 16):
        k1 = int.from_bytes(key[i : i + 8], "little")
        k2 = int.from_bytes(key[i + 8 : i + 16], "little")
        h1 ^= _mix1(k1)
        h1 = ((((h1 << 27 | h1 >> 37) & _M) + h2) * 5 + 0x52DCE729) & _M
        h2 ^= _mix2(k2)
        h2 = ((((h2 << 31 | h2 >> 33) & _M) + h1) * 5 + 0x38495AB5) & _M
    tail = key[body:]
    if len(tail) > 8:
        h2 ^= _mix2(signed_tail(tail[8:]))
    if tail:
        h1 ^= _mix1(signed_tail(tail[:8]))
    h1 ^= length
    h2 ^= length
    h1 = (h1 + h2) & _M
    h2 = (h2 + h1) & _M
    second = _final(h2)
    first = (_final(h1) + second) & _M
    return _signed(first), _signed((first + second) & _M)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


def _mix1(k: int) -> int:
    k = k * _C1 & _M
    return ((k << 31 | k >> 33) & _M) * _C2 & _M


def _mix2(k: int) -> int:
    k = k * _C2 & _M
    return ((k << 33 | k >> 31) & _M) * _C1 & _M


def _final(h: int) -> int:
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & _M
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & _M
    return h ^ h >> 33
