"""Plans are found by key, and forgotten by the tables that they were compiled for."""

import random

from cqlserver.plan_cache import PlanCache

T, U, V = ("ks", "t"), ("ks", "u"), ("other", "t")


def test_a_changed_table_takes_only_its_plans_along() -> None:
    cache: PlanCache[str, int] = PlanCache(10)
    cache.keep("a", 1, [T], 1)
    cache.keep("b", 2, [U, T, T], 1)
    cache.keep("c", 3, [U], 1)
    cache.keep("d", 4, [V], 1)
    cache.keep("e", 5, [], 1)
    assert cache.keys_about("ks", "t") == ["a", "b"]
    cache.forget("ks", "t")
    assert list(cache) == ["c", "d", "e"]
    cache.forget("ks", None)
    assert list(cache) == ["d", "e"]
    cache.forget("ks", None)
    cache.forget("nowhere", "t")
    assert cache.get("d") == 4


def test_what_was_used_longest_ago_leaves_first() -> None:
    left: list[str] = []
    cache: PlanCache[str, int] = PlanCache(3, left.append)
    for number, key in enumerate("abc"):
        cache.keep(key, number, [T], 1)
    assert cache.use("a") == 0
    assert cache.get("b") == 1  # which is no use
    assert cache.use("nothing") is None
    cache.keep("d", 4, [T], 1)
    assert list(cache) == ["c", "a", "d"]
    cache.keep("c", 5, [U], 2)
    assert left == ["b", "a"]
    assert cache.keys_about("ks", "t") == ["d"]
    assert cache.bytes == 3


def test_those_used_longest_ago_are_named_once_half_the_room_is_taken() -> None:
    cache: PlanCache[int, int] = PlanCache(100)
    for number in range(10):
        assert list(cache.oldest_share(0.25)) == []
        cache.keep(number, number, [T], 5)
    cache.keep(10, 10, [T], 5)
    assert list(cache.oldest_share(0.25)) == [0, 1, 2, 3, 4]


def test_nothing_of_what_left_stays() -> None:
    seed = 7
    rng = random.Random(seed)
    cache: PlanCache[int, int] = PlanCache(20)
    for number in range(500):
        cache.keep(rng.randrange(40), number, rng.sample([T, U, V], rng.randrange(4)), 1)
        if rng.randrange(5) == 0:
            cache.forget(*rng.choice([T, U, V, ("ks", None)]))
        assert len(cache) <= 20
    for keyspace in ("ks", "other"):
        cache.forget(keyspace, None)
    for key in list(cache):
        cache.pop(key)
    assert not cache._keys
    assert not cache._tables
    assert not cache.bytes
