"""Roles, permissions and masks: a superuser and three others at work on the same tables, where clients log in."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Final

from harness.runner import Address

from twins.productions import Productions, Terminals, productions_of
from twins.statement import Statement, statement
from twins.wire import Server

PASSWORD: Final = "secret"
USERS: Final = ("alice", "bob", "carol")
SUPERUSER_SHARE: Final = 0.3

_SETUP: Final = (
    "CREATE TABLE {ks}.t (k int, c int, n int MASKED WITH mask_default(), x text MASKED WITH mask_inner(1, null),"
    " l list<int>, PRIMARY KEY (k, c))",
    "CREATE TABLE {ks}.o (k int PRIMARY KEY, v int)",
    "CREATE MATERIALIZED VIEW {ks}.v AS SELECT k, v FROM {ks}.o WHERE k IS NOT NULL AND v IS NOT NULL PRIMARY KEY (v, k)",
    "CREATE FUNCTION {ks}.f(v int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$return v == null ? 0 : v + 1;$$",
    "CREATE FUNCTION {ks}.st(s int, v int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$return s + 1;$$",
    "INSERT INTO {ks}.t (k, c, n, x, l) VALUES (1, 1, 7, 'seven', [7]) USING TIMESTAMP 500",
    "INSERT INTO {ks}.t (k, c, n, x, l) VALUES (2, 1, 8, 'eight', [8, 9]) USING TIMESTAMP 500",
    "CREATE ROLE {ks}_team",
)


def roles(rng: Random, keyspace: str, count: int) -> Iterator[Statement]:
    names = [f"{keyspace}_{name}" for name in (*USERS, "team", "extra")]
    for name in names:
        yield statement(f"DROP ROLE IF EXISTS {name}")
    for text in _SETUP:
        yield statement(text.format(ks=keyspace))
    for name in names[: len(USERS)]:
        yield statement(f"CREATE ROLE {name} WITH PASSWORD = '{PASSWORD}' AND LOGIN = true")
    terminals: Terminals = {"nothing": lambda rng: "", "ks": lambda rng: keyspace}
    terminals = {**terminals, **{f"ks_{each}": _named(f"{keyspace}_{each}") for each in (*USERS, "team", "extra", "none")}}
    made = Productions(rng, productions_of("roles"), terminals)
    for _ in range(count):
        if rng.random() < SUPERUSER_SHARE:
            yield _sent(rng, made.one("superuser"), None)
        else:
            yield _sent(rng, made.one("user"), (rng.choice(names[: len(USERS)]), PASSWORD))
    for name in names:
        yield statement(f"DROP ROLE IF EXISTS {name}")


def make_role(address: Address, name: str, password: str) -> None:
    """One that may do everything, and is no superuser: guardrails are for such."""
    server = Server(address)
    server.query(f"CREATE ROLE IF NOT EXISTS {name} WITH PASSWORD = '{password}' AND LOGIN = true")
    for resource in ("ALL KEYSPACES", "ALL FUNCTIONS", "ALL ROLES"):
        server.query(f"GRANT ALL PERMISSIONS ON {resource} TO {name}")
    server.close()


def _named(name: str) -> Callable[[Random], str]:
    return lambda rng: name


def _sent(rng: Random, text: str, role: tuple[str, str] | None) -> Statement:
    return replace(statement(" ".join(text.split())), version=rng.choice((4, 5)), role=role, prepared=rng.random() < 0.3)
