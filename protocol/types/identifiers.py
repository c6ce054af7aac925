"""When a name must stand in double quotes to be read back as it is (ColumnIdentifier.maybeQuote)."""

import re

_UNQUOTED = re.compile(r"[a-z][a-z0-9_]*")

# Words that CQL's grammar never takes as a name (the jar's reserved_keywords.txt).
_RESERVED_TEXT = """
    add allow alter and apply asc authorize batch begin by columnfamily create delete desc describe drop entries execute
    from full grant if in index infinity insert into is keyspace limit materialized modify nan norecursive not null of on
    or order primary rename revoke schema select set table to token truncate unlogged update use using view where with
"""
RESERVED_WORDS = frozenset(_RESERVED_TEXT.split())


def quoted_identifier(name: str) -> str:
    if _UNQUOTED.fullmatch(name) and name not in RESERVED_WORDS:
        return name
    return '"' + name.replace('"', '""') + '"'
