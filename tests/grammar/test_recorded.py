"""Statements and what Cassandra 5.0.8 says of them: null if it parses, else its message.

The files were recorded from Apache Cassandra 5.0.8 (by preparing each text): recorded_statements.json has right
statements of all kinds, damaged ones (a token left out, put in, doubled, swapped, replaced) and odd literals;
recorded_keywords.json has every keyword in every place where a name may stand.
"""

import json
from pathlib import Path

import pytest

from grammar.errors import CqlSyntaxError
from grammar.parser import parse

_CHUNK = 40

# What is not (or not only) the parser's to say here, or where Cassandra's parser trips over itself.
_KNOWN_DIFFERENCES = {
    # a null pointer, because it goes on behind the error
    "CREATE TRIGGER ON t USING 'y'",
    # it complains of the marker before it looks at what follows
    "CREATE TABLE t (a int PRIMARY KEY, b text MASKED WITH ? DEFAULT)",
    # its parser knows that the column is there already, and stops with INVALID before the syntax error
    "CREATE TABLE IF NOT EXISTS ks.t (a int, b text STATIC, c frozen<list<int>>, d map<text, int>, e vector<float, 3>, "
    "PRIMARY KEY (a, b), c)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'x'",
    # its parser looks for the Java class; ours leaves that to whoever knows the types
    "SELECT (int) 1, (list<int>) [1], (frozen<list<int>>) a, (a.b) c, ('x') c FROM a.b",
    "CREATE TABLE a.b (c 'org.X' PRIMARY KEY)",
}


def _recorded(name: str) -> list[tuple[str, str | None]]:
    entries = json.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
    return [(text, message) for text, message in entries if text not in _KNOWN_DIFFERENCES]


def _verdict(text: str) -> str | None:
    try:
        parse(text)
    except CqlSyntaxError as error:
        return error.message
    return None


def _chunks(name: str) -> list[list[tuple[str, str | None]]]:
    entries = _recorded(name)
    return [entries[start : start + _CHUNK] for start in range(0, len(entries), _CHUNK)]


@pytest.mark.parametrize("entries", _chunks("recorded_statements.json"))
def test_statement_is_accepted_or_refused_in_cassandras_words(entries: list[tuple[str, str | None]]) -> None:
    assert [(text, _verdict(text)) for text, _ in entries] == entries


@pytest.mark.parametrize("entries", _chunks("recorded_keywords.json"))
def test_keyword_is_a_name_exactly_where_cassandra_takes_it_for_one(entries: list[tuple[str, str | None]]) -> None:
    assert [(text, _verdict(text)) for text, _ in entries] == entries
