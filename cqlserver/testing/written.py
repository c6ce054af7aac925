"""Which keyspaces a statement changes, as far as a real cluster has to be spared.

It looks at words, since the plugin imports no grammar: rather one keyspace too many than one too few.
"""

import re
from typing import Final

_LITERALS: Final = re.compile(r"""("(?:[^"]|"")*")|'(?:[^']|'')*'|\$\$.*?\$\$""", re.DOTALL)
_READS: Final = re.compile(r"\s*(?:SELECT|LIST|DESC|DESCRIBE)\b", re.IGNORECASE)
_ROLES: Final = re.compile(r"\s*(?:GRANT|REVOKE|(?:CREATE|ALTER|DROP|ADD)\s+(?:ROLE|USER|IDENTITY))\b", re.IGNORECASE)
_NAMES: Final = re.compile(
    r"\b(INTO|UPDATE|FROM|ON|TRUNCATE|TABLE|COLUMNFAMILY|TYPE|VIEW|INDEX|FUNCTION|AGGREGATE|KEYSPACE)\s+"
    r'(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?=("(?:[^"]|"")+"|\w+)\s*(\.)?)',
    re.IGNORECASE,
)
"""A word that a name follows, which is not used up: it may be such a word itself (TRUNCATE TABLE, INDEX ON)."""


def name_of(written: str) -> str:
    """A name in CQL as tables of the schema have it."""
    return written[1:-1].replace('""', '"') if written.startswith('"') else written.lower()


def is_about_roles(statement: str) -> bool:
    return _ROLES.match(statement) is not None


def keyspaces_written(statement: str) -> set[str | None]:
    """Those that it may change; None stands for the one in use. A statement that reads has none. Comments are taken out
    before (seeding/cql_text.py): a name behind one would not be seen."""
    if _READS.match(statement):
        return set()
    found: set[str | None] = set()
    for word, name, dot in _NAMES.findall(_LITERALS.sub(lambda literal: literal[1] or "''", statement)):
        found.add(name_of(name) if dot or word.upper() == "KEYSPACE" else None)
    return found
