"""Passwords of CREATE and ALTER ROLE or USER are not kept in the clear where statements are: query log, traces, messages of
faulty seeds (cql3/PasswordObfuscator.java, cql3/QueryEvents.java, audit/AuditLogManager.java).

As in Cassandra, of a statement about roles the password alone is left out; of what is no CQL, so that nobody knows what it
was meant to be, all behind the first "password". Other statements, which may well have a column of that name, are kept.
"""

import re
from collections.abc import Iterator
from typing import Final

OBFUSCATION_TOKEN: Final = "*******"
SYNTAX_MESSAGE: Final = "Syntax Exception. Obscured for security reasons."
_PASSWORD: Final = re.compile("password", re.IGNORECASE | re.ASCII)
_WORD_OR_TEXT: Final = re.compile(
    r"""(?:\s|--[^\n\r]*|//[^\n\r]*|/\*.*?(?:\*/|\Z))"""  # spaces and comments: no group
    r"""|(?P<text>'(?:[^']|'')*'?|\$\$.*?(?:\$\$|\Z))"""
    r"""|(?P<word>"(?:[^"]|"")*"?|\w+|.)""",
    re.DOTALL,
)
_WITH_PASSWORDS: Final = frozenset((verb, noun) for verb in ("create", "alter") for noun in ("role", "user"))


def may_have_password(data: bytes) -> bool:
    """Whether a message has a text that `obfuscated` might change."""
    return b"password" in data.lower()


def obfuscated(text: str, *, is_unparsed: bool = False) -> str:
    """The statement without its password. `is_unparsed`: it was refused before anybody knew what statement it is."""
    found = _PASSWORD.search(text)
    if found is None:
        return text
    if is_unparsed:
        return f"{text[: found.end()]} {OBFUSCATION_TOKEN}"
    return _without_passwords(text) if _is_about_roles(text) else text


def obfuscated_message(message: str, text: str) -> str:
    """What a syntax error says of that text, which may quote from it."""
    return message if _PASSWORD.search(text) is None else SYNTAX_MESSAGE


def _tokens(text: str) -> Iterator[re.Match[str]]:
    return (token for token in _WORD_OR_TEXT.finditer(text) if token.lastgroup is not None)


def _is_about_roles(text: str) -> bool:
    tokens = _tokens(text)
    return (next(tokens, [""])[0].lower(), next(tokens, [""])[0].lower()) in _WITH_PASSWORDS


def _without_passwords(text: str) -> str:
    """Replaces each text behind the word PASSWORD, in whatever way it is quoted, which Cassandra does not see through."""
    kept, copied, is_next = [], 0, False
    for token in _tokens(text):
        if token.lastgroup == "word":
            is_next = token[0].lower() == "password" or (is_next and token[0] == "=")
        elif is_next:
            kept += [text[copied : token.start()], f"'{OBFUSCATION_TOKEN}'"]
            copied, is_next = token.end(), False
    return "".join(kept) + text[copied:]
