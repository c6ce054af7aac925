"""Java's properties files, which Cassandra keeps beside its cassandra.yaml (java.util.Properties, load)."""

import re


def parse_properties(text: str) -> dict[str, str]:
    """Names and values of what such a file says."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        content = line.lstrip()
        if not content or content[0] in "#!":
            continue
        while (len(content) - len(content.rstrip("\\"))) % 2:
            content = content[:-1] + next(lines, "").lstrip()
        name, value = re.match(r"((?:\\.|[^\s=:\\])*)\s*[=:]?\s*(.*)", content).groups()  # type: ignore[union-attr]
        found[_unescaped(name)] = _unescaped(value)
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", lambda m: _escape(m[1]), text)


def _escape(text: str) -> str:
    return chr(int(text[1:], 16)) if len(text) > 1 else {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}.get(text, text)
