"""Runs of rows that look alike, decoded by code that is written for them.

A row that an INSERT or UPDATE of plain values wrote has no TTL, no deletion, and cells with the row's timestamp (or,
without a marker, all the same one): it becomes a packed row. For a file's header and the flags of such rows a function is
written and compiled, with the columns unrolled: 2 us a row where the general way takes 12. It stops in front of the first
row that is different in anything, whose place it returns.

A second function of the same kind takes partitions: of each one that is nothing but one such row it gives what a memtable
has of it (memtable.single), of any other None.
"""

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from protocol.errors import CorruptionError
from storage.keys import component_order_keys
from storage.memtable.memtable import CK_LENGTH_MAX
from storage.memtable.packed import StoredRow
from storage.mutation import LIVE
from storage.sstable.columns import encode_subset
from storage.sstable.constants import (
    CELL_EMPTY,
    CELL_ROW_TIMESTAMP,
    END_OF_PARTITION,
    EXTENSION,
    HAS_ALL_COLUMNS,
    HAS_TIMESTAMP,
    IS_STATIC,
)
from storage.sstable.deletions import encode_deletion
from storage.sstable.vints import EXTRA_BYTES, VALUE_MASKS, read_unsigned, unsigned

if TYPE_CHECKING:
    from storage.sstable.decoder import RowDecoder

Run = Callable[[bytes, int, int, list[bytes], list[StoredRow]], int]
"""(data, at, end, order keys, rows) -> where the first row begins that it can't take; those before are appended."""

PartitionRun = Callable[[bytes, int, Sequence[bytes], Sequence[int], int, int, list[bytes | None]], None]
"""(data, where in Data.db they begin, positions, starts, first number, last number, found): of the partitions with these
numbers, which `data` has, one behind the other."""

RUN_FLAGS: Final = frozenset((HAS_TIMESTAMP | HAS_ALL_COLUMNS,))
COLUMNS_MAX: Final = 100
CLUSTERINGS_MAX: Final = 32
"""In the first group of a clustering."""
_I32 = struct.Struct(">i")
_I64 = struct.Struct(">q")
_LENGTHS: Final = tuple(_I32.pack(length) for length in range(128))


class _Heads(dict[int, bytes]):
    """The length of an order key, as a memtable's partition of one row begins with it."""

    def __missing__(self, length: int) -> bytes:
        head = self[length] = length.to_bytes(2, "big")
        return head


_HEADS: Final = _Heads()


def compile_run(decoder: "RowDecoder", flags: int) -> Run | None:
    """None where rows with these flags can't be packed."""
    run: Run | None = _compiled(decoder, _run_lines(decoder, flags))
    return run


def compile_partition_run(decoder: "RowDecoder") -> PartitionRun | None:
    """None where rows of plain values can't be packed."""
    run: PartitionRun | None = _compiled(decoder, _partition_lines(decoder, next(iter(RUN_FLAGS))))
    return run


def _compiled(decoder: "RowDecoder", lines: list[str]) -> Any:
    columns = decoder.regulars
    if len(columns) > COLUMNS_MAX or any(c.is_complex or c.gone_us is None or c.gone_us >= -(1 << 63) for c in columns):
        return None
    layout = decoder.layouts.maybe_layout(tuple(column.name for column in columns), True)
    if layout is None or decoder.codec.count > CLUSTERINGS_MAX:
        return None
    names: dict[str, Any] = {
        "CorruptionError": CorruptionError,
        "EXTRA": EXTRA_BYTES,
        "HEADS": _HEADS,
        "LENGTHS": _LENGTHS,
        "LIVE": encode_deletion(LIVE, decoder.version),
        "MASKS": VALUE_MASKS,
        "base_us": decoder.header.min_timestamp_us,
        "from_bytes": int.from_bytes,
        "length_of": _I32.pack,
        "pack_i64": _I64.pack,
        "prefix": layout.row_prefix,
        "read_unsigned": read_unsigned,
        **{f"order_key{i}": key for i, key in enumerate(component_order_keys(decoder.table))},
    }
    exec(compile("\n".join(lines), "<run of rows>", "exec"), names)
    return names.pop("run")


def _run_lines(decoder: "RowDecoder", flags: int) -> list[str]:
    lines = [
        "def run(data, at, end, cks, rows):",
        f" while at < end and data[at] == {flags}:",
        "  start = at",
        "  at += 1",
    ]
    parts = _row_lines(lines, decoder, "return start")
    return [
        *lines,
        f"  cks.append({_order_key(decoder)})",
        f"  rows.append(b''.join(({','.join(parts)})))",
        " return at",
    ]


def _partition_lines(decoder: "RowDecoder", flags: int) -> list[str]:
    """A partition that has a static row is another kind of partition."""
    leave = "found.append(None); continue"
    live_bytes = len(encode_deletion(LIVE, decoder.version))
    lines = [
        "def run(data, base, positions, starts, first, last, found):",
        " end = starts[first] - base",
        " for i in range(first, last):",
        "  at = end",
        "  end = starts[i + 1] - base",
        "  key = positions[i][8:]",
        "  size = len(key)",
        "  if data[at] << 8 | data[at + 1] != size or not data.startswith(key, at + 2):",
        "   raise CorruptionError(f'another partition at {base + at} than the index says')",
        "  at += 2 + size",
        "  if not data.startswith(LIVE, at):",
        f"   {leave}",
        f"  at += {live_bytes}",
    ]
    if decoder.statics:
        without = b"\0" + encode_subset((), len(decoder.statics))
        static = bytes((EXTENSION, IS_STATIC)) + unsigned(len(without)) + without
        lines += [f"  if not data.startswith({static!r}, at):", f"   {leave}", f"  at += {len(static)}"]
    lines += [f"  if data[at] != {flags}:", f"   {leave}", "  at += 1"]
    parts = _row_lines(lines, decoder, leave)
    return [
        *lines,
        "  if at + 1 != end:",
        f"   {leave}",
        f"  if data[at] != {END_OF_PARTITION}:",
        "   raise CorruptionError(f'the partition does not end at {base + end}')",
        f"  ck = {_order_key(decoder)}",
        f"  if len(ck) > {CK_LENGTH_MAX}:",
        f"   {leave}",
        f"  found.append(b''.join((HEADS[len(ck)],ck,{','.join(parts)})))",
    ]


def _order_key(decoder: "RowDecoder") -> str:
    return "+".join(f"order_key{i}(k{i})" for i in range(decoder.codec.count)) or "b''"


def _row_lines(lines: list[str], decoder: "RowDecoder", leave: str) -> list[str]:
    """Adds what decodes a row behind its flags; the parts of the packed row. `leave`: what to do where it is no such row."""
    parts = ["prefix", "pack_i64(timestamp)"]
    if decoder.codec.count:
        lines += ["  if data[at]:", f"   {leave}", "  at += 1"]
        for i, length in enumerate(decoder.codec.lengths):
            _value(lines, parts, f"k{i}", length)
    lines += _HEAD_LINES
    for i, column in enumerate(decoder.regulars):
        lines += [f"  if data[at] != {CELL_ROW_TIMESTAMP}:"]
        lines += [f"   if data[at] != {CELL_ROW_TIMESTAMP | CELL_EMPTY}:", f"    {leave}"]
        lines += [f"   v{i} = LENGTHS[0]", "   at += 1", "  else:", "   at += 1"]
        _cell(lines, f"v{i}", column.fixed_length)
        parts.append(f"v{i}")
    lines += ["  if at != stop:", "   raise CorruptionError(f'a row ends at {at}, not at {stop}')"]
    return parts


_HEAD_LINES: Final = """\
  size = data[at]
  at += 1
  if size > 127:
   size, at = read_unsigned(data, at - 1)
  stop = at + size
  if stop > end:
   raise CorruptionError(f'a row ends at {stop}, behind {end}')
  at += 1 + EXTRA[data[at]]
  first = data[at]
  extra = EXTRA[first]
  at += 1
  timestamp = (from_bytes(data[at:at + extra], 'big') | (first & MASKS[first]) << (8 * extra)) + base_us
  if timestamp > 0x7fffffffffffffff:
   timestamp -= 0x10000000000000000
  at += extra""".splitlines()


def _value(lines: list[str], parts: list[str], name: str, length: int | None) -> None:
    """A clustering value, which is not empty."""
    if length is not None:
        lines += [f"  {name} = data[at:at + {length}]", f"  at += {length}"]
        parts += [repr(_I32.pack(length)), name]
        return
    lines += [
        "  size = data[at]",
        "  at += 1",
        "  if size > 127:",
        "   size, at = read_unsigned(data, at - 1)",
        f"  {name} = data[at:at + size]",
        "  at += size",
    ]
    parts += [f"length_of(len({name}))", name]


def _cell(lines: list[str], name: str, length: int | None) -> None:
    """A cell's wire value."""
    if length is not None:
        lines += [f"   {name} = {_I32.pack(length)!r} + data[at:at + {length}]", f"   at += {length}"]
        return
    lines += [
        "   size = data[at]",
        "   at += 1",
        "   if size < 128:",
        f"    {name} = LENGTHS[size] + data[at:at + size]",
        "   else:",
        "    size, at = read_unsigned(data, at - 1)",
        f"    {name} = length_of(size) + data[at:at + size]",
        "   at += size",
    ]
