"""A statement as clauses of items: what a generator makes, what is sent, and what is made smaller."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from protocol.primitives import Value


@dataclass(frozen=True, slots=True)
class Bound:
    """A value that goes as a marker (`value`) or as text (`literal`; None: it can only be bound)."""

    literal: str | None
    value: Value = None
    marked: bool = False


Piece = str | Bound
Item = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Clause:
    """`head item separator item tail`; a clause without items vanishes."""

    head: str
    items: tuple[Item, ...]
    separator: str = ", "
    tail: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """`prepared`: by PREPARE and EXECUTE. `page_size` -1: no paging. `consistency`: the protocol's number. `awaits_rows`:
    asked again until there are some. `role`: name and password of who asks, where clients log in."""

    clauses: tuple[Clause, ...]
    prepared: bool = False
    version: int = 5
    page_size: int = -1
    now_s: int | None = None
    consistency: int = 1
    awaits_rows: bool = False
    role: tuple[str, str] | None = None

    @property
    def reads(self) -> bool:
        """It changes nothing, so others of that sort may be under way at the same time."""
        return self.clauses[0].head.startswith("SELECT") and not self.awaits_rows

    def text(self) -> str:
        return "".join(piece if isinstance(piece, str) else _shown(piece) for piece in self._pieces())

    def values(self) -> tuple[Value, ...]:
        return tuple(piece.value for piece in self._pieces() if isinstance(piece, Bound) and _is_marker(piece))

    def describe(self) -> str:
        """The text with how it is sent, for a report."""
        how = [f"v{self.version}", "prepared" if self.prepared else "simple"]
        if self.page_size >= 0:
            how.append(f"page size {self.page_size}")
        if self.consistency != 1:
            how.append(f"consistency {self.consistency}")
        if self.role is not None:
            how.append(f"as {self.role[0]}")
        values = ", ".join(f"0x{v.hex()}" if isinstance(v, bytes) else str(v) for v in self.values())
        return f"{self.text()}\n    ({', '.join(how)}{f'; values {values}' if values else ''})"

    def _pieces(self) -> Iterator[Piece]:
        glue = ""
        for clause in self.clauses:
            if not clause.items and not clause.required:
                continue
            yield glue + clause.head
            for index, item in enumerate(clause.items):
                if index:
                    yield clause.separator
                yield from item
            yield clause.tail
            glue = " "

    def smaller(self) -> Iterator["Statement"]:
        """Statements that lack one thing of this, the greatest losses first."""
        for index, clause in enumerate(self.clauses):
            if clause.items and not clause.required:
                yield self._with(index, ())
        for index, clause in enumerate(self.clauses):
            if len(clause.items) > 1:
                for item in range(len(clause.items)):
                    yield self._with(index, clause.items[:item] + clause.items[item + 1 :])
        if self.prepared:
            yield replace(self, prepared=False)
        if self.page_size >= 0:
            yield replace(self, page_size=-1)
        if self.consistency != 1:
            yield replace(self, consistency=1)
        for index, clause in enumerate(self.clauses):
            for at, item in enumerate(clause.items):
                for piece_at, piece in enumerate(item):
                    if isinstance(piece, Bound) and piece.marked and piece.literal is not None:
                        changed = (*item[:piece_at], replace(piece, marked=False), *item[piece_at + 1 :])
                        yield self._with(index, (*clause.items[:at], changed, *clause.items[at + 1 :]))

    def _with(self, index: int, items: tuple[Item, ...]) -> "Statement":
        changed = replace(self.clauses[index], items=items)
        return replace(self, clauses=(*self.clauses[:index], changed, *self.clauses[index + 1 :]))


def _is_marker(bound: Bound) -> bool:
    return bound.marked or bound.literal is None


def _shown(bound: Bound) -> str:
    return "?" if bound.literal is None or bound.marked else bound.literal


@dataclass(frozen=True, slots=True)
class StorageWork:
    """Between statements: the table is flushed or compacted (storing.py) on both sides."""

    what: str
    keyspace: str
    table: str


def statement(text: str, version: int = 5) -> Statement:
    """One that can't be made smaller."""
    return Statement((Clause(text, (), required=True),), version=version)
