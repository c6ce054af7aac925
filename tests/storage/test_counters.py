"""Counter contexts: shards, their merge, and what a tombstone does to them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import CorruptionError
from storage.counters.contexts import Shard, context_of, increment, merge_contexts, shards, total, total_value
from storage.mutation import Cell
from storage.reconcile import reconcile_counter

A, B = b"A" * 16, b"B" * 16

contexts = st.dictionaries(
    st.sampled_from([A, B, b"C" * 16]), st.tuples(st.integers(0, 3), st.integers(-5, 5), st.booleans()), min_size=1
).map(lambda found: context_of([Shard(node, *rest) for node, rest in found.items()]))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(contexts, contexts, contexts)
def test_contexts_form_a_semilattice(a: bytes, b: bytes, c: bytes) -> None:
    assert merge_contexts(a, b) == merge_contexts(b, a)
    assert merge_contexts(merge_contexts(a, b), c) == merge_contexts(a, merge_contexts(b, c))
    assert merge_contexts(a, a) == a


def test_increments_of_one_node_add_up_and_raise_the_clock() -> None:
    first = increment(None, A, 5, 100)
    second = increment(first, A, -2, 50)
    assert list(shards(second)) == [Shard(A, 101, 3)]
    assert merge_contexts(first, second) == second
    assert total(second) == 3


def test_increments_of_two_nodes_meet_in_one_context() -> None:
    of_a = increment(None, A, 5, 100)
    of_b = increment(of_a, B, 7, 100)
    assert list(shards(of_b)) == [Shard(B, 100, 7)]
    both = merge_contexts(of_a, of_b)
    assert list(shards(both)) == [Shard(A, 100, 5), Shard(B, 100, 7)]
    assert total(both) == 12
    assert total_value(both) == (12).to_bytes(8, "big")
    assert total_value(of_a) == (5).to_bytes(8, "big")


def test_context_bytes_are_cassandras() -> None:
    assert increment(None, A, 1, 2) == bytes.fromhex("00018000") + A + bytes(7) + b"\2" + bytes(7) + b"\1"


def test_count_wraps_around_as_a_java_long() -> None:
    assert total(increment(increment(None, A, (1 << 63) - 1, 1), A, 1, 1)) == -(1 << 63)


def test_tombstone_wins_over_a_later_increment() -> None:
    tombstone = Cell(1, None, 0, 10)
    counter = Cell(2, increment(None, A, 1, 2))
    assert reconcile_counter(tombstone, counter) is tombstone
    assert reconcile_counter(counter, tombstone) is tombstone
    assert reconcile_counter(Cell(3, None, 0, 10), tombstone) == Cell(3, None, 0, 10)


@pytest.mark.parametrize("damaged", [b"", b"\0", b"\0\2\x80\0", increment(None, A, 1, 1)[:-1]])
def test_damaged_context_is_corruption(damaged: bytes) -> None:
    with pytest.raises(CorruptionError):
        list(shards(damaged))
