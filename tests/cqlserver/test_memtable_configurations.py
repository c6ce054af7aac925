"""A table may name the configurations of memtables that cassandra.yaml has."""

from types import MappingProxyType
from uuid import UUID

import pytest

from cqlserver.ddl import DdlContext, apply_ddl
from cqlserver.program.config import Config, apply_setting
from grammar.parser import parse
from protocol.errors import ConfigurationError
from storage.schema.metadata import Schema

KEYSPACE = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
YAML = "memtable={configurations: {trie: {class_name: TrieMemtable}, small: {inherits: default}}}"


def made(memtables: frozenset[str], *texts: str) -> Schema:
    context = DdlContext("ks", lambda: 1, lambda: UUID(int=1), {"datacenter1": 1}, lambda warning: None, memtables=memtables)
    schema = Schema(MappingProxyType({}))
    for text in (KEYSPACE, *texts):
        schema, _ = apply_ddl(schema, parse(text), context)
    return schema


def test_configurations_are_named_by_cassandra_yaml_beside_the_default() -> None:
    assert Config().memtables == {"default"}
    assert apply_setting(Config(), YAML).memtables == {"default", "trie", "small"}


def test_tables_name_those_that_there_are() -> None:
    memtables = apply_setting(Config(), YAML).memtables
    texts = "CREATE TABLE t (k int PRIMARY KEY) WITH memtable = 'trie'", "ALTER TABLE t WITH memtable = 'small'"
    for count, name in enumerate(("trie", "small"), 1):
        assert made(memtables, *texts[:count]).keyspaces["ks"].tables["t"].params.memtable == name
    for count in (1, 2):
        with pytest.raises(ConfigurationError, match=r'^Memtable configuration "\w+" not found.$'):
            made(memtables - {("trie", "small")[count - 1]}, *texts[:count])
