"""A component that was copied in part, or not at all: an error, or what was written. Never a row too few."""

import random
from collections import Counter

import pytest
from sstable_files import FOLDER, written
from test_bit_flips import BLOCK_BYTES, COMPRESSIONS, compared, opened, some_store

from protocol.errors import CorruptionError
from storage.environment.memory import FaultyDisk
from storage.sstable.constants import CHECKSUMS, INDEX, TOC
from storage.sstable.index import decode_entry

SEED = 5


def cuts(rng: random.Random, name: str, data: bytes) -> set[int]:
    """Lengths. An index that ends where an entry does looks whole."""
    found = {0, len(data) - 1, *(rng.randrange(len(data)) for _ in range(3))}
    if name.endswith(INDEX):
        ends, at = [], 0
        while at < len(data):
            at = decode_entry(data, at).end
            ends.append(at)
        found |= {ends[-2], *rng.sample(ends[:-1], 4)}
    return found


@pytest.mark.slow
@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "cassandras"])
@pytest.mark.parametrize("version", ["nb", "da"])
def test_what_was_copied_in_part_never_lacks_a_row(version: str, is_ours: bool) -> None:
    """`is_ours`: with Checksums.db. Without it an Index.db that was cut behind an entry hid the rows that followed."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    store, disk = some_store(), FaultyDisk()
    reader = written(disk, store, version=version, compression=COMPRESSIONS["lz4"], index_block_bytes=BLOCK_BYTES)
    assert reader is not None
    reader.close()
    if not is_ours:
        path = f"{FOLDER}/{reader.descriptor.file_name(TOC)}"
        disk.write_file_atomically(path, disk.read_file(path).replace(f"{CHECKSUMS}\n".encode(), b""))
        disk.unlink(f"{FOLDER}/{reader.descriptor.file_name(CHECKSUMS)}")
    tried = Counter[str]()
    for name in disk.list(FOLDER):
        path = f"{FOLDER}/{name}"
        data = disk.read_file(path)
        for length in (None, *cuts(rng, name, data)):
            if length is None:
                disk.unlink(path)
            else:
                disk.truncate(path, length)
            try:
                is_told = compared(opened(disk, version, store), store, rng.random(), f"{name}: {length} bytes")
            except CorruptionError:
                is_told = True
            tried["told" if is_told else "the same"] += 1
            disk.write_file_atomically(path, data)
    assert min(tried["told"], tried["the same"]) > 10, tried
