"""A fuzzer of texts: statements of the recorded scripts, with words left out, doubled, exchanged, and nasty ones put in.

Half of the cases go to a server where clients log in, as its superuser; in some the tables are flushed or compacted now and
then, in some what clients ask is logged, in some operators keep the state and bring it back.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

from hunt.hunting import Fuzzer, told_bugs
from hunt.operating import LOOK, OBSERVED, VERBS, Operator, look, observe
from hunt.small_node import COMPACT, FLUSH, SCHEMA, WITH_ROLES, WITHOUT_ROLES, Client, new_node, stored
from storage.environment.memory import FaultyDisk

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
LOGGING_IN = "-- to a server where clients log in"
PREPARATIONS = (
    "INSERT INTO ks.t (k, c, v, s) VALUES (1, 2, 'text', 3)",
    "INSERT INTO ks.l (k, f, l, m, e, u, t, i, d, x, n) VALUES (1, [1], [1, 2], {1: 'a'}, {1}, {a: 1, b: 'b'}, "
    "(1, 'x'), 1, 1.5, [0.5, 1], 1mo)",
    "UPDATE ks.n SET v = v + 1 WHERE k = 1",
    "CREATE INDEX v_of_t ON ks.t (v)",
    "CREATE CUSTOM INDEX d_of_l ON ks.l (d) USING 'StorageAttachedIndex'",
    "CREATE FUNCTION ks.f (a int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS 'return a;'",
    "CREATE ROLE r WITH LOGIN = true",
    "GRANT SELECT ON KEYSPACE ks TO r",
)  # fmt: skip
_WORD = re.compile(r"'(?:[^']|'')*'|\w+|\s+|.", re.DOTALL)
NASTY = (
    "null", "''", "0", "-1", "1e400", "NaN", "2147483648", "0x", "0xff", "[]", "{}", "()", "(((", "'\u00e9\U0001f600'", "\0",
    "?", ":a", "1y2mo3d", "2020-01-01", "token(k)", "now()", "*", "AND", "IN", "LIMIT 1", "ALLOW FILTERING", "k", "c", "v",
    "PER PARTITION LIMIT 1", "ks.t", "ks.l", "frozen<list<int>>", "vector<float, 2>", "USING TTL 5", "IF EXISTS", "DISTINCT",
    "JSON", "ORDER BY c DESC", "'x'" * 50, "CAST(k AS text)", "count(*)", "GROUP BY k", "CONTAINS", "1" * 400, '"Q""q"',
    "$$x$$", "--", "/*", ";",
)  # fmt: skip


@cache
def seeds() -> list[str]:
    found = []
    for path in sorted(SCRIPTS.rglob("*.cql")):
        for block in path.read_text().split("\n\n"):
            lines = [line for line in block.splitlines() if line and not line.startswith(("|", "#", "--", "@", "!"))]
            if lines:
                found.append("\n".join(lines).replace("$ks", "ks"))
    return found


def statements(rng: Random) -> list[str]:
    parts = [LOGGING_IN] if rng.random() < 0.5 else []
    parts += [OBSERVED] if rng.random() < 0.3 else []
    parts += PREPARATIONS if rng.random() < 0.5 else ()
    stores, operates = rng.random() < 0.3, rng.random() < 0.3
    for _ in range(20):
        if stores and rng.random() < 0.3:
            parts.append(rng.choice((FLUSH, COMPACT)))
        if operates and rng.random() < 0.3:
            parts.append(rng.choice((LOOK, *VERBS)))
        parts.append(mutated(rng, rng.choice(seeds())))
    return parts


def mutated(rng: Random, text: str) -> str:
    words = _WORD.findall(text[:2000])
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        at = rng.randrange(len(words) + 1)
        match rng.randrange(5):
            case 0:
                del words[at : at + rng.randrange(1, 4)]
            case 1:
                words[at:at] = words[at : at + rng.randrange(1, 6)]
            case 2 if words:
                other = rng.randrange(len(words))
                at = min(at, len(words) - 1)
                words[at], words[other] = words[other], words[at]
            case 3:
                words[at : at + 1] = [rng.choice(NASTY)]
            case _:
                words.insert(at, f" {rng.choice(NASTY)} ")
    return "".join(words)


def fault(parts: Sequence[str]) -> str | None:
    is_logging_in, stores = LOGGING_IN in parts, FLUSH in parts or COMPACT in parts
    node = new_node(FaultyDisk() if stores else None, auth=WITH_ROLES if is_logging_in else WITHOUT_ROLES)
    if OBSERVED in parts:
        observe(node)
    client, operator = Client(node), Operator(node)
    for statement in (*SCHEMA, "USE ks"):
        client.ask(statement)
    with told_bugs() as told:
        for text in parts:
            if text in (LOGGING_IN, OBSERVED):
                continue
            try:
                if text in (FLUSH, COMPACT):
                    stored(node, text)
                    continue
                if text == LOOK:
                    look(node)
                    continue
                if text in VERBS:
                    operator.do(text)
                    continue
                client.ask(text.encode("utf-8", "replace").decode())
            except Exception as error:  # noqa: BLE001 - it is what is looked for
                return f"{type(error).__name__}: {error}"
            if told:
                return told[0]
    return None


FUZZERS = (Fuzzer("statements", statements, fault),)
