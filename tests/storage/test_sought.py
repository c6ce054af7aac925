"""Which of many sources may have a key: those whose range has it, in their order, whatever layers they are dealt into; and
what a bloom filter looks at is what Cassandra's does."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from storage.memtable.memtable import position_of
from storage.sought import Layers, Sought, probes
from storage.token import key_hashes

POSITIONS = st.binary(min_size=1, max_size=2)


@dataclass(frozen=True)
class Ranged:
    first_position: bytes
    last_position: bytes


@dataclass(frozen=True)
class Anywhere:
    name: int


RANGED = st.tuples(POSITIONS, POSITIONS).map(lambda ends: Ranged(min(ends), max(ends)))
SOURCES = st.lists(RANGED | st.integers(0, 9).map(Anywhere), max_size=30)


@given(SOURCES, st.lists(POSITIONS, min_size=1))
def test_layers_find_what_looking_at_each_finds(sources: list[Ranged | Anywhere], positions: list[bytes]) -> None:
    layers: Layers[Ranged | Anywhere] = Layers(sources)
    for position in positions:
        expected = [s for s in sources if isinstance(s, Anywhere) or s.first_position <= position <= s.last_position]
        assert layers.around(position) == expected


def test_disjoint_sources_are_one_layer_and_overlapping_ones_a_layer_each() -> None:
    disjoint = [Ranged(bytes((n,)), bytes((n, 255))) for n in range(200)]
    assert len(Layers(disjoint)._layers) == 1
    assert len(Layers([Ranged(b"a", b"z")] * 7)._layers) == 7
    touching = Layers([Ranged(b"a", b"b"), Ranged(b"b", b"c")])
    assert touching.around(b"b") == list(touching.sources)


@given(st.binary(min_size=1, max_size=20), st.integers(1, 20))
def test_probes_are_javas_sums_in_64_bits(key: bytes, count: int) -> None:
    step, base = key_hashes(key)
    expected = []
    for n in range(count):
        wrapped = (base + n * step + (1 << 63)) % (1 << 64) - (1 << 63)
        expected.append(abs(wrapped))
    assert probes((step, base), count) == expected
    sought = Sought(key)
    assert sought.probes(count) == expected
    assert sought.position == sought.place() == position_of(key)
