"""Which files a path means, and the statements in them.

A folder means its files in the order of their names, as /docker-entrypoint-initdb.d is read: `*.cql`, `*.cql.gz`, and rows.
Rows are in files named after their table, `[number-][keyspace.]table.csv` (or .json, .yaml); a number in front keeps the
order and is no part of the name.
"""

import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cqlserver.password_obfuscator import obfuscated, obfuscated_message
from cqlserver.seeding.cql_text import split_statements
from cqlserver.seeding.errors import SeedError
from cqlserver.seeding.rows import Rows, read_csv, read_json, read_yaml
from cqlserver.seeding.tables import TableName, row_statement, unquoted

_ORDER: Final = re.compile(r"\d+[-_.]")
_READERS: Final[dict[str, Callable[[Path], Rows]]] = {
    ".csv": read_csv,
    ".json": read_json,
    ".jsonl": read_json,
    ".yaml": read_yaml,
    ".yml": read_yaml,
}
SUFFIXES: Final = (".cql", ".cql.gz", *_READERS)

IsCounter = Callable[[TableName, str], bool]
"""Whether a column of a table is a counter."""


@dataclass(frozen=True, slots=True)
class Row:
    """Of a file of rows: by column, nothing of those that are null."""

    table: TableName
    values: Mapping[str, object]
    is_counter: IsCounter

    @property
    def text(self) -> str:
        """The statement that writes it."""
        return row_statement(self.table, self.values, lambda column: self.is_counter(self.table, column))


@dataclass(frozen=True, slots=True)
class Statement:
    """`source`: its text, or the row that it writes."""

    file: Path
    line: int
    source: str | Row

    @property
    def text(self) -> str:
        return self.source if isinstance(self.source, str) else self.source.text

    def failed(self, message: str, *, is_unparsed: bool = False) -> SeedError:
        """What to raise where it could not be executed; `is_unparsed`: for a syntax error. Passwords are left out."""
        if is_unparsed:
            message = obfuscated_message(message, self.text)
        return SeedError(self.file, self.line, message, obfuscated(self.text, is_unparsed=is_unparsed))


def files_of(path: Path) -> list[Path]:
    """Raises SeedError where there are none."""
    if not path.exists():
        raise SeedError(path, None, "No such file or directory")
    if not path.is_dir():
        if not path.name.endswith(SUFFIXES):
            raise SeedError(path, None, f"what is in it is told by the name's end, one of {', '.join(SUFFIXES)}")
        return [path]
    found = [child for child in sorted(path.iterdir()) if child.is_file() and child.name.endswith(SUFFIXES)]
    if not found:
        raise SeedError(path, None, f"the folder has no files that end with {', '.join(SUFFIXES)}")
    return found


def statements_of(file: Path, is_counter: IsCounter) -> Iterator[Statement]:
    """Of one file, lazily: rows may be of a table that an earlier file makes. Raises SeedError, OSError."""
    name = file.name
    try:
        if name.endswith((".cql", ".cql.gz")):
            for line, text in split_statements(_text(file)):
                yield Statement(file, line, text)
            return
        table = table_of(file)
        read = _READERS[file.suffix]
        for line, values in read(file):
            given = {unquoted(name): value for name, value in values.items() if value is not None}
            yield Statement(file, line, Row(table, given, is_counter))
    except UnicodeDecodeError as error:
        raise _wrong_byte(file, error) from error


def _wrong_byte(file: Path, error: UnicodeDecodeError) -> SeedError:
    """Where it is: `error` tells the place in the part that was read last."""
    if file.suffix != ".gz":
        with file.open("rb") as stream:
            at = 0
            for line, data in enumerate(stream, 1):
                try:
                    data.decode()
                except UnicodeDecodeError as found:
                    return SeedError(file, line, f"no UTF-8 text: byte {at + found.start} is {data[found.start]:#x}")
                at += len(data)
    return SeedError(file, None, f"no UTF-8 text: byte {error.start} is {error.object[error.start]:#x}")


def table_of(file: Path) -> TableName:
    """The table that a file of rows is named after."""
    parts = _ORDER.sub("", file.name[: -len(file.suffix)], count=1).split(".")
    if len(parts) > 2 or not all(parts):
        raise SeedError(file, None, "rows are in files named [keyspace.]table" + file.suffix)
    return TableName(parts[0] if len(parts) == 2 else None, parts[-1])


def _text(file: Path) -> str:
    data = file.read_bytes()
    if file.name.endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (EOFError, gzip.BadGzipFile) as error:
            raise SeedError(file, None, f"no gzip file: {error}") from error
    return data.decode("utf-8-sig")


