"""Areas with a given schema: searches (SAI, vectors, SASI), aggregates of users, counters, and tables that change under
their data. Their productions are in given/."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from twins.productions import Productions, Terminals, productions_of
from twins.statement import Statement, StorageWork, statement
from twins.storing import COMPACT, FLUSH

STORED_SHARE = 0.01
PAGE_SIZES = (-1, -1, 1, 2, 5, 100)


def _vector(rng: Random) -> str:
    return f"[{', '.join(f'{rng.randrange(-900, 900) / 100 or 1.0}' for _ in range(3))}]"


_TERMINALS: Terminals = {"nothing": lambda rng: "", "vector": _vector, "unique": lambda rng: str(rng.getrandbits(40))}


class GivenSchema:
    """`changes`: the share of statements that change the schema, or more than a row. `indexes`: how many are tried."""

    def __init__(self, rng: Random, keyspace: str, name: str, area: str, changes: float, indexes: int = 0) -> None:
        self._rng, self._changes, self._indexes = rng, changes, indexes
        self._has_one_index = area == "sasi"
        self._keyspace, self._name = keyspace, name
        terminals = {**_TERMINALS, "t": lambda rng: f"{keyspace}.{name}", "ks": lambda rng: keyspace}
        self._made = Productions(rng, productions_of("common", area), terminals)

    def statements(self, count: int, has_setup: bool) -> Iterator[Statement | StorageWork]:
        rng, made = self._rng, self._made
        for text in made.all("setup") if has_setup else ():
            yield statement(text)
        yield statement(made.one("table"))
        columns = set()
        for _ in range(self._indexes):
            text = made.one("index")
            column = text[text.index("(") :].split(")")[0]
            if column not in columns or not self._has_one_index:  # which of several SASI indexes is asked can't be known
                columns.add(column)
                yield statement(text)
        for _ in range(20):
            yield self._sent(made.one("write"))
        for _ in range(count):
            luck = rng.random()
            if luck < self._changes:
                yield statement(made.one("change"))
            elif luck < 0.3:
                yield self._sent(made.one("write"))
                if rng.random() < STORED_SHARE:
                    yield StorageWork(rng.choice((FLUSH, FLUSH, COMPACT)), self._keyspace, self._name)
            else:
                yield replace(self._sent(made.one("read")), page_size=rng.choice(PAGE_SIZES))

    def _sent(self, text: str) -> Statement:
        return replace(statement(" ".join(text.split()) if "  " in text else text.strip()), version=self._rng.choice((4, 5)))
