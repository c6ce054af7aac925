"""Rows out of CSV, JSON and YAML files, each with the line where it begins."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from cqlserver.seeding.errors import SeedError

Rows = Iterator[tuple[int, Mapping[str, object]]]

_BLANK: Final = " \t\r\n"


def read_csv(file: Path, text: str) -> Rows:
    """The first line names the columns; an empty cell says nothing of its column."""
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    names: list[str] | None = None
    began = 1
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


def read_json(file: Path, text: str) -> Rows:
    """A list of objects, or objects one behind the other (JSON lines). Numbers keep their digits."""
    decoder = json.JSONDecoder(parse_float=str)
    at, line, counted = 0, 1, 0
    end = len(text)
    is_list = text.lstrip(_BLANK).startswith("[")
    separators = _BLANK + ("," if is_list else "")
    opened = False
    while True:
        while at < end and (text[at] in separators or (is_list and not opened and text[at] == "[")):
            opened = opened or text[at] == "["
            at += 1
        line += text.count("\n", counted, at)
        counted = at
        if at >= end or (is_list and text[at] == "]"):
            if is_list and (at >= end or text[at + 1 :].strip(_BLANK)):
                raise SeedError(file, line, "no JSON: the list does not end with the file")
            return
        try:
            row, at = decoder.raw_decode(text, at)
        except ValueError as error:
            where = getattr(error, "lineno", line)
            raise SeedError(file, where, f"no JSON: {getattr(error, 'msg', error)}") from error
        if not isinstance(row, dict):
            raise SeedError(file, line, "a row is an object with the columns' names and values")
        yield line, row


def read_yaml(file: Path, text: str) -> Rows:
    """A list of mappings."""
    import yaml

    loader = yaml.SafeLoader(text)
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
