"""What changed between two mappings is known from how the second was made."""

import random
from types import MappingProxyType

from storage.schema.elements import Elements, differences, with_element, without_element


def test_one_change_is_known_without_a_look_at_the_rest() -> None:
    before = Elements({"a": [1], "b": [2]})
    after = with_element(before, "c", [3])
    assert differences(before, after) == ("c",)
    assert differences(before, without_element(before, "a")) == ("a",)
    assert differences(before, before) == ()
    assert before == {"a": [1], "b": [2]}
    assert after == {"a": [1], "b": [2], "c": [3]}


def test_other_pasts_are_compared_whole() -> None:
    shared = [1]
    before = {"a": shared, "b": [2], "c": shared}
    assert list(differences(MappingProxyType(before), {"a": shared, "b": [2], "d": shared})) == ["c", "b", "d"]
    first = with_element(before, "d", shared)
    second = without_element(first, "a")
    assert sorted(differences(before, second)) == ["a", "d"]


def test_differences_hold_whatever_was_changed() -> None:
    seed = 11
    rng = random.Random(seed)
    versions = [Elements[str, object]()]
    for _ in range(200):
        base = rng.choice(versions[-3:])
        key = rng.choice("abcdef")
        versions.append(with_element(base, key, object()) if rng.randrange(3) else without_element(base, key))
        old, new = rng.choice(versions[-5:]), versions[-1]
        really = {name for name in {**old, **new} if old.get(name) is not new.get(name)}
        assert really <= set(differences(old, new))
