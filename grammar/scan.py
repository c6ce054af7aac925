"""The tokens of a text one by one, with blanks, comments and positions: for grammar.explain.

Slower than grammar.lexer and more talkative: what is no token raises ScannerError with the message of Cassandra's lexer.
Tokens are read only when they are asked for, because an error of the parser before hides one of the lexer behind.
"""

import re
from typing import ClassVar

from grammar import lexer
from grammar.keywords import NUMBERS, WORDS
from grammar.lexer import LexError
from grammar.long_tokens import PIECE_CHARS, Pause, blanks_end, comment_end, quoted, too_long

_HIDDEN = -1
_EXPONENT = re.compile(r"-?[0-9]+[eE]([+-]?)(?![0-9A-Fa-f])")
_DURATION_AND_DIGITS = re.compile(r"-?(?:[0-9]+[a-zA-Z\u00b5]+)+[0-9]+")
_DURATION_FORM = "P0000-00-00T00:00:00"
"""0 stands for any digit."""
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PUNCTUATION = re.compile(r"[(),=?:;*\[\]{}%]|\.\.?|<=?|>=?|\+=?|!=")


class ScannerError(Exception):
    """No token; `message` is the client's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class TooManyTokensError(Exception):
    """More than `tokens_max`."""


class Token:
    """`text` is what messages show: a string's or quoted name's content. The end of the text stands at line 0, column -1."""

    __slots__ = ("column", "line", "number", "text")

    def __init__(self, number: int, text: str, line: int, column: int) -> None:
        self.number, self.text, self.line, self.column = number, text, line, column

    @property
    def end(self) -> int:
        """The column behind it, as far as its text tells."""
        return self.column + len(self.text)

    def shown(self) -> str:
        text = self.text if self.number else "<EOF>"
        return "'" + text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + "'"


class Scanner:
    """`tokens`: those read so far; above `tokens_max` of them, TooManyTokensError. Long ones are read with pauses."""

    punctuation: ClassVar[dict[str, int]] = {**lexer.PUNCTUATION, "expr(": NUMBERS["EXPR"]}

    def __init__(self, text: str, tokens_max: int, pause: Pause = None) -> None:
        self.text, self._pause = text, pause
        self.tokens_max = tokens_max
        self.tokens: list[Token] = []
        self._position = 0
        self._line = 1
        self._line_start = 0

    def skip(self, index: int) -> int:
        """The index of the first token from `index` on that the parser sees; raises ScannerError."""
        tokens = self.tokens
        while True:
            while index >= len(tokens):
                if tokens and tokens[-1].number == 0:
                    return len(tokens) - 1
                if index >= self.tokens_max:
                    raise TooManyTokensError
                self._read()
            if tokens[index].number != _HIDDEN:
                return index
            index += 1

    def _read(self) -> None:
        """One token more."""
        text, start = self.text, self._position
        if start == len(text):
            self.tokens.append(Token(0, "", 0, -1))
            return
        end = self._hidden_end(start)
        if end > start:
            self._add(_HIDDEN, text[start:end], end)
            return
        opening = text[start]
        content, end = quoted(text, start, self._pause) if opening in "'\"" else ("", -1)
        if end > start:
            if not content and opening == '"':
                self._add(NUMBERS["EMPTY_QUOTED_NAME"], '""', end)
            else:
                number = NUMBERS["STRING_LITERAL" if opening == "'" else "QUOTED_NAME"]
                self._add(number, content, end)
            return
        try:
            number_found, value, end = self._rare(start)
        except LexError:
            raise ScannerError(self._complaint(start)) from None
        self._add(number_found, value, end)

    def _hidden_end(self, start: int) -> int:
        """Where the blanks, or the comment, end that begin there; `start` or -1 where none do."""
        if self.text[start : start + 2] in ("--", "//", "/*"):
            return comment_end(self.text, start, self._pause)
        return blanks_end(self.text, start, self._pause)

    def _rare(self, start: int) -> tuple[int, str, int]:
        found = _WORD.match(self.text, start, start + PIECE_CHARS)
        if found is not None:
            if found.end() == start + PIECE_CHARS:
                raise too_long()
            number = WORDS.get(found[0].lower())
            if number is not None:
                return number, found[0], found.end()
            return lexer._odd_word(self.text, start, found.end(), found[0])
        found = _PUNCTUATION.match(self.text, start)
        if found is not None:
            return self.punctuation[found[0]], found[0], found.end()
        token, end = lexer._rare(self.text, start)
        if token is None:
            raise LexError(start)
        return token[0], token[1], end

    def _add(self, number: int, value: str, end: int) -> None:
        self.tokens.append(Token(number, value, self._line, self._position - self._line_start))
        start = self._position
        breaks = self.text.count("\n", start, end)
        if breaks:
            self._line += breaks
            self._line_start = self.text.rindex("\n", start, end) + 1
        self._position = end

    def _complaint(self, start: int) -> str:
        """What ANTLR's lexer says of the character at `start`, or of the one where the token begun there breaks off."""
        text = self.text
        opening = text[start]
        following = text[start + 1 : start + 2]
        if opening in "'\"":
            return self._mismatch(len(text), f"'{opening}'")
        if lexer.DURATION_BEGIN.match(text, start) is not None:
            return self._broken_duration(start + (opening == "-"))
        if opening in "-/" and following == opening:
            return self._mismatch(len(text), "set null")
        if opening == "/" and following == "*":
            return self._mismatch(len(text), "'/'" if text.endswith("*") and len(text) > start + 2 else "'*'")
        if opening == "$":
            return self._mismatch(start + 1 if following != "$" else max(start + 2, len(text) - 1), "'$'")
        if opening == "!":
            return self._mismatch(start + 1, "'='")
        if opening == "-" and following == "P":
            return self._no_alternative(start + 2)
        if opening == "-" and following in "iInN":
            word = "infinity" if following in "iI" else "nan"
            at = start + 1
            for letter in word:
                if text[at : at + 1].lower() != letter:
                    break
                at += 1
            return self._mismatch(at, "set null")
        if opening in _HEX_DIGITS or opening == "-":
            return self._broken_number(start)
        return self._no_alternative(start)

    def _no_alternative(self, at: int) -> str:
        line, column = self._place(at)
        return f"line {line}:{column} no viable alternative at character {self._character(at)}"

    def _broken_number(self, start: int) -> str:
        """Of an exponent without digits, of a duration with digits behind it, of what begins like a UUID."""
        if lexer.UUID_BEGIN.match(self.text, start) is not None:
            return self._broken_uuid(start)
        exponent = _EXPONENT.match(self.text, start)
        if exponent is not None:
            at = exponent.end()
            if not exponent[1]:
                return self._no_alternative(at)
            line, column = self._place(at)
            missing = f"required (...)+ loop did not match anything at character {self._character(at)}"
            return f"line {line}:{column} {missing}"
        duration = _DURATION_AND_DIGITS.match(self.text, start)
        if duration is not None:
            return self._no_alternative(duration.end())
        return self._broken_uuid(start)

    def _broken_duration(self, start: int) -> str:
        for at, wanted in enumerate(_DURATION_FORM, start):
            found = self.text[at : at + 1]
            if wanted == "0" and not (found.isascii() and found.isdigit()):
                return self._mismatch(at, "set null")
            if wanted not in ("0", found):
                return self._mismatch(at, f"'{wanted}'")
        raise AssertionError(f"a duration that is none: {self.text[start:start + len(_DURATION_FORM)]}")

    def _broken_uuid(self, start: int) -> str:
        at = start
        for size in (8, 4, 4, 4, 12):
            for _ in range(size):
                if self.text[at : at + 1] not in _HEX_DIGITS:
                    return self._mismatch(at, "set null")
                at += 1
            if self.text[at : at + 1] != "-":
                break
            at += 1
        return self._mismatch(at, "'-'")

    def _mismatch(self, at: int, expected: str) -> str:
        line, column = self._place(at)
        return f"line {line}:{column} mismatched character {self._character(at)} expecting {expected}"

    def _character(self, at: int) -> str:
        if at >= len(self.text):
            return "'<EOF>'"
        shown = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
        return f"'{shown.get(self.text[at], self.text[at])}'"

    def _place(self, at: int) -> tuple[int, int]:
        line = 1
        for start in range(0, at, PIECE_CHARS):
            line += self.text.count("\n", start, min(at, start + PIECE_CHARS))
            if self._pause is not None:
                self._pause()
        return line, at - (self.text.rfind("\n", 0, at) + 1)
