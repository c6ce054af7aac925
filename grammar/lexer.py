"""CQL text -> tokens; after Lexer.g of Cassandra 5.0.8.

`tokenize` gives two parallel lists: the numbers of the terminals (grammar.keywords) and their values: strings and
quoted names without quotes, everything else as written. One regular expression takes what is frequent; what
begins with a rarer character goes to `_rare`. Text that is no token raises LexError; grammar.explain finds the words for
it. A line comment must end with a line break, as in Cassandra.
"""

import re

from grammar.keywords import NUMBERS, WORDS
from grammar.long_tokens import DURATION_CHARS_MAX, PIECE_CHARS, Pause, blanks_end, comment_end, end_of, quoted, too_long

BLOCK_CHARS = 2_000
"""Of the text of a block of tokens: half a millisecond's work for the parser."""


class LexError(Exception):
    """Something that is no token stands at `position`."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


_IDENT = NUMBERS["IDENT"]
_QUOTED_NAME = NUMBERS["QUOTED_NAME"]
_EMPTY_QUOTED_NAME = NUMBERS["EMPTY_QUOTED_NAME"]
_STRING = NUMBERS["STRING_LITERAL"]
_INTEGER = NUMBERS["INTEGER"]
_FLOAT = NUMBERS["FLOAT_LITERAL"]
_DURATION = NUMBERS["DURATION_LITERAL"]
_UUID = NUMBERS["UUID_LITERAL"]
_HEX = NUMBERS["HEXNUMBER"]
_EXPR = NUMBERS["EXPR"]
_END = NUMBERS["$END"]

PUNCTUATION: dict[str, int] = {
    text: NUMBERS[name]
    for text, name in (
        ("(", "LPAR"), (")", "RPAR"), ("[", "LSQB"), ("]", "RSQB"), ("{", "LBRACE"), ("}", "RBRACE"), (",", "COMMA"),
        (".", "DOT"), (";", "SEMICOLON"), (":", "COLON"), ("=", "EQUAL"), ("<", "LESSTHAN"), (">", "MORETHAN"),
        ("<=", "LE"), (">=", "GE"), ("!=", "NE"), ("+", "PLUS"), ("-", "MINUS"), ("*", "STAR"), ("/", "SLASH"),
        ("%", "PERCENT"), ("+=", "PLUS_EQUAL"), ("-=", "MINUS_EQUAL"), ("..", "RANGE"), ("?", "QMARK"),
    )
}  # fmt: skip

_TOKEN = re.compile(
    r"[ \t\n\r]*(?:"
    r"([A-Za-z][A-Za-z0-9_]*)"  # 1: a word
    r"|([(),=?:;*\[\]{}%]|\.\.?|<=?|>=?|\+=?|!=)"  # 2: punctuation
    r"|'((?:[^']++|(?:'')++)*+)'"  # 3: a string
    r"|(-?[0-9]+)(?![0-9A-Za-z.\-\u00b5])"  # 4: an integer that nothing joins
    r'|"([^"]*+(?:""[^"]*+)*+)"'  # 5: a quoted name
    r"|(.)"  # 6: anything else
    r"|\Z)",
    re.DOTALL,
)

_UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
# what Cassandra's lexer takes for a UUID, whatever follows
UUID_BEGIN = re.compile(r"[0-9a-fA-F]{8}-")
_UNIT = r"(?:[yY]|[mM][oO]|[wW]|[dD]|[hH]|[mM][sS]|[mM]|[uU\u00b5][sS]|[nN][sS]|[sS])"
_ISO_TIME = r"T(?:[0-9]+H(?:[0-9]+M)?(?:[0-9]+S)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
_ISO_DURATION = re.compile(
    r"-?P(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}|" + _ISO_TIME + r"|[0-9]+W|"
    r"(?:[0-9]+Y(?:[0-9]+M)?(?:[0-9]+D)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)(?:" + _ISO_TIME + r")?)"
)
# the other form, of which Cassandra's lexer is sure from here on
DURATION_BEGIN = re.compile(r"-?P[0-9]{4}-")
_HEX_TEXT = re.compile(r"0[xX][0-9a-fA-F]*")
_DURATION_TEXT = re.compile(r"-?[0-9]+" + _UNIT + r"(?:[0-9]+" + _UNIT + r")*")
# "1..2" is an integer and a range, "1...2" the float "1." and a range
_FLOAT_TEXT = re.compile(r"-?[0-9]+(?:\.(?=\.\.)|(?!\.\.)(?:\.[0-9]*(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+))")
_HEX_LETTERS = frozenset("abcdefABCDEF")
_INTEGER_TEXT = re.compile(r"-?[0-9]+")
_NEGATIVE_WORD = re.compile(r"-(?:[nN][aA][nN]|([iI][nN][fF][iI][nN][iI][tT][yY]))")


class Quoted(str):
    """A name that was written in quotes, where the difference counts (`"int"` is no native type)."""

    __slots__ = ()


def tokenize(text: str, start: int = 0, pause: Pause = None) -> tuple[list[int], list[str], int]:
    """The next tokens of `text` from `start` on, BLOCK_CHARS or so, and where they end; the last block ends with $END.
    Raises LexError, CqlTooLongError. A long text is read block by block, so that its tokens need not all be there at once; a
    long token with pauses."""
    types: list[int] = []
    values: list[str] = []
    add_type, add_value = types.append, values.append
    match = _TOKEN.match
    words, punctuation = WORDS, PUNCTUATION
    position, block_end = start, start + BLOCK_CHARS
    is_long = len(text) > PIECE_CHARS
    while position < block_end:
        if is_long:
            number, value, position = _maybe_long(text, position, pause)
            if number is not None:
                add_type(number)
                add_value(value)
                continue
        found = match(text, position)
        if found is None:
            raise LexError(position)
        kind = found.lastindex
        if kind == 1:
            word = found[1]
            lower = word.lower()
            start, position = found.span(1)
            if lower in words:
                add_type(words[lower])
                add_value(word)
                continue
            following = text[position : position + 1]
            if (following == "-" and len(word) >= 8) or word[0] == "P" or (following == "(" and word == "expr"):
                number, value, position = _odd_word(text, start, position, word)
                add_type(number)
                add_value(value)
                continue
            add_type(_IDENT)
            add_value(word)
        elif kind == 2:
            value = found[2]
            add_type(punctuation[value])
            add_value(value)
            position = found.end()
        elif kind == 3:
            value = found[3]
            add_type(_STRING)
            add_value(value.replace("''", "'") if "''" in value else value)
            position = found.end()
        elif kind == 4:
            add_type(_INTEGER)
            add_value(found[4])
            position = found.end()
        elif kind == 5:
            value = found[5]
            add_type(_QUOTED_NAME if value else _EMPTY_QUOTED_NAME)
            add_value(Quoted(value.replace('""', '"')))
            position = found.end()
        elif kind == 6:
            token, position = _rare(text, found.start(6), pause)
            if token is not None:
                add_type(token[0])
                add_value(token[1])
        else:
            add_type(_END)
            add_value("")
            break
    return types, values, position


def _maybe_long(text: str, position: int, pause: Pause) -> tuple[int | None, str, int]:
    """(terminal, value, end) of what is quoted and longer than a piece; None for another token, with where it begins. Raises
    CqlTooLongError."""
    position = blanks_end(text, position, pause)
    limit = position + PIECE_CHARS
    if limit >= len(text):
        return None, "", position
    found = _TOKEN.match(text, position, limit)
    assert found is not None  # whatever there is
    kind, quote = found.lastindex, text[position]
    if kind in (1, 4) and found.end() == limit:
        raise too_long()
    if quote not in "'\"" or (kind != 6 and found.end() < limit - 1):
        return None, "", position
    # what the limit cuts is no string, or one that ends in the midst of two quotes
    value, end = quoted(text, position, pause)
    if end < 0:
        raise LexError(position)
    if quote == "'":
        return _STRING, value, end
    if end > limit:
        raise too_long()
    return None, "", position


def _odd_word(text: str, start: int, end: int, word: str) -> tuple[int, str, int]:
    """(terminal, value, end) of what begins like a word and may be a UUID, a duration or `expr(`."""
    uuid = _UUID_TEXT.match(text, start)
    if uuid is not None:
        return _UUID, uuid[0], uuid.end()
    if UUID_BEGIN.match(text, start) is not None:
        raise LexError(start)
    duration = _ISO_DURATION.match(text, start)
    if duration is not None and duration.end() >= end:
        return _DURATION, duration[0], duration.end()
    if DURATION_BEGIN.match(text, start) is not None:
        raise LexError(start)
    if word == "expr" and text[end : end + 1] == "(":
        return _EXPR, "expr(", end + 1
    return _IDENT, word, end


def _rare(text: str, start: int, pause: Pause = None) -> tuple[tuple[int, str] | None, int]:
    """((terminal, value) or None for a comment, end) of a token that begins with a rare character."""
    character = text[start]
    if "0" <= character <= "9":
        return _number(text, start)
    following = text[start + 1 : start + 2]
    if character == "-":
        if following == "-":
            return None, _comment_end(text, start, pause)
        if following == "=":
            return (PUNCTUATION["-="], "-="), start + 2
        if "0" <= following <= "9":
            return _number(text, start)
        word = _NEGATIVE_WORD.match(text, start)
        if word is not None:
            return (NUMBERS["NEGATIVE_INFINITY" if word[1] else "NAN"], word[0]), word.end()
        duration = _ISO_DURATION.match(text, start, start + PIECE_CHARS)
        if duration is not None:
            return (_DURATION, duration[0]), duration.end()
        if following and following in "iInNP":
            raise LexError(start)  # the lexer of Cassandra expects -NaN, -Infinity or a duration, and nothing else
        return (PUNCTUATION["-"], "-"), start + 1
    if character == "/":
        if following in ("/", "*"):
            return None, _comment_end(text, start, pause)
        return (PUNCTUATION["/"], "/"), start + 1
    if character == "$":
        end = end_of(text, "$$", start + 2, pause) if following == "$" else -1
        if end >= 0:
            return (_STRING, text[start + 2 : end - 2]), end
    raise LexError(start)


def _comment_end(text: str, start: int, pause: Pause) -> int:
    end = comment_end(text, start, pause)
    if end < 0:
        raise LexError(start)
    return end


def _number(text: str, start: int) -> tuple[tuple[int, str], int]:
    """A number, duration, UUID or hexadecimal literal; `text[start]` is a digit, or a minus before one. Raises LexError,
    CqlTooLongError."""
    for number, pattern, chars_max in (
        (_UUID, _UUID_TEXT, PIECE_CHARS),
        (_HEX, _HEX_TEXT, len(text) + 1),
        (_DURATION, _DURATION_TEXT, DURATION_CHARS_MAX),
        (_FLOAT, _FLOAT_TEXT, PIECE_CHARS),
        (_INTEGER, _INTEGER_TEXT, PIECE_CHARS),
    ):
        found = pattern.match(text, start, start + chars_max)
        if found is not None:
            if found.end() == start + chars_max:
                raise too_long()
            following = text[found.end() : found.end() + 1]
            if number != _UUID and UUID_BEGIN.match(text, start) is not None:
                break
            if number == _DURATION and (following.isdigit() or (following in _HEX_LETTERS and found[0][-1] in "dD")):
                break
            if number == _INTEGER and text[start] != "-" and following in _HEX_LETTERS:
                break  # the lexer of Cassandra takes this for a UUID, and finds that it is none
            return (number, found[0]), found.end()
    raise LexError(start)
