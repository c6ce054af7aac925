"""Attached indexes (SAI, and SASI): what a table's source holds, by value, in memory.

They are not logged: they follow from the table's rows and are made of them, when the index is made, or at its first use
after a start. From then on each write changes them. Entries whose rows went with a deletion of their partition, or expired,
stay behind; readers look at the row itself.

A term is the value's order key, so that a range of values is a range of terms; of texts what the analyzer makes of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from protocol.types import ASCII, INET, TEXT, CqlType, ListType, MapType, SetType, TupleType, UserType, VectorType
from storage.indexes.analysis import Analyze, mapped_address, maybe_analyzer
from storage.indexes.entries import row_entries
from storage.indexes.sasi import SASI_CLASS, WORD_BYTES_MAX, maybe_sasi_analyzer
from storage.indexes.sorted_terms import SortedTerms
from storage.indexes.target import CLASS_OPTION, IndexTarget, TargetKind, maybe_target, value_type
from storage.memtable.memtable import position_of
from storage.mutation import Row
from storage.schema.metadata import ColumnKind, IndexMetadata, TableMetadata

SAI_CLASS = "org.apache.cassandra.index.sai.StorageAttachedIndex"
_SAI_NAMES = ("sai", "storageattachedindex")
_FROZEN = (ListType, SetType, MapType, TupleType, UserType)
ENTRY_EXTRA_BYTES: Final = 2
"""More than `entry_value` has Cassandra's CompositeType around the two of them."""
Change: TypeAlias = tuple["AttachedIndex", bytes, bytes, frozenset[bytes], frozenset[bytes]]
"""(index, key, order key, terms that go, terms that come)."""


def java_class(class_name: str) -> str:
    """The class that a name stands for (IndexMetadata.getIndexClassName)."""
    return SAI_CLASS if class_name.lower() in _SAI_NAMES else class_name


def analyzer_of(metadata: IndexMetadata, type_: CqlType) -> Analyze | None:
    """What an attached index makes of values of this type, None where they stay as they are."""
    if metadata.options.get(CLASS_OPTION) == SASI_CLASS:
        return maybe_sasi_analyzer(metadata.options) if type_ in (TEXT, ASCII) else None
    return mapped_address if type_ == INET else maybe_analyzer(metadata.options)


class TermKind(StrEnum):
    """What terms of an attached index are of: each kind has a limit of its own. Those of SAI are guardrails'
    (sai_*_term_size_fail_threshold)."""

    STRING = "string"
    FROZEN = "frozen"
    VECTOR = "vector"
    WORD = "word"
    """SASI's."""


TERM_BYTES_MAX: Final[Mapping[TermKind, int]] = MappingProxyType(
    {TermKind.STRING: 8 << 10, TermKind.FROZEN: 8 << 10, TermKind.VECTOR: 32 << 10, TermKind.WORD: WORD_BYTES_MAX}
)
"""What is larger is left out of an index, and not found by it, in Cassandra and here."""


class Postings(Protocol):
    """Where terms are kept: sorted, or, of vectors, so that all can be looked at."""

    size: int
    held_bytes: int
    """Of memory."""

    def add(self, entry: tuple[bytes, bytes, bytes]) -> None: ...
    def discard(self, entry: tuple[bytes, bytes, bytes]) -> None: ...


class AttachedIndex:
    """One of a table's. `is_begun`: whether it follows writes; `is_built`: whether it has all rows; `is_let_go`: it does
    not, and will not; `bytes_max`: how large terms are at most that it holds from now on; `grown` is called when it takes
    more memory than its `allowance` (term_budget.py)."""

    __slots__ = (
        "_entries", "_extra_bytes", "_is_of_partition_key", "allowance", "analyze", "bytes_max", "grown", "is_begun",
        "is_built", "is_let_go", "metadata", "postings", "target", "term_kind", "type",
    )  # fmt: skip

    def __init__(
        self, base: TableMetadata, metadata: IndexMetadata, target: IndexTarget, bytes_max: Mapping[TermKind, int]
    ) -> None:
        self.metadata, self.target = metadata, target
        self._entries = row_entries(base, target)
        self._is_of_partition_key = target.column.kind is ColumnKind.PARTITION_KEY
        self.type: CqlType = value_type(target)
        self.analyze: Analyze | None = analyzer_of(metadata, self.type)
        self.term_kind = _term_kind(metadata, target, self.type)
        self.bytes_max = bytes_max[self.term_kind]
        is_of_entries = target.kind is TargetKind.ENTRIES and target.is_of_elements
        self._extra_bytes = ENTRY_EXTRA_BYTES if is_of_entries else 0
        self.is_begun = self.is_built = self.is_let_go = False
        self.allowance = 0
        self.grown: Callable[[AttachedIndex], None] = _is_unbounded
        self.postings: Postings = self._empty()

    def _empty(self) -> Postings:
        return SortedTerms()

    def holds(self, is_static: bool) -> bool:
        """Whether rows of this kind have entries."""
        return self._is_of_partition_key or is_static is (self.target.column.kind is ColumnKind.STATIC)

    def term(self, value: bytes) -> bytes:
        """Of a value that has one, or of an entry of a map (entries.entry_value)."""
        if self.target.kind is TargetKind.ENTRIES and self.target.is_of_elements:
            return value
        return self.type.order_key(value if self.analyze is None else self.analyze(value)[0])

    def terms_of(self, value: bytes) -> Sequence[bytes]:
        """What is kept of a value."""
        if self.analyze is None:
            return (self.term(value),) if self.size_of(value) <= self.bytes_max else ()
        return [self.type.order_key(term) for term in self.analyze(value) if len(term) <= self.bytes_max]

    def size_of(self, value: bytes) -> int:
        """Of a value that has one term: an entry of a map counts as Cassandra's composite of key and value."""
        return len(value) + self._extra_bytes

    def values(self, key: bytes, row: Row) -> Iterable[bytes]:
        """What the row has that is indexed."""
        return (value for value, _ in self._entries(key, row))

    def terms(self, key: bytes, row: Row | None) -> frozenset[bytes]:
        if row is None:
            return frozenset()
        return frozenset(term for value, _ in self._entries(key, row) for term in self.terms_of(value))

    def change(self, key: bytes, ck: bytes, rows: tuple[Row | None, Row | None]) -> Change:
        """What a row's change from `rows[0]` to `rows[1]` changes; `apply` does it."""
        before, after = self.terms(key, rows[0]), self.terms(key, rows[1])
        return self, key, ck, before - after, after - before

    def apply(self, key: bytes, ck: bytes, gone: Iterable[bytes], come: Iterable[bytes]) -> None:
        if self.is_let_go:
            return
        position = None
        for term in gone:
            position = position or position_of(key)
            self.postings.discard((term, position, ck))
        for term in come:
            position = position or position_of(key)
            self.postings.add((term, position, ck))
        if self.postings.held_bytes > self.allowance:
            self.grown(self)

    def reset(self) -> None:
        """The table's rows are others: they are looked at anew when they are asked for."""
        self.postings = self._empty()
        self.is_begun = self.is_built = self.is_let_go = False
        self.allowance = 0

    def let_go(self) -> None:
        """There is no room for it."""
        self.reset()
        self.is_let_go = True


def _is_unbounded(index: AttachedIndex) -> None:
    index.allowance = 1 << 62


def _term_kind(metadata: IndexMetadata, target: IndexTarget, type_: CqlType) -> TermKind:
    if metadata.options.get(CLASS_OPTION) == SASI_CLASS:
        return TermKind.WORD
    if isinstance(type_, VectorType):
        return TermKind.VECTOR
    column = target.column.type
    is_frozen = isinstance(type_ if column.is_multicell else column, _FROZEN)
    return TermKind.FROZEN if is_frozen else TermKind.STRING


def attached_indexes(
    table: TableMetadata, bytes_max: Mapping[TermKind, int] = TERM_BYTES_MAX
) -> Iterator[AttachedIndex]:
    """Those that the table should have. `bytes_max`: of their terms."""
    from storage.indexes.vectors import VectorIndex, is_vector

    for metadata in table.indexes.values():
        class_name = java_class(metadata.options.get(CLASS_OPTION, ""))
        target = maybe_target(table, metadata) if class_name in (SAI_CLASS, SASI_CLASS) else None
        if target is not None:
            is_of_vectors = class_name == SAI_CLASS and is_vector(target)
            yield (VectorIndex if is_of_vectors else AttachedIndex)(table, metadata, target, bytes_max)
