"""Statements from tables of productions: for areas whose schema is given, so that most of what is asked can be answered.

A table is lines `name: text | text`; `@name` in a text stands for one of that name's, or for what `terminals` makes; a name
may have several lines. A text that begins with `N*` counts N times.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

FOLDER = Path(__file__).parent / "given"
_NAME = re.compile(r"@(\w+)")
_WEIGHT = re.compile(r"(\d+)\* ")

Terminals = Mapping[str, Callable[[Random], str]]


def productions_of(*names: str) -> str:
    """What these files have."""
    return "\n".join((FOLDER / f"{name}.txt").read_text().strip() for name in names)


class Productions:
    def __init__(self, rng: Random, table: str, terminals: Terminals) -> None:
        self._rng, self._terminals = rng, terminals
        self._texts: dict[str, list[str]] = {}
        for line in table.strip().splitlines():
            name, _, texts = line.partition(": ")
            for text in texts.split(" | "):
                weight = _WEIGHT.match(text)
                found = self._texts.setdefault(name.strip(), [])
                found += [text[weight.end() :]] * int(weight[1]) if weight else [text]

    def one(self, name: str) -> str:
        made = self._terminals.get(name)
        if made is not None:
            return made(self._rng)
        return self.filled(self._rng.choice(self._texts[name]))

    def all(self, name: str) -> list[str]:
        """Every text of that name, in order; none where there is no such name."""
        return [self.filled(text) for text in self._texts.get(name, [])]

    def filled(self, text: str) -> str:
        return _NAME.sub(lambda found: self.one(found[1]), text)
