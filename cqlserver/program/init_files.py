"""--init: files of CQL that are executed before the port opens."""

import re
from collections.abc import Iterator
from pathlib import Path

from cqlserver.node import Node
from cqlserver.pending import Pending
from cqlserver.state import ClientState
from protocol.errors import RequestError
from protocol.requests import QueryOptions

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


class InitError(Exception):
    """A statement failed; the message names file, line and the reason."""


def run_file(node: Node, path: Path) -> int:
    """Executes all statements of a file; how many. Raises InitError, OSError."""
    state = ClientState("127.0.0.1", 0, version=5)
    count = 0
    try:
        whole = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InitError(f"{path}: no UTF-8 text: byte {error.start} is {error.object[error.start]:#x}") from error
    for line, text in split_statements(whole):
        try:
            outcome = node.statements.query(state, text, QueryOptions())
            if isinstance(outcome, Pending):
                outcome.finish()
        except RequestError as error:
            raise InitError(f"{path}:{line}: {error.message}") from error
        count += 1
    return count


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
