"""Token ranges as intervals of positions, against the definition."""


from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cluster.replication import SimpleStrategy
from cluster.ring import TOKEN_MIN, Node, Ring
from cluster.streaming.ranges import WHOLE_RING, TokenRange, contains, cut, holds, intervals, left_from, owned_ranges
from storage.memtable.memtable import token_position
from storage.token import MAX_TOKEN

EDGES = (TOKEN_MIN, TOKEN_MIN + 1, -1, 0, 1, MAX_TOKEN - 1, MAX_TOKEN)
tokens = st.one_of(st.sampled_from(EDGES), st.integers(-5, 5))
ranges = st.lists(st.builds(TokenRange, tokens, tokens), max_size=4)
real_tokens = tokens.filter(lambda token: token != TOKEN_MIN)


@given(ranges, real_tokens)
def test_intervals_hold_what_the_ranges_do(found: list[TokenRange], token: int) -> None:
    pieces = intervals(found)
    assert holds(pieces, token_position(token)) == any(contains(one, token) for one in found)
    assert all(left.end is not None and left.end < right.start for left, right in pairwise(pieces))


@given(ranges, real_tokens, real_tokens)
def test_what_is_left_begins_at_the_position(found: list[TokenRange], start: int, token: int) -> None:
    pieces = left_from(intervals(found), token_position(start))
    assert holds(pieces, token_position(token)) == (token >= start and any(contains(one, token) for one in found))


@given(ranges, st.lists(real_tokens, max_size=4), real_tokens)
def test_ranges_that_are_cut_hold_the_same(found: list[TokenRange], points: list[int], token: int) -> None:
    pieces = cut(found, points)
    assert any(contains(one, token) for one in pieces) == any(contains(one, token) for one in found)
    assert not any(contains(one, point) and point != one.end for one in pieces for point in points)


def test_what_a_node_owns() -> None:
    nodes = [Node(UUID(int=number), f"10.0.0.{number}", tokens=(number * 100,)) for number in (1, 2, 3)]
    ring = Ring(nodes)
    assert owned_ranges(SimpleStrategy(1), ring, nodes[0]) == (TokenRange(300, 100),)
    assert owned_ranges(SimpleStrategy(2), ring, nodes[0]) == (TokenRange(300, 100), TokenRange(200, 300))
    assert intervals(owned_ranges(SimpleStrategy(3), ring, nodes[1])) == intervals((WHOLE_RING,))
