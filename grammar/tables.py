"""The parse tables: read from a file, built only where there is none that fits.

The file is looked for beside this module (a package brings it, a checkout's first statement writes it), then, where that
folder can't be written, in the user's cache folder. Its key is a hash of the grammar, of the numbering of the terminals,
and of Python's version, so a stale file is never used. It is written to a temporary name and renamed.
"""

import marshal
import os
import sys
from contextlib import suppress
from importlib.util import source_hash
from pathlib import Path
from typing import TypeAlias

from grammar.keywords import TERMINALS

# (states: (terminal -> action, left side -> state); end state; rules: (left side, size, action's name)); see
# grammar/build.py.
Tables: TypeAlias = tuple[list[tuple[dict[int, int], dict[int, int]]], int, list[tuple[int, int, str]]]

GRAMMAR = Path(__file__).with_name("cql.lark")
_FORMAT = 3


def tables_key(source: str) -> str:
    """What a file of tables must carry to fit the grammar `source`."""
    versions = f"{_FORMAT} {sys.version_info[:2]} {marshal.version} {' '.join(TERMINALS)}"
    return source_hash(f"{versions} {source}".encode()).hex()


def load_tables() -> Tables:
    """The tables of cql.lark, from the package's file, the user's cache, or built now (and kept if a folder allows)."""
    source = GRAMMAR.read_text(encoding="utf-8")
    key = tables_key(source)
    paths = [GRAMMAR.with_name("tables.bin"), _user_cache() / "tables.bin"]
    for path in paths:
        tables = _read(path, key)
        if tables is not None:
            return tables
    from grammar.build import build_tables

    tables = build_tables(source)
    for path in paths:
        with suppress(OSError):
            save_tables(path, key, tables)
            break
    return tables


def save_tables(path: Path, key: str, tables: Tables) -> None:
    """Writes a file of tables, whole or not at all; raises OSError."""
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".tables-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(marshal.dumps((key, *tables)))
        os.chmod(temporary, 0o644)  # mkstemp is stricter than a package's file should be
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _read(path: Path, key: str) -> Tables | None:
    try:
        found = marshal.loads(path.read_bytes())
    except (OSError, ValueError, EOFError, TypeError):
        return None
    if not isinstance(found, tuple) or len(found) != 4 or found[0] != key:
        return None
    return found[1], found[2], found[3]


def _user_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "cqlserver"
