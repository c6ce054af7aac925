"""Whatever the text: a tree or a CqlSyntaxError, soon, and the two grammars agree on which."""

import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grammar import tree
from grammar.errors import CqlNestingError, CqlSyntaxError
from grammar.explain import _Walk
from grammar.keywords import WORDS
from grammar.lexer import PUNCTUATION
from grammar.parser import parse
from grammar.scan import ScannerError
from grammar.shape import parse_shaped, shape

_WORDS = [*WORDS, *PUNCTUATION, "x", '"Y"', "'s'", "1", "-2.5", "0xff", "1h", ":n", "?", "--", "/*", "$$", "'", "\n"]
_TEXTS = st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join) | st.text(string.printable + "é\0", max_size=40)
_STARTS = st.sampled_from(
    [
        "",
        "SELECT a",
        "SELECT * FROM t WHERE",
        "INSERT INTO t (a) VALUES (",
        "CREATE TABLE t (a",
        "UPDATE t SET a",
        "DESC",
        "GRANT",
    ]
)


def _walks(text: str) -> bool:
    """Whether the top-down grammar takes it."""
    walk = _Walk(text, [])
    network = walk.network
    end = next(state for state, name in network.ends.items() if name == "query")
    walk.run(network.starts["query"], end)
    return True


@settings(max_examples=150, deadline=None, derandomize=True)
@given(_STARTS, _TEXTS)
def test_any_text_gives_a_tree_or_a_syntax_error(start: str, rest: str) -> None:
    text = f"{start} {rest}"
    try:
        statement = parse(text)
    except CqlSyntaxError as error:
        message = error.message
        assert message
    else:
        assert isinstance(statement, tree.Statement)
        assert _walks(text)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(_STARTS, _TEXTS)
def test_shape_never_changes_what_a_text_says(start: str, rest: str) -> None:
    text = f"{start} {rest}"
    cut = shape(text)
    if cut is None:
        return
    shaped = parse_shaped(text, cut[1])
    if shaped is not None:
        assert _fill(shaped, cut[1]) == parse(text)


def _fill(node: object, texts: list[str]) -> object:
    """The tree with its LiteralMarkers replaced by the literals."""
    if isinstance(node, tree.LiteralMarker):
        return tree.Literal(node.kind, texts[node.index])
    if isinstance(node, tuple):
        return tuple(_fill(item, texts) for item in node)
    if isinstance(node, tree.Node):
        return type(node)(**{name: _fill(getattr(node, name), texts) for name in node._fields})
    return node


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("(", ")"), ("[", "]"), ("{", "}"), ("f(", ")"), ("(int)", ""), ("CAST(", " AS int)"), ("1 + (", ")")],
)
def test_deep_nesting_is_refused_without_overflow(opening: str, closing: str) -> None:
    for depth in (1_000, 20_000):
        with pytest.raises(CqlSyntaxError):
            parse(f"INSERT INTO t (a) VALUES ({opening * depth}1{closing * depth})")


def test_deep_nesting_has_cassandras_answer() -> None:
    with pytest.raises(CqlNestingError, match=r"java\.lang\.StackOverflowError"):
        parse(f"INSERT INTO t (a) VALUES ({'(' * 5000}1{')' * 5000})")


def test_long_chain_of_operators_is_refused() -> None:
    with pytest.raises(CqlNestingError):
        parse(f"INSERT INTO t (a) VALUES (1{' + 1' * 3000})")
    assert parse(f"INSERT INTO t (a) VALUES (1{' + 1' * 100})")


def test_reasonable_nesting_is_taken() -> None:
    assert parse(f"INSERT INTO t (a) VALUES ({'[' * 100}1{']' * 100})")


def _parsed_s(elements: int) -> float:
    """Seconds of processor time for good and bad statements of about twelve bytes an element."""
    values = ", ".join(["'some text'"] * elements)
    start = time.process_time()
    assert parse(f"INSERT INTO t (a) VALUES ([{values}])")
    with pytest.raises(CqlSyntaxError):
        parse(f"INSERT INTO t (a) VALUES ([{values}]")
    with pytest.raises(CqlSyntaxError):
        parse("(" * (12 * elements))
    return time.process_time() - start


@pytest.mark.slow
def test_a_megabyte_is_parsed_or_refused_in_linear_time() -> None:
    """Ten times as much takes ten times as long, and not a hundred: measured against the machine as it is."""
    tenth_s = min(_parsed_s(8_000) for _ in range(3))
    assert _parsed_s(80_000) < 40 * tenth_s


def test_marker_count_is_left_to_the_caller() -> None:
    statement = parse(f"INSERT INTO t (a) VALUES (({', '.join('?' * 1_000)}))")
    assert len(statement.markers) == 1_000


def test_lexical_error_has_a_position() -> None:
    with pytest.raises(ScannerError):
        _walks("SELECT é FROM t")
