"""Runs of rows that look alike, decoded by code that is written for them.

A row that an INSERT or UPDATE of plain values wrote has no TTL, no deletion, and cells with the row's timestamp (or,
without a marker, all the same one): it becomes a packed row. For a file's header and the flags of such rows a function is
written and compiled, with the columns unrolled: 2 us a row where the general way takes 12. It stops in front of the first
row that is different in anything, whose place it returns.
"""

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from protocol.errors import CorruptionError
from storage.keys import component_order_keys
from storage.memtable.packed import StoredRow
from storage.sstable.constants import CELL_EMPTY, CELL_ROW_TIMESTAMP, HAS_ALL_COLUMNS, HAS_TIMESTAMP
from storage.sstable.vints import EXTRA_BYTES, VALUE_MASKS, read_unsigned

if TYPE_CHECKING:
    from storage.sstable.decoder import RowDecoder

Run = Callable[[bytes, int, int, list[bytes], list[StoredRow]], int]
"""(data, at, end, order keys, rows) -> where the first row begins that it can't take; those before are appended."""

RUN_FLAGS: Final = frozenset((HAS_TIMESTAMP | HAS_ALL_COLUMNS,))
COLUMNS_MAX: Final = 100
_I32 = struct.Struct(">i")
_I64 = struct.Struct(">q")
_LENGTHS: Final = tuple(_I32.pack(length) for length in range(128))


def compile_run(decoder: "RowDecoder", flags: int) -> Run | None:
    """None where rows with these flags can't be packed."""
    columns = decoder.regulars
    if len(columns) > COLUMNS_MAX or any(c.is_complex or c.gone_us is None or c.gone_us >= -(1 << 63) for c in columns):
        return None
    layout = decoder.layouts.maybe_layout(tuple(column.name for column in columns), True)
    if layout is None:
        return None
    source = _source(decoder, flags)
    names: dict[str, Any] = {
        "CorruptionError": CorruptionError,
        "EXTRA": EXTRA_BYTES,
        "LENGTHS": _LENGTHS,
        "MASKS": VALUE_MASKS,
        "base_us": decoder.header.min_timestamp_us,
        "from_bytes": int.from_bytes,
        "length_of": _I32.pack,
        "pack_i64": _I64.pack,
        "prefix": layout.row_prefix,
        "read_unsigned": read_unsigned,
        **{f"order_key{i}": key for i, key in enumerate(component_order_keys(decoder.table))},
    }
    exec(compile(source, "<run of rows>", "exec"), names)
    run: Run = names["run"]
    return run


def _source(decoder: "RowDecoder", flags: int) -> str:
    lines = [
        "def run(data, at, end, cks, rows):",
        f" while at < end and data[at] == {flags}:",
        "  start = at",
        "  at += 1",
    ]
    parts = ["prefix", "pack_i64(timestamp)"]
    if decoder.codec.count:
        lines += ["  if data[at]:", "   return start", "  at += 1"]
        for i, length in enumerate(decoder.codec.lengths):
            _value(lines, parts, f"k{i}", length)
    lines += _HEAD_LINES
    for i, column in enumerate(decoder.regulars):
        lines += [f"  if data[at] != {CELL_ROW_TIMESTAMP}:"]
        lines += [f"   if data[at] != {CELL_ROW_TIMESTAMP | CELL_EMPTY}:", "    return start"]
        lines += [f"   v{i} = LENGTHS[0]", "   at += 1", "  else:", "   at += 1"]
        _cell(lines, f"v{i}", column.fixed_length)
        parts.append(f"v{i}")
    keys = "+".join(f"order_key{i}(k{i})" for i in range(decoder.codec.count)) or "b''"
    lines += [
        "  if at != stop:",
        "   raise CorruptionError(f'a row ends at {at}, not at {stop}')",
        f"  cks.append({keys})",
        f"  rows.append(b''.join(({','.join(parts)})))",
        " return at",
    ]
    return "\n".join(lines)


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
