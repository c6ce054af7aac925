"""Tokens, one kind after the other; where Cassandra's lexer is odd, so is this one."""

import pytest

from grammar.keywords import TERMINALS
from grammar.lexer import LexError, tokenize


def _tokens(text: str) -> list[tuple[str, str]]:
    types, values, end = tokenize(text)
    assert end == len(text)
    assert TERMINALS[types[-1]] == "$END"
    return [(TERMINALS[number], value) for number, value in zip(types[:-1], values[:-1], strict=True)]


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("abc_1", "IDENT", "abc_1"),
        ("Select", "SELECT", "Select"),
        ("columnfamily", "TABLE", "columnfamily"),
        ('"a""b"', "QUOTED_NAME", 'a"b'),
        ('""', "EMPTY_QUOTED_NAME", ""),
        ("'it''s'", "STRING_LITERAL", "it's"),
        ("''", "STRING_LITERAL", ""),
        ("$$it's$$", "STRING_LITERAL", "it's"),
        ("$$a$b$$", "STRING_LITERAL", "a$b"),
        ("-12", "INTEGER", "-12"),
        ("1.", "FLOAT_LITERAL", "1."),
        ("-1.5e-7", "FLOAT_LITERAL", "-1.5e-7"),
        ("1E5", "FLOAT_LITERAL", "1E5"),
        ("TRUE", "BOOLEAN_LITERAL", "TRUE"),
        ("0xCAFE", "HEXNUMBER", "0xCAFE"),
        ("0X", "HEXNUMBER", "0X"),
        ("12345678-1234-1234-1234-123456789abc", "UUID_LITERAL", "12345678-1234-1234-1234-123456789abc"),
        ("abcdefab-1234-1234-1234-123456789abc", "UUID_LITERAL", "abcdefab-1234-1234-1234-123456789abc"),
        ("1y2mo3w4d5h6m7s8ms9us10ns", "DURATION_LITERAL", "1y2mo3w4d5h6m7s8ms9us10ns"),
        ("-5µs", "DURATION_LITERAL", "-5µs"),
        ("P1Y2M3DT4H5M6S", "DURATION_LITERAL", "P1Y2M3DT4H5M6S"),
        ("-PT5M", "DURATION_LITERAL", "-PT5M"),
        ("P3W", "DURATION_LITERAL", "P3W"),
        ("P0001-02-03T04:05:06", "DURATION_LITERAL", "P0001-02-03T04:05:06"),
        ("P1Yx", "IDENT", "P1Yx"),
        ("nan", "NAN", "nan"),
        ("-NaN", "NAN", "-NaN"),
        ("-Infinity", "NEGATIVE_INFINITY", "-Infinity"),
        ("expr(", "EXPR", "expr("),
        ("?", "QMARK", "?"),
        ("-=", "MINUS_EQUAL", "-="),
    ],
)
def test_single_token(text: str, name: str, value: str) -> None:
    assert _tokens(text) == [(name, value)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1..2", "INTEGER RANGE INTEGER"),
        ("1...2", "FLOAT_LITERAL RANGE INTEGER"),
        ("1.0..2", "FLOAT_LITERAL RANGE INTEGER"),
        ("a-5", "IDENT INTEGER"),
        ("a - 5", "IDENT MINUS INTEGER"),
        ("EXPR(", "IDENT LPAR"),
        ("expr (", "IDENT LPAR"),
        ("a<=b>=c!=d", "IDENT LE IDENT GE IDENT NE IDENT"),
        ("a -- x\n b // y\r c /* * \n */ d", "IDENT IDENT IDENT IDENT"),
        ("'a'b", "STRING_LITERAL IDENT"),
        ("1x", "INTEGER IDENT"),
    ],
)
def test_row_of_tokens(text: str, names: str) -> None:
    assert [name for name, _ in _tokens(text)] == names.split()


@pytest.mark.parametrize(
    "text", ["é", "'a", '"a', "$a", "$$a", "a -- x", "/* a", "!", "_a", "1a", "1e", "abcdefab-1", "-nothing", "a\u00a0b"]
)
def test_what_is_no_token(text: str) -> None:
    with pytest.raises(LexError):
        tokenize(text)
