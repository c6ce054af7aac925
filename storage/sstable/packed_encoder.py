"""Packed rows -> the bytes of Data.db, by code that is written for each layout: runs.py the other way round.

For a file's header and a layout a function is written and compiled, with the columns unrolled: a third of the time that the
general way takes (encoder.py), which also takes what has no place here: an empty clustering value, very many columns.
"""

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any, Final, NamedTuple

from protocol.errors import InternalError
from storage.memtable.packed import Layout
from storage.sstable.columns import encode_subset
from storage.sstable.constants import CELL_EMPTY, CELL_ROW_TIMESTAMP, HAS_ALL_COLUMNS, HAS_TIMESTAMP
from storage.sstable.header import HeaderColumn
from storage.sstable.prefixes import PrefixCodec
from storage.sstable.runs import CLUSTERINGS_MAX, COLUMNS_MAX
from storage.sstable.vints import SMALL, SMALL_COUNT, unsigned

Encode = Callable[[bytes, int, bytes, int], bytes | None]
"""(what holds a packed row, where its values begin there, its timestamp as a vint, size of the unfiltered before) -> the
row's bytes; None where it has to go the general way."""

_I32 = struct.Struct(">i")


class PackedPlan(NamedTuple):
    """For the rows of a layout. `cells`: how many each of them has in the file."""

    encode: Encode
    cells: int


def maybe_plan(layout: Layout, codec: PrefixCodec, columns: Mapping[str, tuple[int, HeaderColumn]]) -> PackedPlan | None:
    """`columns`: the header's regular ones, by name."""
    if len(layout.columns) > COLUMNS_MAX or codec.count > CLUSTERINGS_MAX:
        return None
    written = sorted((columns[name][0], place) for place, name in enumerate(layout.columns) if name in columns)
    flags, subset = HAS_TIMESTAMP * layout.has_marker, b""
    if len(written) == len(columns):
        flags |= HAS_ALL_COLUMNS
    else:
        subset = encode_subset([index for index, _ in written], len(columns))
    lines = ["def encode(row, at, timestamp, before):"]
    clustering = [f"{bytes((flags, 0))!r}"] if codec.count else [f"{bytes((flags,))!r}"]
    for i, length in enumerate(codec.lengths):
        lines += _VALUE_LINES
        lines += [" if not size:", "  return None", f" k{i} = row[at:at + size]", " at += size"]
        if length is None:
            clustering.append("(SMALL[size] if size < SMALL_COUNT else unsigned(size))")
            lines.append(f" n{i} = {clustering.pop()}")
            clustering.append(f"n{i}")
        clustering.append(f"k{i}")
    full, empty = CELL_ROW_TIMESTAMP * layout.has_marker, CELL_ROW_TIMESTAMP * layout.has_marker | CELL_EMPTY
    own = "" if layout.has_marker else " + timestamp"
    for place, name in enumerate(layout.columns):
        lines += _VALUE_LINES
        if name in columns:
            _cell(lines, place, columns[name][1].type.fixed_length, f"{bytes((full,))!r}{own}", f"{bytes((empty,))!r}{own}")
        lines.append(" at += size")
    body = ["(SMALL[before] if before < SMALL_COUNT else unsigned(before))"]
    body += ["timestamp"] if layout.has_marker else []
    body += [f"{subset!r}"] if subset else []
    body += [f"c{place}" for _, place in written]
    lines += [
        f" body = b''.join(({', '.join(body)},))",
        " size = len(body)",
        f" return b''.join(({', '.join(clustering)}, SMALL[size] if size < SMALL_COUNT else unsigned(size), body))",
    ]
    names: dict[str, Any] = {
        "SMALL": SMALL,
        "SMALL_COUNT": SMALL_COUNT,
        "length": _I32.unpack_from,
        "misfit": misfit,
        "unsigned": unsigned,
    }
    exec(_compiled("\n".join(lines)), names)
    return PackedPlan(names.pop("encode"), len(written))


@lru_cache(maxsize=64)
def _compiled(source: str) -> CodeType:
    return compile(source, "<encoder of rows>", "exec")


_VALUE_LINES: Final = (" size = length(row, at)[0]", " at += 4")


def _cell(lines: list[str], place: int, fixed_length: int | None, full: str, empty: str) -> None:
    lines += [" if not size:", f"  c{place} = {empty}"]
    if fixed_length is not None:
        lines += [f" elif size != {fixed_length}:", f"  raise misfit(size, {fixed_length})"]
        lines += [" else:", f"  c{place} = {full} + row[at:at + {fixed_length}]"]
    else:
        lines += [" elif size < SMALL_COUNT:", f"  c{place} = {full} + SMALL[size] + row[at:at + size]"]
        lines += [" else:", f"  c{place} = {full} + unsigned(size) + row[at:at + size]"]


def misfit(size: int, fixed_length: int) -> InternalError:
    """A value whose length is not its type's would make everything behind it unreadable."""
    return InternalError(f"a value of {size} bytes in a column of {fixed_length}")
