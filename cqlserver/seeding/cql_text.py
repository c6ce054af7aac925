"""CQL text cut into its statements."""

import re
from collections.abc import Iterator

_PIECES = re.compile(
    r"""'(?:[^']|'')*'      # a string
    | "(?:[^"]|"")*"        # a quoted name
    | \$\$.*?\$\$           # a string in dollars
    | --[^\n]* | //[^\n]*   # comments
    | /\*.*?\*/
    | ;
    | [^'"$/;-]+ | .        # anything else""",
    re.VERBOSE | re.DOTALL,
)
_BEGIN_BATCH = re.compile(r"\s*BEGIN\s+(?:\w+\s+)?BATCH\b", re.IGNORECASE)
_APPLY_BATCH = re.compile(r"\bAPPLY\s+BATCH\s*\Z", re.IGNORECASE)


def split_statements(text: str) -> Iterator[tuple[int, str]]:
    """(line of its beginning, text) of each statement: cut at semicolons that are not in strings, names, comments or
    between BEGIN BATCH and APPLY BATCH."""
    statement, began, at = "", 1, 1
    for match in _PIECES.finditer(text):
        piece = match[0]
        if not statement.strip() and not piece.isspace():
            statement, began = "", at + (len(piece) - len(piece.lstrip("\n")) if piece[:1] == "\n" else 0)
        at += piece.count("\n")
        if piece == ";" and (not _BEGIN_BATCH.match(statement) or _APPLY_BATCH.search(statement)):
            if statement.strip():
                yield began, statement.strip()
            statement = ""
        elif piece.startswith(("--", "//", "/*")) and len(piece) > 1:
            statement += " "
        else:
            statement += piece
    if statement.strip():
        yield began, statement.strip()
