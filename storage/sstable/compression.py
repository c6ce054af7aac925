"""Compressors of SSTable chunks, and CompressionInfo.db (io/compress/*.java).

    u16 length, simple class name; i32 options, each two such texts; i32 chunk length; i32 maximal compressed length (a chunk
    that would not be shorter stands uncompressed); i64 data length; i32 chunks; i64 offset of each in Data.db

An LZ4 chunk begins with its plain length, i32 little-endian. LZ4, Snappy and Zstd are cramjam's (measured for 16 KiB: LZ4
19 us to compress where the `lz4` package takes 63, 3.8 to decompress where it takes 5.1); Deflate is zlib's. Others come
from packages that are installed (compressor_plug_ins.py).
"""

import struct
import sys
from array import array
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from protocol.errors import CorruptionError, StorageError
from storage.schema.metadata import COMPRESSOR_PACKAGE

Compress = Callable[[bytes], bytes]
Decompress = Callable[[bytes, int], bytes]
"""The bytes of a chunk and its plain length -> plain bytes; raises CorruptionError."""
Compressor = tuple[Compress, Decompress]

NOT_LIMITED: Final = 0x7FFFFFFF
DEFAULT_CHUNK_BYTES: Final = 16 * 1024
CHUNK_BYTES_MAX: Final = 1 << 30
_OWN_OPTIONS: Final = frozenset(
    ("class", "sstable_compression", "enabled", "chunk_length_in_kb", "chunk_length", "chunk_length_kb", "crc_check_chance",
     "min_compress_ratio", "max_compressed_length")
)  # fmt: skip
_KIB_FACTORS: Final = {"kib": 1024, "kb": 1024, "mib": 1024 * 1024, "b": 1}
_I32 = struct.Struct(">i")
_HEAD = struct.Struct(">iiqi")


class CompressionParams(NamedTuple):
    """How a table's chunks are compressed. `name` is the compressor's simple class name, a plug-in's whole name; `options`
    are its own."""

    name: str
    chunk_bytes: int = DEFAULT_CHUNK_BYTES
    max_compressed_bytes: int = NOT_LIMITED
    options: tuple[tuple[str, str], ...] = ()


def maybe_params(compression: Mapping[str, str]) -> CompressionParams | None:
    """Of a table's `compression`; None where it has none."""
    class_name = compression.get("class") or compression.get("sstable_compression") or ""
    if not class_name or compression.get("enabled", "true").lower() == "false":
        return None
    name = class_name.removeprefix(COMPRESSOR_PACKAGE)
    chunk_bytes = DEFAULT_CHUNK_BYTES
    if "chunk_length_in_kb" in compression:
        chunk_bytes = int(compression["chunk_length_in_kb"]) * 1024
    elif "chunk_length" in compression:
        text = compression["chunk_length"].strip().lower()
        digits = text.rstrip("kmib")
        chunk_bytes = int(digits) * _KIB_FACTORS[text[len(digits) :]]
    ratio = float(compression.get("min_compress_ratio", "0"))
    limit = NOT_LIMITED if ratio <= 0 else min(-(-chunk_bytes // ratio), NOT_LIMITED)
    options = tuple(sorted((key, value) for key, value in compression.items() if key not in _OWN_OPTIONS))
    return CompressionParams(name, chunk_bytes, int(limit), options)


class UnknownCompressor(StorageError):
    """A table, or an SSTable, is compressed by a class that no package here has."""


def compressor(params: CompressionParams) -> Compressor:
    """Raises UnknownCompressor, ValueError (its options)."""
    make = BUILT_IN.get(params.name)
    if make is None:
        from storage.sstable.compressor_plug_ins import maybe_factory

        make = maybe_factory(params.name)
        if make is None:
            raise UnknownCompressor(f"compressed by {params.name}, which is not known here")
    return make(dict(params.options))


def _lz4(options: Mapping[str, str]) -> Compressor:
    from cramjam import lz4

    compress_block, decompress_into = lz4.compress_block, lz4.decompress_block_into
    high = options.get("lz4_compressor_type") == "high"
    level = int(options.get("lz4_high_compressor_level", "9"))

    def compress(data: bytes) -> bytes:
        size = len(data).to_bytes(4, "little")
        if high:
            return size + bytes(compress_block(data, mode="high_compression", compression=level, store_size=False))
        return size + bytes(compress_block(data, store_size=False))

    def decompress(chunk: bytes, size: int) -> bytes:
        if int.from_bytes(chunk[:4], "little") != size:
            raise CorruptionError("Decompressed lengths mismatch")
        if not size:
            return b""
        data = bytearray(size)
        if decompress_into(memoryview(chunk)[4:], data, output_len=size) != size:
            raise CorruptionError("Decompressed lengths mismatch")
        return bytes(data)

    return compress, decompress


def _snappy(options: Mapping[str, str]) -> Compressor:
    from cramjam import snappy

    def compress(data: bytes) -> bytes:
        return bytes(snappy.compress_raw(data))

    return compress, lambda chunk, size: bytes(snappy.decompress_raw(chunk))


def _zstd(options: Mapping[str, str]) -> Compressor:
    from cramjam import zstd

    level = int(options.get("compression_level", "3"))

    def compress(data: bytes) -> bytes:
        return bytes(zstd.compress(data, level))

    return compress, lambda chunk, size: bytes(zstd.decompress(chunk, output_len=size))


def _deflate(options: Mapping[str, str]) -> Compressor:
    import zlib

    return zlib.compress, lambda chunk, size: zlib.decompress(chunk, bufsize=size)


def _noop(options: Mapping[str, str]) -> Compressor:
    return lambda data: data, lambda chunk, size: chunk


BUILT_IN: Final[dict[str, Callable[[Mapping[str, str]], Compressor]]] = {
    "LZ4Compressor": _lz4,
    "SnappyCompressor": _snappy,
    "ZstdCompressor": _zstd,
    "DeflateCompressor": _deflate,
    "NoopCompressor": _noop,
}


# -- CompressionInfo.db -----------------------------------------------------------------------------------------------


class CompressionInfo(NamedTuple):
    """`offsets`: where each chunk begins in Data.db."""

    params: CompressionParams
    data_bytes: int
    offsets: "array[int]"


def encode_info(info: CompressionInfo) -> bytes:
    params = info.params
    offsets = array("q", info.offsets)
    if sys.byteorder == "little":
        offsets.byteswap()
    return b"".join(
        (
            _text(params.name),
            _I32.pack(len(params.options)),
            *(_text(text) for option in params.options for text in option),
            _HEAD.pack(params.chunk_bytes, params.max_compressed_bytes, info.data_bytes, len(offsets)),
            offsets.tobytes(),
        )
    )


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


def decode_info(data: bytes) -> CompressionInfo:
    """Raises CorruptionError. The file has no checksum: what can be is checked."""
    try:
        name, at = _read_text(data, 0)
        count = _I32.unpack_from(data, at)[0]
        at += 4
        options = []
        for _ in range(count):
            key, at = _read_text(data, at)
            value, at = _read_text(data, at)
            options.append((key, value))
        chunk_bytes, limit, data_bytes, chunks = _HEAD.unpack_from(data, at)
    except (struct.error, UnicodeDecodeError) as error:
        raise CorruptionError(str(error)) from None
    at += _HEAD.size
    if not is_chunk_length(chunk_bytes) or data_bytes <= 0 or limit <= 0:
        raise CorruptionError(f"chunks of {chunk_bytes} bytes, data of {data_bytes}")
    # Cassandra may add an empty one
    if not 0 <= chunks - -(-data_bytes // chunk_bytes) <= 1 or len(data) != at + 8 * chunks:
        raise CorruptionError(f"{chunks} chunks of {chunk_bytes} bytes, data of {data_bytes}, in a file of {len(data)}")
    offsets = array("q")
    offsets.frombytes(data[at:])
    if sys.byteorder == "little":
        offsets.byteswap()
    return CompressionInfo(CompressionParams(name, chunk_bytes, limit, tuple(options)), data_bytes, offsets)


def is_chunk_length(size: int) -> bool:
    """A power of two: one that was damaged is none."""
    return 0 < size <= CHUNK_BYTES_MAX and not size & (size - 1)


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    start = at + 2
    end = start + int.from_bytes(data[at:start], "big")
    if end > len(data):
        raise CorruptionError("a text is cut off")
    return data[start:end].decode(), end
