"""Data.db, chunk by chunk: every chunk's checksum is verified when it is read, then it is kept in a cache shared by all
files.

Compressed (CompressionInfo.db): each chunk is its bytes and their CRC32, u32. Uncompressed (CRC.db: i32 chunk length,
then a CRC32 a chunk): Data.db is the plain bytes. A chunk that compression would not shorten stands plain, where the file
says so.
"""

import struct
import sys
from array import array
from typing import Final

from protocol.crc32 import crc32
from protocol.errors import CorruptionError
from storage.environment.environment import AppendFile, ReadFile
from storage.environment.strands import beside
from storage.sstable.caches import Caches, chunk_bytes
from storage.sstable.compression import (
    CHUNK_BYTES_MAX,
    CompressionInfo,
    CompressionParams,
    UnknownCompressor,
    compressor,
    is_chunk_length,
)
from storage.sstable.constants import UNCOMPRESSED_CHUNK_BYTES, corrupted

WRITE_BYTES: Final = 64 * 1024
"""As many bytes go to the disk together."""
_U32 = struct.Struct(">I")


class DataFile:
    """The plain bytes of a Data.db. `size` is how many there are."""

    __slots__ = ("_cache", "_file", "chunk_bytes", "number", "path", "size")

    def __init__(self, path: str, file: ReadFile, caches: Caches, size: int, chunk_bytes: int) -> None:
        self.path, self._file, self._cache = path, file, caches.chunks
        self.size, self.chunk_bytes = size, chunk_bytes
        self.number = caches.file_number()

    def chunk(self, index: int) -> bytes:
        """Plain bytes; the last chunk may be shorter."""
        key = (self.number, index)
        found = self._cache.get(key)
        if found is None:
            self._cache.misses += 1
            found = self.load(index)
            self._cache.put(key, found, chunk_bytes(found))
        return found

    def load(self, index: int) -> bytes:
        """A chunk from the disk, verified; it does not go into the cache."""
        raise NotImplementedError

    def read(self, start: int, end: int, keep: bool = True) -> bytes:
        """The plain bytes from `start` up to `end`. `keep`: whether what is read on the way goes into the cache."""
        size = self.chunk_bytes
        index = start // size
        base = index * size
        chunk_of = self.chunk if keep else self.load
        if end <= base + size:
            if end > self.size:
                raise corrupted(self.path, f"{end - start} bytes at {start} of {self.size}")
            return chunk_of(index)[start - base : end - base]
        if end > self.size:
            raise corrupted(self.path, f"{end - start} bytes at {start} of {self.size}")
        parts = [chunk_of(index)[start - base :]]
        last = (end - 1) // size
        parts += [chunk_of(i) for i in range(index + 1, last)]
        parts.append(chunk_of(last)[: end - last * size])
        return b"".join(parts)

    @property
    def disk_bytes(self) -> int:
        """Of the file."""
        return self._file.size

    def close(self) -> None:
        self._file.close()

    def _expected(self, index: int) -> int:
        return min(self.chunk_bytes, self.size - index * self.chunk_bytes)


class CompressedDataFile(DataFile):
    __slots__ = ("_decompress", "_limit", "_offsets", "params")

    def __init__(self, path: str, file: ReadFile, caches: Caches, info: CompressionInfo) -> None:
        super().__init__(path, file, caches, info.data_bytes, info.params.chunk_bytes)
        self.params = info.params
        offsets = info.offsets
        offsets.append(file.size)
        self._offsets = offsets
        self._limit = info.params.max_compressed_bytes
        try:
            self._decompress = compressor(info.params)[1]
        except UnknownCompressor as error:
            raise corrupted(path, str(error)) from None
        except ValueError as error:
            raise corrupted(path, f"compressed by {info.params.name}: {error}") from None

    def load(self, index: int) -> bytes:
        offsets = self._offsets
        offset = offsets[index]
        size = offsets[index + 1] - offset
        if not 4 < size <= 2 * CHUNK_BYTES_MAX:
            raise corrupted(self.path, f"chunk {index} at {offset} of {size} bytes")
        raw = self._file.pread(offset, size)
        data = raw[:-4]
        if len(raw) != size or crc32(data) != _U32.unpack_from(raw, size - 4)[0]:
            raise corrupted(self.path, f"chunk {index} at {offset}: checksum does not match")
        expected = self._expected(index)
        if len(data) >= self._limit:
            if len(data) != max(expected, self._limit):
                raise corrupted(self.path, f"chunk {index} at {offset}: {len(data)} bytes as they are, of {expected}")
            return data[:expected]
        try:
            plain = self._decompress(data, expected)
        except Exception as error:  # noqa: BLE001 - each library has its own
            raise corrupted(self.path, f"chunk {index} at {offset}: {error}") from None
        if len(plain) != expected:
            raise corrupted(self.path, f"chunk {index} at {offset}: {len(plain)} bytes of {expected}")
        return plain


class ChecksummedDataFile(DataFile):
    __slots__ = ("_checksums",)

    def __init__(self, path: str, file: ReadFile, caches: Caches, checksums: "tuple[int, array[int]]") -> None:
        chunk_bytes, self._checksums = checksums
        super().__init__(path, file, caches, file.size, chunk_bytes)
        if not 0 <= len(self._checksums) - -(-file.size // chunk_bytes) <= 1:  # Cassandra may add one, of nothing
            raise corrupted(path, f"{file.size} bytes, {len(self._checksums)} checksums of {chunk_bytes} bytes each")

    def load(self, index: int) -> bytes:
        expected = self._expected(index)
        data = self._file.pread(index * self.chunk_bytes, expected)
        if len(data) != expected or crc32(data) != self._checksums[index]:
            raise corrupted(self.path, f"chunk {index} at {index * self.chunk_bytes}: checksum does not match")
        return data


def decode_checksums(data: bytes) -> "tuple[int, array[int]]":
    """CRC.db: the length of a chunk, and the checksum of each."""
    chunk_bytes = int.from_bytes(data[:4], "big")
    if len(data) % 4 or not is_chunk_length(chunk_bytes):
        raise CorruptionError(f"checksums of chunks of {chunk_bytes} bytes in {len(data)} bytes")
    checksums = array("I", data[4:])
    if sys.byteorder == "little":
        checksums.byteswap()
    return chunk_bytes, checksums


class ChunkWriter:
    """Writes Data.db. `position` counts plain bytes, `file_bytes` those on the disk; `digest` is Digest.crc32's."""

    __slots__ = (
        "_buffered", "_compress", "_file", "_parts", "_pending", "_pending_bytes", "chunk_bytes", "digest", "file_bytes",
        "offsets", "params", "position",
    )  # fmt: skip

    def __init__(self, file: AppendFile, params: CompressionParams | None) -> None:
        self._file = file
        self.params = params
        self.chunk_bytes = params.chunk_bytes if params is not None else UNCOMPRESSED_CHUNK_BYTES
        self._compress = compressor(params)[0] if params is not None else None
        self._parts: list[bytes] = []
        self._buffered = 0
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self.offsets = array("q")  # where chunks begin; their checksums where nothing is compressed
        self.digest = 0
        self.file_bytes = 0
        self.position = 0

    def write(self, data: bytes) -> None:
        self._parts.append(data)
        self._buffered += len(data)
        self.position += len(data)
        if self._buffered >= self.chunk_bytes:
            self._cut(self.chunk_bytes)

    def finish(self) -> None:
        """Everything to the file, durably; it is closed."""
        self._cut(1)
        self._flush()
        beside(self._file.sync)
        self._file.close()

    def abandon(self) -> None:
        self._file.close()

    def _cut(self, least: int) -> None:
        """Makes chunks of what is there, as long as it is at least so much."""
        data = b"".join(self._parts)
        at, size = 0, self.chunk_bytes
        while len(data) - at >= least:
            self._chunk(data[at : at + size])
            at += size
        self._parts = [data[at:]]
        self._buffered = max(len(data) - at, 0)

    def _chunk(self, plain: bytes) -> None:
        if self._compress is None:
            self.offsets.append(crc32(plain))
            self._put(plain)
            return
        assert self.params is not None
        self.offsets.append(self.file_bytes)
        data = self._compress(plain)
        limit = self.params.max_compressed_bytes
        if len(data) >= limit:
            data = plain + bytes(max(limit - len(plain), 0))
        self._put(data + _U32.pack(crc32(data)))

    def _put(self, data: bytes) -> None:
        self.digest = crc32(data, self.digest)
        self.file_bytes += len(data)
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= WRITE_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._file.write(b"".join(self._pending))
            self._pending, self._pending_bytes = [], 0

    def encode_checksums(self) -> bytes:
        """CRC.db."""
        return _U32.pack(self.chunk_bytes) + b"".join(map(_U32.pack, self.offsets))

    @property
    def compressed_bytes(self) -> int:
        """Without the checksums behind the chunks."""
        return self.file_bytes - (4 * len(self.offsets) if self.params is not None else 0)
