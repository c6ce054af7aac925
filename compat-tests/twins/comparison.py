"""Two servers, one request each: what both answered, where they differ, and the smallest statement that still does."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.normaliser import Normaliser
from harness.outcome import prepared_lines, prepared_result_lines, reply_lines
from harness.runner import Address

from protocol.errors import CqlServerError
from protocol.responses import PreparedResult, Response
from twins.statement import Statement
from twins.wire import Exchange, Server, converse

SHRINKS_MAX = 60
LOST = (CqlServerError, OSError, ValueError)

Lines = tuple[str, ...]

# What can't be equal: each pattern is replaced in both outcomes. The reasons stand in docs/compatibility.md.
ALLOWED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(known type signatures: ).*"), r"\1..."),
    (re.compile(r"\b1[789]\d{14}\b"), "<now>"),  # write times of counters
    (re.compile(r"\b0E\+\d+"), "0E+n"),  # log10(1): by the digits that were asked for before
    (re.compile(r"\b(system\.)?(to|from)json([(\[])"), r"\1\2_json\3"),
    (re.compile(r"(requires a float vector argument, but found argument).*"), r"\1 ..."),
    (re.compile(r"^  function: (to|from)json$"), r"  function: \1_json"),
    (re.compile(r"(in call to function (?:to|from))_?json$"), r"\1_json"),
    (re.compile(r"org\.apache\.cassandra\S+@[0-9a-f]+|(?<=: )[^:]\S*.*(?= is not a valid field identifier)"), "..."),
    (re.compile(r"(Ambiguous call to function \S+ \(can be matched by following signatures: ).*"), r"\1"),
)

_BYTES_AMONG_NUMBERS = re.compile(r"collection_(?:min|max|sum|avg)\([\[{]0x", re.IGNORECASE)
_MADE_OF_WRITETIME = re.compile(r"\((?:max)?writetime\(|writetime\([^)]*\)\s*[-+*/%]", re.IGNORECASE)
_ZEROS = re.compile(r"(?<=\d)\.?0+(?![\d.])")
_FIRST_ERROR = re.compile(r"Duplicate column \S+ declaration|Unknown function|Error setting type|NODE_LOCAL")
_ADDRESS_RANGE = re.compile(r"[<>]=? '(?:(?:\d+\.){3}\d+|[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:]*)'")
_BROKEN_COLLECTION = re.compile(
    r"The data cannot be deserialized as a (?:list|set|map)|Unexpected extraneous bytes after (?:list|set|map) value"
)
_ALL_OF_A_VIEW = re.compile(r"^SELECT \* FROM \S+_m\d+\b")
_BEFORE_CHRIST = re.compile(r"'-\d{4,}-\d\d-\d\d")
_UNREADABLE_TUPLE = re.compile(r"invalid request 0x2200: Not enough bytes to read (?:size of )?\d+th component")
_AGGREGATE = re.compile(r"\b(?:count|min|max|sum|avg)\(", re.IGNORECASE)
_NEAREST = re.compile(r"ORDER BY \S+ ANN OF ", re.IGNORECASE)
# Warnings of what was before: tombstones that a compaction took, a statement that was prepared or forgotten.
_PASSING = re.compile(r"\(see tombstone_warn_threshold\)|is considered to be an anti-pattern due to ambiguity")
_REFERRING = re.compile(r"(is still referenced by aggregates )(.*)")  # in the order of a hash map
_COLUMN_SETS = re.compile(r"\w+(?: ,\w+)+")  # Cassandra prints hash sets of columns

# Errors of the peer that are Java's, not Cassandra's: nothing need be equal then.
JAVA_SLIP = re.compile(
    r"server error 0x0000: java\.lang\.(ClassCast|NullPointer|IndexOutOfBounds|ArrayIndexOutOfBounds|Assertion"
    r"|IllegalArgument|UnsupportedOperation|NumberFormat)"
    r"|read failure 0x1300: Operation failed - received 0 responses and 1 failures: UNKNOWN"
    r"|Invalid value for the paging state"
    r"|MarshalException: Not enough bytes to read a set"  # of bytes among numbers: collection_max([0x, 0x0102])
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


def lines_of(exchange: Exchange, normaliser: Normaliser) -> Lines:
    """What a client sees, but for what can't be equal."""
    return tuple(_allowed(line) for line in _lines(exchange, normaliser) if not _PASSING.search(line))


def _lines(exchange: Exchange, normaliser: Normaliser) -> Iterator[str]:
    prepared = None
    if exchange.prepared is not None:
        reply = exchange.prepared.reply()
        yield from prepared_lines(reply, normaliser)
        if not isinstance(reply.response, PreparedResult):
            return
        prepared = reply.response
    pages = [page.reply() for page in exchange.pages]
    if prepared is not None:
        yield from prepared_result_lines(prepared, pages[0].response, normaliser)
    yield from reply_lines(pages, prepared, normaliser)


def _are_same(ours: Exchange, peer: Exchange) -> bool:
    """Byte for byte, but for the ids of prepared statements: what need not be looked at."""
    if ours.pages != peer.pages:
        return False
    if ours.prepared is None or peer.prepared is None or ours.prepared == peer.prepared:
        return True
    mine, theirs = ours.prepared.reply(), peer.prepared.reply()
    if not isinstance(mine.response, PreparedResult) or not isinstance(theirs.response, PreparedResult):
        return False
    return replace(mine, response=_without_ids(mine.response)) == replace(theirs, response=_without_ids(theirs.response))


def _without_ids(prepared: PreparedResult) -> PreparedResult:
    return replace(prepared, statement_id=b"", result_metadata_id=b"")


def _allowed(line: str) -> str:
    for pattern, replacement in ALLOWED:
        line = pattern.sub(replacement, line)
    line = _REFERRING.sub(lambda found: found[1] + ", ".join(sorted(found[2].split(", "))), line)
    return _COLUMN_SETS.sub(lambda found: " ,".join(sorted(found[0].split(" ,"))), line)


def _failed_in_java(statement: Statement, ours: Lines, peer: Lines) -> bool:
    return bool(JAVA_SLIP.search("\n".join(peer)))


def _is_nearest_of_some(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """The peer's search in its graph missed some rows, and has others behind; those of both stand in one order."""
    if not _NEAREST.search(statement.text()) or ours[:1] != peer[:1] or not ours[0].startswith("rows"):
        return False
    common = [line for line in ours if line in peer]
    return common == [line for line in peer if line in ours]


def _has_bytes_for_numbers(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """Constants of bytes, whose collection a function of numbers takes for one of tinyint, whatever their length."""
    return bool(_BYTES_AMONG_NUMBERS.search(statement.text()))


def _has_warnings_of_others(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """An error with what the peer's thread was warned of in another request."""
    own = [line for line in peer if not line.startswith("warning: ")]
    return len(own) < len(peer) and own == list(ours) and " 0x" in own[0][:40]


def _is_of_now(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """Made of the time of a write that said none: of a counter's."""
    return bool(_MADE_OF_WRITETIME.search(statement.text())) and ours[:1] == peer[:1]


def _has_equal_decimals(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """Keys that are equal in different bytes (1.0 and 1.00), of which either is kept once they met in an SSTable."""
    return [_ZEROS.sub("", line) for line in ours] == [_ZEROS.sub("", line) for line in peer]


def _is_missed_by_sasi(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """The peer's SASI indexes on disk miss rows now and then; ours has them all."""
    if " LIKE " not in statement.text() or ours[:1] != peer[:1]:
        return False
    ours, peer = ([line for line in lines if line.startswith("  ")] for lines in (ours, peer))  # type: ignore[assignment]
    if len(ours) == len(peer) == 1 and "count" in statement.text():
        return int(ours[0]) > int(peer[0])
    if " LIMIT " in statement.text() and len(ours) == len(peer):  # and has others behind those that it has missed
        return ours[-1] in peer and [line for line in ours if line in peer] == [line for line in peer if line in ours]
    return len(peer) < len(ours) and not set(peer) - set(ours)


def _says_another_error_first(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """Of two that the statement has."""
    return " 0x2" in ours[0] and bool(_FIRST_ERROR.search(peer[0]))


def _compares_values_as_keys(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """Conditions on an element of a map compare by the type of its keys: whether that breaks off is a matter of bytes."""
    return "java.lang.IndexOutOfBounds" in ours[0] and "IF " in statement.text() and "[" in statement.text()


def _ends_with_a_page(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """The peer's aggregate over an index on a static column is of the first page of a partition."""
    text = statement.text()
    return bool(_AGGREGATE.search(text)) and " s0 " in text and "page size" in statement.describe() and ours[:1] == peer[:1]


def _compares_addresses(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """Ranges of addresses of both kinds in one partition: the peer's attached indexes compare them as IPv6 alone."""
    return bool(_ADDRESS_RANGE.search(statement.text())) and ours[:1] == peer[:1] and ours[0].startswith("rows")


def _breaks_off_elsewhere(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """At the number of elements of a collection inside of another, where the peer takes a negative one for none."""
    return bool(_BROKEN_COLLECTION.search(ours[-1]) and _BROKEN_COLLECTION.search(peer[-1]))


def _floors_from_before_christ(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """The peer's calendar counts these years backwards."""
    return "floor(" in statement.text().lower() and ours[:1] == peer[:1] and bool(_BEFORE_CHRIST.search("\n".join(peer)))


def _shows_what_has_left(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """Of a view, `SELECT *`: rows that are gone in the peer's own answer where the columns are named."""
    if not _ALL_OF_A_VIEW.search(statement.text()) or ours[:1] != peer[:1] or len(peer) <= len(ours):
        return False
    return list(ours) == [line for line in peer if line in ours]


def _reads_a_quote_wrongly(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """The peer prints an INITCOND without doubling the quotes in it, and parses that."""
    return "INITCOND" in statement.text() and peer[-1].startswith("cql syntax error 0x2000: Failed parsing CQL term: [")


def _is_of_unreadable_bytes(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """A literal of hexadecimal digits that is no value of a tuple in the clustering: the peer fails where it compares it."""
    return bool(_UNREADABLE_TUPLE.search(ours[-1])) and "0x" in statement.text()


def _looks_behind_the_last_token(statement: Statement, ours: Lines, peer: Lines) -> bool:
    """Where nothing can be, so no level is looked at."""
    return "> 9223372036854775807" in statement.text() and peer[0].startswith("unavailable")


EXPLANATIONS = (
    _failed_in_java,
    _is_nearest_of_some,
    _has_bytes_for_numbers,
    _has_warnings_of_others,
    _is_of_now,
    _has_equal_decimals,
    _is_missed_by_sasi,
    _says_another_error_first,
    _compares_values_as_keys,
    _ends_with_a_page,
    _compares_addresses,
    _breaks_off_elsewhere,
    _floors_from_before_christ,
    _shows_what_has_left,
    _reads_a_quote_wrongly,
    _is_of_unreadable_bytes,
    _looks_behind_the_last_token,
)
"""What differences may be, beside docs/compatibility.md: such are counted, and not reported."""


class Twins:
    """Both servers. `keyspace` is what the normaliser hides, of the same name on both. `heard` is told every statement
    with the peer's answer."""

    def __init__(self, ours: Address, peer: Address, keyspace: str) -> None:
        self.ours, self.peer = Server(ours), Server(peer)
        self.keyspace = keyspace
        self.heard: Callable[[Statement, Response], None] = lambda statement, response: None
        self.slips = 0
        """How often one of `EXPLANATIONS` held."""
        self.parted: list[Statement] = []
        """Writes since whose explained difference both may hold different rows."""

    def close(self) -> None:
        self.ours.close()
        self.peer.close()

    def differences(self, statements: Sequence[Statement]) -> list[Difference]:
        """Of statements that may be under way at the same time."""
        try:
            ours, peer = self.ours.begun(statements), self.peer.begun(statements)
            converse([*ours, *peer])
        except LOST:
            self.close()
            if len(statements) > 1:
                return [found for each in statements for found in self.differences([each])]
            return self._lost(statements[0])
        return [
            found
            for each, mine, theirs in zip(statements, ours, peer, strict=True)
            if (found := self._difference(each, mine, theirs)) is not None
        ]

    def _difference(self, statement: Statement, ours: Exchange, peer: Exchange) -> Difference | None:
        self.heard(statement, peer.response)
        if _are_same(ours, peer):
            return None
        normaliser = Normaliser(self.keyspace, statement.text())
        mine, theirs = lines_of(ours, normaliser), lines_of(peer, normaliser)
        if mine == theirs:
            return None
        if any(explains(statement, mine, theirs) for explains in EXPLANATIONS):
            self.slips += 1
            if not statement.reads:
                self.parted.append(statement)
            return None
        return Difference(statement, mine, theirs)

    def rejoin(self) -> None:
        """Empties the tables that parted on both sides."""
        tables = {name for each in self.parted for name in re.findall(rf'{self.keyspace}\.(?:"[^"]*"|\w+)', each.text())}
        self.parted.clear()
        for table in sorted(tables):
            for server in (self.ours, self.peer):
                server.query(f"TRUNCATE {table}")

    def _lost(self, statement: Statement) -> list[Difference]:
        """One that ends a connection: should be on both sides."""
        outcomes = []
        for server in (self.ours, self.peer):
            try:
                exchanges = server.begun([statement])
                converse(exchanges)
                outcomes.append(lines_of(exchanges[0], Normaliser(self.keyspace, statement.text())))
            except LOST as error:
                server.close()
                outcomes.append((f"connection lost: {type(error).__name__} {error}",))
        return [Difference(statement, *outcomes)] if outcomes[0] != outcomes[1] else []

    def smallest(self, found: Difference) -> Difference:
        """Drops what can be dropped of a SELECT while it makes a difference of the same kind."""
        tries, kind = 0, found.kind()
        changed = found.statement.reads
        while changed and tries < SHRINKS_MAX:
            changed = False
            for candidate in found.statement.smaller():
                tries += 1
                smaller = self.differences([candidate])
                if smaller and smaller[0].kind() == kind:
                    found, changed = smaller[0], True
                    break
                if tries >= SHRINKS_MAX:
                    break
        return found
