"""Packed rows of counters. Of two of them none takes the other's place, as it is elsewhere: their contexts are merged.

A packed row of a counter table is a packed row (packed.py) whose regular values are contexts (counters.py), all written at
one time. Two of one layout always make a third: merged contexts, and the later time for all.
"""

import struct

from storage.counters.contexts import merge_contexts
from storage.memtable.packed import TIMESTAMP, VALUES, join_wire_values, timestamp_of
from storage.mutation import split_wire_values

_CLOCK_AND_COUNT = struct.Struct(">qq")


def merge_counter_rows(old: bytes, new: bytes, clustering_count: int) -> bytes:
    """Two packed rows of one clustering and one layout. `old` was there before: its clustering's bytes stay."""
    latest = (old if timestamp_of(old) > timestamp_of(new) else new)[TIMESTAMP:VALUES]
    if old[VALUES:-16] == new[VALUES:-16]:  # they differ in the last shard, if at all: one node counts in one column
        at_old, at_new = len(old) - 16, len(new) - 16
        wins = _CLOCK_AND_COUNT.unpack_from(new, at_new) >= _CLOCK_AND_COUNT.unpack_from(old, at_old)
        return old[:TIMESTAMP] + latest + (new if wins else old)[VALUES:]
    old_values, new_values = split_wire_values(old, VALUES), split_wire_values(new, VALUES)
    contexts = map(merge_contexts, old_values[clustering_count:], new_values[clustering_count:])
    return old[:TIMESTAMP] + latest + join_wire_values([*old_values[:clustering_count], *contexts])
