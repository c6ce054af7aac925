"""A recorded run, or files of statements, to be executed on two servers for `cqlserver diff`: what they are about. Nothing
is executed that would change what belongs to others there."""

from collections.abc import Iterator
from pathlib import Path

from cqlserver.audit.bin_log import SUFFIX
from cqlserver.audit.full_query_log import QueryRecord
from cqlserver.audit.replaying import records_of
from cqlserver.audit.statement_kinds import TEXT_CHARS_MAX, StatementKinds
from cqlserver.query_log.entries import tables_of
from cqlserver.seeding.files import files_of, statements_of
from grammar.errors import CqlSyntaxError
from grammar.parser import parse
from protocol.requests import Batch
from storage.schema.metadata import is_system_keyspace


class NotOwn(ValueError):
    """A run, or a file, that would change more than keyspaces of its own."""


def is_recording(path: Path) -> bool:
    """Whether it is a full query log, or a folder of them."""
    return path.suffix == SUFFIX or (path.is_dir() and any(path.glob(f"*{SUFFIX}")))


def text_of(record: QueryRecord) -> str:
    return "; ".join(_texts(record))


def keyspaces_in(path: Path) -> dict[str, bool]:
    """Those of users that a recorded run used, and whether it made them. Raises OSError, BinLogDamaged, NotOwn."""
    kinds = StatementKinds()
    found: dict[str, bool] = {}
    for record in records_of([path]):
        for name, is_made in _keyspaces_of(record, kinds):
            if not is_system_keyspace(name):
                found[name] = found.get(name, False) or is_made
    return found


def keyspaces_in_files(path: Path) -> set[str]:
    """Those of users that files of statements or rows name. Raises OSError, SeedError, NotOwn."""
    kinds = StatementKinds()
    return {
        name
        for file in files_of(path)
        for statement in statements_of(file, lambda table, column: False)
        for name, _ in _keyspaces_of_texts([statement.text], None, kinds)
        if not is_system_keyspace(name)
    }


def _keyspaces_of(record: QueryRecord, kinds: StatementKinds) -> Iterator[tuple[str, bool]]:
    if record.keyspace is not None:
        yield record.keyspace, False
    yield from _keyspaces_of_texts(_texts(record), record.keyspace, kinds)


def _keyspaces_of_texts(texts: list[str], in_use: str | None, kinds: StatementKinds) -> Iterator[tuple[str, bool]]:
    for text in texts:
        kind = kinds.of(text)
        if kind.category == "DCL":
            raise NotOwn(f"roles are not a run's own: {text}")
        if kind.keyspace is not None:
            yield kind.keyspace, kind.type == "CREATE_KEYSPACE"
        if kind.type == "BATCH" or len(text) > TEXT_CHARS_MAX:
            try:
                statement = parse(text)
            except CqlSyntaxError as error:
                raise NotOwn(f"nobody can tell what it is about: {text}") from error
            yield from ((keyspace, False) for keyspace, _ in tables_of(statement, in_use) if keyspace)


def _texts(record: QueryRecord) -> list[str]:
    request = record.request
    if isinstance(request, Batch):
        return [str(entry.statement) for entry in request.entries]
    return [request.query]
