"""The parse tables: read from the package's file, built only where that doesn't fit the grammar.

`tables.bin` is part of the sources, so that a fresh checkout starts as quickly as any. It begins with a hash of the grammar
and of the numbering of the terminals: a stale file is never used. After a change of cql.lark, `python -m grammar.build`
writes it anew (a test insists); until then the tables are built once and kept in the user's cache folder, or in memory
alone where no such folder can be written.

The file: KEY_BYTES of hash, then compressed by zlib a line of JSON, {"end": state, "rules": [[left side, size, action's
name], ...], "rows": count, "states": count}, and numbers of 16 bits, little endian: the length of each row, all rows'
left numbers, all rows' right numbers, and for each state the rows that are its actions and its gotos.
"""

import hashlib
import json
import os
import sys
import zlib
from array import array
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from grammar.keywords import TERMINALS

# (states: (terminal -> action, left side -> state); end state; rules: (left side, size, action's name)); see
# grammar/build.py.
Tables: TypeAlias = tuple[list[tuple[dict[int, int], dict[int, int]]], int, list[tuple[int, int, str]]]

GRAMMAR = Path(__file__).with_name("cql.lark")
KEY_BYTES = 16
NUMBERS_TYPE = "h"
_FORMAT = 4


def tables_key(source: str) -> bytes:
    """What a file of tables must begin with to fit the grammar `source`."""
    return hashlib.md5(f"{_FORMAT} {' '.join(TERMINALS)} {source}".encode(), usedforsecurity=False).digest()


def load_tables() -> Tables:
    """The tables of cql.lark, from the package's file, the user's cache, or built now (and kept there if it can be)."""
    source = GRAMMAR.read_text(encoding="utf-8")
    key = tables_key(source)
    cache = _maybe_user_cache()
    for path in (package_file(), cache):
        tables = None if path is None else read_tables(path, key)
        if tables is not None:
            return tables
    from grammar.build import build_tables, save_tables

    tables = build_tables(source)
    if cache is not None:
        with suppress(OSError):
            cache.parent.mkdir(parents=True, exist_ok=True)
            save_tables(cache, key, tables)
    return tables


def package_file() -> Path:
    return GRAMMAR.with_name("tables.bin")


def read_tables(path: Path, key: bytes) -> Tables | None:
    """The tables in a file; None where there is none, where it is damaged, or where its key is another."""
    try:
        with path.open("rb") as file:
            if file.read(KEY_BYTES) != key:
                return None
            head, _, body = zlib.decompress(file.read()).partition(b"\n")
    except (OSError, zlib.error):
        return None
    layout = json.loads(head)
    states, rules = layout["states"], layout["rules"]
    numbers = array(NUMBERS_TYPE, body)
    if sys.byteorder == "big":
        numbers.byteswap()
    first = layout["rows"]
    sizes = numbers[:first]
    second, third = first + sum(sizes), first + 2 * sum(sizes)
    # each action is one object, however often it occurs; those below zero are found from the end
    same = [*range(states), *range(-len(rules), 0)].__getitem__
    entries = zip(numbers[first:second], map(same, numbers[second:third]), strict=True)
    rows = [dict(islice(entries, size)) for size in sizes]
    pairs = map(rows.__getitem__, numbers[third:])
    return list(zip(pairs, pairs, strict=True)), layout["end"], [(rule[0], rule[1], rule[2]) for rule in rules]


def _maybe_user_cache() -> Path | None:
    """Where tables may be kept that the package's file doesn't have; None for a user who has no home."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "cqlserver" / "tables.bin"
    except RuntimeError:
        return None
