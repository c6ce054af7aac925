"""Resources, caches and hashes, each by itself."""

import pytest

from cqlserver.auth import passwords, resources
from cqlserver.auth.caches import AuthCache
from cqlserver.auth.passwords import Passwords
from cqlserver.program.auth_settings import AuthSettings, CacheSettings, check_together, class_of
from protocol.types import INT, TEXT, ListType
from storage.environment.environment import Rng
from storage.environment.strands import InlineWorkers


@pytest.mark.parametrize(
    ("resource", "name", "text"),
    [
        (resources.ALL_KEYSPACES, "data", "<all keyspaces>"),
        (resources.keyspace("ks"), "data/ks", "<keyspace ks>"),
        (resources.all_tables("ks"), "data/ks/*", "<all tables in ks>"),
        (resources.table("ks", "t"), "data/ks/t", "<table ks.t>"),
        (resources.ALL_ROLES, "roles", "<all roles>"),
        (resources.role("a/b"), "roles/a/b", "<role a/b>"),
        (resources.ALL_FUNCTIONS, "functions", "<all functions>"),
        (resources.keyspace_functions("ks"), "functions/ks", "<all functions in ks>"),
        (
            resources.function("ks", "f", (INT, ListType(TEXT, frozen=False))),
            "functions/ks/f[org.apache.cassandra.db.marshal.Int32Type^org.apache.cassandra.db.marshal.ListType"
            "(org.apache.cassandra.db.marshal.UTF8Type)]",
            "<function ks.f(int, list<text>)>",
        ),
        (resources.function("ks", "f", ()), "functions/ks/f[]", "<function ks.f()>"),
        (resources.ALL_MBEANS, "mbean", "<all mbeans>"),
    ],
)
def test_resources_are_known_by_their_names(resource: resources.Resource, name: str, text: str) -> None:
    assert (resource.name, str(resource)) == (name, text)
    assert resources.named(name) == resource


def test_a_table_has_three_parents() -> None:
    assert [of.name for of in resources.table("ks", "t").chain()] == ["data/ks/t", "data/ks/*", "data/ks", "data"]
    assert [of.name for of in resources.role("r").chain()] == ["roles/r", "roles"]


class Rows:
    changes = 0


def cache(rows: Rows, clock: list[float], loaded: list[str], settings: CacheSettings) -> AuthCache[str, int]:
    def load(key: str) -> int:
        loaded.append(key)
        return len(loaded)

    return AuthCache(settings, lambda: clock[0], rows, load)


def test_entries_are_believed_for_a_while_and_until_something_changes() -> None:
    rows, clock, loaded = Rows(), [0.0], list[str]()
    found = cache(rows, clock, loaded, CacheSettings(2_000, None, 2))
    assert [found.get("a"), found.get("a")] == [1, 1]
    clock[0] = 2.0
    assert found.get("a") == 2
    rows.changes += 1
    assert found.get("a") == 3
    assert list(found.keys()) == ["a"]
    found.get("b")
    found.get("a")
    found.get("c")  # one too many: b was asked for longest ago
    assert list(found.keys()) == ["a", "c"]
    found.forget("a")
    assert list(found.keys()) == ["c"]


def test_nothing_is_kept_where_the_settings_say_so() -> None:
    loaded = list[str]()
    found = cache(Rows(), [0.0], loaded, CacheSettings(0))
    found.get("a")
    found.get("a")
    assert loaded == ["a", "a"]
    assert list(found.keys()) == []


def test_hashes() -> None:
    made = Passwords(InlineWorkers(), Rng(b"x"))
    hashed = made.hashed("secret").result
    assert passwords.is_hash(hashed)
    assert made.check("secret", hashed).result
    assert not made.check("Secret", hashed).result
    assert not made.check("secret", "no hash").result
    assert not made.is_known("secret", hashed)
    made.remember("secret", hashed)
    assert made.is_known("secret", hashed)
    assert not made.is_known("secret", made.hashed("secret").result)


@pytest.mark.parametrize("text", ["", "x", "$2b$10$" + "a" * 53, "$2a$02$" + "a" * 53, "$2a$10$short"])
def test_what_is_no_hash(text: str) -> None:
    assert not passwords.is_hash(text)


def test_settings_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="has authorization enabled which requires"):
        check_together(AuthSettings(authorizer="CassandraAuthorizer"))
    assert class_of("authenticator", {"class_name": "org.apache.cassandra.auth.PasswordAuthenticator"}) == (
        "PasswordAuthenticator"
    )
    with pytest.raises(ValueError, match="use AllowAllAuthorizer or CassandraAuthorizer"):
        class_of("authorizer", "MyAuthorizer")
