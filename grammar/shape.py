"""The shape of a statement: its text with the literals cut out.

Thousands of INSERTs that differ in their literals have one shape; it is parsed and compiled once, and each further
statement costs one regular expression. How a compiler uses it:

1. `shape(text)` gives (key, literals) or None. With None: parse and compile the text itself.
2. An unknown key: `parse_shaped(text, literals)` gives the tree of this text with a `tree.LiteralMarker(index, kind)` for
   each literal, or None if the statement is none that may be shared (remember the key as such). Compile the tree.
3. The plan is kept by key. To run it, give it the literals: item `index` is the text of that literal, unquoted, in
   the order of the text. All texts with one key have the same literals' kinds at the same places.

What the compiler does with a LiteralMarker is what it does with a `tree.Literal` of that kind, only later: whether the kind
suits the receiver's type ("Invalid STRING constant ...") is decided at once, by kind, receiver and a check of the text; the
bytes are made from the text when the plan runs, errors included. Errors that name the literal's text must be raised at run
time with that text. Where the receiver's check looks at the text itself (an INTEGER's range, a STRING for a
timestamp, an empty string, whether a key is too long), the check belongs to the run time too. Where a *value* is
wanted while compiling, the compiler must refuse the marker (and the statement is compiled from its own text). `shape` and
`parse_shaped` see to it that this is rare: never cut out are

- the literals of LIMIT, PER PARTITION LIMIT, USING TTL and TIMESTAMP, and the JSON of INSERT JSON (they stay in the key);
- booleans, NULL, NaN and Infinity (they are words, and stay in the key);
- anything of a SELECT with a literal before FROM (it names a result column) or behind GROUP BY;
- anything of statements other than INSERT, UPDATE, DELETE and SELECT;
- anything of a text with comments, quoted names, $$ strings or a type in quotes, or above LENGTH_MAX.

A set, map or user type's literal keeps its structure in the key; whether two of its keys are equal is known at run
time only, so a compiler sorts and merges then. The same holds for IN.

The key is the text as written, case and blanks included, without its literals, and their kinds. A literal that the scan
does not see (behind a character that is rare there, as in `c=c-5`) stays in the key; what it takes for a literal and is
none is found by `parse_shaped`, which compares the literals of the tree with those of the scan. What holds for one
text then holds for all texts with that key: outside the literals they are the same, and no literal's text changes how
the rest is read.
"""

import re
from collections.abc import Callable
from math import isinf

from grammar import tree
from grammar.errors import CqlSyntaxError
from grammar.parse_state import ParseState
from grammar.parser import parse_with
from grammar.tree import LiteralKind

# Longer texts are parsed: a plan kept for each of them would hold too much, and the scan is not what costs there.
LENGTH_MAX = 16_384

# Groups: 1 what stands before a literal, 2 a string, 3 a plain integer, 4 anything else that begins with a digit (or a
# minus before one) or like a UUID. With the text between, `split` gives five items to a literal.
_LITERAL = re.compile(
    r"([ (,=\[{:<>\n\t])(?:"
    r"'([^']*(?:''[^']*)*)'"
    r"|(-?[0-9]+(?![A-Za-z0-9_.\-\u00b5]))"
    r"|((?:-?[0-9]|[0-9a-fA-F]{8}-)[0-9A-Za-z_.\-+\u00b5]*))"
)

_HEADS = frozenset(("insert ", "update ", "delete ", "select "))

# Group 4 of _LITERAL, in full -> kind
_OTHERS = (
    (
        re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"),
        LiteralKind.UUID,
    ),
    (re.compile(r"-?[0-9]+(?:\.[0-9]*(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)"), LiteralKind.FLOAT),
    (re.compile(r"0[xX][0-9a-fA-F]*"), LiteralKind.HEX),
    (
        re.compile(r"-?(?:[0-9]+(?:y|mo|w|d|h|ms|m|us|\u00b5s|ns|s))+", re.IGNORECASE),
        LiteralKind.DURATION,
    ),
)
_LETTERS = {
    LiteralKind.STRING: "S",
    LiteralKind.INTEGER: "I",
    LiteralKind.FLOAT: "F",
    LiteralKind.UUID: "U",
    LiteralKind.HEX: "H",
    LiteralKind.DURATION: "D",
}
LITERAL_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
"""By their letters in keys and patterns."""

# Behind these words the literal is part of the statement's meaning.
_FIXING_WORDS = ("limit", "ttl", "timestamp", "json")
_FROM = re.compile(r"\bfrom\b")


def shape(text: str) -> tuple[str, list[str]] | None:
    """(key, texts of the literals, unquoted, in order) of a statement that may share its plan, else None."""
    head = text[:7].lower()
    if head not in _HEADS or len(text) > LENGTH_MAX or "\0" in text:
        return None
    parts = _LITERAL.split(text)
    texts: list[str] = []
    kinds = ""
    for string, integer, other in zip(parts[2::5], parts[3::5], parts[4::5]):  # noqa: B905 (strict costs)
        if string is not None:
            kinds += "S"
            texts.append(string.replace("''", "'") if "''" in string else string)
        elif integer is not None:
            kinds += "I"
            texts.append(integer)
        else:
            letter = _other_kind(other)
            if letter is None:
                return None
            kinds += letter
            texts.append(other)
    chunks = parts[::5]
    rest = "\0".join(chunks)
    lower = rest.lower()
    # plain tests, one by one: several times as fast as a regular expression
    if '"' in rest or "--" in rest or "/" in rest or "$" in rest or "group" in lower:
        return None
    if head == "select " and _FROM.search(chunks[0].lower()) is None:
        return None
    if "limit" in lower or "ttl" in lower or "timestamp" in lower or "json" in lower:
        return _with_fixed_literals(parts, kinds, texts)
    return f"{rest}\0{''.join(parts[1::5])}{kinds}", texts


def _other_kind(text: str) -> str | None:
    if len(text) == 36 and text.count("-") == 4 and _OTHERS[0][0].fullmatch(text) is not None:
        return "U"
    for pattern, kind in _OTHERS:
        if pattern.fullmatch(text) is not None:
            if kind is LiteralKind.FLOAT and isinf(float(text)):
                return None  # the parser refuses it
            return _LETTERS[kind]
    return None


def _with_fixed_literals(parts: list[str], kinds: str, texts: list[str]) -> tuple[str, list[str]]:
    """The shape where some literals stay in the key, each as it is written."""
    chunks: list[str] = []
    kept_kinds = ""
    kept: list[str] = []
    before = ""
    for index, text in enumerate(texts):
        start = index * 5
        chunk, lead = parts[start], parts[start + 1]
        if (before + chunk + lead).rstrip().lower().endswith(_FIXING_WORDS):
            quote = "'" if kinds[index] == "S" else ""
            before += f"{chunk}{lead}{quote}{parts[start + 2] if quote else text}{quote}"
        else:
            chunks.append(before + chunk + lead)
            before = ""
            kept_kinds += kinds[index]
            kept.append(text)
    chunks.append(before + parts[-1])
    return "\0".join(chunks) + "\0\0" + kept_kinds, kept


def parse_shaped(text: str, texts: list[str], pause: Callable[[], None] | None = None) -> tree.Statement | None:
    """The tree of `text` with LiteralMarkers for the literals that `shape` found, or None if it must not be shared: the
    text is wrong, the scan's literals are not the parser's, or it has an `IN ()`, for which nobody would look at them."""
    state = ParseState(text, True, pause)
    try:
        statement = parse_with(text, state)
    except CqlSyntaxError:
        return None
    if state.literals != texts or (isinstance(statement, _WITH_WHERE) and any(map(_is_empty, statement.where.relations))):
        return None
    return statement


_WITH_WHERE = (tree.Select, tree.Update, tree.Delete)


def _is_empty(relation: tree.Relation) -> bool:
    return isinstance(relation, tree.InRelation | tree.MultiColumnInRelation) and relation.values == ()
