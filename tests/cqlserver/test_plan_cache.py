"""Plans are found by key, and forgotten by the tables that they were compiled for."""

import random

from cqlserver.plan_cache import PlanCache

T, U, V = ("ks", "t"), ("ks", "u"), ("other", "t")


def test_a_changed_table_takes_only_its_plans_along() -> None:
    cache: PlanCache[str, int] = PlanCache(10)
    cache.keep("a", 1, [T])
    cache.keep("b", 2, [U, T, T])
    cache.keep("c", 3, [U])
    cache.keep("d", 4, [V])
    cache.keep("e", 5, [])
    assert cache.keys_about("ks", "t") == ["a", "b"]
    cache.forget("ks", "t")
    assert list(cache) == ["c", "d", "e"]
    cache.forget("ks", None)
    assert list(cache) == ["d", "e"]
    cache.forget("ks", None)
    cache.forget("nowhere", "t")
    assert cache.get("d") == 4


def test_the_oldest_leaves_first_and_a_kept_key_is_new() -> None:
    cache: PlanCache[str, int] = PlanCache(2)
    cache.keep("a", 1, [T])
    cache.keep("b", 2, [T])
    cache.keep("a", 3, [U])
    cache.keep("c", 4, [T])
    assert list(cache.values()) == [3, 4]
    assert cache.keys_about("ks", "t") == ["c"]
    assert cache.oldest() == "a"


def test_nothing_of_what_left_stays() -> None:
    seed = 7
    rng = random.Random(seed)
    cache: PlanCache[int, int] = PlanCache(20)
    for number in range(500):
        cache.keep(rng.randrange(40), number, rng.sample([T, U, V], rng.randrange(4)))
        if rng.randrange(5) == 0:
            cache.forget(*rng.choice([T, U, V, ("ks", None)]))
        assert len(cache) <= 20
    for keyspace in ("ks", "other"):
        cache.forget(keyspace, None)
    for key in list(cache):
        cache.pop(key)
    assert not cache._keys
    assert not cache._tables
