"""A compressor of SSTable chunks for time series: rows of one shape, whose numbers change little from one to the next.

In a chunk of such rows a byte stands where the same byte of the row before stood, a *stride* earlier. So the bytes are put
together by their place in the row, each such column is coded as the differences of its bytes (delta: counters, timestamps)
or as what changes between them (XOR: floating-point numbers, as in Facebook's Gorilla) or stays as it is, and Zstandard does
the rest.

    u16 stride, 0: as it was; then for each place of the row u8 coding (0 plain, 1 delta, 2 XOR); then Zstandard's bytes

It is found by the name of its entry point (pyproject.toml):

    CREATE TABLE readings (...) WITH compression = {'class': 'TimeSeriesCompressor', 'chunk_length_in_kb': 64}
"""

from collections.abc import Callable, Mapping
from itertools import accumulate, pairwise
from operator import xor

from cramjam import zstd

Compress = Callable[[bytes], bytes]
Decompress = Callable[[bytes, int], bytes]

PLAIN, DELTA, XOR = range(3)
STRIDE_MAX = 256
SAMPLE_BYTES = 4096
"""Of a chunk: where the stride is looked for."""
LEVEL = "compression_level"


def make(options: Mapping[str, str]) -> tuple[Compress, Decompress]:
    """Of a table's options: `compression_level` is Zstandard's, 3 where it is not given. Raises ValueError."""
    unknown = options.keys() - {LEVEL}
    if unknown:
        raise ValueError(f"unknown options {', '.join(sorted(unknown))}")
    level = int(options.get(LEVEL, "3"))
    if not 1 <= level <= 22:
        raise ValueError(f"{LEVEL} is from 1 to 22, not {level}")

    def compress(data: bytes) -> bytes:
        stride = best_stride(data[:SAMPLE_BYTES])
        if not stride:
            return b"\0\0" + bytes(zstd.compress(data, level))
        codings = bytearray()
        columns = []
        for column in (data[place::stride] for place in range(stride)):
            coding, coded = best_coding(column)
            codings.append(coding)
            columns.append(coded)
        return stride.to_bytes(2, "big") + codings + bytes(zstd.compress(b"".join(columns), level))

    def decompress(chunk: bytes, size: int) -> bytes:
        stride = int.from_bytes(chunk[:2], "big")
        coded = bytes(zstd.decompress(chunk[2 + stride :], output_len=size))
        if not stride:
            return coded
        data = bytearray(size)
        at = 0
        for place, coding in enumerate(chunk[2 : 2 + stride]):
            end = at + len(range(place, size, stride))
            data[place::stride] = decoded(coding, coded[at:end])
            at = end
        return bytes(data)

    return compress, decompress


def best_stride(data: bytes) -> int:
    """How far apart bytes are that are equal most often; 0 where none is much better than the rest."""
    number = int.from_bytes(data, "little")
    best = found = 0
    for stride in range(8, min(STRIDE_MAX, len(data) // 4)):
        changes = (number ^ number >> 8 * stride).to_bytes(len(data), "little")
        equal = changes.count(0, 0, len(data) - stride)
        if equal > found + len(data) // 50:  # a multiple of the stride is no better
            best, found = stride, equal
    return best if found > len(data) // 3 else 0


def best_coding(column: bytes) -> tuple[int, bytes]:
    """The coding that leaves the fewest different bytes, and what it makes of the column."""
    codings = ((PLAIN, column), (DELTA, differences(column)), (XOR, changes(column)))
    return min(codings, key=lambda coding: (len(set(coding[1])), coding[0]))


def differences(column: bytes) -> bytes:
    return column[:1] + bytes([(b - a) & 0xFF for a, b in pairwise(column)])


def changes(column: bytes) -> bytes:
    return column[:1] + bytes(map(xor, column, column[1:]))


def decoded(coding: int, column: bytes) -> bytes:
    if coding == DELTA:
        return bytes([total & 0xFF for total in accumulate(column)])
    if coding == XOR:
        return bytes(accumulate(column, xor))
    return column
