"""Rows out of CSV, JSON and YAML files, each with the line where it begins. CSV and JSON are read as they are wanted, so a
file may be larger than memory; YAML is for small ones.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TextIO

from cqlserver.seeding.errors import SeedError

Rows = Iterator[tuple[int, Mapping[str, object]]]

_BLANK: Final = " \t\r\n"
_CHUNK_CHARS: Final = 1 << 16
_ROW_CHARS_MAX: Final = 1 << 24
"""Of a row of JSON: what is longer, and still no JSON, is none."""


def opened(file: Path) -> TextIO:
    return file.open(encoding="utf-8-sig", newline="")


def read_csv(file: Path) -> Rows:
    """The first line names the columns; an empty cell says nothing of its column."""
    names: list[str] | None = None
    began = 1
    with opened(file) as stream:
        reader = csv.reader(stream, strict=True)
        try:
            for cells in reader:
                if names is None:
                    names = [name.strip() for name in cells]
                    if not all(names):
                        raise SeedError(file, 1, "the first line must name the columns")
                elif cells:
                    if len(cells) != len(names):
                        raise SeedError(file, began, f"{len(cells)} cells, where the first line names {len(names)} columns")
                    yield began, {name: cell for name, cell in zip(names, cells, strict=True) if cell != ""}
                began = reader.line_num + 1
        except csv.Error as error:
            raise SeedError(file, reader.line_num, f"no CSV: {error}") from error
    if names is None:
        raise SeedError(file, 1, "the first line must name the columns")


def read_json(file: Path) -> Rows:
    """A list of objects, or objects one behind the other (JSON lines). Numbers keep their digits."""
    decoder = json.JSONDecoder(parse_float=str)
    with opened(file) as stream:
        window = _Window(stream)
        is_list = window.skip(_BLANK) == "["
        if is_list:
            window.at += 1
        while (first := window.skip(_BLANK + "," if is_list else _BLANK)) and not (is_list and first == "]"):
            try:
                row, end = decoder.raw_decode(window.text, window.at)
            except ValueError as error:
                if len(window.text) - window.at < _ROW_CHARS_MAX and window.has_more():
                    continue
                where = window.line + window.text.count("\n", window.at, getattr(error, "pos", window.at))
                raise SeedError(file, where, f"no JSON: {getattr(error, 'msg', error)}") from error
            if not isinstance(row, dict):
                raise SeedError(file, window.line, "a row is an object with the columns' names and values")
            yield window.line, row
            window.move(end)
        if is_list:
            window.move(window.at + len(first))
            if not first or window.skip(_BLANK):
                raise SeedError(file, window.line, "no JSON: the list does not end with the file")


class _Window:
    """A part of a text: what is looked at begins at `at`, in that `line` of the file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.text, self.at, self.line = "", 0, 1

    def skip(self, characters: str) -> str:
        """The next character that is none of these, where it now is; none at the end of the text."""
        while True:
            at, end = self.at, len(self.text)
            while at < end and self.text[at] in characters:
                at += 1
            self.move(at)
            if at < end:
                return self.text[at]
            if not self.has_more():
                return ""

    def move(self, at: int) -> None:
        self.line += self.text.count("\n", self.at, at)
        self.at = at

    def has_more(self) -> bool:
        """Whether there was more of the text; what lies before `at` is forgotten. As much again as there is, so that a long
        row is looked at a few times only."""
        rest = self.text[self.at :]
        more = self._stream.read(max(_CHUNK_CHARS, len(rest)))
        self.text, self.at = rest + more, 0
        return bool(more)


def read_yaml(file: Path) -> Rows:
    """A list of mappings."""
    import yaml

    with opened(file) as stream:
        loader = yaml.SafeLoader(stream.read())
    try:
        root = loader.get_single_node()
        if root is None:
            return
        if not isinstance(root, yaml.SequenceNode):
            raise SeedError(file, root.start_mark.line + 1, "the file must be a list of rows")
        for node in root.value:
            line = node.start_mark.line + 1
            row = loader.construct_document(node)
            if not isinstance(row, dict):
                raise SeedError(file, line, "a row is a mapping with the columns' names and values")
            yield line, {str(name): value for name, value in row.items()}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = mark.line + 1 if mark is not None else None
        raise SeedError(file, where, f"no YAML: {getattr(error, 'problem', error)}") from error
    finally:
        loader.dispose()
