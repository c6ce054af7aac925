"""Java source -> tokens (Java Language Specification 11, chapter 3)."""

import re
from dataclasses import dataclass
from typing import Any, Final

from cqlserver.java.errors import CompileError, Problem

KEYWORDS: Final = frozenset(
    """
    abstract assert boolean break byte case catch char class const continue default do double else enum extends final
    finally float for goto if implements import instanceof int interface long native new package private protected
    public return short static strictfp super switch synchronized this throw throws transient try void volatile while
    true false null
    """.split()
)

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*|/\*.*?\*/)
    | (?P<number>0[xX][0-9a-fA-F_]+[lL]?|0[bB][01_]+[lL]?
        |(?:\d[\d_]*\.[\d_]*|\.\d[\d_]*|\d[\d_]*)(?:[eE][+-]?\d+)?[lLfFdD]?)
    | (?P<word>[^\W\d]\w*|\$\w*)
    | (?P<string>"(?:[^"\\\n]|\\.)*")
    | (?P<char>'(?:[^'\\\n]|\\(?:[0-7]{1,3}|.))')
    | (?P<operator>>>>=|<<=|>>=|\.\.\.|->|::|\+\+|--|&&|\|\||==|!=|<=|>=|\+=|-=|\*=|/=|&=|\|=|\^=|%=|<<
        |[-+*/%=<>!~?:;,.@()\[\]{}&|^])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "'": "'", "\\": "\\", "s": " "}
_UNICODE = re.compile(r"\\u+([0-9a-fA-F]{4})")
_ESCAPE = re.compile(r"\\([0-3]?[0-7]{1,2}|.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind`: word, keyword, operator, end, or a literal's type: int long float double char string."""

    kind: str
    text: str
    line: int
    at: int
    value: Any = None

    @property
    def end(self) -> int:
        return self.at + len(self.text)


def tokens(source: str) -> list[Token]:
    """The last one is the end. Raises CompileError."""
    source = _UNICODE.sub(lambda match: chr(int(match[1], 16)), source)
    found: list[Token] = []
    at, line = 0, 1
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise CompileError([Problem(line, at, _complaint(source, at))])
        text = match[0]
        if match.lastgroup != "space":
            found.append(_token(str(match.lastgroup), text, line, at))
        line += text.count("\n")
        at = match.end()
    found.append(Token("end", "", line, at))
    return found


def _complaint(source: str, at: int) -> str:
    if source[at] == '"':
        return "String literal is not properly closed by a double-quote"
    if source[at] == "'":
        return "Invalid character constant"
    if source.startswith("/*", at):
        return "Unexpected end of comment"
    return 'Syntax error on token "Invalid Character", delete this token' if source[at] != "\\" else "Invalid unicode"


def _token(group: str, text: str, line: int, at: int) -> Token:
    match group:
        case "word":
            return Token("keyword" if text in KEYWORDS else "word", text, line, at)
        case "string":
            return Token("string", text, line, at, _units(_unescaped(text[1:-1], line, at)))
        case "char":
            value = _unescaped(text[1:-1], line, at)
            if len(value) != 1 or ord(value) > 0xFFFF:
                raise CompileError([Problem(line, at, "Invalid character constant")])
            return Token("char", text, line, at, ord(value))
        case "number":
            return _number(text, line, at)
    return Token("operator", text, line, at)


def _units(text: str) -> str:
    """As UTF-16 code units, which is what Java's strings are made of."""
    from cqlserver.java.values import units_of

    return units_of(text)


def _unescaped(text: str, line: int, at: int) -> str:
    def replaced(match: re.Match[str]) -> str:
        escape = match[1]
        if escape[0] in "01234567":
            return chr(int(escape, 8))
        if escape not in _ESCAPES:
            raise CompileError(
                [Problem(line, at, "Invalid escape sequence (valid ones are  \\b  \\t  \\n  \\f  \\r  \\\"  \\'  \\\\ )")]
            )
        return _ESCAPES[escape]

    return _ESCAPE.sub(replaced, text) if "\\" in text else text


def _number(text: str, line: int, at: int) -> Token:
    plain = text.replace("_", "")
    is_radix = plain[:2].lower() in ("0x", "0b")
    suffix = plain[-1].lower()
    if not is_radix and (suffix in "fd" or any(c in plain.lower() for c in ".e")):
        from protocol.types.java_text import to_float32

        value = float(plain.rstrip("fFdD"))
        return Token("float", text, line, at, to_float32(value)) if suffix == "f" else Token("double", text, line, at, value)
    kind = "long" if suffix == "l" else "int"
    digits = plain[:-1] if kind == "long" else plain
    base = 10
    if is_radix:
        base = 16 if digits[1] in "xX" else 2
    elif len(digits) > 1 and digits[0] == "0":
        base = 8
    bits = 64 if kind == "long" else 32
    try:
        number = int(digits[2:] if is_radix else digits, base)
    except ValueError:
        number = 1 << 70
    # 2147483648 is right behind a minus only: the parser sees to that
    if number >= 1 << bits or (base == 10 and number > 1 << (bits - 1)):
        raise CompileError([Problem(line, at, f"The literal {text} of type {kind} is out of range ")])
    if base != 10 and number >= 1 << (bits - 1):
        number -= 1 << bits
    return Token(kind, text, line, at, number)
