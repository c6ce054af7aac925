"""Two servers, one request each: what both answered, where they differ, and the smallest statement that still does."""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.normaliser import Normaliser
from harness.outcome import prepared_lines, prepared_result_lines, reply_lines
from harness.runner import Address

from protocol.client import Connection, connect
from protocol.errors import CqlServerError
from protocol.requests import QueryOptions
from protocol.responses import PreparedResult, Reply, Response, RowsResult
from twins.statement import Statement

PAGES_MAX = 40
TIMEOUT_S = 20.0
SHRINKS_MAX = 60

Lines = tuple[str, ...]

# What can't be equal: each pattern is replaced in both outcomes. The reasons stand in docs/compatibility.md.
ALLOWED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(known type signatures: ).*"), r"\1..."),
    (re.compile(r"\b1[789]\d{14}\b"), "<now>"),  # write times of counters
    (re.compile(r"\b(system\.)?(to|from)json([(\[])"), r"\1\2_json\3"),
    (re.compile(r"(requires a float vector argument, but found argument).*"), r"\1 ..."),
    (re.compile(r"^  function: (to|from)json$"), r"  function: \1_json"),
    (re.compile(r"org\.apache\.cassandra\S+@[0-9a-f]+|\S+(?= is not a valid field identifier)"), "..."),
    (re.compile(r"(Ambiguous call to function \S+ \(can be matched by following signatures: ).*"), r"\1"),
)

_COLUMN_SETS = re.compile(r"\w+(?: ,\w+)+")  # Cassandra prints hash sets of columns

# Errors of the peer that are Java's, not Cassandra's: nothing need be equal then.
JAVA_SLIP = re.compile(
    r"server error 0x0000: java\.lang\.(ClassCast|NullPointer|IndexOutOfBounds|ArrayIndexOutOfBounds|Assertion"
    r"|IllegalArgument|UnsupportedOperation|NumberFormat)"
    r"|read failure 0x1300: Operation failed - received 0 responses and 1 failures: UNKNOWN"
    r"|Invalid value for the paging state"
)


@dataclass(frozen=True, slots=True)
class Difference:
    statement: Statement
    ours: Lines
    peer: Lines

    def report(self) -> str:
        lines = [self.statement.describe()]
        common = 0
        while common < min(len(self.ours), len(self.peer)) and self.ours[common] == self.peer[common]:
            common += 1
        lines += [f"    = {line}" for line in self.ours[:common][:3]]
        lines += [f"    - ours {line[:600]}" for line in self.ours[common:][:4]]
        lines += [f"    + peer {line[:600]}" for line in self.peer[common:][:4]]
        return "\n".join(lines)

    def kind(self) -> str:
        """Differences of one kind are probably one bug: messages with names and numbers left out."""

        def first(lines: Lines, others: Lines) -> str:
            different = [line for line in lines if line not in others] or list(lines[:1]) or [""]
            shown = different[0] if ": " in different[0] and "0x" in different[0] else different[0].strip()[:12]
            return re.sub(
                r"'[^']*'|\"[^\"]*\"|\b[pcsv]\d\b|\b(?:frozen|list|set|map|tuple|vector|ua|ub)<.*>|\d+", "_", shown
            )[:150]

        return f"{first(self.ours, self.peer)} | {first(self.peer, self.ours)}"


class Server:
    """One of the two, with a connection per protocol version."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connections: dict[int, Connection] = {}

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def drop(self, keyspace: str) -> None:
        self._connection(5).query(f"DROP KEYSPACE IF EXISTS {keyspace}")

    def _connection(self, version: int) -> Connection:
        if version not in self._connections:
            self._connections[version] = connect(self._address.host, self._address.port, version, timeout_s=TIMEOUT_S)
        return self._connections[version]

    def lines(self, statement: Statement, normaliser: Normaliser) -> Lines:
        try:
            found = tuple(self._lines(statement, normaliser))
        except (CqlServerError, OSError, ValueError) as error:
            self.close()
            return (f"connection lost: {type(error).__name__} {error}",)
        return tuple(_allowed(line) for line in found if "(see tombstone_warn_threshold)" not in line)

    def _lines(self, statement: Statement, normaliser: Normaliser) -> Iterable[str]:
        connection = self._connection(statement.version)
        values = statement.values()
        options = QueryOptions(values=values, page_size=statement.page_size, now_s=statement.now_s)
        options = options._replace(consistency=statement.consistency)
        if not statement.prepared:
            text = statement.text()
            pages = _pages(lambda asked: connection.query(text, asked), options)
            until = time.monotonic() + TIMEOUT_S
            while statement.awaits_rows and _lacks_rows(pages[0].response) and time.monotonic() < until:
                pages = _pages(lambda asked: connection.query(text, asked), options)
            return reply_lines(pages, None, normaliser)
        reply = connection.prepare(statement.text())
        lines = list(prepared_lines(reply, normaliser))
        prepared = reply.response
        if isinstance(prepared, PreparedResult):
            pages = _pages(lambda asked: connection.execute(prepared, (), asked), options)
            lines += prepared_result_lines(prepared, pages[0].response, normaliser)
            lines += reply_lines(pages, prepared, normaliser)
        return lines


def _lacks_rows(response: Response) -> bool:
    return isinstance(response, RowsResult) and not response.row_count


def _allowed(line: str) -> str:
    for pattern, replacement in ALLOWED:
        line = pattern.sub(replacement, line)
    return _COLUMN_SETS.sub(lambda found: " ,".join(sorted(found[0].split(" ,"))), line)


def _pages(ask, options: QueryOptions) -> Sequence[Reply]:  # type: ignore[no-untyped-def]
    pages = [ask(options)]
    while len(pages) < PAGES_MAX:
        last = pages[-1].response
        if not isinstance(last, RowsResult) or last.paging_state is None:
            break
        pages.append(ask(options._replace(paging_state=last.paging_state)))
    return pages


class Twins:
    """Both servers. `keyspace` is what the normaliser hides, of the same name on both."""

    def __init__(self, ours: Address, peer: Address, keyspace: str) -> None:
        self.ours, self.peer = Server(ours), Server(peer)
        self.keyspace = keyspace
        self.sent = 0
        self.succeeded = 0
        self.slips = 0

    def close(self) -> None:
        self.ours.close()
        self.peer.close()

    def difference(self, statement: Statement) -> Difference | None:
        self.sent += 1
        normaliser = Normaliser(self.keyspace, statement.text())
        ours = self.ours.lines(statement, normaliser)
        peer = self.peer.lines(statement, normaliser)
        self.succeeded += not any(" 0x" in line[:40] for line in peer)
        if ours == peer:
            return None
        if JAVA_SLIP.search("\n".join(peer)):
            self.slips += 1
            return None
        return Difference(statement, ours, peer)

    def smallest(self, found: Difference) -> Difference:
        """Drops what can be dropped of a SELECT while it makes a difference of the same kind."""
        tries, kind = 0, found.kind()
        changed = True
        while changed and tries < SHRINKS_MAX:
            changed = False
            for candidate in found.statement.smaller():
                tries += 1
                smaller = self.difference(candidate)
                if smaller is not None and smaller.kind() == kind:
                    found, changed = smaller, True
                    break
                if tries >= SHRINKS_MAX:
                    break
        return found
