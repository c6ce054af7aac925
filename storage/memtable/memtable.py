"""The memtable: one table's recent writes, by partition key.

By key `bytes | SingleRow | Partition`. A partition of just one packed row, the commonest there is, stays one bytes
object: `[u16 length of ck][ck][packed row]`; of just one Row (partly updated, with TTL) a SingleRow; anything else is a
Partition. The dicts are fed by clients and keyed by bytes, whose hash is seeded per process.

For scans the keys have positions: 8 bytes of token (biased, so that bytes compare as tokens do), then the key. They
are computed when a scan wants them, only for the keys that came since the last one; keys are hardly ever removed (a flush or
TRUNCATE starts a new memtable). They are kept in buckets of neighbouring tokens, each
sorted when a scan gets there: the first scan of a million keys never takes long at one time.

A copy of a memtable (`copy`) shares the partitions with it: either copies one before it changes it, which it knows by the
partition's owner. So a copy costs that of the dicts, and rows only where they are written again.

A dict that grows is copied, at a million keys for some 30 ms. So the partitions are dealt to SHARDS dicts by their keys'
hash as soon as there are SHARD_AT of them; while there are few, one dict is smaller and faster.
"""

import gc
import struct
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from sys import hash_info
from typing import TYPE_CHECKING, Final, NamedTuple

from storage.environment.strands import pause, paused
from storage.memtable.packed import VALUES, Layouts, StoredRow
from storage.memtable.partition import Partition, estimated_bytes, is_nothing, merge_stored
from storage.mutation import LIVE, PartitionUpdate, RangeTombstone, Row
from storage.reconcile import Resolve, uncovered_row
from storage.token import MIN_TOKEN, KeyHashes, key_hashes, token

if TYPE_CHECKING:
    from storage.sought import Sought

CK_LENGTH_MAX: Final = 65535
TIMESTAMP_MAX_US: Final = (1 << 63) - 1
# key object, value object, what both are rounded up by, the dict's entry, that in the list of fresh keys: beside the bytes
PARTITION_OVERHEAD_BYTES: Final = 33 + 33 + 15 + 42 + 9
PLACE_BYTES: Final = 72
"""Of a short key whose place has been found: the position, and that in its bucket."""
_SINGLE_OVERHEAD_BYTES: Final = PARTITION_OVERHEAD_BYTES - 2
WIDE_PARTITION_BYTES: Final = 700
SCAN_BATCH: Final = 256
PLACED_KEYS: Final = 1500
SHARD_AT: Final = 4_096
SHARDS: Final = 64
_SHARD_SHIFT: Final = hash_info.width - 9  # not the hash's low bits: by those each dict places its keys
_BUCKETS: Final = 4096
_BUCKET_SHIFT: Final = 4
_EMPTY: Final[list[bytes]] = []

_U16 = struct.Struct(">H")
_CK_HEADS: Final = tuple(length.to_bytes(2, "big") for length in range(256))
_TOKEN_BIAS: Final = 1 << 63

Position = bytes


def position_of(key: bytes) -> Position:
    """A partition's place in token order, as bytes that compare as (token, key)."""
    return (token(key) + _TOKEN_BIAS).to_bytes(8, "big") + key


def placed(key: bytes, first_hash: int) -> Position:
    """The same, where the first half of the key's hash is known."""
    if first_hash == MIN_TOKEN or not key:
        return position_of(key)
    return (first_hash + _TOKEN_BIAS).to_bytes(8, "big") + key


def hashes_and_positions(keys: Sequence[bytes]) -> tuple[list[KeyHashes], list[Position]]:
    """Of several keys: both halves of the hash of each, and its place."""
    hashes = [key_hashes(key) for key in keys]
    positions = [
        (first + _TOKEN_BIAS).to_bytes(8, "big") + key if first != MIN_TOKEN and key else position_of(key)
        for key, (first, _) in zip(keys, hashes, strict=True)
    ]
    return hashes, positions


def token_position(token_value: int) -> Position:
    """The place before all partitions of a token."""
    return (token_value + _TOKEN_BIAS).to_bytes(8, "big")


def _bucket(position: Position) -> int:
    """The first twelve bits."""
    return int.from_bytes(position[:2], "big") >> _BUCKET_SHIFT


def position_token(position: Position) -> int:
    return int.from_bytes(position[:8], "big") - _TOKEN_BIAS


def single(ck: bytes, row: bytes) -> bytes:
    """A partition of one packed row; ck is at most CK_LENGTH_MAX bytes long."""
    length = len(ck)
    return (_CK_HEADS[length] if length < 256 else _U16.pack(length)) + ck + row


def split_single(partition: bytes) -> tuple[bytes, bytes]:
    """ck and packed row of the bytes form."""
    start = 2 + int.from_bytes(partition[:2], "big")
    return partition[2:start], partition[start:]


def rows_of_singles(partitions: Sequence[bytes]) -> list[bytes]:
    """The packed rows of several."""
    head = partitions[0][:2]
    start = 2 + int.from_bytes(head, "big")
    rows = [partition[start:] for partition in partitions if partition.startswith(head)]
    return rows if len(rows) == len(partitions) else [split_single(partition)[1] for partition in partitions]


class SingleRow(NamedTuple):
    """A partition of just one row that is not packed, without deletions above the row."""

    ck: bytes
    row: Row


StoredPartition = bytes | SingleRow | Partition


class _Shard(dict[bytes, StoredPartition]):
    """A dict that the garbage collector knows from the start: so `freeze` can take it from its sight. A plain one comes
    into sight when the first Partition comes in, with all its entries, each of which a collection looks at."""

    __slots__ = ()


class Memtable:
    """See the module. `live_bytes` estimates what it takes."""

    __slots__ = (
        "_buckets", "_fresh", "_gone", "_layouts", "_mask", "_numbers", "_owner", "_resolve", "_shards", "_unsorted",
        "live_bytes",
    )  # fmt: skip

    def __init__(self, layouts: Layouts, resolve: Resolve) -> None:
        self._layouts = layouts
        self._resolve = resolve
        self._buckets: dict[int, list[Position]] = {}
        self._numbers: list[int] = []  # of the buckets that there are, sorted
        self._unsorted: set[int] = set()
        self._fresh: list[bytes] = []  # keys that are in no bucket yet
        self._gone: dict[bytes, int] = {}  # those among them that have been removed, and how often
        self._shards: list[dict[bytes, StoredPartition]] = [{}]
        self._mask = 0
        self._owner: object = None  # of the partitions that it may change
        self.live_bytes = 0

    def set_resolve(self, resolve: Resolve) -> None:
        """The types of the table's columns changed."""
        self._resolve = resolve

    def __len__(self) -> int:
        return sum(map(len, self._shards))

    def copy(self) -> "Memtable":
        """A memtable of its own with what is in this one. Where the keys stand in token order it finds out anew."""
        made = type(self)(self._layouts, self._resolve)
        made._shards = [type(shard)(shard) for shard in self._shards]
        made._mask, made.live_bytes = self._mask, self.live_bytes
        made._fresh = list(self.keys())
        self._owner, made._owner = object(), object()
        return made

    # -- writing ------------------------------------------------------------------------------------------------------

    def apply_packed(self, key: bytes, head: bytes, partition: bytes) -> None:
        """Merges one packed row in (a layout of this table's Layouts), given as a partition of just this row, and how that
        begins, timestamp included. The hot path of every INSERT."""
        partitions = self._shards[hash(key) >> _SHARD_SHIFT & self._mask]
        old = partitions.get(key)
        if old is None:
            partitions[key] = partition
            self._fresh.append(key)
            self.live_bytes += len(key) + len(partition) + _SINGLE_OVERHEAD_BYTES
            if len(partitions) == SHARD_AT:
                self._deal()
            return
        if type(old) is bytes:
            # What begins with the same clustering and layout compares as the timestamps do, if these are positive.
            if head[:-8] < old < head and head[-8] < 128:
                partitions[key] = partition
                self.live_bytes += len(partition) - len(old)
                return
        elif isinstance(old, Partition):
            if old.owner is not self._owner:
                old = self._own(key, old)
            before = old.live_bytes
            old.put(head[2:-VALUES], partition[len(head) - VALUES :], self._layouts, self._resolve)
            self.live_bytes += old.live_bytes - before
            return
        self._apply_row(key, head[2:-VALUES], partition[len(head) - VALUES :])

    def apply_packed_rows(self, key: bytes, head: bytes, cks: list[bytes], values: list[bytes]) -> None:
        """Merges several packed rows of one partition, layout and timestamp in: `head` is how they begin, `values` the wire
        values of each."""
        if len(cks) == 1 and len(cks[0]) <= CK_LENGTH_MAX:
            begin = single(cks[0], head)
            self.apply_packed(key, begin, begin + values[0])
            return
        partition = self._changeable(key, self.get(key))
        before = partition.live_bytes
        partition.put_packed(head, cks, values, self._layouts, self._resolve)
        self.live_bytes += partition.live_bytes - before

    # for drafts.py

    def widened_copy(self, old: bytes | SingleRow | None) -> Partition:
        return self._general(old)

    def put_into(self, partition: Partition, rows: Iterable[tuple[bytes, StoredRow]]) -> None:
        """Merges rows of this table into a partition that nobody sees yet."""
        resolve = replace(self._resolve, turns=paused)
        for ck, row in rows:
            partition.put(ck, row, self._layouts, resolve)

    def update_into(self, partition: Partition, update: PartitionUpdate) -> None:
        """The same of an update."""
        if update.deletion != LIVE:
            partition.delete(update.deletion, pause)
        for tombstone in update.range_tombstones:
            partition.delete_range(tombstone, pause)
        if update.static is not None:
            partition.put_static(update.static, replace(self._resolve, turns=paused))
        self.put_into(partition, ((ck, row) for ck, row in paused(update.rows.items()) if not is_nothing(row)))

    def replace(self, key: bytes, partition: Partition) -> None:
        """Puts a partition in the place of the one that there is."""
        old = self.get(key)
        before = old if isinstance(old, Partition) else self._widened(key, old)
        partition.owner = self._owner
        self.live_bytes += partition.live_bytes - before.live_bytes
        self._keep(key, partition)

    def apply(self, update: PartitionUpdate) -> None:
        """Merges any update in."""
        key = update.key
        if update.deletion is LIVE and update.static is None and not update.range_tombstones:
            for ck, row in update.rows.items():
                if is_nothing(row):
                    continue
                uncovered = uncovered_row(row)
                if uncovered is None:
                    continue
                packed = None if self.get(key) is not None else self._layouts.maybe_pack(uncovered)
                self._apply_row(key, ck, packed or uncovered)
            return
        partition = self._changeable(key, self.get(key))
        before = partition.live_bytes
        if update.deletion != LIVE:
            partition.delete(update.deletion)
        for tombstone in update.range_tombstones:
            partition.delete_range(tombstone)
        if update.static is not None:
            partition.put_static(update.static, self._resolve)
        for ck, row in update.rows.items():
            if not is_nothing(row):
                partition.put(ck, row, self._layouts, self._resolve)
        self.live_bytes += partition.live_bytes - before

    def cover_ranges(self, key: bytes, tombstones: Sequence[RangeTombstone]) -> None:
        """Deletes what a partition has in these ranges, and does not keep the deletions (Partition.cover_range)."""
        old = self.get(key)
        if old is None:
            return
        partition = self._changeable(key, old)
        before = partition.live_bytes
        for tombstone in tombstones:
            partition.cover_range(tombstone)
        self.live_bytes += partition.live_bytes - before

    def remove(self, key: bytes) -> None:
        """Forgets a partition, as if it had never been there. What is new since the last scan costs a step of placing it."""
        stored = self._shards[hash(key) >> _SHARD_SHIFT & self._mask].pop(key, None)
        if stored is None:
            return
        size = len(key) + PARTITION_OVERHEAD_BYTES
        if isinstance(stored, bytes):
            size += len(stored) - 2
        elif isinstance(stored, Partition):
            size += WIDE_PARTITION_BYTES + stored.live_bytes
        else:
            size += len(stored.ck) + estimated_bytes(stored.row)
        self.live_bytes = max(0, self.live_bytes - size)
        self.place_keys()
        position = position_of(key)
        number = _bucket(position)
        bucket = self._buckets.get(number, _EMPTY)
        if position not in bucket:
            self._gone[key] = self._gone.get(key, 0) + 1
            return
        bucket.remove(position)
        if not bucket:
            del self._buckets[number]
            self._numbers.remove(number)
            self._unsorted.discard(number)

    def _apply_row(self, key: bytes, ck: bytes, row: StoredRow) -> None:
        """One row that its own deletions do not cover, by the general way; the partition stays as small as it can."""
        old = self.get(key)
        if old is None:
            self._fresh.append(key)
            self.live_bytes += len(key) + PARTITION_OVERHEAD_BYTES
            self._keep_single(key, ck, row)
            return
        if not isinstance(old, Partition):
            old_ck, old_row = split_single(old) if isinstance(old, bytes) else old
            if old_ck == ck:
                merged = merge_stored(old_row, row, self._layouts, self._resolve)
                if merged is not None:
                    self.live_bytes -= len(ck) + estimated_bytes(old_row)
                    self._keep_single(key, ck, merged)
                return
        partition = self._changeable(key, old)
        before = partition.live_bytes
        partition.put(ck, row, self._layouts, self._resolve)
        self.live_bytes += partition.live_bytes - before

    def _keep_single(self, key: bytes, ck: bytes, row: StoredRow) -> None:
        self.live_bytes += len(ck) + estimated_bytes(row)
        if type(row) is not bytes:
            assert isinstance(row, Row)
            self._keep(key, SingleRow(ck, row))
        elif len(ck) <= CK_LENGTH_MAX:
            self._keep(key, single(ck, row))
        else:
            partition = Partition()
            partition.owner = self._owner
            self._keep(key, partition)
            partition.put(ck, row, self._layouts, self._resolve)
            self.live_bytes += WIDE_PARTITION_BYTES

    def _changeable(self, key: bytes, old: StoredPartition | None) -> Partition:
        """The Partition of a key that may be changed in place."""
        if not isinstance(old, Partition):
            return self._widened(key, old)
        return old if old.owner is self._owner else self._own(key, old)

    def _own(self, key: bytes, shared: Partition) -> Partition:
        """A copy takes the place of a partition that another memtable has too."""
        partition = shared.copy()
        partition.owner = self._owner
        self._keep(key, partition)
        return partition

    def _widened(self, key: bytes, old: bytes | SingleRow | None) -> Partition:
        """A Partition for the key from now on, with the one row that it may have."""
        if old is None:
            self._fresh.append(key)
            self.live_bytes += len(key) + PARTITION_OVERHEAD_BYTES
        self.live_bytes += WIDE_PARTITION_BYTES
        partition = self._general(old)
        partition.owner = self._owner
        self._keep(key, partition)
        return partition

    def _keep(self, key: bytes, partition: StoredPartition) -> None:
        partitions = self._shards[hash(key) >> _SHARD_SHIFT & self._mask]
        partitions[key] = partition
        if len(partitions) == SHARD_AT:
            self._deal()

    def _deal(self) -> None:
        """There are many partitions: one dict becomes many."""
        if self._mask:
            return
        mask = SHARDS - 1
        shards: list[dict[bytes, StoredPartition]] = [_Shard() for _ in range(SHARDS)]
        for key, partition in self._shards[0].items():
            shards[hash(key) >> _SHARD_SHIFT & mask][key] = partition
        self._shards, self._mask = shards, mask
        gc.freeze()

    def _general(self, old: bytes | SingleRow | None) -> Partition:
        partition = Partition()
        if old is not None:
            ck, row = split_single(old) if isinstance(old, bytes) else old
            partition.put(ck, row, self._layouts, self._resolve)
        return partition

    # -- reading ------------------------------------------------------------------------------------------------------

    def get(self, key: bytes) -> StoredPartition | None:
        """A partition in the form in which it is stored."""
        return self._shards[hash(key) >> _SHARD_SHIFT & self._mask].get(key)

    def stored(self, sought: "Sought") -> StoredPartition | None:
        """The same, as all sources have it."""
        return self.get(sought.key)

    def largest_dict(self) -> int:
        """Keys in the largest of the dicts: what one insert may have to copy."""
        return max(map(len, self._shards))

    def pieces(self) -> Iterator[list[object]]:
        """All that is kept, for `let_go_piecewise`: what is dropped is dropped a share at a time, and of wide partitions
        block by block. Who reads still has it all."""
        shards = self._shards[:]
        buckets: list[object] = [*self._buckets.values()]
        fresh: list[object] = [*self._fresh]
        del self
        while shards:
            yield from _share_pieces(shards.pop())
        yield buckets
        yield fresh

    def keys(self) -> Iterator[bytes]:
        """Of all partitions, in no order."""
        return chain.from_iterable(self._shards)

    def maybe_partition(self, key: bytes) -> Partition | None:
        """The partition of a key in its general form; a copy when it is stored in a smaller one."""
        found = self.get(key)
        if found is None or isinstance(found, Partition):
            return found
        return self._general(found)

    def batches(self, start: Position = b"") -> Iterator[tuple[list[Position], list[StoredPartition]]]:
        """All partitions from a position on, as they are stored, in token order."""
        for positions in self._batches(start, None):
            found = [self.get(position[8:]) for position in positions]
            if None in found:  # it was removed
                pairs = [pair for pair in zip(positions, found, strict=True) if pair[1] is not None]
                yield [position for position, _ in pairs], [stored for _, stored in pairs if stored is not None]
            else:
                yield positions, found  # type: ignore[misc]  # none of them is None

    def general(self, stored: StoredPartition) -> Partition:
        """A partition in its general form; a copy when it is stored in a smaller one."""
        return stored if isinstance(stored, Partition) else self._general(stored)

    @property
    def max_timestamp_us(self) -> int:
        """Not counted: what looks for newer data has to look here."""
        return TIMESTAMP_MAX_US

    def positions(self, start: Position, end: Position | None) -> Iterator[Position]:
        """The partitions' places from `start` on, before `end` (None: to the last), in token order.

        Keys that come while the iterator is used appear if they lie ahead of it.
        """
        return chain.from_iterable(self._batches(start, end))

    def _batches(self, start: Position, end: Position | None) -> Iterator[list[Position]]:
        """The same, some together; none of them is empty."""
        number, last = _bucket(start), (_BUCKETS - 1 if end is None else _bucket(end))
        numbers = self._numbers
        while True:
            while not self.place_keys():
                pass
            following = bisect_left(numbers, number)
            if following == len(numbers) or numbers[following] > last:
                return
            number = numbers[following]
            bucket = self._sorted(number)
            at = bisect_left(bucket, start)
            batch = bucket[at : at + SCAN_BATCH]
            if batch and end is not None and batch[-1] >= end:
                batch = batch[: bisect_left(batch, end)]
                if batch:
                    yield batch
                return
            if len(batch) < SCAN_BATCH:
                number += 1
            if batch:
                yield batch
                start = batch[-1] + b"\0"

    def place_keys(self) -> bool:
        """Finds the places of some keys that came since the last scan, for a millisecond or two; whether that were all.
        To be called before `positions`, with pauses, where nothing may take long."""
        fresh, buckets, unsorted, gone = self._fresh, self._buckets, self._unsorted, self._gone
        for key in fresh[-PLACED_KEYS:]:
            if gone and key in gone:
                gone[key] -= 1
                if not gone[key]:
                    del gone[key]
                continue
            position = position_of(key)
            number = _bucket(position)
            bucket = buckets.get(number)
            if bucket is None:
                buckets[number] = [position]
                insort(self._numbers, number)
            else:
                bucket.append(position)
                unsorted.add(number)
        del fresh[-PLACED_KEYS:]
        return not fresh

    def _sorted(self, number: int) -> list[Position]:
        bucket = self._buckets.get(number, _EMPTY)
        if number in self._unsorted:
            self._unsorted.discard(number)
            bucket.sort()
        return bucket


def _share_pieces(share: dict[bytes, StoredPartition]) -> Iterator[list[object]]:
    keys: list[object] = [*share]
    partitions: list[object] = [*share.values()]
    del share
    yield keys
    wide = [partition for partition in partitions if isinstance(partition, Partition)]
    yield partitions
    while wide:
        partition = wide.pop()
        blocks: list[object] = [*partition.cks, *partition.rows]
        del partition
        yield blocks
