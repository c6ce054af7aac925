"""The file of parse tables: what the package brings is what the grammar says, and no other file is believed."""

from pathlib import Path

import pytest

from grammar import tables
from grammar.build import build_tables, encode_tables, save_tables
from grammar.tables import GRAMMAR, KEY_BYTES, Tables, load_tables, package_file, read_tables, tables_key

SMALL: Tables = ([({1: 0, 70: -1}, {2: 1}), ({}, {}), ({1: 0, 70: -1}, {})], 1, [(2, 1, "name"), (2, 0, "")])
KEY = b"k" * KEY_BYTES


def test_the_packages_file_is_up_to_date() -> None:
    key = tables_key(GRAMMAR.read_text(encoding="utf-8"))
    assert package_file().read_bytes()[:KEY_BYTES] == key, "run python -m grammar.build and commit grammar/tables.bin"


@pytest.mark.slow
def test_the_packages_file_holds_what_building_gives() -> None:
    source = GRAMMAR.read_text(encoding="utf-8")
    assert read_tables(package_file(), tables_key(source)) == build_tables(source)


def test_tables_are_read_as_they_were_written(tmp_path: Path) -> None:
    save_tables(tmp_path / "t", KEY, SMALL)
    assert read_tables(tmp_path / "t", KEY) == SMALL
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_the_same_tables_give_the_same_file() -> None:
    states, end_state, rules = SMALL
    copied: Tables = ([(dict(actions), dict(gotos)) for actions, gotos in states], end_state, list(rules))
    assert encode_tables(copied) == encode_tables(SMALL)


def test_a_stale_or_damaged_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "t"
    assert read_tables(path, KEY) is None
    save_tables(path, KEY, SMALL)
    whole = path.read_bytes()
    assert read_tables(path, b"o" * KEY_BYTES) is None
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert read_tables(path, KEY) is None, length
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        assert read_tables(path, KEY) in (None, SMALL), place


@pytest.fixture
def changed_grammar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a grammar whose tables stand nowhere; building them takes no time."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "cql.lark").write_text("start: SELECT\n", encoding="utf-8")
    monkeypatch.setattr(tables, "GRAMMAR", folder / "cql.lark")
    return folder


def test_tables_that_had_to_be_built_are_kept_in_the_users_cache(
    changed_grammar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    built = load_tables()
    kept = tmp_path / "cache/cqlserver/tables.bin"
    assert read_tables(kept, tables_key("start: SELECT\n")) == built
    monkeypatch.setattr("grammar.build.build_tables", pytest.fail)
    assert load_tables() == built
    assert [path.name for path in changed_grammar.iterdir()] == ["cql.lark"]


def test_tables_are_built_in_memory_where_nothing_can_be_written(
    changed_grammar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load_tables()[2]


def test_a_user_without_a_home_has_no_cache(changed_grammar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    assert load_tables()[2]
