"""Long tokens are found piece by piece, and are what short ones would be."""

import re
from contextlib import suppress
from random import Random

import pytest

from grammar.errors import CqlSyntaxError, CqlTooLongError
from grammar.keywords import NUMBERS
from grammar.lexer import tokenize
from grammar.long_tokens import DURATION_CHARS_MAX, PIECE_CHARS, blanks_end, comment_end, end_of, quoted
from grammar.parser import parse

LONG = 3 * PIECE_CHARS
STRING = re.compile(r"'((?:[^']++|(?:'')++)*+)'")


def no_pause() -> None:
    pass


class Pauses:
    count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.mark.parametrize("piece_chars", [2, 3, 4, 7])
def test_quotes_blanks_and_comments_are_those_of_a_regular_expression(
    monkeypatch: pytest.MonkeyPatch, piece_chars: int
) -> None:
    monkeypatch.setattr("grammar.long_tokens.PIECE_CHARS", piece_chars)
    rng = Random(piece_chars)
    for _ in range(3_000):
        text = "'" + "".join(rng.choices("''''ab \n*/-$", k=rng.randrange(12)))
        found = STRING.match(text)
        expected = ("", -1) if found is None else (found[1].replace("''", "'"), found.end())
        assert quoted(text, 0, no_pause) == expected, text
        text = rng.choice(("--", "//", "/*")) + text
        found = re.match(r"(?:--|//)[^\n\r]*[\n\r]|/\*.*?\*/", text, re.DOTALL if text[1] == "*" else 0)
        assert comment_end(text, 0, no_pause) == (-1 if found is None else found.end()), text
        text = text.replace("'", " ")
        assert blanks_end(text, 2, no_pause) == 2 + len(text[2:]) - len(text[2:].lstrip(" \n")), text
        assert end_of(text, "$$", 0, no_pause) == (text.find("$$") + 2 if "$$" in text else -1), text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"'{'x' * LONG}'", "x" * LONG),
        (f"'{chr(39) * 2 * LONG}'", "'" * LONG),
        (f"$${'x' * LONG}$$", "x" * LONG),
        (f"0x{'1' * LONG}", f"0x{'1' * LONG}"),
    ],
    ids=["string", "quotes", "dollars", "hexadecimal"],
)
def test_a_value_may_be_long(text: str, value: str) -> None:
    for before in ("", " " * LONG, f"/*{'x' * LONG}*/", f"--{'x' * LONG}\n"):
        position, values = 0, list[str]()
        while "" not in values:
            _, more, position = tokenize(before + text + " ", position)
            values += more
        assert values == [value, ""]


@pytest.mark.parametrize(
    "text",
    [
        "x" * LONG, f'"{"x" * LONG}"', f'"{chr(34) * 2 * LONG}"', "1" * LONG, "-" + "1" * LONG, "1." + "1" * LONG,
        "1y" * DURATION_CHARS_MAX, "P" + "1" * LONG + "Y", "x" * (PIECE_CHARS + 1),
    ],
    ids=["word", "name", "quotes", "digits", "negative", "float", "duration", "ISO duration", "just too long"],
)  # fmt: skip
def test_a_word_a_name_or_a_number_may_not(text: str) -> None:
    for statement in (f"SELECT {text} FROM t", f"SELECT k FROM t WHERE k = {' ' * PIECE_CHARS}{text}"):
        with pytest.raises(CqlTooLongError, match="a word, a name or a number of more than 65536 characters"):
            parse(statement)


def test_the_longest_name_and_number_are_taken() -> None:
    for text in ("x" * 65_535, f'"{"x" * 65_533}"', "1" * 65_535):
        types, values, _ = tokenize(text + " " * LONG)
        assert types[0] in (NUMBERS["IDENT"], NUMBERS["QUOTED_NAME"], NUMBERS["INTEGER"])
        assert values[0] == text.strip('"')


@pytest.mark.parametrize("text", ["'", '"', "--", "/*", "$$"])
def test_what_does_not_end_is_told_as_it_is_of_a_short_text(text: str) -> None:
    def message(size: int) -> str:
        with pytest.raises(CqlSyntaxError) as raised:
            parse("SELECT " + text + "x" * size)
        return re.sub(r"\d+", "", raised.value.message)

    assert message(LONG) == message(10)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("SELECT '{}' FROM t", "x"), ("SELECT '{}' FROM t", "''"), ("SELECT /*{}*/ k FROM t", "x"),
        ("SELECT --{}\nk FROM t", "x"), ("SELECT '{}", "x"),
    ],
)  # fmt: skip
def test_others_may_run_meanwhile(text: str, content: str) -> None:
    pauses = Pauses()
    with suppress(CqlSyntaxError):
        parse(text.format(content * 20 * PIECE_CHARS), pause=pauses)
    assert pauses.count > 18


def test_what_explains_errors_is_made_in_turns() -> None:
    """Where it is not there yet."""
    from grammar import explain

    before, explain._networks[:] = explain._networks[:], []
    pauses = Pauses()
    try:
        with pytest.raises(CqlSyntaxError):
            parse("nothing", pause=pauses)
    finally:
        explain._networks[:] = before or explain._networks
    assert pauses.count > 50


def test_operators_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grammar.actions.OPERATIONS_MAX", 50)
    parse(f"SELECT {', '.join(['k + 1'] * 50)} FROM t")
    with pytest.raises(CqlTooLongError, match="more than 50 operators"):
        parse(f"SELECT {', '.join(['k + 1'] * 51)} FROM t")
