"""What one parse carries along, and the folding of names; a leaf that the action modules share."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from grammar import tree
from grammar.errors import CqlSyntaxError
from grammar.keywords import NAME_KEYWORDS, NATIVE_TYPES
from grammar.lexer import Quoted
from grammar.long_tokens import Pause


class Rejected(Exception):
    """An action found the text to be wrong where the grammar is wider than Cassandra's."""


class ParseState:
    """What a parse carries along.

    `text`: the statement. `markers`: names of the bind markers so far. `errors`: messages of what is wrong beyond the
    grammar, in order. `literals`: texts of the literals numbered so far, with `literals_as_markers`. `depths`: how deep
    operators nest, by the id of the node; `kept` keeps these nodes, so that no id is used again. `assigned`: the
    assignments of the SET clause that is being read, by column. `pause` is called every now and then,
    `long_work` before what takes milliseconds.
    """

    __slots__ = ("assigned", "depths", "errors", "kept", "literals", "literals_as_markers", "long_work", "markers", "pause",
                 "text")  # fmt: skip

    def __init__(
        self, text: str, literals_as_markers: bool = False, pause: Pause = None, long_work: Pause = None
    ) -> None:
        self.pause, self.long_work = pause, long_work
        self.text = text
        self.markers: list[str | None] = []
        self.errors: list[str] = []
        self.literals_as_markers = literals_as_markers
        self.literals: list[str] = []
        self.depths: dict[int, int] = {}
        self.kept: list[tree.Expression] = []
        self.assigned: dict[str, list[tree.Assignment]] = {}


Children: TypeAlias = list[Any]
Action: TypeAlias = Callable[[Children, ParseState], Any]


def fold(name: str) -> str:
    """A name's final form: quoted as it is, else in lower case."""
    return str(name) if name.__class__ is Quoted else name.lower()


def names(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(fold, texts))


# The other unreserved keywords are no function names (Parser.g's unreserved_function_keyword); COUNT is one by its own rule.
_NO_FUNCTION_NAMES = frozenset(("ttl", "writetime", "maxwritetime", "key", "cast", "json", "distinct"))


def local_function_name(c: Children, p: ParseState) -> str:
    """Of c[0]; raises Rejected. A keyword keeps its case (Parser.g's unreserved_function_keyword)."""
    name: str = c[0]
    if name.__class__ is Quoted:
        return str(name)
    folded = name.lower()
    if folded in _NO_FUNCTION_NAMES:
        raise Rejected
    return name if folded.upper() in NAME_KEYWORDS else folded


def function_name(c: Children, p: ParseState) -> tree.QualifiedName:
    """Of c[0]; raises Rejected."""
    return tree.QualifiedName(None, local_function_name(c, p))


def qualified_function_name(c: Children, p: ParseState) -> tree.QualifiedName:
    """Of c[0], a dot and c[2]; raises Rejected."""
    return tree.QualifiedName(fold(c[0]), local_function_name(c[2:], p))


def parsed_number(text: str, bits: int, p: ParseState) -> int:
    """An integer that Cassandra's parser itself reads. Raises CqlSyntaxError where it has more bits."""
    number = int(text) if len(text) < bits else 1 << bits
    if not -1 << bits - 1 <= number < 1 << bits - 1:
        reason = f'NumberFormatException For input string: "{text}"'
        raise CqlSyntaxError(f"Failed parsing statement: [{p.text}] reason: {reason}")
    return number


# Parser.g's reservedTypeNames; as written: Byte is none
_RESERVED_TYPE_NAMES = frozenset(("byte", "complex", "enum", "date", "interval", "macaddr", "bitstring"))

# unreserved, but no user types (Parser.g's non_type_ident)
_NO_TYPE_NAMES = (_NO_FUNCTION_NAMES | NATIVE_TYPES | {"count"}) - {"key"}


def user_type_ident(name: str, p: ParseState) -> str:
    """The name, not folded; raises Rejected."""
    if name.__class__ is not Quoted:
        if name in _RESERVED_TYPE_NAMES:
            p.errors.append(f"Invalid (reserved) user type name {name}")
        elif name.lower() in _NO_TYPE_NAMES:
            raise Rejected
    return name
